/**
 * The words of one thread table, at a place that every thread of the process can work out and no caller can reach (`Commons`).
 *
 *     part 0    | mark | … | state of each table, 64 KiB | … | table 32 | table 33 | …       table n is the nth 4,096 bytes
 *               0          65,536                              131,072
 *
 *     table     byte 0   uses  kind  moved  fd + 1    identity (two words)   mark of the file (float)
 *                   32   base               data bytes             metadata bytes         directory bytes          64-bit floats
 *                   64   mutex: the thread that has it, packed (format/thread-id.ts), or 0   64 bits        0    0
 *                   80   row, row, row, …
 *
 *     row, one a thread       state   thread   start of the thread (64-bit float)
 *
 * The memory is never unmapped. When a table's mapping is gone, the table is used for another mapping and its uses are counted, so
 * that a handle to the earlier mapping is recognised as old. The mutex is taken over when its thread has ended, so a thread may be
 * terminated at any point. A call costs a few microseconds.
 * @module
 */
import { ArenaBusyError } from '../../errors.ts'
import type { Os } from '../../ffi/os.ts'
import { PART_BYTES, PARTS } from '../../ffi/os-commons.ts'
import type { Address } from '../../units.ts'
import type { Identity } from '../format/header.ts'
import { type Layout, layOut } from '../format/layout.ts'
import {
  currentThread,
  describeThread,
  LOOKS,
  packedLiveness,
  packThreadId,
  unpackNumbers,
} from '../format/thread-id.ts'
import type { BackingKind } from '../mapping/backing.ts'
import type { OwnFile } from '../mapping/own-file.ts'

/** Bytes of a table. */
const BYTES = 4096
/** Where the tables begin and end, as numbers. */
export const FIRST_TABLE = 32
export const END_TABLE: number = (PARTS * PART_BYTES) / BYTES
const TABLES_A_PART = PART_BYTES / BYTES
/** Where the states are in part 0, in bytes. */
const STATES = 65_536
/** Mappings that threads can share at the same time. */
export const MOST_MAPPINGS: number = END_TABLE - FIRST_TABLE

/** Words. */
export const Word = { uses: 0, kind: 1, moved: 2, descriptor: 3, identity: 4 } as const
/** 64-bit floats. */
const Length = { mark: 3, base: 4, byteLength: 5, metadataBytes: 6, directoryBytes: 7 } as const
/** The 64-bit word. */
const MUTEX = 8

const FIRST_ROW = 20
const ROW_WORDS = 4
/** Threads that can have one mapping at the same time. */
export const MOST_THREADS: number = Math.floor((BYTES / 4 - FIRST_ROW) / ROW_WORDS)

/** States of the mapping. A table that was never used is `none`. */
export const MappingState = { none: 0, open: 1, closed: 2, gone: 3 } as const

/** The mapping that a table is about. */
export interface MappingFacts {
  readonly base: Address
  readonly layout: Layout
  readonly kind: BackingKind
  readonly file: OwnFile
  /** As in its header, and in every handle: random, never used again. */
  readonly identity: Identity
}

/** How long a thread that waits for the mutex sleeps, and how often before it is refused. */
const SLEEP_MS = 1
const SLEEPS = 5000

const never = new Int32Array(new SharedArrayBuffer(4))

export class TableMemory {
  readonly number: number
  readonly words: Int32Array
  readonly lengths: Float64Array
  readonly #os: Os
  readonly #states: Int32Array
  readonly #mutex: BigUint64Array
  /** The calling thread, as the mutex names it. */
  readonly #self: bigint

  constructor(os: Os, number: number) {
    const part = os.commons.part(Math.floor(number / TABLES_A_PART))
    const at = (number % TABLES_A_PART) * BYTES
    this.number = number
    this.words = new Int32Array(part, at, BYTES / 4)
    this.lengths = new Float64Array(part, at, BYTES / 8)
    this.#os = os
    this.#states = statesOf(os)
    this.#mutex = new BigUint64Array(part, at, BYTES / 8)
    this.#self = packThreadId(currentThread(os))
  }

  get uses(): number {
    return Atomics.load(this.words, Word.uses) >>> 0
  }

  get state(): number {
    return Atomics.load(this.#states, this.number)
  }

  set state(state: number) {
    Atomics.store(this.#states, this.number, state)
  }

  facts(): MappingFacts {
    const { words, lengths } = this
    return {
      base: lengths[Length.base] as Address,
      layout: layOut(
        lengths[Length.byteLength] as number,
        lengths[Length.directoryBytes] as number,
        lengths[Length.metadataBytes] as number
      ),
      kind: words[Word.kind] as BackingKind,
      file: { fd: (words[Word.descriptor] as number) - 1, mark: lengths[Length.mark] as number },
      identity: [(words[Word.identity] as number) >>> 0, (words[Word.identity + 1] as number) >>> 0],
    }
  }

  /** Makes the table a new mapping's. False when another thread has done so, or is doing it. */
  found(facts: MappingFacts): boolean {
    if (!this.#tryLock()) return false
    try {
      const { state } = this
      if (state === MappingState.open || state === MappingState.closed) return false
      Atomics.add(this.words, Word.uses, 1)
      this.words.fill(0, FIRST_ROW)
      this.#write(facts)
      this.state = MappingState.open
      return true
    } finally {
      this.unlock()
    }
  }

  #write({ base, layout, kind, file, identity }: MappingFacts): void {
    const { words, lengths } = this
    words.set([kind, 0, file.fd + 1, ...identity], Word.kind)
    lengths[Length.mark] = file.mark
    lengths.set([base, layout.byteLength, layout.metadataBytes, layout.directoryBytes], Length.base)
  }

  lock(): void {
    for (let look = 0; look < LOOKS; look++) if (this.#tryLock(look === 0)) return
    for (let sleep = 0; sleep < SLEEPS; sleep++) {
      if (this.#tryLock()) return
      // By a function of JavaScript: at its call a worker can be terminated.
      pause()
    }
    const holder = Atomics.load(this.#mutex, MUTEX)
    throw new ArenaBusyError(
      `the arena's table of threads is locked by ${describeThread(unpackNumbers(holder))}, which has not let go for ${SLEEPS * SLEEP_MS} ms`
    )
  }

  /** `looking`: whether to find out if the thread that has it is dead. */
  #tryLock(looking = true): boolean {
    const mutex = this.#mutex
    const self = this.#self
    const holder = Atomics.compareExchange(mutex, MUTEX, 0n, self)
    // Calls are never nested, so the caller's own number belongs to a terminated thread that had the same number.
    if (holder === 0n || holder === self) return true
    const dead = looking && packedLiveness(this.#os, holder) === 'dead'
    return dead && Atomics.compareExchange(mutex, MUTEX, holder, self) === holder
  }

  unlock(): void {
    Atomics.compareExchange(this.#mutex, MUTEX, this.#self, 0n)
  }
}

/** The state of each table. */
export function statesOf(os: Os): Int32Array {
  return new Int32Array(os.commons.part(0), STATES, END_TABLE)
}

/** The index of a row's first word. */
export function wordOf(row: number): number {
  return FIRST_ROW + row * ROW_WORDS
}

function pause(): void {
  Atomics.wait(never, 0, 0, SLEEP_MS)
}
