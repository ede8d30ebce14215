/**
 * Decay: free memory that stays free goes back to the kernel, also in a process that idles.
 *
 *     free dirty bytes   F0      F1      F2             at tick i: what was free at tick i - 1 and still is, min(F(i-1), F(i)),
 *     ticks              |-------|-------|---- time     is more than a working heap needs at once: it is purged
 *
 * Two ticks a period, so that memory freed at once is given back within one period. The timer runs only while there is something to give
 * back or something may fall free unnoticed, never keeps the process alive, and is stopped by `close`. jemalloc's decay by a sigmoid over
 * 200 epochs is the elder of this; a minimum over one interval needs one number. Cost: a timer a period; on a busy heap the refaults of
 * what it misjudged.
 * @module
 */
import { wholeNumber } from '../arguments.ts'
import { SystemError } from '../errors.ts'

/** Calls `run` after `ms` milliseconds, once; the answer cancels it. For tests, which have no time to wait. */
export type Schedule = (run: () => void, ms: number) => () => void

/** What decay works on. @internal */
export interface Decaying {
  /** Bytes that a purge could give back, or a little more. */
  freeDirtyBytes(): number
  /** Gives back about so many bytes. */
  purgeSome(bytes: number): void
  /** `start` or `startLater` is to be called again when something is freed, or may be. */
  watch(): void
}

/** @internal */
export class Decay {
  readonly #heap: Decaying
  readonly #tickMs: number
  readonly #schedule: Schedule
  #cancel: (() => void) | undefined
  #last = 0

  constructor(heap: Decaying, decayMs: number, schedule: Schedule) {
    this.#heap = heap
    this.#tickMs = decayMs / 2
    this.#schedule = schedule
    if (decayMs >= 0) heap.watch()
  }

  /** Something has been freed while no timer ran. */
  start(): void {
    if (this.#tickMs === 0) {
      this.#purge(Number.POSITIVE_INFINITY)
      this.#heap.watch()
    } else this.startLater()
  }

  /** Something may be freed unnoticed from now on. */
  startLater(): void {
    this.#last = 0
    this.#cancel = this.#schedule(() => this.#tick(), this.#tickMs)
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  /** Nobody asked for it, so nobody could catch what the kernel refuses: the memory stays, and the next tick tries again. */
  #purge(bytes: number): void {
    try {
      this.#heap.purgeSome(bytes)
    } catch (error) {
      if (!(error instanceof SystemError)) throw error
    }
  }

  #tick(): void {
    this.#cancel = undefined
    const free = this.#heap.freeDirtyBytes()
    const idle = this.#tickMs === 0 ? free : Math.min(this.#last, free)
    if (idle > 0) this.#purge(idle)
    const left = idle > 0 ? this.#heap.freeDirtyBytes() : free
    // Parts of pages that live blocks share cannot be given back: when a purge brings nothing there is nothing to wait for.
    if (left === 0 || (idle > 0 && left >= free)) {
      this.#heap.watch()
      return
    }
    this.#last = left
    this.#cancel = this.#schedule(() => this.#tick(), this.#tickMs)
  }
}

/** A timer that does not keep the process alive. @internal */
export function unreferencedTimer(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, ms)
  timer.unref()
  return () => clearTimeout(timer)
}

/** Checks the option: -1 (never), 0 (at once), or a time in milliseconds. @internal */
export function checkDecay(value: unknown): number {
  return value === undefined ? 1000 : wholeNumber('options.decayMs', value, -1, 2 ** 31 - 1)
}
