/**
 * Results that outlive the process that stored them: a chain of records in a heap, in a part of an arena that has a name.
 *
 *     root 'newest' ─> [ previous | id | length | bytes ] ─> [ previous | … ] ─> 0
 *                        8          4    4
 *
 * Calls: `Heap.open(arena, { create, offset, byteLength })`, `heap.recovered`, `malloc`, `setRoot`, `root`, `usableSize`, `blocks`. A heap
 * has one writer, so each worker has a part of the arena and a heap of its own. `append` writes a record whole and then names it by the
 * root, in one step: a process that is killed before has stored nothing, after it everything. When the writer died, the next one gets
 * the heap rebuilt by `Heap.open`, and frees the one record that may have been on its way.
 *
 * Cost: 16 bytes a record beside its block; to open, a walk over the records. What the machine loses with its power is not covered: the
 * kernel has what a dead process stored, the disk may not.
 * @module
 */
import { type Arena, Heap } from '../../src/index.ts'

const NEWEST = 'newest'
const ID = 8
const LENGTH = 12
const HEADER_BYTES = 16

/** The part has a writer that is alive. */
export class WriterAliveError extends Error {}

export class Journal {
  /** Whether the writer before this one died. */
  readonly recovered: boolean
  /** Records that a dead writer had not finished. */
  readonly unfinished: number
  readonly #arena: Arena
  readonly #heap: Heap
  readonly #records: Map<number, number> = new Map()

  /** Part `part` of `parts` of the arena, with the heap that is there, or a new one. */
  constructor(arena: Arena, part: number, parts: number) {
    const byteLength = Math.floor(arena.byteLength / parts / arena.pageSize) * arena.pageSize
    this.#arena = arena
    this.#heap = Heap.open(arena, { create: true, offset: part * byteLength, byteLength })
    try {
      if (this.#heap.role !== 'writer') throw new WriterAliveError(`part ${part} has a writer already`)
      this.recovered = this.#heap.recovered
      this.#walk()
      this.unfinished = this.#freeUnfinished()
    } catch (error) {
      this.#heap.close()
      throw error
    }
  }

  get ids(): IterableIterator<number> {
    return this.#records.keys()
  }

  has(id: number): boolean {
    return this.#records.has(id)
  }

  /** Stores a result. It is there for good when this returns. Throws ERR_OUT_OF_MEMORY. */
  append(id: number, bytes: Uint8Array): void {
    if (!(Number.isInteger(id) && id >= 0 && id < 2 ** 32)) throw new RangeError(`id expected 32 bits, got ${id}`)
    if (this.#records.has(id)) throw new RangeError(`${id} has a record already`)
    const offset = this.#heap.malloc(HEADER_BYTES + bytes.length)
    const record = this.#arena.bytes(offset, HEADER_BYTES + bytes.length)
    record.writeDoubleLE(this.#heap.root(NEWEST))
    record.writeUInt32LE(id, ID)
    record.writeUInt32LE(bytes.length, LENGTH)
    record.set(bytes, HEADER_BYTES)
    this.#heap.setRoot(NEWEST, offset)
    this.#records.set(id, offset)
  }

  /** A copy of a result. */
  get(id: number): Buffer | undefined {
    const offset = this.#records.get(id)
    if (offset === undefined) return undefined
    const length = this.#arena.bytes(offset, HEADER_BYTES).readUInt32LE(LENGTH)
    return Buffer.from(this.#arena.bytes(offset + HEADER_BYTES, length))
  }

  /** Proves the heap's tables. */
  check(): void {
    this.#heap.check()
  }

  /** Gives the writer's role up. The heap stays, and the next worker finds it. */
  close(): void {
    this.#heap.close()
  }

  /** Finds the records. A chain that contradicts itself is an error: the file can come from anywhere. */
  #walk(): void {
    for (let offset = this.#heap.root(NEWEST); offset !== 0; ) {
      // Throws ERR_INVALID_FREE where no live block starts.
      const room = this.#heap.usableSize(offset) - HEADER_BYTES
      const header = this.#arena.bytes(offset, HEADER_BYTES)
      const id = header.readUInt32LE(ID)
      // Each record comes once, so the walk ends.
      if (this.#records.has(id) || header.readUInt32LE(LENGTH) > room)
        throw new Error(`the record at ${offset} is damaged`)
      this.#records.set(id, offset)
      offset = header.readDoubleLE()
    }
  }

  /** A writer that died between `malloc` and `setRoot` leaves a block that no record names. */
  #freeUnfinished(): number {
    const named = new Set(this.#records.values())
    const unfinished = [...this.#heap.blocks()].filter(({ offset }) => !named.has(offset))
    for (const { offset } of unfinished) this.#heap.free(offset)
    return unfinished.length
  }
}
