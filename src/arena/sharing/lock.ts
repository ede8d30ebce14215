/**
 * The lock on an arena's directory: one 64-bit word in the header, 0 or the token of the thread that holds it. Between threads
 * and processes; held for microseconds, while a claim is entered or taken out.
 *
 *     0 ──exchange──▶ token ──run──▶ 0
 *                     └ whoever waits looks whether its owner is dead, and then puts his own token in its place
 *
 * A waiter looks a few times, then sleeps on the word, five milliseconds at a time, and gives up after a second: a holder that is
 * alive and does not move is stopped in a debugger, or lives in another container. Uncontended about 1 us.
 *
 * That a dead owner leaves a token in the word, rather than a flag, is Linux's robust futexes; that a second look decides by the
 * time of its start is LMDB's reader table.
 * @module
 */
import { ArenaBusyError } from '../../errors.ts'
import type { Os } from '../../ffi/os.ts'
import type { Address } from '../../units.ts'
import { describeOwner, type Fate, tokenNumbers } from '../owner.ts'

/** How often to look before sleeping. */
const LOOKS = 100
/** How long one sleep is, in milliseconds, and how many there are before giving up. */
const SLEEP_MS = 5
const SLEEPS = 200

/** Where a lock is, and whose it would be. */
export interface LockOptions {
  readonly os: Os
  /** Address of the word. */
  readonly address: Address
  /** The word. */
  readonly word: BigUint64Array
  /** The calling thread's token. */
  readonly token: bigint
  /** What has become of the owner of another token. */
  readonly fateOf: (token: bigint) => Fate
  /** The arena's name in messages. */
  readonly title: string
}

export class Lock {
  readonly #options: LockOptions

  constructor(options: LockOptions) {
    this.#options = options
  }

  /** Runs `run` while no other thread or process does. Throws ERR_ARENA_BUSY when it cannot be had. Not to be nested. */
  run<R>(run: () => R): R {
    const { word, token, os, address } = this.#options
    if (Atomics.compareExchange(word, 0, 0n, token) !== 0n) this.#wait()
    try {
      return run()
    } finally {
      // Only if it is still ours: somebody in another namespace might have taken us for dead.
      if (Atomics.compareExchange(word, 0, token, 0n) === token) wakeQuietly(os, address)
    }
  }

  #wait(): void {
    const { word, token, os, address, fateOf } = this.#options
    for (let look = 0; look < LOOKS; look++) if (Atomics.compareExchange(word, 0, 0n, token) === 0n) return
    for (let sleep = 0; sleep < SLEEPS; sleep++) {
      const holder = Atomics.compareExchange(word, 0, 0n, token)
      if (holder === 0n) return
      // Two may find it dead at the same time; the exchange lets one of them in.
      const dead = holder !== token && fateOf(holder) === 'dead'
      if (dead && Atomics.compareExchange(word, 0, holder, token) === holder) return
      if (!dead) os.threads.futexWait(address, Number(BigInt.asIntN(32, holder)), SLEEP_MS)
    }
    const holder = Atomics.compareExchange(word, 0, 0n, token)
    if (holder !== 0n) this.#giveUp(holder)
  }

  #giveUp(holder: bigint): never {
    const { title } = this.#options
    throw new ArenaBusyError(
      `${title}: its directory is held by ${describeOwner(tokenNumbers(holder))}, which has not let go for ` +
        `${SLEEPS * SLEEP_MS} ms`
    )
  }
}

/** What was run under the lock is done, so there is nothing to refuse any more. A waiter that is not woken looks by itself. */
function wakeQuietly(os: Os, address: Address): void {
  try {
    os.threads.futexWake(address, 1)
  } catch {
    // It sleeps five milliseconds at a time.
  }
}
