/**
 * Which threads of this process hold one mapping: a few words in a SharedArrayBuffer, which goes from thread to thread with the
 * arena's handle and outlives the mapping, so that a handle of what is gone is seen to be one.
 *
 *     byte 0   magic   version  identity (two words)   state  mutex  process  fd + 1
 *          32  base               data bytes             metadata bytes         directory bytes          64-bit floats
 *          64  kind    moved    0        0
 *          80  slot, slot, slot, …
 *
 *     slot, one a thread      state   thread   start of the thread (64-bit float)
 *                             free ──▶ held ──▶ left ──▶ free
 *
 * A thread holds (it has the arena open, or views of an arena that it dropped), or has left (it closed; stale buffers may be alive),
 * or has nothing to do with the mapping. The last one that holds empties the mapping, the last one that has left unmaps it:
 *
 *     state    open ──no slot held──▶ closed ──no slot taken──▶ gone
 *
 * A thread that has ended cannot have a buffer any more: its slot is free, whoever finds that out. All of this happens under the
 * mutex, and what is true is what the slots say, so that a thread may be terminated at any point of it. Costs a few microseconds.
 * @module
 */
import { OutOfMemoryError, OutOfRangeError } from '../../errors.ts'
import type { Os } from '../../ffi/os.ts'
import type { Address } from '../../units.ts'
import type { BackingKind } from '../backing.ts'
import type { Identity } from '../header.ts'
import { type Layout, layOut } from '../layout.ts'
import { currentOwner, fateOf, type Owner } from '../owner.ts'

/** 'SRTC', read as a little-endian word. */
const MAGIC = 0x43545253
const VERSION = 1
const BYTES = 4096

/** Words. */
const Word = {
  magic: 0,
  version: 1,
  identity: 2,
  state: 4,
  mutex: 5,
  process: 6,
  descriptor: 7,
  kind: 16,
  moved: 17,
} as const
/** 64-bit floats. */
const Length = { base: 4, byteLength: 5, metadataBytes: 6, directoryBytes: 7 } as const

const FIRST_SLOT = 20
const SLOT_WORDS = 4
/** Threads that can hold one mapping at the same time. */
export const MOST_THREADS: number = Math.floor((BYTES / 4 - FIRST_SLOT) / SLOT_WORDS)

/** States of the mapping. */
export const MappingState = { open: 1, closed: 2, gone: 3 } as const
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

/** How long a thread that waits for the mutex sleeps before it looks whether the holder is alive. */
const SLEEP_MS = 5

export class Control {
  /** What goes from thread to thread. */
  readonly buffer: SharedArrayBuffer
  readonly facts: MappingFacts
  readonly #words: Int32Array
  readonly #starts: Float64Array

  private constructor(buffer: SharedArrayBuffer) {
    const words = new Int32Array(buffer)
    const lengths = new Float64Array(buffer)
    this.buffer = buffer
    this.#words = words
    this.#starts = lengths
    this.facts = {
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

  /** A control for a mapping that the calling thread alone has so far. Nobody holds it yet. */
  static create(facts: MappingFacts): Control {
    const buffer = new SharedArrayBuffer(BYTES)
    const words = new Int32Array(buffer)
    const lengths = new Float64Array(buffer)
    lengths[Length.base] = facts.base
    lengths[Length.byteLength] = facts.layout.byteLength
    lengths[Length.metadataBytes] = facts.layout.metadataBytes
    lengths[Length.directoryBytes] = facts.layout.directoryBytes
    words.set(facts.identity, Word.identity)
    words[Word.kind] = facts.kind
    words[Word.descriptor] = facts.fd + 1
    words[Word.process] = process.pid
    words[Word.version] = VERSION
    words[Word.state] = MappingState.open
    words[Word.magic] = MAGIC
    return new Control(buffer)
  }

  /** The control in a buffer that has come from another thread. Throws unless it is one, of this process. */
  static over(buffer: SharedArrayBuffer): Control {
    const words = buffer.byteLength === BYTES ? new Int32Array(buffer) : new Int32Array(BYTES / 4)
    if (words[Word.magic] !== MAGIC || words[Word.version] !== VERSION || words[Word.process] !== process.pid)
      throw new OutOfRangeError('handle.control', "the control words of an arena's handle", buffer)
    return new Control(buffer)
  }

  /** One of `MappingState`. */
  get state(): number {
    return Atomics.load(this.#words, Word.state)
  }

  set state(state: number) {
    Atomics.store(this.#words, Word.state, state)
  }

  /** Memory of the mapping is in use where nobody can see it: it is never unmapped. */
  get moved(): boolean {
    return Atomics.load(this.#words, Word.moved) !== 0
  }

  set moved(moved: boolean) {
    Atomics.store(this.#words, Word.moved, moved ? 1 : 0)
  }

  /** Runs `run` while no other thread of the process does. Not to be nested. */
  locked<R>(os: Os, run: () => R): R {
    const words = this.#words
    const self = currentOwner(os).threadId
    for (;;) {
      const holder = Atomics.compareExchange(words, Word.mutex, 0, self)
      if (holder === 0) break
      // A thread can be terminated in here.
      const dead = holder !== self && !os.threads.isAlive(process.pid, holder)
      if (dead && Atomics.compareExchange(words, Word.mutex, holder, self) === holder) break
      Atomics.wait(words, Word.mutex, holder, SLEEP_MS)
    }
    try {
      return run()
    } finally {
      Atomics.compareExchange(words, Word.mutex, self, 0)
      Atomics.notify(words, Word.mutex, 1)
    }
  }

  /** Takes a slot for the calling thread, as held; its number. Throws ERR_OUT_OF_MEMORY when there are too many. */
  take(os: Os): number {
    const { threadId, startTime } = currentOwner(os)
    for (let slot = 0; slot < MOST_THREADS; slot++) {
      const word = wordOf(slot)
      if (this.#words[word] !== SlotState.free) continue
      this.#words[word + 1] = threadId
      this.#starts[word / 2 + 1] = startTime
      this.#words[word] = SlotState.held
      return slot
    }
    throw new OutOfMemoryError(`${MOST_THREADS} threads have the arena open already, the most that can`)
  }

  set(slot: number, state: SlotState): void {
    this.#words[wordOf(slot)] = state
  }

  /** How many slots are in a state. */
  count(state: SlotState): number {
    let count = 0
    for (let slot = 0; slot < MOST_THREADS; slot++) if (this.#words[wordOf(slot)] === state) count++
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
      if (this.#words[word] === SlotState.free) continue
      const threadId = this.#words[word + 1] as number
      const alive = closely
        ? fateOf(os, this.#ownerOf(slot, os)) !== 'dead'
        : threadId === self || os.threads.isAlive(process.pid, threadId)
      if (!alive) this.set(slot, SlotState.free)
    }
  }

  #ownerOf(slot: number, os: Os): Owner {
    const word = wordOf(slot)
    const threadId = this.#words[word + 1] as number
    return { processId: process.pid, threadId, startTime: this.#starts[word / 2 + 1] as number, ...os.threads.place() }
  }
}

/** The index of a slot's first word. */
function wordOf(slot: number): number {
  return FIRST_SLOT + slot * SLOT_WORDS
}
