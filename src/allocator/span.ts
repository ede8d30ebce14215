/**
 * The spans of a heap: every byte of the claim belongs to exactly one span, which is free, one live block, or a slab.
 *
 * Best fit over byte-granular spans with immediate coalescing, the policy that keeps glibc's heap compact, but with every tag outside
 * the blocks: a span has a 32-byte record, records are linked in address order, and a table with a word for each 4 KiB tile names
 * the first span that starts there, so that an offset is found in a step or two. Free spans of 512 bytes and more hang in bins, 32 a
 * doubling, with two levels of bitmaps over them (TLSF, Masmano 2004); the exact bin and the next are searched for the best of a few.
 *
 *     tiles   |  -a  |   0   |  -c  | slab | slab |        in address order:  a <-> b <-> c <-> d (slab)
 *     spans   |aaaabbbbbbbbbbbbbbbbb|ccccc.|dddddddd|
 *
 *     sum of span lengths in a window = the claim's part of that window;  no two free spans are neighbours
 *     SPAN_BYTES = sum of lengths of live and slab spans;  each page of those is committed
 *
 * Purging happens at a new high-water mark only: before a clean page is committed that would raise the peak, free dirty pages are given
 * back if that is worth a sweep. Cost: 32 bytes a span and 4 bytes a tile; about 20 ns for a carve and a release together.
 * @module
 */
import { alignUp } from '../bits.ts'
import * as layout from './heap-layout.ts'
import { PageMap } from './page-map.ts'

// Local, so that the compiler takes them for constants: it reads an imported binding anew at each use (a malloc and free cost 14 ns, not 11).
const {
  BIN_COUNT, BIN_HEAD, BIN_LOW, BIN_MAP, BIN_STEPS, BIN_TOP_MAP, COMMITTED, PEAK, RESIDUE,
  SLAB_SPAN, SPAN_BYTES, SPAN_SPARE, SPAN_SPARES, SPAN_TOP, SPAN_WORDS, TILE_TOP, WINDOW, WINDOW_TILES, WINDOWS,
  NEXT_SWEEP, HIGHEST_END,
} = layout

/** Words of a span record. `START` is within the window; `KIND` also holds the window, shifted. */
export const START = 0
export const SIZE = 1
export const KIND = 2
const PREVIOUS = 3
export const NEXT = 4
const BIN_NEXT = 5
const BIN_PREVIOUS = 6
/** A huge block's whole length: low 30 bits, and GiB. */
const HUGE_LOW = 5
const HUGE_HIGH = 6

export const FREE = 1
export const LIVE = 2
export const SLAB = 3
/** The first part of a block that is longer than its window, and the parts in the windows after it. */
export const HUGE = 4
export const PART = 5
const KIND_BITS = 3
const KIND_MASK = 7

/** A free rest shorter than this stays with its block: a record costs half as much. */
const SPLINTER = 64
/** How many spans of a bin are compared. */
const SEARCH = 8
const BINNED = 1 << BIN_LOW

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
  /** Bytes of metadata in use. */
  metadataBytes(): number
}

export class SpanTable {
  readonly pages: PageMap
  readonly #m: Int32Array
  readonly #bytes: Float64Array
  readonly #layout: layout.HeapLayout
  readonly #source: SpanSource
  /** Tile table index of tile 0 of window 0. */
  readonly #tiles: number
  readonly #pageShift: number
  readonly #firstWindow: number
  readonly #windowCount: number

  constructor(words: Int32Array, bytes: Float64Array, layout: layout.HeapLayout, source: SpanSource) {
    this.#m = words
    this.#bytes = bytes
    this.#layout = layout
    this.#source = source
    this.#tiles = layout.tiles - layout.firstTile
    this.#pageShift = 31 - Math.clz32(source.pageSize)
    this.#firstWindow = Math.floor(source.offset / WINDOW)
    this.#windowCount = Math.ceil((source.offset + source.byteLength) / WINDOW) - this.#firstWindow
    this.pages = new PageMap(words, layout.dirty, COMMITTED)
  }

  /** The state of a heap without blocks: no window opened, no record used. */
  reset(): void {
    const m = this.#m
    m.fill(0, BIN_TOP_MAP, BIN_HEAD + BIN_COUNT)
    m.fill(0, this.#layout.tiles, this.#layout.tiles + m[TILE_TOP])
    m.fill(0, this.#layout.spans, Math.max(m[SPAN_TOP], this.#layout.spans))
    m[WINDOWS] = 0
    m[SPAN_TOP] = this.#layout.spans
    m[SPAN_SPARE] = 0
    m[SPAN_SPARES] = 0
    m[TILE_TOP] = 0
    this.#bytes[SPAN_BYTES >> 1] = 0
    this.#open()
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
    const least = Math.max(this.#layout.tiles, this.#tiles + window * WINDOW_TILES)
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
   */
  allocate(length: number, alignment: number, kind: number, zero: boolean): number {
    const m = this.#m
    if (!this.#roomFor(2)) return 0
    let span = this.#fit(length, alignment)
    while (span === 0) {
      if (!this.#open()) return 0
      span = this.#fit(length, alignment)
    }
    const start = alignment === 8 ? m[span + START] : (m[span + START] + alignment - 1) & -alignment
    const rest = m[span + START] + m[span + SIZE] - start - length
    const whole = rest < SPLINTER && kind !== SLAB ? length + rest : length
    const window = m[span + KIND] >> KIND_BITS
    const missing = this.#missing(window, start, start + whole)
    if (missing > 0) {
      const answer = this.#admit(missing, span)
      if (answer < 0) return 0
      if (answer > 0) return this.allocate(length, alignment, kind, zero)
    }
    const live = this.#carve(span, start, whole, kind)
    if (missing > 0 || zero) this.#commit(window, start, start + whole, zero)
    return live
  }

  /** Gives a live or slab span back and joins it with free neighbours. */
  release(span: number): void {
    const m = this.#m
    this.#bytes[SPAN_BYTES >> 1] -= m[span + SIZE]
    if ((m[span + KIND] & KIND_MASK) === SLAB) this.#enter(span)
    m[span + KIND] = (m[span + KIND] & ~KIND_MASK) | FREE
    this.#join(span)
  }

  /** Enters a slab's record in every tile of its span; 0 takes it out again. */
  cover(span: number, slab: number): void {
    const m = this.#m
    const tile = (m[span + KIND] >> KIND_BITS) * WINDOW_TILES + (m[span + START] >>> 12)
    const end = tile + (m[span + SIZE] >>> 12)
    m.fill(slab, this.#tiles + tile, this.#tiles + end)
    const used = end - this.#layout.firstTile
    if (used > m[TILE_TOP]) m[TILE_TOP] = used
  }

  /** Changes a live span's length in place; false when the span behind it leaves no room. */
  resize(span: number, length: number): boolean {
    const m = this.#m
    const old = m[span + SIZE]
    if (length <= old) {
      if (old - length >= SPLINTER && this.#roomFor(1)) this.#trim(span, length)
      return true
    }
    const next = m[span + NEXT]
    if (next === 0 || (m[next + KIND] & KIND_MASK) !== FREE) return false
    const rest = old + m[next + SIZE] - length
    if (rest < 0 || !this.#roomFor(1)) return false
    const whole = rest < SPLINTER ? length + rest : length
    const window = m[span + KIND] >> KIND_BITS
    const start = m[span + START]
    const missing = this.#missing(window, start + old, start + whole)
    if (missing > 0) {
      const answer = this.#admit(missing, next)
      if (answer !== 0) return answer > 0 && this.resize(span, length)
    }
    this.#unbin(next)
    this.#swallow(span, next)
    if (m[span + SIZE] > whole) this.#intoBin(this.#split(span, whole))
    this.#bytes[SPAN_BYTES >> 1] += whole - old
    if (missing > 0) this.#commit(window, start + old, start + whole, false)
    return true
  }

  /**
   * A block longer than a window, or than what is left of one: it takes the end of one window, whole windows, and the beginning of
   * the last. First fit. Returns the record of its first part, or 0.
   */
  allocateHuge(length: number, alignment: number, zero: boolean): number {
    for (let w = 0; w < this.#windowCount; w++) {
      const start = this.#runFrom(w, length, alignment)
      if (start < 0) continue
      const parts = this.#parts(w, start, length)
      if (!this.#roomFor(3 * parts.length)) return 0
      while (this.#m[WINDOWS] < w + parts.length) this.#open()
      let missing = 0
      for (const part of parts) missing += this.#missing(part.window, part.start, part.start + part.length)
      const answer = missing > 0 ? this.#admit(missing, 0) : 0
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

  /** Purges free dirty pages, in every free span but `except`; returns bytes. */
  purge(except = 0): number {
    const m = this.#m
    let bytes = 0
    for (let bin = 0; bin < BIN_COUNT; bin++)
      for (let span = m[BIN_HEAD + bin]; span > 0; span = m[span + BIN_NEXT])
        if (span !== except) bytes += this.#purgeSpan(span)
    return bytes
  }

  /** The slab record of a slab's span. */
  slabOf(span: number): number {
    return this.tile(this.window(span), this.#m[span + START])
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
    return this.#bin(length)
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

  /** Every span in address order. */
  *all(): Generator<number> {
    const m = this.#m
    for (let w = 0; w < m[WINDOWS]; w++)
      for (let span = this.#first(this.#firstWindow + w); span > 0; span = m[span + NEXT]) yield span
  }

  // ---- finding room ----

  #bin(length: number): number {
    const doubling = 31 - Math.clz32(length)
    return ((doubling - BIN_LOW) << 5) + ((length >>> (doubling - 5)) & (BIN_STEPS - 1))
  }

  /** The best free span for a length and an alignment, or 0. */
  #fit(length: number, alignment: number): number {
    const m = this.#m
    const wanted = length < BINNED ? BINNED : length
    let bin = this.#bin(wanted)
    let found = this.#best(m[BIN_HEAD + bin], length, alignment, SEARCH)
    if (found !== 0) return found
    const exact = bin
    for (bin = this.#nextBin(bin + 1); bin >= 0; bin = this.#nextBin(bin + 1)) {
      found = this.#best(m[BIN_HEAD + bin], length, alignment, SEARCH)
      if (found !== 0) return found
    }
    // What the short searches passed over.
    for (bin = exact; bin >= 0; bin = this.#nextBin(bin + 1)) {
      if (alignment === 8 && bin !== exact) break
      found = this.#best(m[BIN_HEAD + bin], length, alignment, 0x7fffffff)
      if (found !== 0) return found
    }
    return 0
  }

  /** The shortest that fits among the first `search` spans of a bin; of equals the lowest. */
  #best(head: number, length: number, alignment: number, search: number): number {
    const m = this.#m
    let best = 0
    let bestSize = 0x7fffffff
    let left = search
    for (let span = head; span > 0 && left > 0; span = m[span + BIN_NEXT], left--) {
      const size = m[span + SIZE]
      if (size > bestSize || size < length) continue
      if (alignment > 8) {
        const start = m[span + START]
        if (((start + alignment - 1) & -alignment) - start + length > size) continue
      }
      if (size === bestSize && m[span + START] > m[best + START]) continue
      best = span
      bestSize = size
    }
    return best
  }

  /** The first non-empty bin from `bin` on, or -1. */
  #nextBin(bin: number): number {
    if (bin >= BIN_COUNT) return -1
    const m = this.#m
    let doubling = bin >>> 5
    const steps = m[BIN_MAP + doubling] & (-1 << (bin & 31))
    if (steps !== 0) return (doubling << 5) + 31 - Math.clz32(steps & -steps)
    const above = m[BIN_TOP_MAP] & ~((2 << doubling) - 1)
    if (above === 0) return -1
    doubling = 31 - Math.clz32(above & -above)
    const bits = m[BIN_MAP + doubling]
    return (doubling << 5) + 31 - Math.clz32(bits & -bits)
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
    const span = this.#record()
    m[span + START] = start
    m[span + SIZE] = end - start
    m[span + KIND] = (window << KIND_BITS) | FREE
    m[span + PREVIOUS] = 0
    m[span + NEXT] = 0
    this.#enter(span)
    this.#intoBin(span)
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
    return first > 0 ? m[first + SLAB_SPAN] : -first
  }

  // ---- committing ----

  #page(window: number, at: number): number {
    return (window << (30 - this.#pageShift)) + (at >>> this.#pageShift) - this.#layout.firstPage
  }

  #missing(window: number, start: number, end: number): number {
    return this.pages.clean(this.#page(window, start), this.#page(window, end - 1))
  }

  /**
   * Asked before `missing` clean pages are committed. 0: go on; -1: the limit forbids it; 1: memory was given back elsewhere, look
   * again. `span` is the free span that is about to be cut: its pages are left alone.
   */
  #admit(missing: number, span: number): number {
    const m = this.#m
    const source = this.#source
    const pageSize = source.pageSize
    const committed = m[COMMITTED] + missing
    if (committed > m[PEAK]) {
      const slack = this.committedBytes - this.usedBytes
      if (slack < m[RESIDUE] * pageSize) m[RESIDUE] = Math.floor(slack / pageSize)
      else if (committed > m[NEXT_SWEEP] && slack > m[RESIDUE] * pageSize + Math.max((committed * pageSize) / 32, 65536)) {
        if (source.retire()) return 1
        this.purge(span)
        m[RESIDUE] = Math.ceil((this.committedBytes - this.usedBytes) / pageSize)
        m[NEXT_SWEEP] = committed + (committed >>> 6)
      }
    }
    const most = source.limit
    if (most === Infinity) return 0
    const bytes = (): number => this.committedBytes + missing * pageSize + source.metadataBytes()
    if (bytes() <= most) return 0
    if (source.retire()) return 1
    this.purge(span)
    return bytes() <= most ? 0 : -1
  }

  /** Marks a range as committed; with `zero`, fills the parts that were not clean. */
  #commit(window: number, start: number, end: number, zero: boolean): void {
    const m = this.#m
    const first = this.#page(window, start)
    const last = this.#page(window, end - 1)
    if (zero) this.#zeroDirty(window, start, end, first, last)
    this.pages.mark(first, last)
    if (m[COMMITTED] > m[PEAK]) m[PEAK] = m[COMMITTED]
  }

  #zeroDirty(window: number, start: number, end: number, first: number, last: number): void {
    const shift = this.#pageShift
    const origin = (window << (30 - shift)) - this.#layout.firstPage
    let page = this.pages.next(first, last, true)
    while (page <= last) {
      const clean = this.pages.next(page, last, false)
      const from = Math.max(start, (page - origin) * 2 ** shift)
      const to = Math.min(end, (clean - origin) * 2 ** shift)
      this.#source.zero(window * WINDOW + from, to - from)
      page = this.pages.next(clean, last, true)
    }
  }

  #purgeSpan(span: number): number {
    const m = this.#m
    const shift = this.#pageShift
    const window = m[span + KIND] >> KIND_BITS
    const source = this.#source
    const end = m[span + START] + m[span + SIZE]
    // The eight bytes before the first block of the arena are nobody's: its page may go when the rest of it is free.
    const start = window === 0 && m[span + START] === 8 && source.offset === 0 ? 0 : m[span + START]
    let page = this.#page(window, (start + source.pageSize - 1) & -source.pageSize)
    const stop = this.#page(window, 0) + (end >>> shift) - 1
    let bytes = 0
    page = this.pages.next(page, stop, true)
    while (page <= stop) {
      const clean = this.pages.next(page, stop, false)
      const length = (clean - page) * source.pageSize
      source.purge((page + this.#layout.firstPage) * source.pageSize, length)
      this.pages.unmark(page, clean - 1)
      bytes += length
      page = this.pages.next(clean, stop, true)
    }
    return bytes
  }

  // ---- records, tiles, bins ----

  /** Whether so many records can still be made. */
  #roomFor(count: number): boolean {
    const m = this.#m
    return m[SPAN_SPARES] >= count || m[SPAN_TOP] + count * SPAN_WORDS <= this.#layout.spansEnd
  }

  #record(): number {
    const m = this.#m
    const spare = m[SPAN_SPARE]
    if (spare !== 0) {
      m[SPAN_SPARE] = m[spare + NEXT]
      m[SPAN_SPARES]--
      return spare
    }
    const span = m[SPAN_TOP]
    m[SPAN_TOP] = span + SPAN_WORDS
    return span
  }

  #recycle(span: number): void {
    const m = this.#m
    m[span + KIND] = 0
    m[span + NEXT] = m[SPAN_SPARE]
    m[SPAN_SPARE] = span
    m[SPAN_SPARES]++
  }

  /** Enters a span's start in the tile table. */
  #enter(span: number): void {
    const m = this.#m
    const tile = (m[span + KIND] >> KIND_BITS) * WINDOW_TILES + (m[span + START] >>> 12)
    const at = this.#tiles + tile
    const first = m[at]
    if (first === 0 || m[-first + START] > m[span + START]) m[at] = -span
    const used = tile - this.#layout.firstTile + 1
    if (used > m[TILE_TOP]) m[TILE_TOP] = used
  }

  /** Removes it. Call it while the span is still linked to the next one. */
  #leave(span: number): void {
    const m = this.#m
    const start = m[span + START]
    const at = this.#tiles + (m[span + KIND] >> KIND_BITS) * WINDOW_TILES + (start >>> 12)
    if (m[at] !== -span) return
    const next = m[span + NEXT]
    m[at] = next !== 0 && m[next + START] >>> 12 === start >>> 12 ? -next : 0
  }

  #intoBin(span: number): void {
    const m = this.#m
    const size = m[span + SIZE]
    if (size < BINNED) {
      m[span + BIN_PREVIOUS] = -1
      return
    }
    const bin = this.#bin(size)
    const head = m[BIN_HEAD + bin]
    m[span + BIN_NEXT] = head
    m[span + BIN_PREVIOUS] = 0
    if (head !== 0) m[head + BIN_PREVIOUS] = span
    else {
      m[BIN_MAP + (bin >>> 5)] |= 1 << (bin & 31)
      m[BIN_TOP_MAP] |= 1 << (bin >>> 5)
    }
    m[BIN_HEAD + bin] = span
  }

  #unbin(span: number): void {
    const m = this.#m
    const previous = m[span + BIN_PREVIOUS]
    if (previous < 0) return
    const next = m[span + BIN_NEXT]
    if (next !== 0) m[next + BIN_PREVIOUS] = previous
    if (previous !== 0) {
      m[previous + BIN_NEXT] = next
      return
    }
    const bin = this.#bin(m[span + SIZE])
    m[BIN_HEAD + bin] = next
    if (next === 0) {
      const left = m[BIN_MAP + (bin >>> 5)] & ~(1 << (bin & 31))
      m[BIN_MAP + (bin >>> 5)] = left
      if (left === 0) m[BIN_TOP_MAP] &= ~(1 << (bin >>> 5))
    }
  }

  // ---- cutting and joining ----

  /** Makes `[start, start + length)` of a free span live; what is left of it stays free. Returns the live span. */
  #carve(span: number, start: number, length: number, kind: number): number {
    const m = this.#m
    this.#unbin(span)
    let live = span
    if (start > m[span + START]) {
      live = this.#split(span, start - m[span + START])
      this.#intoBin(span)
    }
    if (m[live + SIZE] > length) this.#intoBin(this.#split(live, length))
    m[live + KIND] = (m[live + KIND] & ~KIND_MASK) | kind
    if (kind === SLAB) this.#leave(live)
    const end = (m[live + KIND] >> KIND_BITS) * WINDOW + start + length
    if (end > this.#bytes[HIGHEST_END >> 1]) this.#bytes[HIGHEST_END >> 1] = end
    this.#bytes[SPAN_BYTES >> 1] += length
    return live
  }

  /** Cuts a span in two; returns the second part, free, linked and entered but in no bin. */
  #split(span: number, length: number): number {
    const m = this.#m
    const second = this.#record()
    const next = m[span + NEXT]
    m[second + START] = m[span + START] + length
    m[second + SIZE] = m[span + SIZE] - length
    m[second + KIND] = (m[span + KIND] & ~KIND_MASK) | FREE
    m[second + PREVIOUS] = span
    m[second + NEXT] = next
    m[span + SIZE] = length
    m[span + NEXT] = second
    if (next !== 0) m[next + PREVIOUS] = second
    this.#enter(second)
    return second
  }

  /** Joins a span with the one behind it, whose record is given up. */
  #swallow(span: number, next: number): void {
    const m = this.#m
    this.#leave(next)
    const after = m[next + NEXT]
    m[span + SIZE] += m[next + SIZE]
    m[span + NEXT] = after
    if (after !== 0) m[after + PREVIOUS] = span
    this.#recycle(next)
  }

  /** Joins a free span that is in no bin with its free neighbours and bins the result. */
  #join(span: number): void {
    const m = this.#m
    let whole = span
    const next = m[span + NEXT]
    if (next !== 0 && (m[next + KIND] & KIND_MASK) === FREE) {
      this.#unbin(next)
      this.#swallow(span, next)
    }
    const previous = m[span + PREVIOUS]
    if (previous !== 0 && (m[previous + KIND] & KIND_MASK) === FREE) {
      this.#unbin(previous)
      this.#swallow(previous, span)
      whole = previous
    }
    this.#intoBin(whole)
  }

  /** Cuts the end off a live span. */
  #trim(span: number, length: number): void {
    const m = this.#m
    this.#bytes[SPAN_BYTES >> 1] -= m[span + SIZE] - length
    this.#join(this.#split(span, length))
  }
}
