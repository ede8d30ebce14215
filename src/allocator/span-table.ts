/**
 * The spans of a heap: every byte of the claim belongs to exactly one span, which is free, a live block or a part of a huge one, kept for
 * reuse, or a slab.
 *
 * Best fit over byte-granular spans with immediate coalescing, the policy that keeps glibc's heap compact, but with every tag outside
 * the blocks, in the records of span.ts. The exact bin and then the next one are searched for the best of a few.
 *
 *     sum of span lengths in a window = the claim's part of that window;  no two free spans are neighbours
 *     SPAN_BYTES = sum of lengths of live, huge, kept and slab spans;  each page of those is committed
 *
 * A span that is freed is kept whole for a while, one for each hash of its size, so that a program that frees and asks for the same again
 * pays for no join and no cut (glibc's fast bins, with one entry each). Kept spans are joined before the heap grows by a page, so they
 * never raise the peak by themselves. A block that grew and had to move goes to the longest free span, where it can go on growing.
 *
 * Cost: 8 ns for a kept span, about 30 ns for a cut, 20 for a join.
 * @module
 */
import * as layout from './heap-layout.ts'
import { bestIn, binOf, enter, giveRecord, intoBin, leave, nextBin, resizeFree, takeRecord, unbin } from './span.ts'
import type { SpanSource } from './span-map.ts'
import { SpanPages } from './span-pages.ts'

// Local for speed, as in span.ts.
// biome-ignore format: a table of names.
const {
  BIN_HEAD, BIN_MAP, BIN_NEXT, BIN_TOP_MAP, FREE, HIGHEST_END, KEPT, KEPT_COUNT, KEPT_MOST, KEPT_NOW, KEPT_SPANS,
  KIND, KIND_BITS, KIND_MASK, LIVE, NEXT, PREVIOUS, SIZE, SLAB, SPAN_BYTES, SPAN_SPARE, SPAN_SPARES, SPAN_TOP,
  SPAN_WORDS, START, TILE_TOP, TILES, WINDOW, WINDOW_TILES, WINDOWS,
} = layout

/** A free rest shorter than this stays with its block: a record costs half as much. */
const SPLINTER = 64
/** How many spans of a bin are compared. */
const SEARCH = 8
/** The shortest free span that hangs in a bin. */
const BINNED = 2 ** layout.BIN_LOW

export class SpanTable extends SpanPages {
  /** Whether the source wants to be told of the next release. */
  watch = false
  /** Index of the dirty bits. */
  readonly #dirty: number

  constructor(words: Int32Array, bytes: Float64Array, table: layout.HeapLayout, source: SpanSource) {
    super(words, bytes, table, source)
    this.#dirty = table.dirty
  }

  /** The state of a heap without blocks. The windows that were open stay open: their pages may be dirty. */
  reset(): void {
    const opened = this.m[WINDOWS]
    this.clear()
    while (this.m[WINDOWS] < opened) this.open()
  }

  /** The state of a heap that was never used: no window is open, and no record used. */
  clear(): void {
    const m = this.m
    m.fill(0, BIN_TOP_MAP, KEPT_SPANS + KEPT_COUNT)
    m[KEPT_NOW] = 0
    this.source.clearWords(TILES, TILES + m[TILE_TOP])
    this.source.clearWords(this.layout.spans, Math.max(m[SPAN_TOP], this.layout.spans))
    m[WINDOWS] = 0
    m[SPAN_TOP] = this.layout.spans
    m[SPAN_SPARE] = 0
    m[SPAN_SPARES] = 0
    m[TILE_TOP] = 0
    this.bytes[SPAN_BYTES >> 1] = 0
    this.bytes[HIGHEST_END >> 1] = 0
  }

  allocate(length: number, alignment: number, kind: number, zero: boolean): number {
    const m = this.m
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
    if (free === 0 || (m[SPAN_SPARES] < 2 && m[SPAN_TOP] + 2 * SPAN_WORDS > this.layout.spansEnd))
      return this.#allocateHard(length, alignment, kind, zero)
    const from = m[free + START]
    const start = (from + alignment - 1) & -alignment
    const rest = from + m[free + SIZE] - start - length
    const size = rest < SPLINTER && kind !== SLAB ? length + rest : length
    const window = m[free + KIND] >> KIND_BITS
    const pages = (window << (30 - this.pageShift)) - this.firstPage
    const first = pages + (start >>> this.pageShift)
    const last = pages + ((start + size - 1) >>> this.pageShift)
    // One word of the map tells of 32 pages: of longer blocks, and of those across two words, the general way takes care.
    const mask = (-1 << (first & 31)) & (-1 >>> (31 - (last & 31)))
    if (zero || start !== from || size === length + rest || first >>> 5 !== last >>> 5 || this.limited)
      return this.#allocateHard(length, alignment, kind, zero)
    if ((mask & ~m[this.#dirty + (first >>> 5)]) !== 0) return this.#allocateHard(length, alignment, kind, zero)
    const live = this.#cutFront(free, size)
    m[live + KIND] = (window << KIND_BITS) | kind
    this.account(window, start + size, size)
    return live
  }

  /** Cuts a block that grows from the longest free span, so that it can go on growing where it is; 0 when that is no better than any. */
  allocateRoomy(length: number): number {
    const m = this.m
    const level = 31 - Math.clz32(m[BIN_TOP_MAP])
    if (level < 0) return 0
    const free = m[BIN_HEAD + (level << 5) + 31 - Math.clz32(m[BIN_MAP + level])]
    if (m[free + SIZE] < 2 * length) return 0
    return this.#allocateHard(length, 8, LIVE, false, free)
  }

  /** Cuts a span where pages must be committed or zeroed, or where room must be made first. */
  #allocateHard(length: number, alignment: number, kind: number, zero: boolean, wanted = 0): number {
    const m = this.m
    for (let free = wanted; ; free = 0) {
      if (!this.roomFor(2)) return 0
      if (free === 0) free = this.fit(length, alignment)
      if (free === 0) {
        // Kept spans, and slabs that stand empty, may be what is missing.
        if (this.dropKept() || this.#openFor(length, alignment) || this.source.retire()) continue
        return 0
      }
      const window = m[free + KIND] >> KIND_BITS
      const start = (m[free + START] + alignment - 1) & -alignment
      const rest = m[free + START] + m[free + SIZE] - start - length
      const size = rest < SPLINTER && kind !== SLAB ? length + rest : length
      const missing = this.missing(window, start, start + size)
      if (missing > 0 && this.dropKept()) continue
      if (missing > 0 || this.limited) {
        const answer = this.admit(missing, this.page(window, start), this.page(window, start + size - 1))
        if (answer < 0) return 0
        if (answer > 0) continue
      }
      // First what can fail: a request that fails changes nothing.
      if (zero) this.zeroDirty(window, start, start + size)
      const live = this.carve(free, start, size, kind)
      this.commit(window, start, start + size)
      this.account(window, start + size, size)
      return live
    }
  }

  /** A kept span of exactly this length, live again; 0 when there is none. With `zero` it reads zero. */
  takeKept(length: number, zero: boolean): number {
    const m = this.m
    const at = KEPT_SPANS + (Math.imul(length, 0x9e3779b1) >>> 26)
    const span = m[at]
    if (span === 0 || m[span + SIZE] !== length) return 0
    // First what can fail: a request that fails changes nothing.
    if (zero) this.source.zero(this.offset(span), length)
    m[at] = 0
    m[KEPT_NOW]--
    m[span + KIND] = (m[span + KIND] & ~KIND_MASK) | LIVE
    return span
  }

  /** Frees a live span: keeps it, and releases the one that was kept in its place. */
  free(span: number): void {
    const m = this.m
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
    const m = this.m
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
    this.source.freed()
  }

  #giveBack(span: number): void {
    const m = this.m
    const size = m[span + SIZE]
    this.bytes[SPAN_BYTES >> 1] -= size
    const tag = m[span + KIND]
    const slab = (tag & KIND_MASK) === SLAB
    const previous = m[span + PREVIOUS]
    const next = m[span + NEXT]
    const joinsNext = next !== 0 && (m[next + KIND] & KIND_MASK) === FREE
    if (previous !== 0 && (m[previous + KIND] & KIND_MASK) === FREE) {
      let whole = m[previous + SIZE] + size
      let after = next
      if (!slab) leave(m, span, this.tiles)
      if (joinsNext) {
        unbin(m, next)
        whole += m[next + SIZE]
        after = m[next + NEXT]
        leave(m, next, this.tiles)
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
      if (!slab) leave(m, span, this.tiles)
      leave(m, next, this.tiles)
      m[next + START] = m[span + START]
      m[next + PREVIOUS] = previous
      if (previous !== 0) m[previous + NEXT] = next
      giveRecord(m, span)
      enter(m, next, this.tiles, this.firstTile)
      resizeFree(m, next, m[next + SIZE] + size)
      return
    }
    m[span + KIND] = (tag & ~KIND_MASK) | FREE
    if (slab) enter(m, span, this.tiles, this.firstTile)
    intoBin(m, span)
  }

  /** Changes a live span's length in place; false when the span behind it leaves no room. */
  resize(span: number, length: number): boolean {
    const m = this.m
    const old = m[span + SIZE]
    if (!this.roomFor(1)) return length <= old
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
    const missing = this.missing(window, start + old, start + whole)
    if (missing > 0) {
      if (this.dropKept()) return this.resize(span, length)
      const answer = this.admit(missing, this.page(window, start + old), this.page(window, start + whole - 1))
      if (answer !== 0) return answer > 0 && this.resize(span, length)
    }
    leave(m, next, this.tiles)
    if (rest < SPLINTER) {
      unbin(m, next)
      const after = m[next + NEXT]
      m[span + NEXT] = after
      if (after !== 0) m[after + PREVIOUS] = span
      giveRecord(m, next)
    } else {
      m[next + START] = start + whole
      enter(m, next, this.tiles, this.firstTile)
      resizeFree(m, next, rest)
    }
    m[span + SIZE] = whole
    if (missing > 0) this.commit(window, start + old, start + whole)
    this.account(window, start + whole, whole - old)
    return true
  }

  /** The best free span for a length and an alignment, or 0. */
  protected fit(length: number, alignment: number): number {
    const m = this.m
    const exact = binOf(length < BINNED ? BINNED : length)
    let found = m[BIN_HEAD + exact] === 0 ? 0 : bestIn(m, exact, length, alignment, SEARCH)
    for (let bin = exact + 1; found === 0; bin++) {
      bin = nextBin(m, bin)
      if (bin < 0) return this.fitAmongAll(exact, length, alignment)
      found = bestIn(m, bin, length, alignment, SEARCH)
    }
    return found
  }

  /** Looks at what the short searches passed over. */
  protected fitAmongAll(exact: number, length: number, alignment: number): number {
    const m = this.m
    for (let bin = nextBin(m, exact); bin >= 0; bin = nextBin(m, bin + 1)) {
      const found = bestIn(m, bin, length, alignment, 0x7fffffff)
      if (found !== 0) return found
      if (alignment === 8) return 0
    }
    return 0
  }

  /** Opens windows up to the next one that has room; false, and nothing changed, when none has or the limit forbids it. */
  #openFor(length: number, alignment: number): boolean {
    for (let w = this.m[WINDOWS]; w < this.windowCount; w++) {
      const start = Math.ceil(this.windowStart(w) / alignment) * alignment
      if (start + length > this.windowEnd(w)) continue
      const answer = this.limited ? this.keepToLimit(Math.ceil(length / this.source.pageSize), -1, -1) : 0
      if (answer !== 0) return answer > 0
      while (this.m[WINDOWS] <= w) if (!this.open()) return false
      return true
    }
    return false
  }

  /** Opens the next window of the claim as one free span; false when there is none left. */
  open(): boolean {
    const m = this.m
    const opened = m[WINDOWS]
    if (opened === this.windowCount) return false
    if (!this.roomFor(3)) return false
    const window = this.firstWindow + opened
    const { offset, byteLength } = this.source
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
    enter(m, span, this.tiles, this.layout.firstTile)
    intoBin(m, span)
    return true
  }

  /** Whether so many records can still be made. */
  protected roomFor(count: number): boolean {
    const m = this.m
    return m[SPAN_SPARES] >= count || m[SPAN_TOP] + count * SPAN_WORDS <= this.layout.spansEnd
  }

  /** Counts bytes that have become live, and notes how far the heap has ever reached. */
  protected account(window: number, end: number, size: number): void {
    const bytes = this.bytes
    bytes[SPAN_BYTES >> 1] += size
    if (window * WINDOW + end > bytes[HIGHEST_END >> 1]) bytes[HIGHEST_END >> 1] = window * WINDOW + end
  }

  /** Cuts the first `size` bytes off a free span, which keeps its record and as a rule its bin; the new span's kind is not set. */
  #cutFront(free: number, size: number): number {
    const m = this.m
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
    if (m[this.tiles + tile] === -free) m[this.tiles + tile] = -live
    if (moved !== tile) m[this.tiles + moved] = -free
    if (moved - this.firstTile >= m[TILE_TOP]) m[TILE_TOP] = moved - this.firstTile + 1
    resizeFree(m, free, m[free + SIZE] - size)
    return live
  }

  /** Makes `[start, start + size)` of a free span live; what is left of it before and behind stays free. */
  protected carve(span: number, start: number, size: number, kind: number): number {
    const m = this.m
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
    const m = this.m
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
    enter(m, second, this.tiles, this.firstTile)
    return second
  }

  /** Cuts the end off a live span. */
  #trim(span: number, size: number): void {
    const m = this.m
    const second = this.#split(span, size)
    m[second + KIND] = (m[second + KIND] & ~KIND_MASK) | LIVE
    this.release(second)
  }
}
