/**
 * A ring buffer of 64-byte records in a shared arena, for one producer and one consumer, in whatever threads or processes.
 *
 *     offset 0     words: records written    64: records read    128: which side sleeps (1 consumer, 2 producer)
 *     offset 4096  | record | record | record | … | as many as a power of two |
 *
 *     written - read = records in the ring            0 <= written - read <= capacity              (modulo 2^32)
 *
 * Each side writes its own counter and reads the other's, on cache lines of their own, once for a run of records: `next` says how
 * many records lie side by side and are this side's, `advance` hands them over. A side that finds the ring empty, or full, looks a little
 * longer, then says that it sleeps, looks again, and sleeps on the other's counter; a side that has moved its counter wakes the other if it
 * sleeps. So no system call is made while both are busy, and few while they share one processor.
 *
 * The idea is the single-producer ring of every operating system; looking at the other's counter seldom is B-queue's.
 * @module
 */
import type { Arena } from '../src/index.ts'
import { RECORD_BYTES, RECORD_LENGTH } from './records.ts'

const WRITTEN = 0
const READ = 16
const CONSUMER_SLEEPS = 32
const PRODUCER_SLEEPS = 33
const DATA_BYTES = 4096
/** The longest run. A shorter one shows the other side sooner what there is for it; a longer one costs less. */
const MOST_RUN = 256
/** Looks at the other's counter before sleeping: about 20 us. */
const LOOKS = 2000
/** No side is that slow: the other one has died. */
const PATIENCE_MS = 30_000

/** Bytes of an arena that holds a ring of so many records, a power of two. */
export function ringBytes(capacity: number): number {
  return DATA_BYTES + capacity * RECORD_BYTES
}

/** One side of a ring. */
class Side {
  /** The numbers of all records, one after the other. */
  readonly numbers: Float64Array
  protected readonly capacity: number
  readonly #arena: Arena
  readonly #counters: Int32Array
  readonly #own: number
  readonly #other: number
  readonly #sleeps: number
  readonly #otherSleeps: number
  /** Records that this side has handled. */
  #count: number

  protected constructor(arena: Arena, own: number, other: number, sleeps: number, otherSleeps: number) {
    this.#arena = arena
    this.#counters = arena.view(Int32Array, 0, 64)
    this.capacity = (arena.byteLength - DATA_BYTES) / RECORD_BYTES
    this.numbers = arena.view(Float64Array, DATA_BYTES, this.capacity * RECORD_LENGTH)
    this.#own = own
    this.#other = other
    this.#sleeps = sleeps
    this.#otherSleeps = otherSleeps
    this.#count = Atomics.load(this.#counters, own)
  }

  /** The index of the next record's first number. */
  get place(): number {
    return (this.#count & (this.capacity - 1)) * RECORD_LENGTH
  }

  /** How many records from `place` on are this side's now, at least one and at most `most`; waits until there is one. */
  next(most: number): number {
    let there = 0
    for (let look = 0; look < LOOKS && there === 0; look++) there = this.#look()
    if (there === 0) there = this.#sleep()
    const toTheEnd = this.capacity - (this.#count & (this.capacity - 1))
    return Math.min(there, toTheEnd, MOST_RUN, most)
  }

  /** So many records are done with, and the other side's. */
  advance(count: number): void {
    this.#count = (this.#count + count) | 0
    Atomics.store(this.#counters, this.#own, this.#count)
    if (Atomics.load(this.#counters, this.#otherSleeps) === 0) return
    const behind = Math.abs((this.#count - Atomics.load(this.#counters, this.#other)) | 0)
    // One wake is enough, however long the other takes to get up.
    if (this.isWorthWaking(behind) && Atomics.exchange(this.#counters, this.#otherSleeps, 0) !== 0)
      this.#arena.wake(this.#own * 4)
  }

  #look(): number {
    return this.available(Atomics.load(this.#counters, this.#other), this.#count)
  }

  #sleep(): number {
    for (;;) {
      Atomics.store(this.#counters, this.#sleeps, 1)
      const seen = Atomics.load(this.#counters, this.#other)
      const there = this.available(seen, this.#count)
      if (there > 0) {
        Atomics.store(this.#counters, this.#sleeps, 0)
        return there
      }
      if (this.#arena.wait(this.#other * 4, seen, { timeoutMs: PATIENCE_MS }) === 'timed-out')
        throw new Error(`the other side of the ring has not moved for ${PATIENCE_MS} ms`)
    }
  }

  /** Whether the other side, which sleeps, has enough to do when so many records are in the ring. */
  protected isWorthWaking(_inTheRing: number): boolean {
    return true
  }

  /** Records that are this side's when the two counters are these: of the consumer, those written and not read. */
  protected available(other: number, own: number): number {
    return (other - own) | 0
  }
}

export class Producer extends Side {
  constructor(arena: Arena) {
    super(arena, WRITTEN, READ, PRODUCER_SLEEPS, CONSUMER_SLEEPS)
  }

  protected override available(read: number, written: number): number {
    return this.capacity - ((written - read) | 0)
  }
}

export class Consumer extends Side {
  constructor(arena: Arena) {
    super(arena, READ, WRITTEN, CONSUMER_SLEEPS, PRODUCER_SLEEPS)
  }

  /** A producer that found the ring full is let sleep until half of it is free: else the two would take turns at every run. */
  protected override isWorthWaking(inTheRing: number): boolean {
    return inTheRing <= this.capacity / 2
  }
}
