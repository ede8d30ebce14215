/**
 * The writer of a heap, as its header says: which thread may change it, and whether all its tables are true.
 *
 *     header   byte 16    state     open: there is no writer, all tables are true     taken: there is one, or it died
 *              byte 128   writer    process, thread, start time, boot, namespace: 32 bytes (arena/format/thread-id.ts)
 *              byte 160   seal      of an open heap: a sum over its tables (seal.ts)
 *
 *     the writer holds the heap's claim;  state = taken  <=>  there is a writer, or it died having the role
 *
 * That there is one writer at a time is the arena's doing: a claim has one holder (arena/claim.ts). The record is written before the state
 * becomes taken and cleared after it has become open, so a taken heap always says which thread
 * has it, or had it. Adopting the claim of a taken heap rebuilds it first (recovery.ts). So the role is given up, in the header, before the claim is given back, and a role whose claim
 * is released or revoked is forgotten without a store: the memory may be another's by then. Cost: 50 us
 * for the first heap of a thread, which looks itself up; then nothing.
 * @module
 */
import { type BufferRange, int32sIn } from '../../../arena/buffer-range.ts'
import type { LastStore } from '../../../arena/claim.ts'
import {
  currentThread,
  describeThread,
  readThreadId,
  sameThread,
  writeThreadId,
} from '../../../arena/format/thread-id.ts'
import type { ArenaInside } from '../../../arena/inside.ts'
import { HEADER_BYTES, OWN_WORD, STATE_WORD, State } from '../../base/header.ts'
import { isBlank } from './seal.ts'

const WRITER = OWN_WORD * 4

export class WriterRole implements LastStore {
  readonly #arena: ArenaInside
  readonly #metadata: BufferRange
  readonly #state: Int32Array
  readonly #seal: () => void
  #held = false

  /** `seal` is called before the role is given up. */
  constructor(arena: ArenaInside, metadata: BufferRange, seal: () => void = () => undefined) {
    this.#seal = seal
    this.#arena = arena
    this.#metadata = metadata
    this.#state = int32sIn(metadata, STATE_WORD * 4, 1)
  }

  /** Whether we have it. */
  get held(): boolean {
    return this.#held
  }

  /** Whether there is a writer, or one that died. */
  get taken(): boolean {
    return this.#state[0] === State.taken
  }

  /** Takes the role. The caller holds the claim. */
  take(): void {
    writeThreadId(this.#metadata, WRITER, currentThread(this.#arena))
    this.#state[0] = State.taken
    this.#held = true
  }

  /** Gives the role up, in the header: all tables are true. For before the claim is left. */
  store(): void {
    // Where the metadata has been detached there is nothing to store in.
    if (!this.#held || this.#state.length === 0) return
    this.#seal()
    this.#state[0] = State.open
    writeThreadId(this.#metadata, WRITER, undefined)
  }

  /** The claim was not left after all. */
  restore(): void {
    if (this.#held && this.#state.length > 0) this.take()
  }

  /** The claim is gone, and the role with it. Nothing is stored. */
  forget(): void {
    this.#held = false
  }

  /** Says which thread has it, or had it and died. */
  describe(): string {
    const writer = readThreadId(this.#metadata, WRITER)
    if (writer === undefined) return 'no thread at present'
    const here = currentThread(this.#arena)
    if (sameThread(writer, here)) return `this thread, ${describeThread(writer)}`
    const same = writer.processId === here.processId && writer.namespace === here.namespace
    return same ? `${describeThread(writer)}, which is this process` : describeThread(writer)
  }
}

/**
 * Whether metadata begins with the header of a heap that was never finished: one that says so, and has no seal, which is stored once it
 * has had a writer. A heap that says so and has one contradicts itself, and is not thrown away for that.
 */
export function isUnfinished(metadata: BufferRange): boolean {
  if (metadata.byteLength < HEADER_BYTES) return true
  const words = int32sIn(metadata, 0, HEADER_BYTES / 4)
  return words[STATE_WORD] === State.closed && isBlank(words)
}
