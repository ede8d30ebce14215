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
 *     FREE_PAGES = pages that lie wholly in free spans;  those of them that are committed can be given back:
 *     sweepable = FREE_PAGES - (whole pages of the open windows - committed ones)
 *
 * So whether a sweep could make enough room is known without a walk, and a request that is refused at the limit costs no more on a heap of
 * a million spans.
 *
 * Cost: a sweep walks the free spans; a page costs a microsecond or two to give back and fault in again.
 * @module
 */
import { At, Bin, type HeapLayout, Span, Tag, Window } from './heap-layout.ts'
import { PageMap } from './page-map.ts'
import { binOf } from './span.ts'
import { SpanMap, type SpanSource } from './span-map.ts'

/** A request makes so many span records and slab records at most. */
const RECORDS_MOST = 4

/** The share of the committed pages that may lie free and dirty before a sweep comes: at first, and at most. */
const LEAST_SLACK = 1 / 32
const MOST_SLACK = 1 / 2
/** The share grows from the one to the other while sweeps give back so many times the peak, so that what sweeps may cost has an end. */
const PATIENCE = 4
/** A sweep gives back one committed page in 2^BATCH_SHIFT, or what is wanted. */
const BATCH_SHIFT = 6
/** At the limit, a heap of more than so many span records sweeps when that gives back one committed page in 2^WORTH_SHIFT, or what is wanted. */
const FEW_SPANS = 1024
const WORTH_SHIFT = 10

export abstract class SpanPages extends SpanMap {
  readonly pages: PageMap
  /** Whether there is a limit: every cut is looked at then. */
  protected readonly limited: boolean

  constructor(words: Int32Array, bytes: Float64Array, table: HeapLayout, source: SpanSource) {
    super(words, bytes, table, source)
    this.pages = new PageMap(words, table.dirty, At.COMMITTED)
    this.limited = source.limit !== Number.POSITIVE_INFINITY
  }

  /** Frees for good what was kept for reuse; false when there was nothing. */
  abstract dropKept(): boolean

  /** Purges free dirty pages, of the longest spans first, until `most` bytes are given back; returns bytes. */
  purge(most: number = Number.POSITIVE_INFINITY): number {
    this.dropKept()
    return this.sweep(Math.ceil(most / this.source.pageSize), -1, -1) * this.source.pageSize
  }

  /** Committed bytes, metadata included, at the last high-water mark. */
  get peakBytes(): number {
    return this.bytes[At.PEAK_BYTES >> 1]
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
   * Asked before `missing` clean pages are committed for a block at `[start, end)` of a window. 0: go on; -1: the limit forbids it; 1: memory
   * was given back elsewhere, look again. The block's own pages are spared by the sweep.
   */
  protected admit(missing: number, window: number, start: number, end: number): number {
    const { m, source } = this
    const first = this.page(window, start)
    // A huge block ends windows further on.
    const last = this.page(window, 0) + Math.floor((end - 1) / source.pageSize)
    const answer = this.limited ? this.keepToLimit(missing, first, last, window * Window.BYTES + end) : 0
    const committed = m[At.COMMITTED] + missing
    if (answer !== 0 || committed <= m[At.PEAK]) return answer
    const slack = Math.floor((this.committedBytes - this.usedBytes) / source.pageSize)
    if (slack < m[At.RESIDUE]) m[At.RESIDUE] = slack
    else if (slack > m[At.RESIDUE] + Math.max(committed * this.#slackShare(), 65536 / source.pageSize)) {
      if (source.retire()) return 1
      const wanted = Math.max(missing, committed >>> BATCH_SHIFT, 65536 / source.pageSize)
      const given = this.sweep(wanted, first, last)
      m[At.SWEPT] = Math.min(m[At.SWEPT] + given, 0x7fffffff)
      // What is left are parts of pages that live spans share, and what the block itself is about to use.
      if (given < wanted) m[At.RESIDUE] = Math.max(0, slack - given - (last - first + 1 - missing))
    }
    return 0
  }

  #slackShare(): number {
    const { m } = this
    const spent = m[At.SWEPT] / (PATIENCE * Math.max(m[At.PEAK], 1))
    return Math.min(MOST_SLACK, LEAST_SLACK + spent * (MOST_SLACK - LEAST_SLACK))
  }

  /**
   * As `admit`, for the limit; `end` is where the block would end in the arena. A sweep that would not be enough is not made: a request
   * that fails changes nothing.
   */
  private keepToLimit(missing: number, first: number, last: number, end: number): number {
    const { pageSize, limit } = this.source
    const excess = this.committedBytes + missing * pageSize + this.source.metadataBytes(RECORDS_MOST, end) - limit
    if (excess <= 0) return 0
    if (this.dropKept() || this.source.retire()) return 1
    const wanted = Math.ceil(excess / pageSize)
    // Of the block's own pages only its first and last may be shared with a live span.
    const own = this.pages.dirty(first, last)
    const sweepable = this.sweepable
    if (sweepable < wanted) return -1
    if (sweepable - own < wanted && sweepable - this.#sweepableOf(first, last, own) < wanted) return -1
    // A sweep walks the free spans: where there are many, it waits until it brings something.
    const worthwhile =
      (this.m[At.SPAN_TOP] - this.layout.spans) / Span.WORDS > FEW_SPANS ? this.m[At.COMMITTED] >>> WORTH_SHIFT : 0
    if (sweepable < worthwhile) return -1
    this.sweep(Math.max(wanted, worthwhile), first, last)
    return 0
  }

  /** Committed pages that lie wholly in free spans. */
  get sweepable(): number {
    const { m, pages, layout, source } = this
    const { offset, byteLength, pageSize } = source
    const opened = this.firstWindow + m[At.WINDOWS]
    const end = Math.min(opened * Window.BYTES, offset + byteLength)
    // Pages at the claim's edges that it has only a part of are never whole.
    const whole = Math.floor(end / pageSize) - Math.ceil(offset / pageSize)
    let committed = m[At.COMMITTED]
    if (offset % pageSize !== 0 && pages.clean(0, 0) === 0) committed--
    const last = layout.pageCount - 1
    if (end % pageSize !== 0 && last > 0 && pages.clean(last, last) === 0) committed--
    return m[At.FREE_PAGES] - (whole - committed)
  }

  /** How many of the committed pages `first … last` lie wholly in free spans, `own` of them being committed. */
  #sweepableOf(first: number, last: number, own: number): number {
    const inside = this.#isWhole(first) ? 0 : this.pages.dirty(first, first)
    const behind = last === first || this.#isWhole(last) ? 0 : this.pages.dirty(last, last)
    return own - inside - behind
  }

  /** Whether a page of an open window lies wholly in one free span. */
  #isWhole(page: number): boolean {
    const { pageSize } = this.source
    const at = (page + this.layout.firstPage) * pageSize
    const window = Math.floor(at / Window.BYTES)
    if (window - this.firstWindow >= this.m[At.WINDOWS]) return true
    const start = at - window * Window.BYTES
    const span = this.around(window, Math.max(start, this.windowStart(window - this.firstWindow)))
    if (span === 0 || this.kind(span) !== Tag.FREE) return false
    return this.firstWhole(span) <= page && start + pageSize <= this.m[span + Span.START] + this.m[span + Span.SIZE]
  }

  /** Pages that lie wholly in free spans, counted anew. */
  countFreePages(): number {
    let pages = 0
    for (const span of this.all()) if (this.kind(span) === Tag.FREE) pages += this.wholePages(span)
    return pages
  }

  /** How many pages lie wholly in a span. */
  protected wholePages(span: number): number {
    const { m, pageShift } = this
    const start = m[span + Span.START]
    const size = m[span + Span.SIZE]
    const { pageSize, offset } = this.source
    if (size < pageSize - 8) return 0
    const begins = start === 8 && offset === 0 && m[span + Span.TAG] >> Tag.WINDOW_BITS === 0 ? 0 : start
    const pages = ((start + size) >>> pageShift) - ((begins + pageSize - 1) >>> pageShift)
    return pages > 0 ? pages : 0
  }

  /** Marks a range as committed: before a span there becomes live. */
  protected commit(window: number, start: number, end: number): void {
    const { m } = this
    const before = m[At.COMMITTED]
    this.#mark(window, start, end)
    if (m[At.COMMITTED] > before) this.source.grew((m[At.COMMITTED] - before) * this.source.pageSize)
  }

  #mark(window: number, start: number, end: number): void {
    const last = this.page(window, end - 1)
    if (last >= this.m[At.PAGE_TOP]) this.m[At.PAGE_TOP] = last + 1
    this.pages.mark(this.page(window, start), last)
  }

  /** Counts `size` bytes up to `end` in a window that have become live, and notes how far the heap has ever reached, and the peak. */
  protected account(window: number, end: number, size: number): void {
    const { m, bytes } = this
    bytes[At.SPAN_BYTES >> 1] += size
    const highest = window * Window.BYTES + end
    if (highest > bytes[At.HIGHEST_END >> 1]) bytes[At.HIGHEST_END >> 1] = highest
    if (m[At.COMMITTED] <= m[At.PEAK]) return
    m[At.PEAK] = m[At.COMMITTED]
    bytes[At.PEAK_BYTES >> 1] = this.committedBytes + this.source.metadataBytes(0, 0)
  }

  /** Counts live spans and their pages anew, from their records. */
  recount(live: readonly number[]): void {
    const { m, bytes, source } = this
    const end = source.offset + source.byteLength
    bytes[At.SPAN_BYTES >> 1] = 0
    bytes[At.LOW_WATER >> 1] = 0
    // What only one word says is kept if it can be.
    if (!(bytes[At.HIGHEST_END >> 1] >= 0 && bytes[At.HIGHEST_END >> 1] <= end)) bytes[At.HIGHEST_END >> 1] = end
    if (!(m[At.PEAK] >= 0 && m[At.PEAK] <= this.layout.pageCount)) m[At.PEAK] = 0
    if (!(bytes[At.PEAK_BYTES >> 1] >= 0 && bytes[At.PEAK_BYTES >> 1] <= end)) bytes[At.PEAK_BYTES >> 1] = 0
    for (const span of live) {
      const window = this.window(span)
      const end = this.start(span) + this.partLength(span)
      this.#mark(window, this.start(span), end)
      this.account(window, end, this.partLength(span))
    }
    m[At.COMMITTED] = this.pages.recount(m[At.PAGE_TOP] - 1)
    m[At.FREE_PAGES] = this.countFreePages()
    if (m[At.COMMITTED] > m[At.PEAK]) m[At.PEAK] = m[At.COMMITTED]
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
      this.source.zero(window * Window.BYTES + from, to - from)
      page = this.pages.next(clean, last, true)
    }
  }

  /** Purges pages of free spans, of the longest first, but for the pages `spareFirst … spareLast`; up to `most` pages, and says how many. */
  protected sweep(most: number, spareFirst: number, spareLast: number): number {
    let left = Math.min(most, this.pages.committed)
    const wanted = left
    this.#eachFree((first, last, span) => {
      if (this.pages.dirty(first, last) > 0) this.m[span + Span.TAG] |= Tag.CLEAN
      if (spareFirst < 0 || first > spareLast || last < spareFirst) left -= this.#purgePages(first, last, left)
      else {
        left -= this.#purgePages(Math.max(first, spareLast + 1), last, left)
        left -= this.#purgePages(first, Math.min(last, spareFirst - 1), left)
      }
      return left > 0
    })
    return wanted - left
  }

  /** Gives the first and the last whole page of every free span, longest first, until told to stop. */
  #eachFree(visit: (first: number, last: number, span: number) => boolean): void {
    const { m } = this
    let left = (this.most - this.least) / Span.WORDS
    const top = m[At.PAGE_TOP] - 1
    // The first block of the arena begins at 8, and its page is whole all the same.
    const least = binOf(this.source.pageSize - 8)
    for (let bin = Bin.COUNT - 1; bin >= least; bin--)
      for (let span = m[At.BINS + bin]; span > 0; span = m[span + Span.BIN_NEXT]) {
        if ((m[this.sound(span) + Span.TAG] & Tag.KIND) !== Tag.FREE || left-- === 0) throw this.corrupted(span)
        const window = m[span + Span.TAG] >> Tag.WINDOW_BITS
        const end = this.page(window, 0) + ((m[span + Span.START] + m[span + Span.SIZE]) >>> this.pageShift) - 1
        // Nothing was ever committed beyond the top.
        const last = end < top ? end : top
        const first = this.firstWhole(span)
        if (first <= last && !visit(first, last, span)) return
      }
  }

  /** The first page that lies wholly in a free span. */
  protected firstWhole(span: number): number {
    const m = this.m
    const { pageSize, offset } = this.source
    const window = m[span + Span.TAG] >> Tag.WINDOW_BITS
    // The eight bytes before the first block of the arena are nobody's: its page may go when the rest of it is free.
    const start = window === 0 && m[span + Span.START] === 8 && offset === 0 ? 0 : m[span + Span.START]
    return this.page(window, (start + pageSize - 1) & -pageSize)
  }

  /** Purges dirty ones of the pages `first … last`, highest first: a free span is used from its beginning. Up to `most`; says how many. */
  #purgePages(first: number, last: number, most: number): number {
    const { pages, source, layout } = this
    let left = most
    let end = pages.previous(first, last, true)
    while (end >= first && left > 0) {
      const begin = Math.max(pages.previous(first, end, false) + 1, end - left + 1)
      source.purge((begin + layout.firstPage) * source.pageSize, (end - begin + 1) * source.pageSize)
      pages.unmark(begin, end)
      left -= end - begin + 1
      end = pages.previous(first, begin - 1, true)
    }
    return most - left
  }
}
