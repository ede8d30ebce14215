/**
 * Sweeps: giving pages of free spans back to the kernel, and how much may lie free and dirty before one is worth its cost.
 *
 *     committed pages |        peak - - - - - - - - - - - - - -.- - - - -.-     a sweep comes before a clean page is committed
 *                     |     .´ ´ .     .´|  sweep  .´|  sweep.´              that would raise the peak, if enough is free
 *
 * Purging whenever a span is freed costs two to five times the time of a replay; purging only when the peak is about to rise reaches
 * nearly the same peak with a hundredth of the calls. The first sweeps at a peak hold it. A program that falls far below its peak and comes
 * back to it gets more room, because it would fault the same pages in for ever.
 *
 *     sweepable = FREE_PAGES - (whole pages of the open windows - committed ones)
 *
 * So whether a sweep could make enough room is known without a walk, and a request that is refused at the limit costs no more on a heap of
 * a million spans. Cost: a sweep walks the free spans; a page costs a microsecond or two to give back and fault in again.
 * @module
 */
import type { HeapTables } from '../layout.ts'
import { At, Bin, SpanTag, SpanWord, Window } from '../words.ts'
import { binOf } from './records.ts'
import type { SpanIndex } from './span-index.ts'
import type { SpanPages } from './span-pages.ts'

/** The share of the committed pages that may lie free and dirty before a sweep comes: at first, and at most. */
const LEAST_SLACK = 1 / 64
const MOST_SLACK = 1 / 2
/** The share grows from the one to the other while sweeps give back so many times the peak, so that what sweeps may cost has an end. */
const PATIENCE = 8
/** A heap whose bytes in use fall below this part of its peak has been there once: it counts as if sweeps had given back so many times the peak. */
const FALLEN_SHARE = 8
const FALLEN_SWEPT = 2
/** Kept spans are joined before a page is committed below the peak, up to so many times for each page of the peak. */
const FLUSHES_MOST = 4
/** Free and dirty bytes that are never worth a sweep. */
const LEAST_BYTES = 65536
/** A sweep gives back one committed page in 2^BATCH_SHIFT, or what is wanted. */
const BATCH_SHIFT = 6
/** At the limit, a heap of more than so many span records sweeps when that gives back one committed page in 2^WORTH_SHIFT, or what is wanted. */
const FEW_SPANS = 1024
const WORTH_SHIFT = 10

export class Sweeper {
  readonly #tables: HeapTables
  readonly #m: Int32Array
  readonly #index: SpanIndex
  readonly #pages: SpanPages

  constructor(index: SpanIndex, pages: SpanPages) {
    this.#tables = index.tables
    this.#m = index.tables.words
    this.#index = index
    this.#pages = pages
  }

  /**
   * Whether so much lies free and dirty that a sweep should come before `missing` clean pages are committed, which would raise the peak.
   */
  isDue(missing: number): boolean {
    const m = this.#m
    const committed = m[At.COMMITTED] + missing
    if (committed <= m[At.PEAK]) return false
    const slack = this.#slack()
    if (slack < m[At.RESIDUE]) {
      m[At.RESIDUE] = slack
      return false
    }
    return slack > m[At.RESIDUE] + Math.max(committed * this.#slackShare(), LEAST_BYTES / this.#pages.pageSize)
  }

  /** Whether `missing` clean pages more would raise the peak while so much lies free and dirty that others should be looked for. */
  hasSlack(missing: number): boolean {
    const m = this.#m
    const committed = m[At.COMMITTED] + missing
    if (committed <= m[At.PEAK]) return false
    return this.#slack() > committed * (m[At.FALLEN] === 0 ? LEAST_SLACK : this.#slackShare())
  }

  /**
   * Whether `missing` clean pages may be committed while spans are kept: they do not raise the peak, and the program comes back to it, or kept
   * spans were joined for the sake of pages often enough.
   */
  comesBack(missing: number): boolean {
    const m = this.#m
    return (m[At.FALLEN] !== 0 || m[At.FLUSHES] > m[At.PEAK] * FLUSHES_MOST) && m[At.COMMITTED] + missing <= m[At.PEAK]
  }

  /** Called when all kept spans have been joined for the sake of a page. */
  noteFlush(): void {
    const m = this.#m
    if (m[At.FLUSHES] < 0x7fffffff) m[At.FLUSHES]++
    if (this.#pages.usedBytes * FALLEN_SHARE >= m[At.PEAK] * this.#pages.pageSize) return
    m[At.FALLEN] = 1
    m[At.SWEPT] = Math.max(m[At.SWEPT], m[At.PEAK] * FALLEN_SWEPT)
  }

  /** The sweep that `isDue` asks for, before a block is committed on the pages `first … last`, which are spared. */
  holdPeak(missing: number, first: number, last: number): void {
    const m = this.#m
    const slack = this.#slack()
    const wanted = Math.max(missing, (m[At.COMMITTED] + missing) >>> BATCH_SHIFT, LEAST_BYTES / this.#pages.pageSize)
    const given = this.sweep(wanted, first, last)
    m[At.SWEPT] = Math.min(m[At.SWEPT] + given, 0x7fffffff)
    // What is left are parts of pages that live spans share, and what the block itself is about to use.
    if (given < wanted) m[At.RESIDUE] = Math.max(0, slack - given - (last - first + 1 - missing))
  }

  /** Free dirty pages, parts of pages included. */
  #slack(): number {
    return Math.floor((this.#pages.committedBytes - this.#pages.usedBytes) / this.#pages.pageSize)
  }

  #slackShare(): number {
    const m = this.#m
    const spent = m[At.SWEPT] / (PATIENCE * Math.max(m[At.PEAK], 1))
    return Math.min(MOST_SLACK, LEAST_SLACK + spent * (MOST_SLACK - LEAST_SLACK))
  }

  /**
   * A sweep of `wanted` pages at the limit, before a block is committed on the pages `first … last`; false, and nothing done, when it would
   * not be enough: a request that fails changes nothing.
   */
  makeRoom(wanted: number, first: number, last: number): boolean {
    // Of the block's own pages only its first and last may be shared with a live span.
    const own = this.#pages.bits.committedAmong(first, last)
    const sweepable = this.sweepable
    if (sweepable < wanted) return false
    if (sweepable - own < wanted && sweepable - this.#sweepableOf(first, last, own) < wanted) return false
    // A sweep walks the free spans: where there are many, it waits until it brings something.
    const spans = (this.#m[At.SPAN_TOP] - this.#tables.layout.spans) / SpanWord.WORDS
    const worthwhile = spans > FEW_SPANS ? this.#m[At.COMMITTED] >>> WORTH_SHIFT : 0
    if (sweepable < worthwhile) return false
    this.sweep(Math.max(wanted, worthwhile), first, last)
    return true
  }

  /** Committed pages that lie wholly in free spans. */
  get sweepable(): number {
    const m = this.#m
    const { offset, byteLength, pageSize, layout } = this.#tables
    const { bits } = this.#pages
    const opened = this.#index.firstWindow + m[At.WINDOWS]
    const end = Math.min(opened * Window.BYTES, offset + byteLength)
    // Pages at the claim's edges that it has only a part of are never whole.
    const whole = Math.max(0, Math.floor(end / pageSize) - Math.ceil(offset / pageSize))
    let committed = m[At.COMMITTED]
    if (offset % pageSize !== 0 && bits.clean(0, 0) === 0) committed--
    const last = layout.pageCount - 1
    // A claim inside one page has that page as its first, and it is counted once.
    if (end % pageSize !== 0 && (last > 0 || offset % pageSize === 0) && bits.clean(last, last) === 0) committed--
    return m[At.FREE_PAGES] - (whole - committed)
  }

  /** How many of the committed pages `first … last` lie wholly in free spans, `own` of them being committed. */
  #sweepableOf(first: number, last: number, own: number): number {
    const { bits } = this.#pages
    const inside = this.#isWhole(first) ? 0 : bits.committedAmong(first, first)
    const behind = last === first || this.#isWhole(last) ? 0 : bits.committedAmong(last, last)
    return own - inside - behind
  }

  /** Whether a page of an open window lies wholly in one free span. */
  #isWhole(page: number): boolean {
    const index = this.#index
    const { pageSize, layout } = this.#tables
    const at = (page + layout.firstPage) * pageSize
    const window = Math.floor(at / Window.BYTES)
    if (window - index.firstWindow >= this.#m[At.WINDOWS]) return true
    const start = at - window * Window.BYTES
    const span = index.around(window, Math.max(start, index.windowStart(window - index.firstWindow)))
    if (span === 0 || index.kind(span) !== SpanTag.FREE) return false
    return this.#pages.firstWhole(span) <= page && start + pageSize <= index.start(span) + index.partLength(span)
  }

  /** Purges pages of free spans, of the longest first, but for the pages `spareFirst … spareLast`; up to `most` pages, and says how many. */
  sweep(most: number, spareFirst = -1, spareLast = -1): number {
    const { bits } = this.#pages
    let left = Math.min(most, bits.committed)
    const wanted = left
    this.#eachFree((first, last, span) => {
      if (bits.committedAmong(first, last) > 0) this.#m[span + SpanWord.TAG] |= SpanTag.CLEAN
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
    const m = this.#m
    const index = this.#index
    const pages = this.#pages
    let left = (index.most - index.least) / SpanWord.WORDS
    const top = m[At.PAGE_TOP] - 1
    // The first block of the arena begins at 8, and its page is whole all the same.
    const least = binOf(pages.pageSize - 8)
    for (let bin = Bin.COUNT - 1; bin >= least; bin--)
      for (let span = m[At.BINS + bin]; span > 0; span = m[span + SpanWord.BIN_NEXT]) {
        if (index.kind(index.sound(span)) !== SpanTag.FREE || left-- === 0) throw index.corrupted(span)
        const end =
          pages.page(index.window(span), 0) +
          Math.floor((index.start(span) + index.partLength(span)) / pages.pageSize) -
          1
        // Nothing was ever committed beyond the top.
        const last = end < top ? end : top
        const first = pages.firstWhole(span)
        if (first <= last && !visit(first, last, span)) return
      }
  }

  /** Purges dirty ones of the pages `first … last`, highest first: a free span is used from its beginning. Up to `most`; says how many. */
  #purgePages(first: number, last: number, most: number): number {
    const { bits } = this.#pages
    let left = most
    let end = bits.previous(first, last, true)
    while (end >= first && left > 0) {
      const begin = Math.max(bits.previous(first, end, false) + 1, end - left + 1)
      this.#pages.purge(begin, end)
      left -= end - begin + 1
      end = bits.previous(first, begin - 1, true)
    }
    return most - left
  }
}
