/**
 * The peers of a concurrent heap, and the locks that they take.
 *
 *     entry            the thread that a peer is, 0 where there is none; and how often the entry was taken
 *     a peer's number  the entry, 1 … 64, and above it the count: never the same again for 8 million peers
 *     lock, owner      0 or the number of a peer
 *
 *     wait: some looks -> short sleeps -> every few milliseconds: is the holder's thread there?  no: its lock is taken over, and it is buried
 *           -> ERR_ARENA_BUSY, which names the holder, after PATIENCE_MS when it is stopped, or may have gone in another container
 *
 * To bury a peer is to leave nothing of its number behind: shards that it owned have no owner, locks that it held are free, and both are to be
 * rebuilt; its pins are gone; and its entry is free, last of all. It is done under the heap's lock; when the peer that does it dies, the next
 * one does it again. Order of locks: one shard's, then the heap's.
 *
 * Cost: an uncontended lock 26 ns a pair; to ask whether a thread is there 30 us.
 * @module
 */
import { type BufferRange, int32sIn } from '../../arena/buffer-range.ts'
import {
  cannotGoOn,
  currentThread,
  describeThread,
  livenessOf,
  readThreadId,
  sameThread,
  type ThreadId,
  writeThreadId,
} from '../../arena/format/thread-id.ts'
import type { ArenaInside } from '../../arena/inside.ts'
import { ArenaBusyError } from '../../errors.ts'
import { monotonicNow } from '../../ffi/clock.ts'
import { orphan, takeOver, tryLock, unlock } from './steps.ts'
import { Common, type ConcurrentLayout, ShardWord } from './words.ts'

/** How long to wait for a holder that cannot go on, in milliseconds, and for one that can: on a machine with much to do it may get no turn. */
const PATIENCE_MS = 500
const MOST_MS = 20_000
/** Looks before the first sleep. */
const LOOKS = 1500
/** Sleeps between two questions whether the holder is there, and how long they are at first and at most. */
const SLEEPS = 8
const SLEEP_LEAST_MS = 0.1
const SLEEP_MOST_MS = 1

/** A peer's number: its entry in the low bits, above them the count. */
const ENTRY_BITS = 7
const ENTRY = 127
const COUNT_MOST = 0x7fffff

const { wait } = Atomics
/** A word that no thread changes or wakes: to wait on it is to sleep. */
const asleep = new Int32Array(new SharedArrayBuffer(4))

export class Peers {
  readonly #inside: ArenaInside
  readonly #metadata: BufferRange
  /** All of the metadata. */
  readonly #all: Int32Array
  readonly #layout: ConcurrentLayout
  readonly #here: ThreadId
  /** Called under the heap's lock: a peer's pins are to go. */
  readonly #releasePins: (peer: number) => void
  /** This peer's number, or 0. */
  me = 0
  #held = 0

  constructor(
    inside: ArenaInside,
    metadata: BufferRange,
    layout: ConcurrentLayout,
    releasePins: (peer: number) => void
  ) {
    this.#inside = inside
    this.#metadata = metadata
    this.#all = int32sIn(metadata)
    this.#layout = layout
    this.#here = currentThread(inside)
    this.#releasePins = releasePins
  }

  /**
   * Takes a number, under the lock on the arena's directory. `first` is called, under the heap's lock, when no other has joined: until it is
   * done none can. `unknownAreGone`: peers whose threads cannot be looked up are buried as well.
   */
  join(unknownAreGone = false, first: () => void = () => undefined): void {
    const taken = this.#inside.locked(() => this.#takeNumber())
    if (taken === undefined) throw new ArenaBusyError(`Heap: ${Common.PEERS_MOST} peers have it, and no more can`)
    this.me = taken.number
    this.locked(() => {
      if (taken.before !== 0) this.#releaseAllOf(taken.before)
      this.buryDead()
      if (unknownAreGone) this.buryUnknown()
      try {
        if (!this.#numbers().some((peer) => peer !== this.me && this.#hasJoined(peer))) first()
      } catch (error) {
        this.#clear(this.me)
        throw error
      }
      this.#all[this.#joinedAt(this.me)] = this.me
    })
  }

  #hasJoined(peer: number): boolean {
    return this.#all[this.#joinedAt(peer)] === peer
  }

  #joinedAt(peer: number): number {
    return this.#countAt(peer & ENTRY) + 1
  }

  /** The first free entry, else one whose thread is dead and that is not buried yet. */
  #takeNumber(): { number: number; before: number } | undefined {
    for (const dead of [false, true])
      for (let entry = 1; entry <= Common.PEERS_MOST; entry++) {
        const thread = this.#thread(entry)
        if (dead ? thread !== undefined && livenessOf(this.#inside, thread) !== 'dead' : thread !== undefined) continue
        const before = thread === undefined ? 0 : this.#number(entry)
        this.#all[this.#countAt(entry)] = (this.#all[this.#countAt(entry)] + 1) & COUNT_MOST
        writeThreadId(this.#metadata, this.#at(entry), this.#here)
        return { number: this.#number(entry), before }
      }
    return undefined
  }

  /** Gives the number back. The caller owns no shard and holds no lock. */
  leave(): void {
    const { me } = this
    this.locked(() => {
      this.#releasePins(me)
      this.#clear(me)
    })
    this.me = 0
  }

  /** Other peers that are there, or may be. Buries those that are not. */
  others(): number[] {
    return this.locked(() => {
      this.buryDead()
      return this.#numbers().filter((peer) => peer !== this.me)
    })
  }

  /** Whether a peer is there, or may be. */
  isThere(peer: number): boolean {
    if (peer === this.me) return true
    const thread = this.#thread(peer & ENTRY)
    if (thread === undefined || this.#number(peer & ENTRY) !== peer) return false
    return sameThread(thread, this.#here) || livenessOf(this.#inside, thread) !== 'dead'
  }

  /** As `buryIfDead`, or not at all where the heap's lock cannot be had: what the caller has taken over must not be lost for that. */
  #tryBury(dead: number): void {
    try {
      this.buryIfDead(dead)
    } catch (error) {
      if (!(error instanceof ArenaBusyError)) throw error
    }
  }

  #cannotGoOn(peer: number): boolean {
    const thread = this.#thread(peer & ENTRY)
    return thread !== undefined && cannotGoOn(this.#inside, thread)
  }

  describe(peer: number): string {
    const thread = this.#thread(peer & ENTRY)
    return thread === undefined ? 'a peer that is coming or has gone' : describeThread(thread)
  }

  #numbers(): number[] {
    const numbers: number[] = []
    for (let entry = 1; entry <= Common.PEERS_MOST; entry++)
      if (this.#thread(entry) !== undefined) numbers.push(this.#number(entry))
    return numbers
  }

  #thread(entry: number): ThreadId | undefined {
    return entry >= 1 && entry <= Common.PEERS_MOST ? readThreadId(this.#metadata, this.#at(entry)) : undefined
  }

  #number(entry: number): number {
    return entry | ((this.#all[this.#countAt(entry)] & COUNT_MOST) << ENTRY_BITS)
  }

  /** Where an entry is, in bytes. */
  #at(entry: number): number {
    return (Common.PEERS + (entry - 1) * Common.PEER_WORDS) * 4
  }

  #countAt(entry: number): number {
    return Common.PEERS + (entry - 1) * Common.PEER_WORDS + 8
  }

  /** Buries every dead peer. Under the heap's lock. */
  buryDead(): void {
    for (const peer of this.#numbers()) if (!this.isThere(peer)) this.#bury(peer)
  }

  /** Buries also those whose threads cannot be looked up: the caller knows that they are gone. Under the heap's lock. */
  buryUnknown(): void {
    for (const peer of this.#numbers()) {
      const thread = this.#thread(peer & ENTRY)
      if (peer !== this.me && thread !== undefined && livenessOf(this.#inside, thread) !== 'alive') this.#bury(peer)
    }
  }

  /** Buries one that is dead, if it is. */
  buryIfDead(peer: number): boolean {
    if (this.isThere(peer)) return false
    this.locked(() => {
      if (!this.isThere(peer)) this.#bury(peer)
    })
    return true
  }

  #bury(dead: number): void {
    this.#releaseAllOf(dead)
    // Another peer may have the entry by now.
    if (this.#number(dead & ENTRY) === dead) this.#clear(dead)
  }

  #releaseAllOf(dead: number): void {
    const all = this.#all
    for (const { base } of this.#layout.shards) {
      const shard = base >>> 2
      orphan(all, shard + ShardWord.OWNER, shard + ShardWord.REBUILD, dead)
      if (takeOver(all, shard + ShardWord.LOCK, dead, this.me, shard + ShardWord.REBUILD))
        unlock(all, shard + ShardWord.LOCK)
    }
    this.#releasePins(dead)
  }

  /** One store: an entry without a process is free. */
  #clear(peer: number): void {
    Atomics.store(this.#all, this.#at(peer & ENTRY) >>> 2, 0)
  }

  /** Runs something under the heap's lock, which may be nested. */
  locked<R>(run: () => R): R {
    this.lock()
    try {
      return run()
    } finally {
      this.unlock()
    }
  }

  /** Takes the heap's lock, which may be nested. */
  lock(): void {
    if (this.#held === 0) this.acquire(this.#all, Common.LOCK, 0)
    this.#held++
  }

  unlock(): void {
    if (--this.#held === 0) unlock(this.#all, Common.LOCK)
  }

  /** Takes a lock. `rebuild`: the word that says that its tables are to be rebuilt, or 0. Throws ERR_ARENA_BUSY. */
  acquire(m: Int32Array, at: number, rebuild: number): void {
    if (!tryLock(m, at, this.me)) this.#wait(m, at, rebuild)
  }

  #wait(m: Int32Array, at: number, rebuild: number): void {
    for (let look = 0; look < LOOKS; look++) if (Atomics.load(m, at) === 0 && tryLock(m, at, this.me)) return
    const begin = monotonicNow()
    for (let sleep = SLEEP_LEAST_MS; ; sleep = Math.min(sleep * 2, SLEEP_MOST_MS)) {
      for (let i = 0; i < SLEEPS; i++) {
        if (tryLock(m, at, this.me)) return
        wait(asleep, 0, 0, sleep)
      }
      const holder = Atomics.load(m, at)
      if (holder === 0) continue
      // A lock that this peer has it does not wait for: such a word was not written by it.
      if ((holder === this.me || !this.isThere(holder)) && takeOver(m, at, holder, this.me, rebuild)) {
        if (at !== Common.LOCK) this.#tryBury(holder)
        return
      }
      const waited = monotonicNow() - begin
      if (waited > MOST_MS || (waited > PATIENCE_MS && this.#cannotGoOn(holder)))
        throw new ArenaBusyError(`Heap: its tables are held by ${this.describe(holder)}, which does not move`)
    }
  }
}
