/**
 * Which threads of this process hold one mapping: an entry of a few words in memory that all threads of the process have and no
 * caller can reach (`Commons`). An entry is never unmapped. When its mapping is gone it is used for another, and its uses are counted,
 * so that a handle of what is gone is seen to be one.
 *
 *     part 0    | mark | … | state of each entry, 64 KiB | … | entry 32 | entry 33 | …       entry n is the nth 4,096 bytes
 *               0          65,536                              131,072
 *
 *     entry     byte 0   uses  kind  moved  fd + 1    identity (two words)   0    0
 *                   32   base               data bytes             metadata bytes         directory bytes          64-bit floats
 *                   64   mutex: token of the thread that has it (owner.ts), or 0          64 bits            0    0
 *                   80   slot, slot, slot, …
 *
 *     slot, one a thread      state   thread   start of the thread (64-bit float)
 *                             free ──▶ held ──▶ left ──▶ free
 *
 * A thread holds (it has the arena open, or views of an arena that it dropped), or has left (it closed; stale buffers may be alive),
 * or has nothing to do with the mapping. The last one that holds empties the mapping, the last one that has left unmaps it:
 *
 *     state    open ──no slot held──▶ closed ──no slot taken──▶ gone ──another mapping, one more use──▶ open
 *
 * A thread that has ended cannot have a buffer any more: its slot is free, whoever finds that out. All of this happens under the
 * mutex, and what is true is what the slots say, so that a thread may be terminated at any point of it. Costs a few microseconds.
 * @module
 */
import { ArenaBusyError, OutOfMemoryError } from '../../errors.ts'
import type { Os } from '../../ffi/os.ts'
import { PART_BYTES, PARTS } from '../../ffi/os-commons.ts'
import type { Address } from '../../units.ts'
import type { BackingKind } from '../backing.ts'
import type { Identity } from '../header.ts'
import { type Layout, layOut } from '../layout.ts'
import { currentOwner, describeOwner, fateOf, type Owner, tokenFate, tokenNumbers, tokenOf } from '../owner.ts'

/** Bytes of an entry. */
const BYTES = 4096
/** How many places for entries there are, and the first that is one. */
const PLACES = (PARTS * PART_BYTES) / BYTES
const FIRST_ENTRY = 32
const ENTRIES_A_PART = PART_BYTES / BYTES
/** Where the states are in part 0, in bytes. */
const STATES = 65_536
/** Mappings that threads can share at the same time. */
export const MOST_MAPPINGS: number = PLACES - FIRST_ENTRY

/** Words. */
const Word = { uses: 0, kind: 1, moved: 2, descriptor: 3, identity: 4 } as const
/** 64-bit floats. */
const Length = { base: 4, byteLength: 5, metadataBytes: 6, directoryBytes: 7 } as const
/** The 64-bit word. */
const MUTEX = 8

const FIRST_SLOT = 20
const SLOT_WORDS = 4
/** Threads that can hold one mapping at the same time. */
export const MOST_THREADS: number = Math.floor((BYTES / 4 - FIRST_SLOT) / SLOT_WORDS)

/** States of the mapping. An entry that was never used is `none`. */
export const MappingState = { none: 0, open: 1, closed: 2, gone: 3 } as const
/** States of a slot. */
export const SlotState = { free: 0, held: 1, left: 2 } as const
export type SlotState = (typeof SlotState)[keyof typeof SlotState]

/** The mapping that a control is about. */
export interface MappingFacts {
  readonly base: Address
  readonly layout: Layout
  readonly kind: BackingKind
  /** The descriptor of its file, or -1. */
  readonly fd: number
  /** As in its header, and in every handle: random, never used again. */
  readonly identity: Identity
}

/** Where a control is, for other threads. */
export interface ControlPlace {
  readonly entry: number
  readonly uses: number
}

/** How often a thread that waits for the mutex looks before it sleeps, how long it sleeps, and how often before it gives up. */
const LOOKS = 100
const SLEEP_MS = 1
const SLEEPS = 5000

const never = new Int32Array(new SharedArrayBuffer(4))

export class Control {
  readonly place: ControlPlace
  readonly facts: MappingFacts
  readonly #entry: Entry

  private constructor(entry: Entry) {
    this.#entry = entry
    this.place = { entry: entry.number, uses: entry.uses }
    this.facts = entry.facts()
  }

  /** A control for a mapping that the calling thread alone has so far. Nobody holds it yet. Throws ERR_OUT_OF_MEMORY. */
  static create(os: Os, facts: MappingFacts): Control {
    const states = statesOf(os)
    for (let number = FIRST_ENTRY; number < PLACES; number++) {
      const state = Atomics.load(states, number)
      if (state === MappingState.open || state === MappingState.closed) continue
      const entry = new Entry(os, number)
      if (entry.found(facts)) return new Control(entry)
    }
    throw new OutOfMemoryError(
      `the threads of this process share ${MOST_MAPPINGS} arenas already, the most that they can`
    )
  }

  /** The control at a place that another thread has named; undefined when there is none, or it is of another mapping by now. */
  static at(os: Os, { entry: number, uses }: ControlPlace): Control | undefined {
    if (number < FIRST_ENTRY || number >= PLACES) return undefined
    const control = new Control(new Entry(os, number))
    // The facts are changed after the uses: if these are the same now, those were read whole.
    return control.place.uses === uses && control.state !== MappingState.gone ? control : undefined
  }

  /** One of `MappingState`; `gone` as well when the entry is of another mapping by now. */
  get state(): number {
    const { uses, state } = this.#entry
    return uses === this.place.uses && state !== MappingState.none ? state : MappingState.gone
  }

  set state(state: number) {
    this.#entry.state = state
  }

  /** Memory of the mapping is in use where nobody can see it: it is never unmapped. */
  get moved(): boolean {
    return Atomics.load(this.#entry.words, Word.moved) !== 0
  }

  set moved(moved: boolean) {
    Atomics.store(this.#entry.words, Word.moved, moved ? 1 : 0)
  }

  /**
   * Runs `run` while no other thread of the process does. Throws ERR_ARENA_BUSY when it cannot be had within seconds: then the thread
   * that has it is stopped, or gives very much memory back. Not to be nested.
   */
  locked<R>(run: () => R): R {
    this.#entry.lock()
    try {
      return run()
    } finally {
      this.#entry.unlock()
    }
  }

  /**
   * Takes a slot for the calling thread, as held; its number. When all are taken those of threads that have ended are freed first.
   * Throws ERR_OUT_OF_MEMORY when there are too many.
   */
  take(os: Os): number {
    const slot = this.#tryTake(os) ?? this.#reapAndTake(os, false) ?? this.#reapAndTake(os, true)
    if (slot === undefined)
      throw new OutOfMemoryError(`${MOST_THREADS} threads have the arena open already, the most that can`)
    return slot
  }

  #reapAndTake(os: Os, closely: boolean): number | undefined {
    this.reap(os, closely)
    return this.#tryTake(os)
  }

  #tryTake(os: Os): number | undefined {
    const { words, lengths } = this.#entry
    const { threadId, startTime } = currentOwner(os)
    for (let slot = 0; slot < MOST_THREADS; slot++) {
      const word = wordOf(slot)
      if (words[word] !== SlotState.free) continue
      words[word + 1] = threadId
      lengths[word / 2 + 1] = startTime
      words[word] = SlotState.held
      return slot
    }
    return undefined
  }

  set(slot: number, state: SlotState): void {
    this.#entry.words[wordOf(slot)] = state
  }

  /** How many slots are in a state. */
  count(state: SlotState): number {
    let count = 0
    for (let slot = 0; slot < MOST_THREADS; slot++) if (this.#entry.words[wordOf(slot)] === state) count++
    return count
  }

  /**
   * Frees the slots of threads that have ended: a microsecond a slot. `closely`: also of those whose number another thread has
   * got meanwhile, which takes reading a file for each.
   */
  reap(os: Os, closely = false): void {
    const self = currentOwner(os).threadId
    for (let slot = 0; slot < MOST_THREADS; slot++) {
      const word = wordOf(slot)
      if (this.#entry.words[word] === SlotState.free) continue
      const threadId = this.#entry.words[word + 1] as number
      const alive = closely
        ? fateOf(os, this.#ownerOf(slot, os)) !== 'dead'
        : threadId === self || os.threads.isAlive(process.pid, threadId)
      if (!alive) this.set(slot, SlotState.free)
    }
  }

  #ownerOf(slot: number, os: Os): Owner {
    const word = wordOf(slot)
    const threadId = this.#entry.words[word + 1] as number
    const startTime = this.#entry.lengths[word / 2 + 1] as number
    return { processId: process.pid, threadId, startTime, ...os.threads.place() }
  }
}

/** The words of one entry, whatever mapping it is of. */
class Entry {
  readonly number: number
  readonly words: Int32Array
  readonly lengths: Float64Array
  readonly #os: Os
  readonly #states: Int32Array
  readonly #mutex: BigUint64Array
  /** The calling thread, as the mutex names it. */
  readonly #self: bigint

  constructor(os: Os, number: number) {
    const part = os.commons.part(Math.floor(number / ENTRIES_A_PART))
    const at = (number % ENTRIES_A_PART) * BYTES
    this.number = number
    this.words = new Int32Array(part, at, BYTES / 4)
    this.lengths = new Float64Array(part, at, BYTES / 8)
    this.#os = os
    this.#states = statesOf(os)
    this.#mutex = new BigUint64Array(part, at, BYTES / 8)
    this.#self = tokenOf(currentOwner(os))
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
      fd: (words[Word.descriptor] as number) - 1,
      identity: [(words[Word.identity] as number) >>> 0, (words[Word.identity + 1] as number) >>> 0],
    }
  }

  /** Makes it a new mapping's. False when another thread has done so, or is doing it. */
  found(facts: MappingFacts): boolean {
    if (!this.#tryLock()) return false
    try {
      const { state } = this
      if (state === MappingState.open || state === MappingState.closed) return false
      Atomics.add(this.words, Word.uses, 1)
      this.words.fill(0, FIRST_SLOT)
      this.#write(facts)
      this.state = MappingState.open
      return true
    } finally {
      this.unlock()
    }
  }

  #write({ base, layout, kind, fd, identity }: MappingFacts): void {
    const { words, lengths } = this
    words.set([kind, 0, fd + 1, ...identity], Word.kind)
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
      `the arena's table of threads is locked by ${describeOwner(tokenNumbers(holder))}, which has not let go for ${SLEEPS * SLEEP_MS} ms`
    )
  }

  /** `looking`: whether to find out if the thread that has it is dead. */
  #tryLock(looking = true): boolean {
    const mutex = this.#mutex
    const self = this.#self
    const holder = Atomics.compareExchange(mutex, MUTEX, 0n, self)
    // Nothing is nested, so our own token is that of a thread with our number which was terminated.
    if (holder === 0n || holder === self) return true
    const dead = looking && tokenFate(this.#os, holder) === 'dead'
    return dead && Atomics.compareExchange(mutex, MUTEX, holder, self) === holder
  }

  unlock(): void {
    Atomics.compareExchange(this.#mutex, MUTEX, this.#self, 0n)
  }
}

/** The state of each entry. */
function statesOf(os: Os): Int32Array {
  return new Int32Array(os.commons.part(0), STATES, PLACES)
}

function pause(): void {
  Atomics.wait(never, 0, 0, SLEEP_MS)
}

/** The index of a slot's first word. */
function wordOf(slot: number): number {
  return FIRST_SLOT + slot * SLOT_WORDS
}
