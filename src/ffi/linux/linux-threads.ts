/**
 * `Threads` over Linux's libc.
 *
 * Sleeping on a word is the `futex` system call without its flag for a single process, so that it works on memory that several
 * processes map. A round trip between two threads takes 10 to 30 us, a wake without a sleeper 0.5 us.
 * @module
 */
import { wholeNumber } from '../../arguments.ts'
import { HIDDEN, InvalidArgumentTypeError, OutOfRangeError } from '../../errors.ts'
import { ARCHITECTURE, PROCESS_ID } from '../../runtime.ts'
import type { Address } from '../../units.ts'
import { monotonicNow } from '../clock.ts'
import { EAGAIN, EINTR, ESRCH, ETIMEDOUT, systemError } from '../errno.ts'
import {
  CLOCK_MONOTONIC,
  FUTEX_WAIT,
  FUTEX_WAKE,
  FUTEX2_SIZE_U32,
  SYSTEM_CALLS,
  type SystemCalls,
} from '../libc/constants.ts'
import type { Libc } from '../libc/libc.ts'
import type { Bell, Place, SleepEnd, Threads } from '../os-threads.ts'
import { isThreadStopped, readPlace, readThreadStat } from '../procfs.ts'
import type { Mappings } from './mappings.ts'

/** Words that one sleep can watch (FUTEX_WAITV_MAX). */
const MOST_WORDS = 128
/** Largest process number that Linux gives (PID_MAX_LIMIT). */
const MOST_THREADS = 2 ** 22

export class LinuxThreads implements Threads {
  readonly #libc: Libc
  readonly #mappings: Mappings
  readonly #calls: SystemCalls
  /** Seconds and nanoseconds. */
  readonly #time: BigInt64Array = new BigInt64Array(2)
  #place: Place | undefined
  #bell: Bell | undefined

  /** `mappings`: those that words may lie in. */
  constructor(bindings: Libc, mappings: Mappings) {
    this.#libc = bindings
    this.#mappings = mappings
    this.#calls = SYSTEM_CALLS[ARCHITECTURE] as SystemCalls
  }

  bell(): Bell {
    if (this.#bell === undefined) {
      // A buffer of the runtime's own, which does not move while it is referred to.
      const word = new Int32Array(new ArrayBuffer(4))
      this.#bell = { word, address: Number(this.#libc.addressOf(word)) as Address }
    }
    return this.#bell
  }

  id(): number {
    return this.#libc.syscall(this.#calls.gettid, 0, 0, 0)
  }

  isAlive(processId: number, threadId: number): boolean {
    if (!this.exists(processId, threadId)) return false
    if (processId === PROCESS_ID && threadId === this.id()) return true
    // Killed, and not yet waited for by its parent, or on its way out: it can be signalled, and does nothing any more.
    const stat = readThreadStat(processId, threadId)
    // What cannot be read may be kept from us, or gone since.
    return stat === undefined ? this.exists(processId, threadId) : !stat.ended
  }

  exists(processId: number, threadId: number): boolean {
    wholeNumber('processId', processId, 1, MOST_THREADS)
    wholeNumber('threadId', threadId, 1, MOST_THREADS)
    return this.#libc.syscall(this.#calls.tgkill, processId, threadId, 0) === 0 || this.#libc.errno() !== ESRCH
  }

  startTime(processId: number, threadId: number): number {
    wholeNumber('processId', processId, 1, MOST_THREADS)
    wholeNumber('threadId', threadId, 1, MOST_THREADS)
    return readThreadStat(processId, threadId)?.startTime ?? 0
  }

  isStopped(processId: number, threadId: number): boolean {
    wholeNumber('processId', processId, 1, MOST_THREADS)
    wholeNumber('threadId', threadId, 1, MOST_THREADS)
    return isThreadStopped(processId, threadId)
  }

  place(): Place {
    if (this.#place === undefined) this.#place = readPlace()
    return this.#place
  }

  futexWait(address: Address, expected: number, milliseconds: number): SleepEnd {
    this.#requireWord(address)
    requireTime(milliseconds)
    setTime(this.#time, milliseconds)
    if (this.#libc.futex(this.#calls.futex, address, FUTEX_WAIT, expected >>> 0, this.#time) === 0) return 'woken'
    const errno = this.#libc.errno()
    if (errno === ETIMEDOUT || errno === EINTR) return 'timed-out'
    if (errno === EAGAIN) return 'changed'
    throw systemError('futex', errno)
  }

  futexWake(address: Address, count: number): number {
    this.#requireWord(address)
    wholeNumber('count', count, 0, 2 ** 31 - 1)
    const woken = this.#libc.futex(this.#calls.futex, address, FUTEX_WAKE, count, null)
    if (woken < 0) throw systemError('futex', this.#libc.errno())
    return woken
  }

  async futexWaitAny(
    addresses: readonly Address[],
    expected: readonly number[],
    milliseconds: number
  ): Promise<number> {
    wholeNumber('addresses.length', addresses.length, 1, MOST_WORDS)
    requireTime(milliseconds)
    // The kernel reads both while we run on, so they are this call's own. Three 64-bit fields a word: value, address, flags.
    const words = new BigUint64Array(3 * addresses.length)
    for (const [index, address] of addresses.entries()) {
      this.#requireWord(address)
      words[3 * index] = BigInt((expected[index] as number) >>> 0)
      words[3 * index + 1] = BigInt(address)
      words[3 * index + 2] = BigInt(FUTEX2_SIZE_U32)
    }
    // Not a length of time but a moment on the kernel's clock.
    const until = new BigInt64Array(2)
    setTime(until, monotonicNow() + milliseconds)
    const { futex_waitv } = this.#calls
    const result = await kept([words, until], () =>
      this.#libc.futex_waitv(futex_waitv, words, addresses.length, until, CLOCK_MONOTONIC)
    )
    if (result >= 0) return result
    if (-result === ETIMEDOUT || -result === EAGAIN || -result === EINTR) return -1
    throw systemError('futex_waitv', -result)
  }

  #requireWord(address: Address): void {
    if (address % 4 !== 0) throw new OutOfRangeError('address', 'a multiple of 4', HIDDEN)
    if (address !== this.#bell?.address) this.#mappings.requireInside(address, 4)
  }
}

/** What calls in the pool are reading. koffi hands addresses over and keeps nothing alive: garbage would be read by the kernel. */
const inUse: Set<object> = new Set()

/** Runs a call in the pool, and keeps what it reads until it is over. */
async function kept<R>(arrays: object, run: () => Promise<R>): Promise<R> {
  inUse.add(arrays)
  try {
    return await run()
  } finally {
    inUse.delete(arrays)
  }
}

function requireTime(milliseconds: number): void {
  if (typeof milliseconds !== 'number') throw new InvalidArgumentTypeError('milliseconds', 'a number', milliseconds)
  if (!(milliseconds >= 0 && milliseconds < Number.MAX_SAFE_INTEGER))
    throw new OutOfRangeError('milliseconds', 'a finite number from 0', milliseconds)
}

function setTime(time: BigInt64Array, milliseconds: number): void {
  const seconds = Math.floor(milliseconds / 1000)
  time[0] = BigInt(seconds)
  time[1] = BigInt(Math.min(999_999_999, Math.floor((milliseconds - seconds * 1000) * 1e6)))
}
