/**
 * Waiting until another thread, of this process or of another one that has the arena, changes a word of it and wakes the waiters. What `Atomics.wait` is for a SharedArrayBuffer; that one refuses these buffers.
 *
 *     waiter    while (Atomics.load(words, i) === old) arena.wait(offset, old)
 *     waker     Atomics.store(words, i, next); arena.wake(offset)                     first the change, then the wake
 *
 * A sleep in the kernel cannot be interrupted by JavaScript, so a wait is many of at most 50 ms, and between two of them a worker
 * can be terminated and the process can exit. How long it has been is the kernel's to say (ffi/clock.ts): a clock of the runtime's may
 * be a test's. From one side to the other and back takes 10 to 30 us. On a main thread
 * `wait` stops everything else; `waitAsync` does not (wait-async.ts).
 * @module
 */
import { type AbortSignalLike, abortSignal, optionsObject, wholeNumber } from '../../arguments.ts'
import { ArenaClosedError, InvalidArgumentTypeError, OutOfRangeError } from '../../errors.ts'
import { monotonicNow } from '../../ffi/clock.ts'
import type { SleepEnd } from '../../ffi/os-threads.ts'
import { afterwards } from '../ending.ts'
import type { Mapping } from '../mapping/mapping.ts'
import { type AsyncWait, asyncWaits } from './wait-async.ts'

/** Milliseconds of one sleep. */
const SLEEP_MS = 50
/** All waiters. */
const ALL_WAITERS = 2 ** 31 - 1

/** Options of `arena.wait`. */
export interface WaitOptions {
  /** Give up after so many milliseconds. @defaultValue Infinity */
  readonly timeoutMs?: number | undefined
}

/** Options of `arena.waitAsync`. */
export interface WaitAsyncOptions extends WaitOptions {
  /** Gives up when it is aborted: the promise is rejected with its reason. @defaultValue none */
  readonly signal?: AbortSignalLike | undefined
}

/** How a wait ended. */
export type WaitResult = 'ok' | 'not-equal' | 'timed-out'

/** Waiting on the words of one arena. Offsets have been checked. @internal */
export class WordWaits {
  readonly #mapping: Mapping
  readonly #title: string
  /** What the word at an offset is now. */
  readonly #read: (offset: number) => number
  /** Keeps the addresses taken until the answer is called. */
  readonly #hold: () => () => void
  readonly #pending: Map<AsyncWait, (error: unknown) => void> = new Map()

  constructor(mapping: Mapping, title: string, read: (offset: number) => number, hold: () => () => void) {
    this.#mapping = mapping
    this.#title = title
    this.#read = read
    this.#hold = hold
  }

  wait(offset: number, expected: number, options: WaitOptions | undefined): WaitResult {
    const value = checkExpected(expected)
    const deadline = monotonicNow() + checkTimeout(options)
    let slept = false
    for (;;) {
      if (this.#read(offset) !== value) return slept ? 'ok' : 'not-equal'
      const left = deadline - monotonicNow()
      if (left <= 0) return 'timed-out'
      // A call of a JavaScript function each time: only there does V8 look whether this worker is to end.
      if (this.#sleep(offset, value, Math.min(left, SLEEP_MS)) === 'woken') return 'ok'
      slept = true
    }
  }

  #sleep(offset: number, value: number, milliseconds: number): SleepEnd {
    return this.#mapping.threads.futexWait(this.#mapping.word(offset), value, milliseconds)
  }

  waitAsync(offset: number, expected: number, options: WaitAsyncOptions | undefined): Promise<WaitResult> {
    const value = checkExpected(expected)
    const deadline = monotonicNow() + checkTimeout(options)
    const signal = abortSignal('options.signal', options?.signal)
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.#read(offset) !== value) return Promise.resolve('not-equal')
    return new Promise((resolve, reject) => {
      const waits = asyncWaits(this.#mapping.threads)
      const finish = (): void => {
        this.#pending.delete(wait)
        if (signal !== undefined) afterwards(() => signal.removeEventListener('abort', abort))
      }
      const fail = (error: unknown): void => {
        waits.remove(wait)
        reject(error)
        finish()
      }
      const abort = (): void => fail(signal?.reason)
      const wait: AsyncWait = {
        address: this.#mapping.word(offset),
        expected: value,
        deadline,
        read: () => this.#read(offset),
        hold: this.#hold,
        settle: (result) => {
          resolve(result)
          finish()
        },
        fail,
      }
      this.#pending.set(wait, fail)
      waits.add(wait)
      // Last: a signal of the caller's making may call back at once.
      try {
        if (this.#pending.has(wait)) signal?.addEventListener('abort', abort)
      } catch (error) {
        fail(error)
      }
    })
  }

  wake(offset: number, count: number = ALL_WAITERS): number {
    const most = count === Infinity ? ALL_WAITERS : wholeNumber('count', count, 0, ALL_WAITERS)
    return this.#mapping.threads.futexWake(this.#mapping.word(offset), most)
  }

  /** The arena is closed: promises that are pending are rejected. */
  close(): void {
    for (const fail of [...this.#pending.values()])
      fail(new ArenaClosedError(`${this.#title} was closed while a wait was pending`))
  }
}

/** As a signed or an unsigned word; gives it signed, as an Int32Array has it. */
function checkExpected(expected: unknown): number {
  return wholeNumber('expected', expected, -(2 ** 31), 2 ** 32 - 1) | 0
}

function checkTimeout(options: WaitOptions | undefined): number {
  optionsObject('options', options)
  const timeoutMs = options?.timeoutMs ?? Infinity
  if (typeof timeoutMs !== 'number') throw new InvalidArgumentTypeError('options.timeoutMs', 'a number', timeoutMs)
  if (!(timeoutMs >= 0)) throw new OutOfRangeError('options.timeoutMs', 'a number from 0', timeoutMs)
  return timeoutMs
}
