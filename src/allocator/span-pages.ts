/**
 * The pages of a heap's spans: committing them for blocks, keeping to the limit, and giving free ones back.
 *
 *     committed pages |        peak - - - - - - - - - - - - - -.- - - - -.-     a sweep comes before a clean page is committed
 *                     |     .´ ´ .     .´|  sweep  .´|  sweep.´              that would raise the peak, if enough is free
 *
 * Purging whenever a span is freed costs two to five times the time of a replay; purging only when the peak is about to rise reaches
 * nearly the same peak with a hundredth of the calls. The first sweeps at a peak hold it; a program that comes back to it again and
 * again gets more room, or it would fault the same pages in for ever.
 *
 *     a page is committed if its bit is set in the map;  each page of a live span is committed
 *     free dirty bytes = committed bytes - SPAN_BYTES
 *
 * Cost: a sweep walks the free spans; a page costs a microsecond or two to give back and fault in again.
 * @module
 */
import * as layout from './heap-layout.ts'
import { PageMap } from './page-map.ts'
import { SpanMap, type SpanSource } from './span-map.ts'

// Local for speed, as in span.ts.
// biome-ignore format: a table of names.
const {
  BIN_COUNT, BIN_HEAD, BIN_NEXT, COMMITTED, KIND, KIND_BITS, NEXT_SWEEP, PEAK, PEAK_BYTES, RESIDUE, SIZE, START,
  SWEEPS, SWEEPS_PEAK, WINDOW,
} = layout

/** So many sweeps hold the peak, while it is less than doubled, before it is let go. */
const SWEEPS_MOST = 16

export abstract class SpanPages extends SpanMap {
  readonly pages: PageMap
  /** Whether there is a limit: every cut is looked at then. */
  protected readonly limited: boolean

  constructor(words: Int32Array, bytes: Float64Array, table: layout.HeapLayout, source: SpanSource) {
    super(words, bytes, table, source)
    this.pages = new PageMap(words, table.dirty, COMMITTED)
    this.limited = source.limit !== Number.POSITIVE_INFINITY
  }

  /** Frees for good what was kept for reuse; false when there was nothing. */
  abstract dropKept(): boolean

  /** Purges free dirty pages, of the longest spans first, until `most` bytes are given back; returns bytes. */
  purge(most: number = Number.POSITIVE_INFINITY): number {
    this.dropKept()
    return this.sweep(most, -1, -1)
  }

  /** Committed bytes, metadata included, at the last high-water mark. */
  get peakBytes(): number {
    return this.bytes[PEAK_BYTES >> 1]
  }

  /** Committed bytes of the claim: whole pages, less what of its first and last page lies outside. */
  get committedBytes(): number {
    const { offset, byteLength, pageSize } = this.source
    const { firstPage, pageCount } = this.layout
    let bytes = this.pages.committed * pageSize
    if (this.pages.clean(0, 0) === 0) bytes -= offset - firstPage * pageSize
    if (this.pages.clean(pageCount - 1, pageCount - 1) === 0)
      bytes -= (firstPage + pageCount) * pageSize - (offset + byteLength)
    return bytes
  }

  /** How many pages of a range are not committed. */
  protected missing(window: number, start: number, end: number): number {
    return this.pages.clean(this.page(window, start), this.page(window, end - 1))
  }

  /**
   * Asked before `missing` clean pages are committed for a block in the pages `first … last`. 0: go on; -1: the limit forbids it; 1: memory was
   * given back elsewhere, look again. The block's own pages are spared by the sweep.
   */
  protected admit(missing: number, first: number, last: number): number {
    const { m, source } = this
    const answer = this.limited ? this.keepToLimit(missing, first, last) : 0
    const committed = m[COMMITTED] + missing
    if (answer !== 0 || committed <= m[PEAK]) return answer
    const slack = (this.committedBytes - this.usedBytes) / source.pageSize
    if (slack < m[RESIDUE]) m[RESIDUE] = Math.floor(slack)
    else if (committed > m[NEXT_SWEEP] && slack > m[RESIDUE] + Math.max(committed / 32, 65536 / source.pageSize)) {
      if (source.retire()) return 1
      this.sweep(Number.POSITIVE_INFINITY, first, last)
      // What the block itself is about to use is spared now, and not for good.
      const spared = last - first + 1 - missing
      const left = (this.committedBytes - this.usedBytes) / source.pageSize
      m[RESIDUE] = Math.max(0, Math.ceil(left) - spared)
      this.scheduleSweep(committed, m[COMMITTED] + missing)
    }
    return 0
  }

  /** As `admit`, for the limit. A sweep that would not be enough is not made: a request that fails changes nothing. */
  protected keepToLimit(missing: number, first: number, last: number): number {
    const { pageSize, limit } = this.source
    const excess = this.committedBytes + missing * pageSize + this.source.metadataBytes(4) - limit
    if (excess <= 0) return 0
    if (this.dropKept() || this.source.retire()) return 1
    if (this.#sweepable(first, last) * pageSize < excess) return -1
    this.sweep(Number.POSITIVE_INFINITY, first, last)
    return 0
  }

  /** Marks a range as committed. */
  protected commit(window: number, start: number, end: number): void {
    const m = this.m
    this.pages.mark(this.page(window, start), this.page(window, end - 1))
    if (m[COMMITTED] <= m[PEAK]) return
    m[PEAK] = m[COMMITTED]
    this.bytes[PEAK_BYTES >> 1] = this.committedBytes + this.source.metadataBytes(0)
  }

  /** Makes a range read zero before it is committed: fills the parts of it that are not clean. */
  protected zeroDirty(window: number, start: number, end: number): void {
    const shift = this.pageShift
    const first = this.page(window, start)
    const last = this.page(window, end - 1)
    const origin = (window << (30 - shift)) - this.layout.firstPage
    let page = this.pages.next(first, last, true)
    while (page <= last) {
      const clean = this.pages.next(page, last, false)
      const from = Math.max(start, (page - origin) << shift)
      const to = Math.min(end, clean > last ? end : (clean - origin) << shift)
      this.source.zero(window * WINDOW + from, to - from)
      page = this.pages.next(clean, last, true)
    }
  }

  /** Says at how many committed pages the next sweep may come, after one that brought `asked` pages down to `got`. */
  protected scheduleSweep(asked: number, got: number): void {
    const m = this.m
    if (m[PEAK] >= 2 * m[SWEEPS_PEAK]) {
      m[SWEEPS_PEAK] = m[PEAK]
      m[SWEEPS] = 0
    }
    m[SWEEPS]++
    const level = m[SWEEPS] <= SWEEPS_MOST ? Math.max(m[PEAK], got) : asked
    m[NEXT_SWEEP] = level + (level >>> 6)
  }

  /** Purges the free spans, but for the pages `spareFirst … spareLast`. */
  protected sweep(most: number, spareFirst: number, spareLast: number): number {
    let bytes = 0
    this.#eachFree((first, last) => {
      if (spareFirst < 0) bytes += this.purgePages(first, last)
      else
        bytes +=
          this.purgePages(first, Math.min(last, spareFirst - 1)) + this.purgePages(Math.max(first, spareLast + 1), last)
      return bytes < most
    })
    return bytes
  }

  /** How many pages a sweep would give back. */
  #sweepable(spareFirst: number, spareLast: number): number {
    let pages = 0
    this.#eachFree((first, last) => {
      if (spareFirst < 0) pages += this.pages.dirty(first, last)
      else
        pages +=
          this.pages.dirty(first, Math.min(last, spareFirst - 1)) +
          this.pages.dirty(Math.max(first, spareLast + 1), last)
      return true
    })
    return pages
  }

  /** Gives the first and the last whole page of every free span, longest first, until told to stop. */
  #eachFree(visit: (first: number, last: number) => boolean): void {
    const { m } = this
    for (let bin = BIN_COUNT - 1; bin >= 0; bin--)
      for (let span = m[BIN_HEAD + bin]; span > 0; span = m[span + BIN_NEXT]) {
        const window = m[span + KIND] >> KIND_BITS
        const last = this.page(window, 0) + ((m[span + START] + m[span + SIZE]) >>> this.pageShift) - 1
        if (!visit(this.firstWhole(span), last)) return
      }
  }

  /** The first page that lies wholly in a free span. */
  protected firstWhole(span: number): number {
    const m = this.m
    const { pageSize, offset } = this.source
    const window = m[span + KIND] >> KIND_BITS
    // The eight bytes before the first block of the arena are nobody's: its page may go when the rest of it is free.
    const start = window === 0 && m[span + START] === 8 && offset === 0 ? 0 : m[span + START]
    return this.page(window, (start + pageSize - 1) & -pageSize)
  }

  /** Purges the dirty ones of the pages `first … last`. */
  protected purgePages(first: number, last: number): number {
    const { pageSize } = this.source
    let bytes = 0
    let page = this.pages.next(first, last, true)
    while (page <= last) {
      const clean = this.pages.next(page, last, false)
      this.source.purge((page + this.layout.firstPage) * pageSize, (clean - page) * pageSize)
      this.pages.unmark(page, clean - 1)
      bytes += (clean - page) * pageSize
      page = this.pages.next(clean, last, true)
    }
    return bytes
  }
}
