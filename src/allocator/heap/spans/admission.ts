/**
 * Whether pages may be committed: what the limit and the peak of a heap say to it, and the counts of what has become live.
 *
 *     admit   limit reached  -- join kept spans, give empty slabs up, sweep -->  look again, granted, or refused
 *             new peak       -- give empty slabs up, sweep -->                   look again, or granted
 *
 *     HIGHEST_END >= the end of every span that was ever live;  PEAK >= COMMITTED, PEAK_BYTES = committed bytes when PEAK was raised
 *
 * A refusal leaves all counts as they were. Cost: two comparisons where there is no limit and the peak is not reached.
 * @module
 */
import type { HeapTables } from '../layout.ts'
import { At, Window } from '../words.ts'
import type { SpanPages } from './span-pages.ts'
import type { Sweeper } from './sweep.ts'

/** What is to be done after asking for pages. */
export const enum Answer {
  REFUSED = -1,
  GRANTED = 0,
  LOOK_AGAIN = 1,
}

/** What a heap can give up before it is refused a page, and what its tables take. */
export interface Reserves {
  /** Joins every kept span with what is free beside it; false when there was none. */
  releaseKept(): boolean
  /** Gives up current slabs that stand empty; false when there was none. */
  releaseEmpty(): boolean
  /** Bytes of metadata that may have been written once so many more records are used, and a block ends at `end`. */
  metadataFor(records: number, end: number): number
}

/** A request makes so many span records and slab records at most. */
const RECORDS_MOST = 4

export class Admission {
  /** Whether there is a limit: every cut is looked at then. */
  readonly limited: boolean
  readonly #tables: HeapTables
  readonly #pages: SpanPages
  readonly #sweeper: Sweeper
  readonly #reserves: Reserves

  constructor(tables: HeapTables, pages: SpanPages, sweeper: Sweeper, reserves: Reserves) {
    this.#tables = tables
    this.#pages = pages
    this.#sweeper = sweeper
    this.#reserves = reserves
    this.limited = tables.limit !== Number.POSITIVE_INFINITY
  }

  /**
   * Asked before `missing` clean pages are committed for a block at `[start, end)` of a window: keeps to the limit and to the peak. The
   * block's own pages are spared by sweeps.
   */
  admit(missing: number, window: number, start: number, end: number): Answer {
    const pages = this.#pages
    const sweeper = this.#sweeper
    const first = pages.page(window, start)
    // A huge block ends windows further on.
    const last = pages.page(window, 0) + Math.floor((end - 1) / this.#tables.pageSize)
    const answer = this.limited ? this.#keepToLimit(missing, first, last, window * Window.BYTES + end) : Answer.GRANTED
    if (answer !== Answer.GRANTED || !sweeper.isDue(missing)) return answer
    if (this.#reserves.releaseEmpty()) return Answer.LOOK_AGAIN
    sweeper.holdPeak(missing, first, last)
    return Answer.GRANTED
  }

  /** As `admit`, for the limit; `end` is where the block would end in the arena. */
  #keepToLimit(missing: number, first: number, last: number, end: number): Answer {
    const { pageSize, limit } = this.#tables
    const reserves = this.#reserves
    const records = reserves.metadataFor(RECORDS_MOST, end)
    const excess = this.#pages.committedBytes + missing * pageSize + records - limit
    if (excess <= 0) return Answer.GRANTED
    if (reserves.releaseKept() || reserves.releaseEmpty()) return Answer.LOOK_AGAIN
    return this.#sweeper.makeRoom(Math.ceil(excess / pageSize), first, last) ? Answer.GRANTED : Answer.REFUSED
  }

  /** Whether a span record can be made without passing the limit, where a new one has to be. */
  get admitsRecord(): boolean {
    return !this.limited || this.#pages.committedBytes + this.#reserves.metadataFor(1, 0) <= this.#tables.limit
  }

  /** Counts `size` bytes up to `end` in a window that have become live, and notes how far the heap has ever reached, and the peak. */
  account(window: number, end: number, size: number): void {
    const { words: m, numbers } = this.#tables
    numbers[At.SPAN_BYTES >> 1] += size
    const highest = window * Window.BYTES + end
    if (highest > numbers[At.HIGHEST_END >> 1]) numbers[At.HIGHEST_END >> 1] = highest
    if (m[At.COMMITTED] <= m[At.PEAK]) return
    m[At.PEAK] = m[At.COMMITTED]
    numbers[At.PEAK_BYTES >> 1] = this.#pages.committedBytes + this.#reserves.metadataFor(0, 0)
  }
}
