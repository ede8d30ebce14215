/**
 * One `waitAsync`: a promise that is settled once, by whatever ends the wait first.
 *
 *     settle   the word was woken, or has changed, or it is too late        (wait-async.ts)
 *     fail     the arena was closed, the signal was aborted, the kernel refused the sleep
 *
 * Either way it listens to its signal no more, once the step is over. Cost: an object, and a listener where there is a signal.
 * @module
 */
import type { AbortSignalLike } from '../../arguments.ts'
import type { Address } from '../../units.ts'
import { afterwards } from '../ending.ts'
import type { AsyncWait, AsyncWaits } from './wait-async.ts'

/** What a wait begins with. */
export interface WordWaitStart {
  readonly address: Address
  readonly expected: number
  readonly deadline: number
  readonly signal: AbortSignalLike | undefined
  /** Those of this thread. */
  readonly waits: AsyncWaits
  /** What the word is now. */
  readonly read: () => number
  /** Keeps the word's address taken until the answer is called. */
  readonly hold: () => () => void
  /** Told that the wait is over. */
  readonly ended: (wait: WordWait) => void
  readonly resolve: (result: 'ok' | 'timed-out') => void
  readonly reject: (error: unknown) => void
}

export class WordWait implements AsyncWait {
  readonly address: Address
  readonly expected: number
  readonly deadline: number
  readonly #start: WordWaitStart
  readonly #abort = (): void => this.fail(reasonOf(this.#start.signal))

  constructor(start: WordWaitStart) {
    this.address = start.address
    this.expected = start.expected
    this.deadline = start.deadline
    this.#start = start
  }

  read(): number {
    return this.#start.read()
  }

  hold(): () => void {
    return this.#start.hold()
  }

  /** Fails when its signal is aborted. A signal of the caller's making may call back at once. */
  listen(): void {
    try {
      this.#start.signal?.addEventListener('abort', this.#abort)
    } catch (error) {
      this.fail(error)
    }
  }

  settle(result: 'ok' | 'timed-out'): void {
    this.#start.resolve(result)
    this.#end()
  }

  fail(error: unknown): void {
    this.#start.waits.remove(this)
    this.#start.reject(error)
    this.#end()
  }

  #end(): void {
    const { signal, ended } = this.#start
    ended(this)
    if (signal !== undefined) afterwards(() => signal.removeEventListener('abort', this.#abort))
  }
}

/** Why a signal was aborted; what its getter throws, where that throws: the promise must be settled in any case. */
function reasonOf(signal: AbortSignalLike | undefined): unknown {
  try {
    return signal?.reason
  } catch (error) {
    return error
  }
}
