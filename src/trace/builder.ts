/**
 * Collects events into a trace: the columns double as they fill, and slots are given out again, last freed first, so that the
 * replayer's table stays as short as it can be. Slots of a trace are entries of that table, and have nothing to do with those of a slab.
 *
 * Cost: 12 bytes an event, twice that while a column grows; nothing is verified before `build`.
 * @module
 */
import { CALLOC, FLAG_RECORDED, FREE, MALLOC, MEMALIGN, REALLOC, summarize, type Trace } from './trace.ts'

/** Makes a trace, call by call: for recorders and converters. */
export class TraceBuilder {
  #meta = new Int32Array(1024)
  #slot = new Int32Array(1024)
  #size = new Int32Array(1024)
  #length = 0
  #slots = 0
  readonly #freeSlots: number[] = []
  #thread = 0

  /** The thread that the following events belong to: a number below 2^16. @defaultValue 0 */
  set thread(thread: number) {
    this.#thread = thread << 16
  }

  /** Events so far. */
  get length(): number {
    return this.#length
  }

  /**
   * Adds a malloc.
   *
   * @param byteLength - Bytes, below 2^31.
   * @returns The block's slot, for `realloc` and `free`.
   * @throws Nothing.
   * @example
   * ```js
   * new TraceBuilder().malloc(100) // -> 0
   * ```
   */
  malloc(byteLength: number): number {
    return this.#make(MALLOC, byteLength)
  }

  /**
   * Adds a calloc.
   *
   * @param byteLength - Bytes, below 2^31.
   * @returns The block's slot.
   * @throws Nothing.
   * @example
   * ```js
   * new TraceBuilder().calloc(100) // -> 0
   * ```
   */
  calloc(byteLength: number): number {
    return this.#make(CALLOC, byteLength)
  }

  /**
   * Adds a memalign.
   *
   * @param alignment - In bytes, a power of two up to 1 GiB.
   * @param byteLength - Bytes, below 2^31.
   * @returns The block's slot.
   * @throws Nothing.
   * @example
   * ```js
   * new TraceBuilder().memalign(64, 100) // -> 0
   * ```
   */
  memalign(alignment: number, byteLength: number): number {
    return this.#make(MEMALIGN | (Math.log2(alignment) << 8), byteLength)
  }

  /**
   * Adds a realloc. The format has none to 0 bytes, which would be a free in C: it is recorded as one byte.
   *
   * @param slot - What the block's call gave.
   * @param byteLength - The new length in bytes.
   * @throws Nothing.
   * @example
   * ```js
   * const builder = new TraceBuilder()
   * builder.realloc(builder.malloc(100), 200)
   * builder.length // -> 2
   * ```
   */
  realloc(slot: number, byteLength: number): void {
    this.#add(REALLOC, slot, Math.max(1, byteLength))
  }

  /**
   * Adds a free. The slot may be given out again.
   *
   * @param slot - What the block's call gave.
   * @throws Nothing.
   * @example
   * ```js
   * const builder = new TraceBuilder()
   * builder.free(builder.malloc(100))
   * builder.build().summary.endLiveBytes // -> 0
   * ```
   */
  free(slot: number): void {
    this.#add(FREE, slot, 0)
    this.#freeSlots.push(slot)
  }

  /**
   * The trace so far; the builder may go on. `flags` says where it comes from.
   *
   * @param flags - `FLAG_…` bits.
   * @returns The trace.
   * @throws `TraceError` when the calls make no possible trace.
   * @example
   * ```js
   * const builder = new TraceBuilder()
   * builder.malloc(100)
   * builder.build().summary.blocks // -> 1
   * ```
   */
  build(flags: number = FLAG_RECORDED): Trace {
    const columns = {
      meta: this.#meta.slice(0, this.#length),
      slot: this.#slot.slice(0, this.#length),
      size: this.#size.slice(0, this.#length),
    }
    return { ...columns, summary: summarize(columns), flags }
  }

  #make(meta: number, byteLength: number): number {
    const slot = this.#freeSlots.pop() ?? this.#slots++
    this.#add(meta, slot, byteLength)
    return slot
  }

  #add(meta: number, slot: number, byteLength: number): void {
    if (this.#length === this.#meta.length) this.#grow()
    this.#meta[this.#length] = meta | this.#thread
    this.#slot[this.#length] = slot
    this.#size[this.#length] = byteLength
    this.#length++
  }

  #grow(): void {
    const longer = (column: Int32Array<ArrayBuffer>) => {
      const copy = new Int32Array(column.length * 2)
      copy.set(column)
      return copy
    }
    this.#meta = longer(this.#meta)
    this.#slot = longer(this.#slot)
    this.#size = longer(this.#size)
  }
}
