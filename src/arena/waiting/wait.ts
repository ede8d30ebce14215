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
import type { Lifetime } from '../mapping/lifetime.ts'
import type { Mapping } from '../mapping/mapping.ts'
import type { Extent } from '../views/extent.ts'
import type { Windows } from '../views/windows.ts'
import { asyncWaits } from './wait-async.ts'
import { WordWait, type WordWaitStart } from './word-wait.ts'

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

/** The memory whose words are waited for. @internal */
export interface WaitableMemory {
  /** For messages. */
  readonly title: string
  readonly mapping: Mapping
  readonly extent: Extent
  readonly windows: Windows
  readonly lifetime: Lifetime
}

/** Waiting on the words of one arena. @internal */
export class WordWaits {
  readonly #memory: WaitableMemory
  readonly #pending: Set<WordWait> = new Set()

  constructor(memory: WaitableMemory) {
    this.#memory = memory
  }

  wait(offset: number, expected: number, options: WaitOptions | undefined): WaitResult {
    this.#memory.extent.requireElements(4, offset, 1)
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
    const { mapping } = this.#memory
    return mapping.threads.futexWait(mapping.word(offset), value, milliseconds)
  }

  async waitAsync(offset: number, expected: number, options: WaitAsyncOptions | undefined): Promise<WaitResult> {
    this.#memory.extent.requireElements(4, offset, 1)
    const value = checkExpected(expected)
    const deadline = monotonicNow() + checkTimeout(options)
    const signal = abortSignal('options.signal', options?.signal)
    if (signal?.aborted) throw signal.reason
    if (this.#read(offset) !== value) return 'not-equal'
    return new Promise((resolve, reject) => this.#begin({ offset, expected: value, deadline, signal, resolve, reject }))
  }

  #begin(
    asked: { offset: number } & Pick<WordWaitStart, 'expected' | 'deadline' | 'signal' | 'resolve' | 'reject'>
  ): void {
    const { mapping, lifetime } = this.#memory
    const { offset, ...rest } = asked
    const waits = asyncWaits(mapping.threads)
    const wait = new WordWait({
      ...rest,
      address: mapping.word(offset),
      waits,
      read: () => this.#read(offset),
      hold: () => lifetime.hold(),
      ended: (over) => this.#pending.delete(over),
    })
    this.#pending.add(wait)
    waits.add(wait)
    if (this.#pending.has(wait)) wait.listen()
  }

  wake(offset: number, count: number = ALL_WAITERS): number {
    this.#memory.extent.requireElements(4, offset, 1)
    const { mapping } = this.#memory
    const most = count === Infinity ? ALL_WAITERS : wholeNumber('count', count, 0, ALL_WAITERS)
    return mapping.threads.futexWake(mapping.word(offset), most)
  }

  /** What the word at an offset is now. */
  #read(offset: number): number {
    const { extent, windows } = this.#memory
    extent.requireOpen()
    return windows.wordAt(offset)
  }

  /** The arena is closed: promises that are pending are rejected. */
  revoke(): void {
    for (const wait of [...this.#pending])
      wait.fail(new ArenaClosedError(`${this.#memory.title} was closed while a wait was pending`))
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
