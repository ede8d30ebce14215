/**
 * The spans of a heap: every byte of the claim belongs to exactly one span, which is free, one live block, or a slab.
 *
 * Best fit over byte-granular spans with immediate coalescing, the policy that keeps glibc's heap compact, but with every tag outside
 * the blocks, in the records of span.ts. The exact bin and then the next one are searched for the best of a few.
 *
 *     sum of span lengths in a window = the claim's part of that window;  no two free spans are neighbours
 *     SPAN_BYTES = sum of lengths of live, kept and slab spans;  each page of those is committed
 *
 * A span that is freed is kept whole for a while, one for each hash of its size, so that a program that frees and asks for the same again
 * pays for no join and no cut (glibc's fast bins, with one entry each). Kept spans are joined before the heap grows by a page, so they
 * never raise the peak.
 *
 * Purging happens at a new high-water mark only: before a clean page is committed that would raise the peak, free dirty pages are given
 * back if that is worth a sweep. Cost: about 25 ns for a cut, 25 for a join.
 *
 * `allocate` and `release` are longer than the house likes: cut into helpers they took 1.5 times as long, and the compiler, which
 * inlines small functions into every caller, took 3 MiB more memory for it.
 * @module
 */
import { alignUp } from '../bits.ts'
import * as layout from './heap-layout.ts'
import { PageMap } from './page-map.ts'
import { bestIn, binOf, enter, giveRecord, intoBin, leave, nextBin, resizeFree, takeRecord, unbin } from './span.ts'

// Local for speed, as in span.ts.
const {
  BIN_COUNT, BIN_HEAD, BIN_MAP, BIN_NEXT, BIN_TOP_MAP, COMMITTED, FREE, HIGHEST_END, HUGE, HUGE_HIGH, HUGE_LOW, KEPT, KEPT_COUNT, KEPT_MOST, KEPT_NOW, KEPT_SPANS, KIND, KIND_BITS,
  KIND_MASK, LIVE, NEXT, NEXT_SWEEP, PART, PEAK, PEAK_BYTES, PREVIOUS, RESIDUE, SIZE, SLAB, SLAB_SPAN, SPAN_BYTES, SPAN_SPARE, SPAN_SPARES,
  SPAN_TOP, SPAN_WORDS, START, SWEEPS, SWEEPS_PEAK, TILE_TOP, TILES, WINDOW, WINDOW_TILES, WINDOWS,
} = layout

/** A free rest shorter than this stays with its block: a record costs half as much. */
const SPLINTER = 64
/** So many sweeps hold the peak, while it is less than doubled, before it is let go. */
const SWEEPS_MOST = 16
/** How many spans of a bin are compared. */
const SEARCH = 8
/** The shortest free span that hangs in a bin. */
const BINNED = 2 ** layout.BIN_LOW

export interface SpanSource {
  readonly offset: number
  readonly byteLength: number
  readonly pageSize: number
  /** Committed bytes allowed, metadata included. */
  limit: number
  /** Gives whole pages back. */
  purge(offset: number, byteLength: number): void
  /** Fills with zeros. */
  zero(offset: number, byteLength: number): void
  /** Releases slabs that stand empty; true if any was. */
  retire(): boolean
  /** Bytes of metadata in use, if so many more records were. */
  metadataBytes(more: number): number
  /** Told of the first release after `watch` was set. */
  freed(): void
}

export class SpanTable {
  readonly pages: PageMap
  /** Whether the source wants to be told of the next release. */
  watch = false
  readonly #m: Int32Array
  readonly #bytes: Float64Array
  readonly #layout: layout.HeapLayout
  readonly #source: SpanSource
  /** Tile table index of tile 0 of window 0. */
  readonly #tiles: number
  readonly #firstTile: number
  /** Index of the dirty bit of page 0 of window 0: negative when the claim starts later. */
  readonly #firstPage: number
  readonly #dirty: number
  readonly #pageShift: number
  readonly #firstWindow: number
  readonly #windowCount: number
  /** Whether the source has a limit: every cut is looked at then. */
  readonly #limited: boolean

  constructor(words: Int32Array, bytes: Float64Array, table: layout.HeapLayout, source: SpanSource) {
    this.#m = words
    this.#bytes = bytes
    this.#layout = table
    this.#source = source
    this.#tiles = TILES - table.firstTile
    this.#firstTile = table.firstTile
    this.#firstPage = table.firstPage
    this.#dirty = table.dirty
    this.#pageShift = 31 - Math.clz32(source.pageSize)
    this.#firstWindow = Math.floor(source.offset / WINDOW)
    this.#windowCount = Math.ceil((source.offset + source.byteLength) / WINDOW) - this.#firstWindow
    this.#limited = source.limit !== Number.POSITIVE_INFINITY
    this.pages = new PageMap(words, table.dirty, COMMITTED)
  }

  /** The state of a heap without blocks. The windows that were open stay open: their pages may be dirty. */
  reset(): void {
    const opened = this.#m[WINDOWS]
    this.clear()
    while (this.#m[WINDOWS] < opened) this.#open()
  }

  /** The state of a heap that was never used: no window is open, and no record used. */
  clear(): void {
    const m = this.#m
    m.fill(0, BIN_TOP_MAP, KEPT_SPANS + KEPT_COUNT)
    m[KEPT_NOW] = 0
    m.fill(0, TILES, TILES + m[TILE_TOP])
    m.fill(0, this.#layout.spans, Math.max(m[SPAN_TOP], this.#layout.spans))
    m[WINDOWS] = 0
    m[SPAN_TOP] = this.#layout.spans
    m[SPAN_SPARE] = 0
    m[SPAN_SPARES] = 0
    m[TILE_TOP] = 0
    this.#bytes[SPAN_BYTES >> 1] = 0
    this.#bytes[HIGHEST_END >> 1] = 0
  }

  kind(span: number): number {
    return this.#m[span + KIND] & KIND_MASK
  }

  window(span: number): number {
    return this.#m[span + KIND] >> KIND_BITS
  }

  /** Offset of a span's first byte in the arena. */
  offset(span: number): number {
    return (this.#m[span + KIND] >> KIND_BITS) * WINDOW + this.#m[span + START]
  }

  /** Start in its window. */
  start(span: number): number {
    return this.#m[span + START]
  }

  /** Length of the span itself. */
  partLength(span: number): number {
    return this.#m[span + SIZE]
  }

  next(span: number): number {
    return this.#m[span + NEXT]
  }

  previous(span: number): number {
    return this.#m[span + PREVIOUS]
  }

  /** Length of a live block: of all its parts when it is huge. */
  length(span: number): number {
    const m = this.#m
    return (m[span + KIND] & KIND_MASK) === HUGE ? m[span + HUGE_HIGH] * WINDOW + m[span + HUGE_LOW] : m[span + SIZE]
  }

  /** Bytes of live spans and slabs. */
  get usedBytes(): number {
    return this.#bytes[SPAN_BYTES >> 1]
  }

  /** Committed bytes, metadata included, at the last high-water mark. */
  get peakBytes(): number {
    return this.#bytes[PEAK_BYTES >> 1]
  }

  /** Committed bytes of the claim: whole pages, less what of its first and last page lies outside. */
  get committedBytes(): number {
    const { offset, byteLength, pageSize } = this.#source
    const { firstPage, pageCount } = this.#layout
    let bytes = this.pages.committed * pageSize
    if (this.pages.clean(0, 0) === 0) bytes -= offset - firstPage * pageSize
    if (this.pages.clean(pageCount - 1, pageCount - 1) === 0)
      bytes -= (firstPage + pageCount) * pageSize - (offset + byteLength)
    return bytes
  }

  /**
   * The span that starts at `start` in `window`, or 0. Walks the spans that start in the same tile.
   */
  find(window: number, start: number): number {
    const m = this.#m
    let span = -m[this.#tiles + window * WINDOW_TILES + (start >>> 12)]
    while (span > 0) {
      const at = m[span + START]
      if (at === start) return span
      if (at > start) return 0
      span = m[span + NEXT]
    }
    return 0
  }

  /** The span that `start` in `window` lies in, or 0. Looks back over tiles: for error messages and inner claims, not for speed. */
  around(window: number, start: number): number {
    const m = this.#m
    let tile = this.#tiles + window * WINDOW_TILES + (start >>> 12)
    const least = Math.max(TILES, this.#tiles + window * WINDOW_TILES)
    for (; tile >= least; tile--) {
      let span = -m[tile]
      if (span === 0) continue
      if (span < 0) return 0
      let found = 0
      while (span > 0 && m[span + START] <= start) {
        found = span
        span = m[span + NEXT]
      }
      if (found !== 0) return start < m[found + START] + m[found + SIZE] ? found : 0
    }
    return 0
  }

  /**
   * Cuts a span of `length` bytes (a multiple of 8, at most a window) on a multiple of `alignment` out of a free one. Returns its
   * record, or 0 when nothing fits; then nothing has changed. With `zero` it reads zero.
   *
   * This is the way for memory that is committed already; everything else goes to `#allocateHard`.
   */
  allocate(length: number, alignment: number, kind: number, zero: boolean): number {
    const m = this.#m
    let free = 0
    let bin = binOf(length < BINNED ? BINNED : length)
    do {
      let left = SEARCH
      let bestSize = 0x7fffffff
      for (let span = m[BIN_HEAD + bin]; span > 0 && left > 0; span = m[span + BIN_NEXT], left--) {
        const size = m[span + SIZE]
        const at = m[span + START]
        // Of equals the lowest: high memory is where the heap can shrink.
        if (((at + alignment - 1) & -alignment) - at + length > size || size > bestSize) continue
        if (size === bestSize && at > m[free + START]) continue
        free = span
        bestSize = size
      }
      if (free !== 0) break
      bin = nextBin(m, bin + 1)
    } while (bin >= 0)
    if (free === 0 || (m[SPAN_SPARES] < 2 && m[SPAN_TOP] + 2 * SPAN_WORDS > this.#layout.spansEnd))
      return this.#allocateHard(length, alignment, kind, zero)
    const from = m[free + START]
    const start = (from + alignment - 1) & -alignment
    const rest = from + m[free + SIZE] - start - length
    const size = rest < SPLINTER && kind !== SLAB ? length + rest : length
    const window = m[free + KIND] >> KIND_BITS
    const pages = (window << (30 - this.#pageShift)) - this.#firstPage
    const first = pages + (start >>> this.#pageShift)
    const last = pages + ((start + size - 1) >>> this.#pageShift)
    // One word of the map tells of 32 pages: of longer blocks, and of those across two words, the general way takes care.
    const mask = (-1 << (first & 31)) & (-1 >>> (31 - (last & 31)))
    if (zero || start !== from || size === length + rest || first >>> 5 !== last >>> 5 || this.#limited)
      return this.#allocateHard(length, alignment, kind, zero)
    if ((mask & ~m[this.#dirty + (first >>> 5)]) !== 0) return this.#allocateHard(length, alignment, kind, zero)
    const live = this.#cutFront(free, size)
    m[live + KIND] = (window << KIND_BITS) | kind
    this.#account(window, start + size, size)
    return live
  }

  /** Cuts a block that grows from the longest free span, so that it can go on growing where it is; 0 when that is no better than any. */
  allocateRoomy(length: number): number {
    const m = this.#m
    const level = 31 - Math.clz32(m[BIN_TOP_MAP])
    if (level < 0) return 0
    const free = m[BIN_HEAD + (level << 5) + 31 - Math.clz32(m[BIN_MAP + level])]
    if (m[free + SIZE] < 2 * length) return 0
    return this.#allocateHard(length, 8, LIVE, false, free)
  }

  /** Cuts a span where pages must be committed or zeroed, or where room must be made first. */
  #allocateHard(length: number, alignment: number, kind: number, zero: boolean, wanted = 0): number {
    const m = this.#m
    for (let free = wanted; ; free = 0) {
      if (!this.#roomFor(2)) return 0
      if (free === 0) free = this.#fit(length, alignment)
      if (free === 0) {
        // Kept spans, and slabs that stand empty, may be what is missing.
        if (this.dropKept() || this.#open() || this.#source.retire()) continue
        return 0
      }
      const window = m[free + KIND] >> KIND_BITS
      const start = (m[free + START] + alignment - 1) & -alignment
      const rest = m[free + START] + m[free + SIZE] - start - length
      const size = rest < SPLINTER && kind !== SLAB ? length + rest : length
      const missing = this.#missing(window, start, start + size)
      if (missing > 0 && this.dropKept()) continue
      if (missing > 0 || this.#limited) {
        const answer = this.#admit(missing, window, start, start + size)
        if (answer < 0) return 0
        if (answer > 0) continue
      }
      const live = this.#carve(free, start, size, kind)
      this.#commit(window, start, start + size, zero)
      this.#account(window, start + size, size)
      return live
    }
  }

  /** A kept span of exactly this length, live again; 0 when there is none. With `zero` it reads zero. */
  takeKept(length: number, zero: boolean): number {
    const m = this.#m
    const at = KEPT_SPANS + (Math.imul(length, 0x9e3779b1) >>> 26)
    const span = m[at]
    if (span === 0 || m[span + SIZE] !== length) return 0
    m[at] = 0
    m[KEPT_NOW]--
    m[span + KIND] = (m[span + KIND] & ~KIND_MASK) | LIVE
    if (zero) this.#source.zero(this.offset(span), length)
    return span
  }

  /** Frees a live span: keeps it, and releases the one that was kept in its place. */
  free(span: number): void {
    const m = this.#m
    const size = m[span + SIZE]
    if (size > KEPT_MOST) {
      this.release(span)
      return
    }
    const at = KEPT_SPANS + (Math.imul(size, 0x9e3779b1) >>> 26)
    const old = m[at]
    m[at] = span
    m[span + KIND] = (m[span + KIND] & ~KIND_MASK) | KEPT
    if (old !== 0) this.release(old)
    else m[KEPT_NOW]++
    if (this.watch) this.#tell()
  }

  /** Releases every kept span; false when there was none. */
  dropKept(): boolean {
    const m = this.#m
    if (m[KEPT_NOW] === 0) return false
    m[KEPT_NOW] = 0
    for (let at = KEPT_SPANS; at < KEPT_SPANS + KEPT_COUNT; at++) {
      const span = m[at]
      m[at] = 0
      if (span !== 0) this.release(span)
    }
    return true
  }

  /** Gives a live, kept or slab span back and joins it with free neighbours. */
  release(span: number): void {
    this.#giveBack(span)
    if (this.watch) this.#tell()
  }

  #tell(): void {
    this.watch = false
    this.#source.freed()
  }

  #giveBack(span: number): void {
    const m = this.#m
    const size = m[span + SIZE]
    this.#bytes[SPAN_BYTES >> 1] -= size
    const tag = m[span + KIND]
    const slab = (tag & KIND_MASK) === SLAB
    const previous = m[span + PREVIOUS]
    const next = m[span + NEXT]
    const joinsNext = next !== 0 && (m[next + KIND] & KIND_MASK) === FREE
    if (previous !== 0 && (m[previous + KIND] & KIND_MASK) === FREE) {
      let whole = m[previous + SIZE] + size
      let after = next
      if (!slab) leave(m, span, this.#tiles)
      if (joinsNext) {
        unbin(m, next)
        whole += m[next + SIZE]
        after = m[next + NEXT]
        leave(m, next, this.#tiles)
        giveRecord(m, next)
      }
      m[previous + NEXT] = after
      if (after !== 0) m[after + PREVIOUS] = previous
      giveRecord(m, span)
      resizeFree(m, previous, whole)
      return
    }
    if (joinsNext) {
      // The free span grows downwards and keeps its record, and as a rule its bin.
      if (!slab) leave(m, span, this.#tiles)
      leave(m, next, this.#tiles)
      m[next + START] = m[span + START]
      m[next + PREVIOUS] = previous
      if (previous !== 0) m[previous + NEXT] = next
      giveRecord(m, span)
      enter(m, next, this.#tiles, this.#firstTile)
      resizeFree(m, next, m[next + SIZE] + size)
      return
    }
    m[span + KIND] = (tag & ~KIND_MASK) | FREE
    if (slab) enter(m, span, this.#tiles, this.#firstTile)
    intoBin(m, span)
  }

  /** Changes a live span's length in place; false when the span behind it leaves no room. */
  resize(span: number, length: number): boolean {
    const m = this.#m
    const old = m[span + SIZE]
    if (!this.#roomFor(1)) return length <= old
    if (length <= old) {
      if (old - length >= SPLINTER) this.#trim(span, length)
      return true
    }
    const next = m[span + NEXT]
    if (next === 0 || (m[next + KIND] & KIND_MASK) !== FREE) return false
    const rest = old + m[next + SIZE] - length
    if (rest < 0) return false
    const whole = rest < SPLINTER ? length + rest : length
    const window = m[span + KIND] >> KIND_BITS
    const start = m[span + START]
    const missing = this.#missing(window, start + old, start + whole)
    if (missing > 0) {
      if (this.dropKept()) return this.resize(span, length)
      const answer = this.#admit(missing, window, start + old, start + whole)
      if (answer !== 0) return answer > 0 && this.resize(span, length)
    }
    leave(m, next, this.#tiles)
    if (rest < SPLINTER) {
      unbin(m, next)
      const after = m[next + NEXT]
      m[span + NEXT] = after
      if (after !== 0) m[after + PREVIOUS] = span
      giveRecord(m, next)
    } else {
      m[next + START] = start + whole
      enter(m, next, this.#tiles, this.#firstTile)
      resizeFree(m, next, rest)
    }
    m[span + SIZE] = whole
    if (missing > 0) this.#commit(window, start + old, start + whole, false)
    this.#account(window, start + whole, whole - old)
    return true
  }

  /** Enters a slab's record in every tile of its span; 0 takes it out again. */
  cover(span: number, slab: number): void {
    const m = this.#m
    const tile = (m[span + KIND] >> KIND_BITS) * WINDOW_TILES + (m[span + START] >>> 12)
    const end = tile + (m[span + SIZE] >>> 12)
    for (let at = tile; at < end; at++) m[this.#tiles + at] = slab === 0 ? 0 : slab + at - tile
    const used = end - this.#layout.firstTile
    if (used > m[TILE_TOP]) m[TILE_TOP] = used
  }

  /**
   * A block longer than a window, or than what is left of one: it takes the end of one window, whole windows, and the beginning of
   * the last. First fit. Returns the record of its first part, or 0.
   */
  allocateHuge(length: number, alignment: number, zero: boolean): number {
    this.dropKept()
    for (let w = 0; w < this.#windowCount; w++) {
      const start = this.#runFrom(w, length, alignment)
      if (start < 0) continue
      const parts = this.#parts(w, start, length)
      if (!this.#roomFor(3 * parts.length)) return 0
      while (this.#m[WINDOWS] < w + parts.length) this.#open()
      let missing = 0
      for (const part of parts) missing += this.#missing(part.window, part.start, part.start + part.length)
      const answer = missing > 0 ? this.#admit(missing, 0, 0, 0) : 0
      if (answer < 0) return 0
      if (answer > 0) return this.allocateHuge(length, alignment, zero)
      return this.#takeParts(parts, length, zero)
    }
    return 0
  }

  /** Gives a huge block's parts back. */
  releaseHuge(span: number): void {
    let window = this.window(span)
    let left = this.length(span) - this.#m[span + SIZE]
    this.release(span)
    while (left > 0) {
      const part = this.find(++window, 0)
      left -= this.#m[part + SIZE]
      this.release(part)
    }
  }

  /** Purges free dirty pages, of the longest spans first, until `most` bytes are given back; returns bytes. */
  purge(most: number = Number.POSITIVE_INFINITY): number {
    this.dropKept()
    return this.#sweep(most, -1, -1)
  }

  /** The slab record of a slab's span. */
  slabOf(span: number): number {
    return this.tile(this.window(span), this.#m[span + START]) & -16
  }

  /** The tile word for a place. */
  tile(window: number, start: number): number {
    return this.#m[this.#tiles + window * WINDOW_TILES + (start >>> 12)]
  }

  /** The live block that a span is part of: the span itself, or the first part of a huge block; 0 when it is not live. */
  headOf(span: number): number {
    let head = span
    while (head !== 0 && this.kind(head) === PART) {
      const window = this.window(head) - 1
      head = this.around(window, this.#windowEnd(window - this.#firstWindow) - 1)
    }
    const kind = head === 0 ? 0 : this.kind(head)
    return kind === LIVE || kind === HUGE ? head : 0
  }

  /** Whether a block may have been handed out at a place that is free now: everything beyond the highest one was never used. */
  everUsed(window: number, start: number): boolean {
    return window * WINDOW + start < this.#bytes[HIGHEST_END >> 1]
  }

  isFirst(span: number): boolean {
    return this.#m[span + PREVIOUS] === 0
  }

  /** Whether a span ends where its window, or the claim, ends. */
  endsWindow(span: number): boolean {
    return this.#m[span + START] + this.#m[span + SIZE] === this.#windowEnd(this.window(span) - this.#firstWindow)
  }

  /** The bin for a length of at least `BINNED` bytes. */
  binOf(length: number): number {
    return binOf(length)
  }

  isBinned(span: number): boolean {
    return this.#m[span + SIZE] >= BINNED
  }

  /** What the bitmaps say of a bin. */
  binBit(bin: number): boolean {
    const word = this.#m[BIN_MAP + (bin >>> 5)]
    const top = (this.#m[BIN_TOP_MAP] >>> (bin >>> 5)) & 1
    return (word !== 0) === (top !== 0) && (word & (1 << (bin & 31))) !== 0
  }

  *inBin(bin: number): Generator<number> {
    for (let span = this.#m[BIN_HEAD + bin]; span > 0; span = this.#m[span + BIN_NEXT]) yield span
  }

  /** Every span in address order. The span that was given last may be released, and joined with its neighbours, before the next. */
  *all(): Generator<number> {
    const m = this.#m
    for (let w = 0; w < m[WINDOWS]; w++) {
      const window = this.#firstWindow + w
      let span = this.#first(window)
      while (span > 0) {
        const end = m[span + START] + m[span + SIZE]
        const next = m[span + NEXT]
        yield span
        span = next === 0 || this.#isAt(next, window, end) ? next : this.#from(window, end)
      }
    }
  }

  /** Whether a record is still that of a span that starts here. */
  #isAt(span: number, window: number, start: number): boolean {
    const m = this.#m
    return (m[span + KIND] & KIND_MASK) !== 0 && m[span + KIND] >> KIND_BITS === window && m[span + START] === start
  }

  /** The first span that ends after `start`. */
  #from(window: number, start: number): number {
    if (start >= this.#windowEnd(window - this.#firstWindow)) return 0
    const tile = this.tile(window, start)
    return tile > 0 ? this.#m[(tile & -16) + SLAB_SPAN] : this.around(window, start)
  }

  // ---- finding room ----

  /** The best free span for a length and an alignment, or 0. */
  #fit(length: number, alignment: number): number {
    const m = this.#m
    const exact = binOf(length < BINNED ? BINNED : length)
    let found = m[BIN_HEAD + exact] === 0 ? 0 : bestIn(m, exact, length, alignment, SEARCH)
    for (let bin = exact + 1; found === 0; bin++) {
      bin = nextBin(m, bin)
      if (bin < 0) return this.#fitAmongAll(exact, length, alignment)
      found = bestIn(m, bin, length, alignment, SEARCH)
    }
    return found
  }

  /** Looks at what the short searches passed over. */
  #fitAmongAll(exact: number, length: number, alignment: number): number {
    const m = this.#m
    for (let bin = nextBin(m, exact); bin >= 0; bin = nextBin(m, bin + 1)) {
      const found = bestIn(m, bin, length, alignment, 0x7fffffff)
      if (found !== 0) return found
      if (alignment === 8) return 0
    }
    return 0
  }

  /** Opens the next window of the claim as one free span; false when there is none left. */
  #open(): boolean {
    const m = this.#m
    const opened = m[WINDOWS]
    if (opened === this.#windowCount) return false
    if (!this.#roomFor(3)) return false
    const window = this.#firstWindow + opened
    const { offset, byteLength } = this.#source
    let start = opened === 0 ? offset - window * WINDOW : 0
    if (window === 0 && start === 0) start = 8
    const end = Math.min(WINDOW, offset + byteLength - window * WINDOW)
    m[WINDOWS] = opened + 1
    const span = takeRecord(m)
    m[span + START] = start
    m[span + SIZE] = end - start
    m[span + KIND] = (window << KIND_BITS) | FREE
    m[span + PREVIOUS] = 0
    m[span + NEXT] = 0
    enter(m, span, this.#tiles, this.#layout.firstTile)
    intoBin(m, span)
    return true
  }

  /** Where in the claim's window `w` a run of free bytes of this length begins, or -1. */
  #runFrom(w: number, length: number, alignment: number): number {
    const tail = this.#freeTail(w)
    if (tail < 0) return -1
    const start = alignUp(tail, alignment)
    let left = length - (this.#windowEnd(w) - start)
    if (start >= this.#windowEnd(w) || left <= 0) return left <= 0 && start < this.#windowEnd(w) ? start : -1
    for (let next = w + 1; left > 0; next++) {
      if (next >= this.#windowCount) return -1
      const room = this.#freeHead(next)
      if (room < left && room < WINDOW) return -1
      left -= room
    }
    return start
  }

  #windowEnd(w: number): number {
    return Math.min(WINDOW, this.#source.offset + this.#source.byteLength - (this.#firstWindow + w) * WINDOW)
  }

  #windowStart(w: number): number {
    if (w > 0) return 0
    const start = this.#source.offset - this.#firstWindow * WINDOW
    return start === 0 && this.#firstWindow === 0 ? 8 : start
  }

  /** Start of the free span that ends where the window ends, or -1. */
  #freeTail(w: number): number {
    if (w >= this.#m[WINDOWS]) return this.#windowStart(w)
    const window = this.#firstWindow + w
    const last = this.around(window, this.#windowEnd(w) - 1)
    return last !== 0 && this.kind(last) === FREE ? this.#m[last + START] : -1
  }

  /** Length of the free span that begins where the window begins, or 0. */
  #freeHead(w: number): number {
    if (w >= this.#m[WINDOWS]) return this.#windowEnd(w)
    const first = this.#first(this.#firstWindow + w)
    return first !== 0 && this.kind(first) === FREE ? this.#m[first + SIZE] : 0
  }

  #parts(w: number, start: number, length: number): { window: number; start: number; length: number }[] {
    const parts = []
    let at = start
    for (let left = length, i = w; left > 0; i++, at = 0) {
      const part = Math.min(left, this.#windowEnd(i) - at)
      parts.push({ window: this.#firstWindow + i, start: at, length: part })
      left -= part
    }
    return parts
  }

  #takeParts(parts: { window: number; start: number; length: number }[], length: number, zero: boolean): number {
    const m = this.#m
    let head = 0
    for (const part of parts) {
      const kind = head !== 0 ? PART : parts.length === 1 ? LIVE : HUGE
      const live = this.#carve(this.around(part.window, part.start), part.start, part.length, kind)
      this.#commit(part.window, part.start, part.start + part.length, zero)
      this.#account(part.window, part.start + part.length, part.length)
      if (kind === HUGE) {
        m[live + HUGE_LOW] = length % WINDOW
        m[live + HUGE_HIGH] = Math.floor(length / WINDOW)
      }
      if (head === 0) head = live
    }
    return head
  }

  /** The first span of an open window. */
  #first(window: number): number {
    const m = this.#m
    const start = this.#windowStart(window - this.#firstWindow)
    const first = m[this.#tiles + window * WINDOW_TILES + (start >>> 12)]
    return first > 0 ? m[(first & -16) + SLAB_SPAN] : -first
  }

  // ---- committing ----

  #page(window: number, at: number): number {
    return (window << (30 - this.#pageShift)) + (at >>> this.#pageShift) - this.#layout.firstPage
  }

  #missing(window: number, start: number, end: number): number {
    return this.pages.clean(this.#page(window, start), this.#page(window, end - 1))
  }

  /**
   * Asked before `missing` clean pages are committed for the block `start … end`. 0: go on; -1: the limit forbids it; 1: memory was
   * given back elsewhere, look again. The block's own pages are spared by the sweep.
   */
  #admit(missing: number, window: number, start: number, end: number): number {
    const m = this.#m
    const source = this.#source
    const pageSize = source.pageSize
    const first = end === 0 ? -1 : this.#page(window, start)
    const last = end === 0 ? -1 : this.#page(window, end - 1)
    const committed = m[COMMITTED] + missing
    if (committed > m[PEAK]) {
      const slack = this.committedBytes - this.usedBytes
      if (slack < m[RESIDUE] * pageSize) m[RESIDUE] = Math.floor(slack / pageSize)
      else if (committed > m[NEXT_SWEEP] && slack > m[RESIDUE] * pageSize + Math.max((committed * pageSize) / 32, 65536)) {
        if (source.retire()) return 1
        this.#sweep(Number.POSITIVE_INFINITY, first, last)
        // What the block itself is about to use is spared now, and not for good.
        const spared = first < 0 ? 0 : last - first + 1 - missing
        m[RESIDUE] = Math.max(0, Math.ceil((this.committedBytes - this.usedBytes) / pageSize) - spared)
        this.#scheduleSweep(committed, m[COMMITTED] + missing)
      }
    }
    const most = source.limit
    if (most === Number.POSITIVE_INFINITY) return 0
    const bytes = (): number => this.committedBytes + missing * pageSize + source.metadataBytes(4)
    if (bytes() <= most) return 0
    if (this.dropKept() || source.retire()) return 1
    this.#sweep(Number.POSITIVE_INFINITY, first, last)
    return bytes() <= most ? 0 : -1
  }

  /** Marks a range as committed; with `zero`, fills the parts that were not clean. */
  #commit(window: number, start: number, end: number, zero: boolean): void {
    const m = this.#m
    const first = this.#page(window, start)
    const last = this.#page(window, end - 1)
    if (zero) this.#zeroDirty(window, start, end, first, last)
    this.pages.mark(first, last)
    if (m[COMMITTED] <= m[PEAK]) return
    m[PEAK] = m[COMMITTED]
    this.#bytes[PEAK_BYTES >> 1] = this.committedBytes + this.#source.metadataBytes(0)
  }

  #zeroDirty(window: number, start: number, end: number, first: number, last: number): void {
    const shift = this.#pageShift
    const origin = (window << (30 - shift)) - this.#layout.firstPage
    let page = this.pages.next(first, last, true)
    while (page <= last) {
      const clean = this.pages.next(page, last, false)
      const from = Math.max(start, (page - origin) << shift)
      const to = Math.min(end, clean > last ? end : (clean - origin) << shift)
      this.#source.zero(window * WINDOW + from, to - from)
      page = this.pages.next(clean, last, true)
    }
  }

  /**
   * Says at how many committed pages the next sweep may come, after one that brought `asked` pages down to `got`. The first sweeps
   * at a peak keep it where it is; a program that reaches it again and again gets more room, or it would fault the same pages in for ever.
   */
  #scheduleSweep(asked: number, got: number): void {
    const m = this.#m
    if (m[PEAK] >= 2 * m[SWEEPS_PEAK]) {
      m[SWEEPS_PEAK] = m[PEAK]
      m[SWEEPS] = 0
    }
    m[SWEEPS]++
    const level = m[SWEEPS] <= SWEEPS_MOST ? Math.max(m[PEAK], got) : asked
    m[NEXT_SWEEP] = level + (level >>> 6)
  }

  /** Purges the free spans, but for the pages `spareFirst … spareLast`. */
  #sweep(most: number, spareFirst: number, spareLast: number): number {
    const m = this.#m
    let bytes = 0
    for (let bin = BIN_COUNT - 1; bin >= 0 && bytes < most; bin--)
      for (let span = m[BIN_HEAD + bin]; span > 0; span = m[span + BIN_NEXT]) {
        const first = this.#firstWhole(span)
        const last = this.#page(m[span + KIND] >> KIND_BITS, 0) + ((m[span + START] + m[span + SIZE]) >>> this.#pageShift) - 1
        if (spareLast < first || spareFirst > last) bytes += this.#purgePages(first, last)
        else bytes += this.#purgePages(first, spareFirst - 1) + this.#purgePages(spareLast + 1, last)
      }
    return bytes
  }

  /** The first page that lies wholly in a free span. */
  #firstWhole(span: number): number {
    const m = this.#m
    const { pageSize, offset } = this.#source
    const window = m[span + KIND] >> KIND_BITS
    // The eight bytes before the first block of the arena are nobody's: its page may go when the rest of it is free.
    const start = window === 0 && m[span + START] === 8 && offset === 0 ? 0 : m[span + START]
    return this.#page(window, (start + pageSize - 1) & -pageSize)
  }

  /** Purges the dirty ones of the pages `first … last`. */
  #purgePages(first: number, last: number): number {
    const { pageSize } = this.#source
    let bytes = 0
    let page = this.pages.next(first, last, true)
    while (page <= last) {
      const clean = this.pages.next(page, last, false)
      this.#source.purge((page + this.#layout.firstPage) * pageSize, (clean - page) * pageSize)
      this.pages.unmark(page, clean - 1)
      bytes += (clean - page) * pageSize
      page = this.pages.next(clean, last, true)
    }
    return bytes
  }

  // ---- cutting and joining ----

  /** Whether so many records can still be made. */
  #roomFor(count: number): boolean {
    const m = this.#m
    return m[SPAN_SPARES] >= count || m[SPAN_TOP] + count * SPAN_WORDS <= this.#layout.spansEnd
  }

  /** Counts bytes that have become live, and notes how far the heap has ever reached. */
  #account(window: number, end: number, size: number): void {
    const bytes = this.#bytes
    bytes[SPAN_BYTES >> 1] += size
    if (window * WINDOW + end > bytes[HIGHEST_END >> 1]) bytes[HIGHEST_END >> 1] = window * WINDOW + end
  }

  /** Cuts the first `size` bytes off a free span, which keeps its record and as a rule its bin; the new span's kind is not set. */
  #cutFront(free: number, size: number): number {
    const m = this.#m
    const live = takeRecord(m)
    const start = m[free + START]
    const previous = m[free + PREVIOUS]
    m[live + START] = start
    m[live + SIZE] = size
    m[live + PREVIOUS] = previous
    m[live + NEXT] = free
    if (previous !== 0) m[previous + NEXT] = live
    m[free + PREVIOUS] = live
    m[free + START] = start + size
    // The new span is where the free one was; the free one is the first in its tile unless it stays in the same.
    const tile = (m[free + KIND] >> KIND_BITS) * WINDOW_TILES + (start >>> 12)
    const moved = (m[free + KIND] >> KIND_BITS) * WINDOW_TILES + ((start + size) >>> 12)
    if (m[this.#tiles + tile] === -free) m[this.#tiles + tile] = -live
    if (moved !== tile) m[this.#tiles + moved] = -free
    if (moved - this.#firstTile >= m[TILE_TOP]) m[TILE_TOP] = moved - this.#firstTile + 1
    resizeFree(m, free, m[free + SIZE] - size)
    return live
  }

  /** Makes `[start, start + size)` of a free span live; what is left of it before and behind stays free. */
  #carve(span: number, start: number, size: number, kind: number): number {
    const m = this.#m
    unbin(m, span)
    let live = span
    if (start > m[span + START]) {
      live = this.#split(span, start - m[span + START])
      intoBin(m, span)
    }
    if (m[live + SIZE] > size) intoBin(m, this.#split(live, size))
    m[live + KIND] = (m[live + KIND] & ~KIND_MASK) | kind
    return live
  }

  /** Cuts a span in two; returns the second part, free, linked and entered but in no bin. */
  #split(span: number, size: number): number {
    const m = this.#m
    const second = takeRecord(m)
    const next = m[span + NEXT]
    m[second + START] = m[span + START] + size
    m[second + SIZE] = m[span + SIZE] - size
    m[second + KIND] = (m[span + KIND] & ~KIND_MASK) | FREE
    m[second + PREVIOUS] = span
    m[second + NEXT] = next
    m[span + SIZE] = size
    m[span + NEXT] = second
    if (next !== 0) m[next + PREVIOUS] = second
    enter(m, second, this.#tiles, this.#firstTile)
    return second
  }

  /** Cuts the end off a live span. */
  #trim(span: number, size: number): void {
    const m = this.#m
    const second = this.#split(span, size)
    m[second + KIND] = (m[second + KIND] & ~KIND_MASK) | LIVE
    this.release(second)
  }
}
