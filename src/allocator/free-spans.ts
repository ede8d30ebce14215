/**
 * The free spans of a heap: found, cut and joined. Every byte of an open window belongs to exactly one span.
 *
 *     sum of span lengths in a window = the claim's part of that window;  no two free spans are neighbours
 *
 *     cut     |        free        |   ->   |  live  |    free    |       a rest below SPLINTER stays with the block
 *     join    | free |  live | free |  ->   |        free        |        at once, both sides
 *
 * Best fit over byte-granular spans with immediate joining, the policy that keeps glibc's heap compact, but with every tag outside
 * the blocks, in the records of span.ts. A window is opened, as one free span, when there is no room in those that are open.
 *
 * Cost: about 15 ns for a cut, 15 for a join, more where branches cannot be foreseen.
 * @module
 */
import { At, Bin, Span, Tag, Window } from './heap-layout.ts'
import { Size } from './size-class.ts'
import {
  bestIn,
  binOf,
  enter,
  giveRecord,
  intoBin,
  leave,
  nextBin,
  resizeFree,
  takeRecord,
  tileAt,
  unbin,
  unlinked,
} from './span.ts'
import { SpanPages } from './span-pages.ts'

/** A free rest shorter than this stays with its block: a record costs half as much. */
export const SPLINTER = 64

/** How many spans of a bin are compared where there is time. */
const SEARCH = 8

/** How many spans of the exact bin are compared before a request is refused; of those behind it half as many each. */
const THOROUGH_SEARCH = 64

export abstract class FreeSpans extends SpanPages {
  /** The state of a heap without blocks. The windows that were open stay open: their pages may be dirty. */
  reset(): void {
    const opened = this.openWindows()
    this.clear()
    while (this.m[At.WINDOWS] < opened && this.open());
  }

  /** As `clear`, but a free of what was handed out before is still told from one of what never was. */
  forgetAll(): void {
    const highest = this.bytes[At.HIGHEST_END >> 1]
    this.clear()
    this.bytes[At.HIGHEST_END >> 1] = highest
  }

  /** The state of a heap that was never used: no window is open, and no record used. */
  clear(): void {
    const { m, layout, source } = this
    const top = Math.min(Math.max(m[At.SPAN_TOP], layout.spans), layout.spansEnd)
    const tiles = Math.min(Math.max(m[At.TILE_TOP], 0), layout.tileCount)
    // From the second store on no span is live, whatever else is left undone.
    m[At.CLEARING] = 1
    m[At.SPAN_TOP] = layout.spans
    m.fill(0, At.BIN_TOP_MAP, At.KEPT_END)
    source.clearWords(At.TILES, At.TILES + tiles)
    source.clearWords(layout.spans, top)
    m[At.WINDOWS] = 0
    m[At.SPAN_SPARE] = 0
    m[At.SPAN_SPARES] = 0
    m[At.TILE_TOP] = 0
    m[At.FREE_PAGES] = 0
    this.bytes[At.SPAN_BYTES >> 1] = 0
    this.bytes[At.HIGHEST_END >> 1] = 0
  }

  /** Opens the next window of the claim as one free span; false when there is none left. */
  open(): boolean {
    const { m, source } = this
    const opened = this.openWindows()
    if (opened === this.windowCount || !this.roomFor(3)) return false
    const window = this.firstWindow + opened
    m[At.WINDOWS] = opened + 1
    const span = takeRecord(m)
    m[span + Span.START] = this.windowStart(opened)
    m[span + Span.SIZE] =
      Math.min(Window.BYTES, source.offset + source.byteLength - window * Window.BYTES) - m[span + Span.START]
    m[span + Span.TAG] = (window << Tag.WINDOW_BITS) | Tag.CLEAN | Tag.FREE
    m[span + Span.PREVIOUS] = 0
    m[span + Span.NEXT] = 0
    enter(m, span, this.tiles, this.firstTile)
    intoBin(m, span, m[span + Span.SIZE])
    m[At.FREE_PAGES] += this.wholePages(span)
    m[At.CLEARING] = 0
    return true
  }

  /** Opens windows up to the next one that has room; false, and nothing changed, when none has or the limit forbids it. */
  protected openFor(length: number, alignment: number): boolean {
    for (let w = this.openWindows(); w < this.windowCount; w++) {
      const start = Math.ceil(this.windowStart(w) / alignment) * alignment
      if (start + length > this.windowEnd(w)) continue
      const pages = Math.ceil(length / this.source.pageSize)
      const answer = this.limited ? this.admit(pages, this.firstWindow + w, start, start + length) : 0
      if (answer !== 0) return answer > 0
      while (this.m[At.WINDOWS] <= w) if (!this.open()) return false
      return true
    }
    return false
  }

  /** The best free span for a length and an alignment, or 0. */
  protected fit(length: number, alignment: number): number {
    const { m } = this
    const exact = binOf(length < Bin.SHORTEST ? Bin.SHORTEST : length)
    for (let bin = nextBin(m, exact); bin >= 0; bin = nextBin(m, bin + 1)) {
      const found = bestIn(m, bin, length, alignment, SEARCH)
      if (found !== 0) return found
    }
    // What the short searches passed over: in the exact bin, and where an alignment makes it hard. A request that fails takes no longer for
    // it than some microseconds, however many free spans there are.
    let left = THOROUGH_SEARCH
    for (let bin = nextBin(m, exact); bin >= 0 && (alignment > 8 || bin === exact); bin = nextBin(m, bin + 1)) {
      const found = bestIn(m, bin, length, alignment, left)
      if (found !== 0) return found
      if (left > SEARCH) left >>>= 1
    }
    return 0
  }

  /** Whether so many records can still be made. */
  protected roomFor(count: number): boolean {
    const { m } = this
    return m[At.SPAN_SPARES] >= count || m[At.SPAN_TOP] + count * Span.WORDS <= this.layout.spansEnd
  }

  /** Makes the first `size` bytes of a free span live, or another kind; the rest keeps its record and as a rule its bin. */
  protected cutFront(free: number, size: number, kind: number): number {
    const { m, tiles } = this
    const live = takeRecord(m)
    const start = m[free + Span.START]
    const previous = m[free + Span.PREVIOUS]
    const tag = m[free + Span.TAG] & ~(Tag.KIND | Tag.CLEAN)
    const pages = this.wholePages(free)
    m[live + Span.START] = start
    m[live + Span.SIZE] = size
    m[live + Span.PREVIOUS] = previous
    m[live + Span.NEXT] = free
    if (previous !== 0) {
      if (m[previous + Span.NEXT] !== free) throw unlinked(previous)
      m[previous + Span.NEXT] = live
    }
    m[free + Span.PREVIOUS] = live
    // The new span is where the free one was; the free one is the first in its tile unless it stays in the same.
    const tile = tileAt(m, free, tiles)
    const moved = tile + ((start + size) >>> Size.TILE_BITS) - (start >>> Size.TILE_BITS)
    m[free + Span.START] = start + size
    if (m[tile] === -free) m[tile] = -live
    if (moved !== tile) {
      const used = moved - tiles - this.firstTile + 1
      if (used > m[At.TILE_TOP]) m[At.TILE_TOP] = used
      m[moved] = -free
    }
    resizeFree(m, free, m[free + Span.SIZE] - size)
    if (pages > 0) m[At.FREE_PAGES] += this.wholePages(free) - pages
    m[live + Span.TAG] = tag | kind
    return live
  }

  /** Makes `[start, start + size)` of a free span live; what is left of it before and behind stays free. */
  protected carve(span: number, start: number, size: number, kind: number): number {
    const { m } = this
    unbin(m, span)
    m[At.FREE_PAGES] -= this.wholePages(span)
    let live = span
    if (start > m[span + Span.START]) {
      live = this.split(span, start - m[span + Span.START])
      intoBin(m, span, m[span + Span.SIZE])
      m[At.FREE_PAGES] += this.wholePages(span)
    }
    if (m[live + Span.SIZE] > size) {
      const rest = this.split(live, size)
      intoBin(m, rest, m[rest + Span.SIZE])
      m[At.FREE_PAGES] += this.wholePages(rest)
    }
    m[live + Span.TAG] = (m[live + Span.TAG] & ~(Tag.KIND | Tag.CLEAN)) | kind
    return live
  }

  /** Cuts a span in two; returns the second part, free, linked and entered but in no bin. */
  protected split(span: number, size: number): number {
    const { m } = this
    const second = takeRecord(m)
    const next = m[span + Span.NEXT]
    m[second + Span.START] = m[span + Span.START] + size
    m[second + Span.SIZE] = m[span + Span.SIZE] - size
    m[span + Span.SIZE] = size
    m[second + Span.TAG] = (m[span + Span.TAG] & ~Tag.KIND) | Tag.FREE
    m[second + Span.PREVIOUS] = span
    m[second + Span.NEXT] = next
    m[span + Span.NEXT] = second
    if (next !== 0) m[next + Span.PREVIOUS] = second
    enter(m, second, this.tiles, this.firstTile)
    return second
  }

  /** Makes a span that is in no bin free, and joins it with free neighbours. */
  protected join(span: number): void {
    const { m, tiles } = this
    const previous = m[span + Span.PREVIOUS]
    const next = m[span + Span.NEXT]
    const start = m[span + Span.START]
    if (next !== 0 && (m[next + Span.START] !== start + m[span + Span.SIZE] || m[next + Span.PREVIOUS] !== span))
      throw this.corrupted(next)
    if (
      previous !== 0 &&
      (m[previous + Span.START] + m[previous + Span.SIZE] !== start || m[previous + Span.NEXT] !== span)
    )
      throw this.corrupted(previous)
    m[span + Span.TAG] = (m[span + Span.TAG] & ~Tag.KIND) | Tag.FREE
    if (next !== 0 && (m[next + Span.TAG] & Tag.KIND) === Tag.FREE) {
      if (previous !== 0 && (m[previous + Span.TAG] & Tag.KIND) === Tag.FREE) {
        unbin(m, next)
        m[previous + Span.TAG] |= m[next + Span.TAG] & Tag.CLEAN
        const size = m[previous + Span.SIZE] + m[span + Span.SIZE] + m[next + Span.SIZE]
        const pages = this.wholePages(previous) + this.wholePages(next)
        this.absorb(span)
        this.absorb(next)
        resizeFree(m, previous, size)
        m[At.FREE_PAGES] += this.wholePages(previous) - pages
        return
      }
      // The free span grows downwards and keeps its record, and as a rule its bin.
      const pages = this.wholePages(next)
      leave(m, span, tiles)
      leave(m, next, tiles)
      m[next + Span.START] = start
      m[next + Span.PREVIOUS] = previous
      if (previous !== 0) m[previous + Span.NEXT] = next
      const size = m[next + Span.SIZE] + m[span + Span.SIZE]
      giveRecord(m, span)
      enter(m, next, tiles, this.firstTile)
      resizeFree(m, next, size)
      m[At.FREE_PAGES] += this.wholePages(next) - pages
    } else if (previous !== 0 && (m[previous + Span.TAG] & Tag.KIND) === Tag.FREE) {
      const size = m[previous + Span.SIZE] + m[span + Span.SIZE]
      const pages = this.wholePages(previous)
      this.absorb(span)
      resizeFree(m, previous, size)
      m[At.FREE_PAGES] += this.wholePages(previous) - pages
    } else {
      intoBin(m, span, m[span + Span.SIZE])
      m[At.FREE_PAGES] += this.wholePages(span)
    }
  }

  /** Takes a span that is in no bin out of the links and gives its record back: the span before it has its bytes now. */
  protected absorb(span: number): void {
    const { m } = this
    const previous = m[span + Span.PREVIOUS]
    const next = m[span + Span.NEXT]
    leave(m, span, this.tiles)
    m[previous + Span.NEXT] = next
    if (next !== 0) m[next + Span.PREVIOUS] = previous
    giveRecord(m, span)
  }
}
