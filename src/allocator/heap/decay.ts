/**
 * Decay: free memory that stays free goes back to the kernel, also in a process that idles.
 *
 *     free dirty bytes   F0      F1      F2             at tick i: what was free at tick i - 1 and still is, min(F(i-1), F(i)),
 *     ticks              |-------|-------|---- time     is more than a working heap needs at once: it is purged
 *
 * Two ticks a period, so that memory freed at once is given back within one period. The timer runs only while there is something to give
 * back or something may fall free unnoticed, never keeps the process alive, and is stopped by `close`. `schedule` is the caller's: it is
 * called when the step that asks for it is over, and what it does (run at once, run twice, run after the cancel, throw, close the heap)
 * harms nothing, since a timer that is not wanted any more does nothing. jemalloc's decay by a sigmoid over
 * 200 epochs is the elder of this; a minimum over one interval needs one number. Cost: a timer a period; on a busy heap the refaults of
 * what it misjudged.
 * @module
 */
import { afterwards, told } from '../../arena/ending.ts'
import { wholeNumber } from '../../arguments.ts'
import { ArenaBusyError, CorruptedError, InvalidArgumentTypeError, SystemError } from '../../errors.ts'
import type { HeapSpace } from './space.ts'

/** Calls `run` after `ms` milliseconds, once; the answer cancels it. For tests, which have no time to wait. */
export type Schedule = (run: () => void, ms: number) => () => void

/** What decay works on. @internal */
export interface Decaying {
  /** Bytes that a purge could give back, or a little more. */
  freeDirtyBytes(): number
  /** Gives back about so many bytes. */
  purgeSome(bytes: number): void
  /** `start` or `startLater` is to be called again when something is freed, or may be. */
  onIdle(): void
}

/** Decay of a heap's space. `tellPages` publishes what happened to pages. @internal */
export function decayOf(space: HeapSpace, tellPages: () => void): Decaying {
  return {
    freeDirtyBytes: () => unasked(() => space.freeDirtyBytes()) ?? 0,
    purgeSome: (bytes) => {
      unasked(() => space.purge(bytes))
      tellPages()
    },
    onIdle: () => {
      unasked(() => space.park())
      space.notices.notifyOnce = true
    },
  }
}

/**
 * Runs what a timer does. A timer has no caller: where the tables contradict themselves, or another holds them, it does nothing, and the next
 * call finds it and can say so. @internal
 */
export function unasked<R>(run: () => R): R | undefined {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof CorruptedError || error instanceof ArenaBusyError)) throw error
    return undefined
  }
}

/** One call of `schedule`, and what has come of it. */
interface Timer {
  /** Whether its `run` is still wanted. The caller's `cancel` may do nothing, and `run` may be called at any time, and again. */
  wanted: boolean
  /** Whether `run` was called before `schedule` had returned. */
  early: boolean
  cancel: unknown
}

/** @internal */
export class Decay {
  readonly #heap: Decaying
  readonly #tickMs: number
  readonly #schedule: Schedule
  #timer: Timer | undefined
  #busy = false
  #stopped = false
  #last = 0

  constructor(heap: Decaying, decayMs: number, schedule: Schedule) {
    this.#heap = heap
    this.#tickMs = decayMs / 2
    this.#schedule = schedule
    if (decayMs >= 0) heap.onIdle()
  }

  /** Something has been freed while no timer ran. Called when the step that freed it is over. */
  start(): void {
    if (this.#stopped) return
    if (this.#tickMs !== 0) this.startLater()
    else if (!this.#busy) {
      this.#busy = true
      try {
        this.#purge(Number.POSITIVE_INFINITY)
        this.#heap.onIdle()
      } finally {
        this.#busy = false
      }
      if (this.#timer?.early) this.#fire()
    }
  }

  /** Something may be freed unnoticed from now on. Called when the step after which it may is over. */
  startLater(): void {
    if (this.#stopped || this.#timer !== undefined) return
    this.#last = 0
    this.#run(false)
  }

  /** The heap's claim is gone: whatever timer may still come does nothing. */
  forget(): void {
    const timer = this.#timer
    this.#stopped = true
    this.#timer = undefined
    if (timer === undefined) return
    timer.wanted = false
    cancel(timer)
  }

  /** Sets a timer, after a tick if one is due; those that come before `schedule` has returned follow one another here. */
  #run(due: boolean): void {
    for (let tick = due; ; tick = true) {
      if (tick && !this.#tick()) return
      const timer: Timer = { wanted: true, early: false, cancel: undefined }
      this.#timer = timer
      if (!told(() => this.#set(timer))) {
        // Then the next free tries again.
        timer.wanted = false
        this.#timer = undefined
        if (!this.#stopped) this.#heap.onIdle()
        return
      }
      // The callback may have closed the heap: then there was nothing to cancel yet.
      if (this.#stopped) cancel(timer)
      if (this.#stopped || !timer.early) return
      this.#timer = undefined
    }
  }

  #set(timer: Timer): void {
    timer.cancel = this.#schedule(() => this.#ring(timer), this.#tickMs) ?? NOTHING
  }

  #ring(timer: Timer): void {
    if (!timer.wanted) return
    timer.wanted = false
    // Inside `schedule`, or inside a purge that has called back: after it.
    if (timer.cancel === undefined || this.#busy) timer.early = true
    else this.#fire()
  }

  #fire(): void {
    this.#timer = undefined
    this.#run(true)
  }

  /** A timer has no caller that could catch what the kernel refuses: the memory stays, and the next tick tries again. */
  #purge(bytes: number): void {
    try {
      this.#heap.purgeSome(bytes)
    } catch (error) {
      if (!(error instanceof SystemError)) throw error
    }
  }

  /** Purges what has been free for a period; whether there is anything to wait for. */
  #tick(): boolean {
    this.#busy = true
    try {
      const free = this.#heap.freeDirtyBytes()
      const idle = this.#tickMs === 0 ? free : Math.min(this.#last, free)
      if (idle > 0) this.#purge(idle)
      const left = idle > 0 ? this.#heap.freeDirtyBytes() : free
      this.#last = left
      // Parts of pages that live blocks share cannot be given back: when a purge brings nothing there is nothing to wait for.
      if (left > 0 && !(idle > 0 && left >= free)) return true
      this.#heap.onIdle()
      return false
    } finally {
      this.#busy = false
    }
  }
}

/** What stands for a cancel when `schedule` has answered nothing. */
const NOTHING = (): void => undefined

/** Calls what `schedule` has answered, if it is a function. */
function cancel(timer: Timer): void {
  const { cancel: call } = timer
  if (typeof call === 'function') afterwards(() => call())
}

/** Checks the option: -1 (never), 0 (at once), or a time in milliseconds. @internal */
export function checkDecay(value: unknown): number {
  return value === undefined ? 1000 : wholeNumber('options.decayMs', value, -1, 2 ** 31 - 1)
}

/** Checks the option. */
export function checkSchedule(value: unknown): void {
  if (value !== undefined && typeof value !== 'function')
    throw new InvalidArgumentTypeError('options.schedule', 'a function', value)
}
