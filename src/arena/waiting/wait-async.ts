/**
 * Every `waitAsync` of this thread. All of them sleep together in one call to the kernel, which takes one thread of the pool for
 * twenty milliseconds at a time; so files and the like have the others, however many waits there are.
 *
 *     waits   a b c …  ─▶ futexWaitAny([bell, a, b, c, …], 20 ms) ─▶ look at each: changed, too late? ─▶ and again
 *                            bell rung ◀── a wait was added: it is to be slept on as well
 *
 * A wake between two sleeps wakes no thread; but the word has changed by then, which the next look sees. The promises for one word are
 * one sleeper, and a wake settles all of them: the kernel names one word when a sleep ends, not how often it was woken. From a wake to
 * the callback it takes 0.1 to 0.2 ms, and while nothing happens 2 % of a processor. Where the kernel cannot sleep on several
 * words (before Linux 5.16) the words are looked at by a timer instead, every twenty milliseconds in the end.
 *
 * An arena may be closed while a sleep on its words is in the pool, or waits there for a thread: its addresses stay taken until the sleep
 * is over (`hold`), so the kernel never meets an address that is gone, or another's. Should it refuse a word all the same, the waits
 * for that word are rejected and the others go on.
 *
 * A sleep is short because Node waits for the pool when a worker is terminated and when the process exits.
 * @module
 */
import { monotonicNow } from '../../ffi/clock.ts'
import { EFAULT, ENOSYS, isErrno } from '../../ffi/errno.ts'
import type { Bell, Threads } from '../../ffi/os-threads.ts'
import { pause } from '../../runtime.ts'
import type { Address } from '../../units.ts'

/** Milliseconds of one sleep, and at most between two looks without sleeping. */
const SLEEP_MS = 20
/** Words of one sleep, without the bell. What is above is looked at after each. */
const MOST_WORDS = 127

/** One wait. */
export interface AsyncWait {
  readonly address: Address
  readonly expected: number
  /** When it is too late, as `monotonicNow()` counts. */
  readonly deadline: number
  /** What the word is now. */
  read(): number
  /** Keeps the word's address taken until the answer is called. */
  hold(): () => void
  /** Called once: the word was woken or has changed, or it is too late. */
  settle(result: 'ok' | 'timed-out'): void
  /** Called instead when something else went wrong. */
  fail(error: unknown): void
}

const known: WeakMap<Threads, AsyncWaits> = new WeakMap()

/** This thread's. */
export function asyncWaits(threads: Threads): AsyncWaits {
  let waits = known.get(threads)
  if (waits === undefined) {
    waits = new AsyncWaits(threads)
    known.set(threads, waits)
  }
  return waits
}

export class AsyncWaits {
  readonly #threads: Threads
  readonly #waits: Set<AsyncWait> = new Set()
  #running = false
  #canSleep = true
  #pause = 1
  /** A word of this thread's in every sleep, by which a sleep can be ended. */
  readonly #bell: Bell

  constructor(threads: Threads) {
    this.#threads = threads
    this.#bell = threads.bell()
  }

  /** Adds a wait; it is settled later, never in this call. */
  add(wait: AsyncWait): void {
    this.#waits.add(wait)
    this.#pause = 1
    if (this.#running) this.#ring()
    else this.#run()
  }

  /** Takes a wait away that need not be settled any more. */
  remove(wait: AsyncWait): void {
    this.#waits.delete(wait)
    if (this.#running) this.#ring()
  }

  async #run(): Promise<void> {
    this.#running = true
    try {
      while (this.#waits.size > 0) {
        this.#look(await this.#sleep(this.#words()))
      }
    } catch (error) {
      for (const wait of [...this.#waits]) wait.fail(error)
      this.#waits.clear()
    } finally {
      this.#running = false
    }
  }

  /**
   * A wait for each word of the next sleep. A word that several promises wait for stands there once: the kernel would count a wake
   * of each, but names only one when the sleep ends.
   */
  #words(): AsyncWait[] {
    const words: Map<string, AsyncWait> = new Map()
    for (const wait of this.#waits) {
      if (words.size === MOST_WORDS) break
      const word = `${wait.address} ${wait.expected}`
      if (!words.has(word)) words.set(word, wait)
    }
    return [...words.values()]
  }

  /** Sleeps once; gives the address of the word that was woken, if one was. */
  async #sleep(waits: readonly AsyncWait[]): Promise<Address | undefined> {
    const now = monotonicNow()
    let next = Infinity
    for (const { deadline } of this.#waits) if (deadline < next) next = deadline
    if (!this.#canSleep) {
      await pause(Math.min(this.#pause, Math.max(0, next - now)))
      this.#pause = Math.min(2 * this.#pause, SLEEP_MS)
      return undefined
    }
    const { address, word } = this.#bell
    const addresses = [address, ...waits.map((wait) => wait.address)]
    const expected = [Atomics.load(word, 0), ...waits.map((wait) => wait.expected)]
    const held = waits.map((wait) => wait.hold())
    try {
      const woken = await this.#threads.futexWaitAny(addresses, expected, Math.min(SLEEP_MS, Math.max(0, next - now)))
      return waits[woken - 1]?.address
    } catch (error) {
      if (isErrno(error, ENOSYS)) this.#canSleep = false
      // Where a wait has ended since, its word may be the one that the kernel refused: then the rest sleep again, and nothing is rejected.
      else if (waits.every((wait) => this.#waits.has(wait))) this.#refuse(waits, error)
      return undefined
    } finally {
      for (const letGo of held) letGo()
    }
  }

  /** The kernel refused a sleep: rejects the waits whose word it refuses, or all when it is none of them. */
  #refuse(waits: readonly AsyncWait[], error: unknown): void {
    const guilty = isErrno(error, EFAULT) ? waits.filter((wait) => !this.#canWaitFor(wait)) : []
    for (const wait of guilty.length > 0 ? guilty : [...this.#waits]) {
      this.#waits.delete(wait)
      wait.fail(error)
    }
  }

  #canWaitFor({ address, expected }: AsyncWait): boolean {
    try {
      this.#threads.futexWait(address, expected, 0)
      return true
    } catch {
      return false
    }
  }

  #look(woken: Address | undefined): void {
    const now = monotonicNow()
    for (const wait of [...this.#waits]) {
      // A callback of a wait that was settled before may have ended this one.
      if (!this.#waits.has(wait)) continue
      try {
        const changed = wait.address === woken || wait.read() !== wait.expected
        if (!changed && now < wait.deadline) continue
        this.#waits.delete(wait)
        wait.settle(changed ? 'ok' : 'timed-out')
      } catch (error) {
        this.#waits.delete(wait)
        wait.fail(error)
      }
    }
  }

  #ring(): void {
    Atomics.add(this.#bell.word, 0, 1)
    try {
      this.#threads.futexWake(this.#bell.address, 1)
    } catch {
      // The sleep ends by itself, twenty milliseconds later at most.
    }
  }
}
