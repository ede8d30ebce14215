/**
 * What is wanted of the kernel about threads: a part of `Os`. Which thread is calling, which are alive, and sleeping on a word of
 * memory until another thread wakes its sleepers (a futex), in this process or another.
 * @module
 */
import type { Address } from '../units.ts'

/** How a sleep ended. A signal counts as `timed-out`; `woken` may also come without a wake. */
export type SleepEnd = 'woken' | 'changed' | 'timed-out'

/** Where a process lives: identities of processes can be compared inside one place only. 0 where the kernel does not tell. */
export interface Place {
  /** Differs from one start of the machine to the next. */
  readonly boot: number
  /** The namespace that gives process numbers their meaning (a container has its own). */
  readonly namespace: number
}

/** A word of this thread's, in no mapping of ours: to be watched in a sleep, so that the sleep can be ended. */
export interface Bell {
  readonly address: Address
  readonly word: Int32Array
}

export interface Threads {
  /** This thread's bell; always the same. */
  bell(): Bell

  /** The calling thread's number, as the kernel counts. A main thread's is its process's. */
  id(): number

  /**
   * Whether a thread of a process exists and has not ended. A zombie has, and so has one that the kernel is taking down: a worker may still be
   * there for a moment when `terminate` is done. One that we may not signal counts as alive. 30 us.
   */
  isAlive(processId: number, threadId: number): boolean

  /** Whether there is such a thread, ended or not. 1 us. */
  exists(processId: number, threadId: number): boolean

  /** When a thread was started, in the kernel's ticks since the machine was; 0 when there is no such thread, or it cannot be read. */
  startTime(processId: number, threadId: number): number

  /** Whether a thread of any process is stopped, by a signal or a debugger; false where that cannot be read. */
  isStopped(processId: number, threadId: number): boolean

  /** Where this process lives. */
  place(): Place

  /**
   * Sleeps while the word at `address` is `expected`, for so long at most. Blocks this thread: JavaScript stands still, and a
   * worker cannot be terminated meanwhile, so the time is to be short.
   *
   * - Before: four bytes inside one mapping, on a multiple of 4; `milliseconds` is at least 0 and finite.
   */
  futexWait(address: Address, expected: number, milliseconds: number): SleepEnd

  /** Wakes up to `count` threads that sleep on the word at `address`; says how many. The word as in `futexWait`, or the bell. */
  futexWake(address: Address, count: number): number

  /**
   * As `futexWait` on several words at once, on a thread of the pool, which it occupies meanwhile. Gives the index of one that was
   * woken, or -1: one of them was not as expected, or the time is up.
   *
   * - Before: 1 to 128 words, each as in `futexWait`, or the bell.
   * - ENOSYS: a kernel before 5.16. Nothing was waited for.
   */
  futexWaitAny(addresses: readonly Address[], expected: readonly number[], milliseconds: number): Promise<number>
}
