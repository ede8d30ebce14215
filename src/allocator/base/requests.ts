/**
 * How a request ends: asking the caller for room when it does not fit (the option `onFull`), the error, and what is published.
 *
 *     request does not fit  ->  onFull(byteLength)  true   ->  tried again, and so on
 *                                                   else   ->  ERR_OUT_OF_MEMORY, or 0
 *
 * The callback runs between two tries, when the tables are consistent and no step is under way (arena/ending.ts). What is part of a step
 * fails, and its outermost call asks. The callback may free, purge, reset and close. A request that it makes itself, and that does not fit,
 * fails without asking again. It is asked as often as it says true; where PATIENCE answers in a row have freed nothing, by the sum of used
 * and committed bytes, the request fails.
 *
 * Cost: nothing while requests fit. The sum is taken once in PATIENCE answers, since a heap walks its spans for it.
 * @module
 */
import { inStep, step } from '../../arena/ending.ts'
import { bytes, OutOfMemoryError } from '../../errors.ts'
import type { OnFull } from '../options.ts'
import { PageNews, publishFull } from './channels.ts'
import type { Forgetful } from './hooks.ts'
import type { Lifecycle } from './lifecycle.ts'

/** One request, over all its tries. */
export interface Request {
  readonly byteLength: number
  /** How often the answer was true. */
  answers: number
  /** Used and committed bytes when they were last looked at. */
  level: number
  /** At how many answers they are looked at next. */
  next: number
}

/** So many answers are believed at first, and twice as many after each look that found progress: a look walks the slabs. */
const PATIENCE = 64

export class Requests implements Forgetful {
  /** What is to be published of pages. */
  readonly news: PageNews = new PageNews()
  readonly #life: Lifecycle
  #onFull: OnFull | undefined
  #asking = false

  constructor(life: Lifecycle, onFull: OnFull | undefined) {
    this.#life = life
    this.#onFull = onFull
  }

  /** Whether the caller wants to be asked for room. */
  get asks(): boolean {
    return this.#onFull !== undefined
  }

  /** The end of a request: asks for room where there was none, and publishes what happened to pages. The block, or 0. */
  trySettle(found: number, byteLength: number, alignment = 8, zero = false): number {
    const offset = found === 0 ? this.again(byteLength, alignment, zero) : found
    this.tellPages()
    return offset
  }

  /** The end of a request that must be met: as `trySettle`, and ERR_OUT_OF_MEMORY when there is no room. */
  must(found: number, byteLength: number, alignment = 8, zero = false): number {
    if (found !== 0 && !this.news.pending) return found
    const offset = this.trySettle(found, byteLength, alignment, zero)
    if (offset === 0) throw this.outOfMemory(byteLength, alignment > 8 ? `on a multiple of ${alignment}` : '')
    return offset
  }

  /** A block on an alignment that has been checked, or ERR_OUT_OF_MEMORY. */
  aligned(alignment: number, byteLength: number, zero: boolean): number {
    return this.must(this.#life.hooks.tryMemalign(alignment, byteLength, zero), byteLength, alignment, zero)
  }

  /** What did not fit, tried again for as long as `onFull` makes room; 0 in the end. */
  again(byteLength: number, alignment = 8, zero = false): number {
    // As part of another step: that one asks, and says so.
    if (this.asks && inStep()) return 0
    this.publishFull(byteLength, alignment)
    if (!this.asks) return 0
    for (const request = requestOf(byteLength); this.ask(request); ) {
      const offset = this.#life.hooks.tryMemalign(alignment, byteLength, zero)
      if (offset !== 0) return offset
    }
    this.#life.assertOpen()
    return 0
  }

  /**
   * Runs a call that throws when it finds no room: as one step, in which nothing is asked, and again for as long as `onFull` makes room in
   * between.
   */
  untilFits(byteLength: number, run: () => number): number {
    if (!this.asks) return run()
    for (const request = requestOf(byteLength); ; ) {
      try {
        return step(run)
      } catch (error) {
        if (!(error instanceof OutOfMemoryError)) throw error
        if (request.answers === 0) this.publishFull(byteLength, 8)
        const granted = this.ask(request)
        this.#life.assertOpen()
        if (!granted) throw error
      }
    }
  }

  /** Whether to try again. What the callback throws goes through. */
  ask(request: Request): boolean {
    if (this.#onFull === undefined || this.#asking || inStep()) return false
    if (request.answers === request.next) {
      const level = this.#level()
      if (level >= request.level) return false
      request.level = level
      request.next *= 2
    }
    this.#asking = true
    try {
      const answer = this.#onFull(request.byteLength) === true
      if (answer) request.answers++
      return answer
    } finally {
      this.#asking = false
    }
  }

  /** Bytes used and committed: what making room lowers. */
  #level(): number {
    const { usedBytes, committedBytes } = this.#life.hooks.totals()
    return usedBytes + committedBytes
  }

  outOfMemory(byteLength: number, where = ''): OutOfMemoryError {
    const { kind, claim, limit } = this.#life
    const limited = limit === Number.POSITIVE_INFINITY ? '' : `, limit ${bytes(limit)}`
    return new OutOfMemoryError(
      `${kind} has no room for ${bytes(byteLength)}${where && ` ${where}`} (claim of ${bytes(claim.byteLength)}${limited})`
    )
  }

  /** Publishes that a request did not fit. */
  publishFull(byteLength: number, alignment: number): void {
    publishFull(this.#life.allocator, byteLength, alignment)
  }

  /** Publishes what happened to pages: the last thing that a step does. */
  tellPages(): void {
    if (this.news.pending) this.news.publish(this.#life.allocator)
  }

  /** The allocator has ended: the callback is not called any more. */
  forget(): void {
    this.#onFull = undefined
  }
}

export function requestOf(byteLength: number): Request {
  return { byteLength, answers: 0, level: Number.POSITIVE_INFINITY, next: PATIENCE }
}
