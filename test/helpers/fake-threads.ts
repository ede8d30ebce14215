/**
 * The thread calls of the fake kernel: the real ones, counted. Threads can be told dead, and the process be said to be elsewhere.
 * @module
 */
import type { Bell, Place, SleepEnd, Threads } from '../../src/ffi/os-threads.ts'
import type { Address } from '../../src/units.ts'

/** The calls of `Threads` that can fail: those that sleep and wake. */
export type ThreadCall = 'futexWait' | 'futexWake' | 'futexWaitAny'

export class FakeThreads implements Threads {
  /** Threads to be told dead, whatever they are. */
  readonly dead: Set<number> = new Set()
  /** Where this process is said to be. @defaultValue where it is */
  where: Place | undefined
  readonly #real: Threads
  readonly #enter: (call: ThreadCall, syscall: string, address?: Address) => void

  constructor(real: Threads, enter: (call: ThreadCall, syscall: string, address?: Address) => void) {
    this.#real = real
    this.#enter = enter
  }

  bell(): Bell {
    return this.#real.bell()
  }

  id(): number {
    return this.#real.id()
  }

  isAlive(processId: number, threadId: number): boolean {
    return !this.dead.has(threadId) && this.#real.isAlive(processId, threadId)
  }

  exists(processId: number, threadId: number): boolean {
    return !this.dead.has(threadId) && this.#real.exists(processId, threadId)
  }

  isStopped(processId: number, threadId: number): boolean {
    return this.#real.isStopped(processId, threadId)
  }

  startTime(processId: number, threadId: number): number {
    return this.#real.startTime(processId, threadId)
  }

  place(): Place {
    return this.where ?? this.#real.place()
  }

  futexWait(address: Address, expected: number, milliseconds: number): SleepEnd {
    this.#enter('futexWait', 'futex', address)
    return this.#real.futexWait(address, expected, milliseconds)
  }

  futexWake(address: Address, count: number): number {
    this.#enter('futexWake', 'futex', address)
    return this.#real.futexWake(address, count)
  }

  async futexWaitAny(
    addresses: readonly Address[],
    expected: readonly number[],
    milliseconds: number
  ): Promise<number> {
    this.#enter('futexWaitAny', 'futex_waitv')
    return this.#real.futexWaitAny(addresses, expected, milliseconds)
  }
}
