/**
 * The pages under a heap's spans: which are committed, committing them for a block, and what a block needs written to read zero.
 *
 *     page      |    0    |    1    |    2    |    3    |       a page is committed  <=>  its bit is set (committed.ts)
 *     spans     |aaaaaa|..................|bbbbbbbb|....       each page of a live, kept or slab span is committed
 *     whole     :         [    1    ]                          pages that lie wholly in a free span can be given back
 *
 *     COMMITTED = bits set;   FREE_PAGES = pages that lie wholly in free spans, where there is a limit;   PAGE_TOP > every committed page
 *     free dirty bytes = committed bytes - SPAN_BYTES
 *
 * Cost: committing a block takes a load and a test for each 32 pages.
 * @module
 */
import type { HeapTables } from '../layout.ts'
import { At, SpanTag, SpanWord, Window } from '../words.ts'
import { CommittedPages } from './committed.ts'
import type { Notices } from './notices.ts'
import type { SpanIndex } from './span-index.ts'

/** What the parts of a heap ask of the memory around them. */
export interface HeapMemory {
  /** Gives whole pages back to the kernel. True: a subscriber wants to know when the step is over. */
  purge(offset: number, byteLength: number): boolean
  /** Notes bytes that have been committed. True: likewise. */
  grew(byteLength: number): boolean
  /** Makes bytes of the claim read zero. */
  zero(offset: number, byteLength: number): void
  /** Makes the words `from … to - 1` of the metadata read zero. */
  clearWords(from: number, to: number): void
  /** Gives back whole pages of the metadata that lie in the words `from … to - 1`, which read zero. */
  purgeWords(from: number, to: number): void
}

export class SpanPages {
  readonly bits: CommittedPages
  readonly pageSize: number
  readonly #tables: HeapTables
  readonly #m: Int32Array
  readonly #numbers: Float64Array
  readonly #index: SpanIndex
  readonly #memory: HeapMemory
  readonly #notices: Notices
  readonly #shift: number
  readonly #firstPage: number
  readonly #limited: boolean

  constructor(index: SpanIndex, memory: HeapMemory, notices: Notices) {
    const { tables } = index
    this.#tables = tables
    this.#m = tables.words
    this.#numbers = tables.numbers
    this.#index = index
    this.#memory = memory
    this.#notices = notices
    this.pageSize = tables.pageSize
    this.#limited = tables.limit !== Number.POSITIVE_INFINITY
    this.#shift = 31 - Math.clz32(tables.pageSize)
    this.#firstPage = tables.layout.firstPage
    this.bits = new CommittedPages(tables.words, tables.layout.pageBits, At.COMMITTED)
  }

  /** The page, counted from the claim's first, that a place in a window lies in. */
  page(window: number, at: number): number {
    return (window << (30 - this.#shift)) + (at >>> this.#shift) - this.#firstPage
  }

  /** Committed bytes of the claim: whole pages, less what of its first and last page lies outside. */
  get committedBytes(): number {
    const { offset, byteLength, pageSize } = this.#tables
    const { firstPage, pageCount } = this.#tables.layout
    const { bits } = this
    let bytes = bits.committed * pageSize
    if (bits.clean(0, 0) === 0) bytes -= offset - firstPage * pageSize
    if (bits.clean(pageCount - 1, pageCount - 1) === 0)
      bytes -= (firstPage + pageCount) * pageSize - (offset + byteLength)
    return bytes
  }

  /** Bytes of live, kept and slab spans. */
  get usedBytes(): number {
    return this.#numbers[At.SPAN_BYTES >> 1]
  }

  /** How many pages of a range are not committed. */
  missing(window: number, start: number, end: number): number {
    return this.bits.clean(this.page(window, start), this.page(window, end - 1))
  }

  /** Marks a range as committed: before a span there becomes live. */
  commit(window: number, start: number, end: number): void {
    const m = this.#m
    const before = m[At.COMMITTED]
    this.#mark(window, start, end)
    const grown = m[At.COMMITTED] - before
    if (grown > 0 && this.#memory.grew(grown * this.pageSize)) this.#notices.notePages()
  }

  #mark(window: number, start: number, end: number): void {
    const last = this.page(window, end - 1)
    if (last >= this.#m[At.PAGE_TOP]) this.#m[At.PAGE_TOP] = last + 1
    this.bits.mark(this.page(window, start), last)
  }

  /** Makes a range read zero before it is committed: fills the parts of it that are not clean. */
  zeroDirty(window: number, start: number, end: number): void {
    const { bits } = this
    const shift = this.#shift
    const first = this.page(window, start)
    const last = this.page(window, end - 1)
    const origin = (window << (30 - shift)) - this.#firstPage
    let page = bits.next(first, last, true)
    while (page <= last) {
      const clean = bits.next(page, last, false)
      const from = Math.max(start, (page - origin) << shift)
      const to = Math.min(end, clean > last ? end : (clean - origin) << shift)
      this.#memory.zero(window * Window.BYTES + from, to - from)
      page = bits.next(clean, last, true)
    }
  }

  /** Gives the pages `first … last` back. */
  purge(first: number, last: number): void {
    const count = last - first + 1
    const purged = this.#memory.purge((first + this.#firstPage) * this.pageSize, count * this.pageSize)
    this.bits.unmark(first, last)
    if (purged) this.#notices.notePages()
  }

  /** How many pages lie wholly in a span; 0 in a heap without a limit, where no one asks. */
  whole(span: number): number {
    if (!this.#limited) return 0
    const m = this.#m
    const { pageSize } = this
    const start = m[span + SpanWord.START]
    const size = m[span + SpanWord.SIZE]
    if (size < pageSize - 8) return 0
    const pages = ((start + size) >>> this.#shift) - ((this.#begin(span, start) + pageSize - 1) >>> this.#shift)
    return pages > 0 ? pages : 0
  }

  /** The first page that lies wholly in a free span. */
  firstWhole(span: number): number {
    const m = this.#m
    const start = this.#begin(span, m[span + SpanWord.START])
    return this.page(m[span + SpanWord.TAG] >> SpanTag.WINDOW_BITS, (start + this.pageSize - 1) & -this.pageSize)
  }

  /** The eight bytes before the first block of the arena belong to no span: its page may go when the rest of it is free. */
  #begin(span: number, start: number): number {
    return start === 8 && this.#tables.offset === 0 && this.#m[span + SpanWord.TAG] >> SpanTag.WINDOW_BITS === 0
      ? 0
      : start
  }

  /** Pages that lie wholly in free spans, counted anew. */
  countFree(): number {
    let pages = 0
    for (const span of this.#index.all()) if (this.#index.kind(span) === SpanTag.FREE) pages += this.whole(span)
    return pages
  }

  /** Marks the pages of live spans anew, and counts. */
  recount(live: readonly number[]): void {
    const m = this.#m
    const index = this.#index
    for (const span of live) {
      const start = index.start(span)
      this.#mark(index.window(span), start, start + index.partLength(span))
    }
    m[At.COMMITTED] = this.bits.recount(m[At.PAGE_TOP] - 1)
    m[At.FREE_PAGES] = this.countFree()
  }
}
