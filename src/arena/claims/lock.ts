/**
 * The lock on an arena's directory, between threads and processes: one 64-bit word in the header, which is 0 or the packed number of the
 * thread that holds it (format/thread-id.ts). It is held for microseconds, while a claim is entered or taken out.
 *
 *     0 ──exchange──▶ thread ──run──▶ 0
 *                     └ a waiter that finds the thread dead exchanges its number for the waiter's own, and says so (`inherited`)
 *
 * A waiter looks a few times, then sleeps on the word, five milliseconds at a time, and gives up after a second: a holder that is
 * alive and does not move is stopped in a debugger, or lives in another container. The word may hold anything, since others can
 * write to it, so waiting is bounded whatever it holds. Uncontended about 1 us.
 *
 *     the word holds the caller's own number  and this thread is inside `run`      =>  nested use, an error at once
 *                                             and it is not                        =>  of an earlier thread, or written by another: stale
 *
 * That a dead thread leaves its number in the word, rather than a flag, is Linux's robust futexes; that a second look decides by the
 * time of its start is LMDB's reader table.
 * @module
 */
import { ArenaBusyError } from '../../errors.ts'
import type { Threads } from '../../ffi/os-threads.ts'
import type { Address } from '../../units.ts'
import { describeThread, hasCheck, type Liveness, LOOKS, unpackNumbers } from '../format/thread-id.ts'

/** How long one sleep is, in milliseconds, and how many there are before giving up. */
const SLEEP_MS = 5
const SLEEPS = 200

/** Where a lock is, and the thread that takes it. */
export interface LockOptions {
  readonly threads: Threads
  /** Address of the word. */
  readonly address: Address
  /** The word. */
  readonly word: BigUint64Array
  /** The calling thread, packed. */
  readonly self: bigint
  /** The liveness of another thread, packed. */
  readonly livenessOf: (packed: bigint) => Liveness
  /**
   * Called with the lock, before `run`, when it was taken over from a holder that died with it: what that one was changing may be half done, and
   * no other knows.
   */
  readonly inherited: () => void
  /** The arena's name in messages. */
  readonly title: string
}

/** How many locks this thread holds, on whatever arenas: two arena objects over the same memory have one word and one number. */
let held = 0

export class Lock {
  readonly #options: LockOptions

  constructor(options: LockOptions) {
    this.#options = options
  }

  /**
   * Runs `run` while no other thread or process does. Throws ERR_ARENA_BUSY when the lock cannot be had, and when it is nested: `run`
   * was not called then.
   */
  run<R>(run: () => R): R {
    const { word, self, threads, address, inherited } = this.#options
    const freed = Atomics.compareExchange(word, 0, 0n, self) === 0n || this.#wait()
    held++
    try {
      if (!freed) inherited()
      return run()
    } finally {
      held--
      // Only if it is still ours: a thread in another namespace may have taken this one for dead.
      if (Atomics.compareExchange(word, 0, self, 0n) === self) wakeQuietly(threads, address)
    }
  }

  /** Takes the word. Whether its holder had let go of it: false when the holder died with it. */
  #wait(): boolean {
    const { word, self } = this.#options
    for (let look = 0; look < LOOKS; look++) {
      const holder = Atomics.compareExchange(word, 0, 0n, self)
      if (holder === 0n) return true
      if (holder === self) break
    }
    for (let sleep = 0; sleep < SLEEPS; sleep++) {
      const taken = this.#try()
      if (taken !== undefined) return taken === 'free'
    }
    const holder = Atomics.compareExchange(word, 0, 0n, self)
    if (holder !== 0n) throw this.#busy(holder)
    return true
  }

  /** Takes the word if it is free or its holder is gone, and says which; sleeps once if it is neither. */
  #try(): 'free' | 'inherited' | undefined {
    const { word, self, threads, address, livenessOf } = this.#options
    const holder = Atomics.compareExchange(word, 0, 0n, self)
    if (holder === 0n) return 'free'
    if (holder === self && held > 0) this.#refuseNested()
    // Stale: the word is ours already by what it says. Unless another container may have a thread with the same numbers.
    if (holder === self && (hasCheck(self) || livenessOf(self) !== 'unknown')) return 'inherited'
    // Two may find it dead at the same time; the exchange lets one of them in.
    if (livenessOf(holder) === 'dead')
      return Atomics.compareExchange(word, 0, holder, self) === holder ? 'inherited' : undefined
    threads.futexWait(address, Number(BigInt.asIntN(32, holder)), SLEEP_MS)
    return undefined
  }

  #refuseNested(): never {
    const { title } = this.#options
    throw new ArenaBusyError(`${title}: its directory is held by this very thread, in a call that has not returned`)
  }

  #busy(holder: bigint): ArenaBusyError {
    const { title } = this.#options
    return new ArenaBusyError(
      `${title}: its directory is held by ${describeThread(unpackNumbers(holder))}, which has not let go for ` +
        `${SLEEPS * SLEEP_MS} ms`
    )
  }
}

/** What was run under the lock is done, so there is nothing to refuse any more. A waiter that is not woken looks by itself. */
function wakeQuietly(threads: Threads, address: Address): void {
  try {
    threads.futexWake(address, 1)
  } catch {
    // It sleeps five milliseconds at a time.
  }
}
