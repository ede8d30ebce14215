/**
 * The pinned blocks of all peers of a concurrent heap.
 *
 *     entry | offset (a 64-bit float) | peer, or 0 | pins |          PINNED of a shard = entries whose block lies in it
 *
 * An allocator in a block is a pin of its own, so that the error can say so.
 *
 * A free looks at PINNED of the block's shard, and at the entries only when it is not 0. An entry is there from the store of its peer on, and
 * gone when that is 0. All of it changes under the heap's lock. Pins of a peer that has died go when it is buried. Cost: a walk over the
 * entries in use for a pin, and for each free in a shard that has a pinned block.
 * @module
 */
import { type BufferRange, float64sIn, int32sIn } from '../../arena/buffer-range.ts'
import { ArenaBusyError, BlockPinnedError, bytes, OutOfMemoryError } from '../../errors.ts'
import { Common, type ConcurrentLayout, ShardWord } from './words.ts'

const PEER = 2
const PINS = 3
/** Set in the number of pins where they stand for an allocator in the block. */
export const FOR_ALLOCATOR = 0x40000000

export class SharedPins {
  readonly #all: Int32Array
  readonly #offsets: Float64Array
  readonly #layout: ConcurrentLayout

  constructor(metadata: BufferRange, layout: ConcurrentLayout) {
    this.#all = int32sIn(metadata)
    this.#offsets = float64sIn(metadata, 0, Common.PINS_END / 2)
    this.#layout = layout
  }

  /** Entries ever used. */
  get top(): number {
    return Math.min(Math.max(this.#all[Common.PIN_TOP], 0), Common.PINS_MOST)
  }

  /** The peer that has pinned the block at an offset, or 0. */
  pinnedBy(offset: number): number {
    for (let index = 0, { top } = this; index < top; index++)
      if (this.#offset(index) === offset && this.#all[at(index) + PEER] !== 0) return this.#all[at(index) + PEER]
    return 0
  }

  /** Any peer that has pinned a block. */
  any(): number {
    for (let index = 0, { top } = this; index < top; index++)
      if (this.#all[at(index) + PEER] !== 0) return this.#all[at(index) + PEER]
    return 0
  }

  assertFree(offset: number, byteLength: number): void {
    let pinned = false
    for (let index = 0, { top } = this; index < top; index++) {
      if (this.#offset(index) !== offset || this.#all[at(index) + PEER] === 0) continue
      pinned = true
      if ((this.#all[at(index) + PINS] & FOR_ALLOCATOR) !== 0)
        throw new ArenaBusyError(`the block of ${bytes(byteLength)} at ${offset} has another allocator in it`)
    }
    if (pinned)
      throw new BlockPinnedError(
        `the block of ${bytes(byteLength)} at ${offset} is pinned and cannot be freed, moved or resized`
      )
  }

  /** Adds a pin. `kind`: 0, or `FOR_ALLOCATOR`. Under the heap's lock. */
  add(offset: number, peer: number, kind = 0): void {
    const all = this.#all
    let free = -1
    for (let index = 0, { top } = this; index < top; index++) {
      const taken = all[at(index) + PEER]
      if (taken === peer && this.#offset(index) === offset && (all[at(index) + PINS] & FOR_ALLOCATOR) === kind) {
        all[at(index) + PINS]++
        return
      }
      if (taken === 0 && free < 0) free = index
    }
    if (free < 0) free = this.#next()
    this.#offsets[at(free) / 2] = offset
    all[at(free) + PINS] = kind + 1
    Atomics.store(all, at(free) + PEER, peer)
    Atomics.add(all, this.#countAt(offset), 1)
  }

  /** Takes one back. Under the heap's lock. */
  remove(offset: number, peer: number, kind = 0): void {
    const all = this.#all
    for (let index = 0, { top } = this; index < top; index++) {
      if (all[at(index) + PEER] !== peer || this.#offset(index) !== offset) continue
      if ((all[at(index) + PINS] & FOR_ALLOCATOR) !== kind) continue
      if (--all[at(index) + PINS] === kind) this.#release(index)
      return
    }
  }

  /** Takes all pins of a peer back. Under the heap's lock. Counts are made anew: the peer may have died between two stores. */
  removeAll(peer: number): void {
    const all = this.#all
    let any = false
    for (let index = 0, { top } = this; index < top; index++)
      if (all[at(index) + PEER] === peer) {
        Atomics.store(all, at(index) + PEER, 0)
        any = true
      }
    if (any) this.#recount()
  }

  /** Removes all: there is no peer that has pinned anything. */
  clear(): void {
    for (let index = 0, { top } = this; index < top; index++) Atomics.store(this.#all, at(index) + PEER, 0)
    this.#all[Common.PIN_TOP] = 0
    this.#recount()
  }

  /** Counts the pinned blocks of each shard anew. Each count goes from its old value to the true one in one store, so no free finds too few. */
  #recount(): void {
    const counts = this.#layout.shards.map(() => 0)
    for (let index = 0, { top } = this; index < top; index++)
      if (this.#all[at(index) + PEER] !== 0) counts[this.#shardOf(this.#offset(index))]++
    for (const [index, { base }] of this.#layout.shards.entries()) {
      const at = (base >>> 2) + ShardWord.PINNED
      // A store takes a page, so none is made without need.
      if (this.#all[at] !== counts[index]) Atomics.store(this.#all, at, counts[index] as number)
    }
  }

  #next(): number {
    const { top } = this
    if (top === Common.PINS_MOST) throw new OutOfMemoryError(`Heap: ${top} blocks are pinned, and no more can be`)
    this.#all[Common.PIN_TOP] = top + 1
    return top
  }

  #release(index: number): void {
    Atomics.store(this.#all, at(index) + PEER, 0)
    Atomics.sub(this.#all, this.#countAt(this.#offset(index)), 1)
  }

  #offset(index: number): number {
    return this.#offsets[at(index) / 2] as number
  }

  #shardOf(offset: number): number {
    const { unit, first, shards } = this.#layout
    // NaN, which only damage leaves, is of the first.
    return Math.min(Math.max((Math.floor(offset / unit) || 0) - first, 0), shards.length - 1)
  }

  #countAt(offset: number): number {
    return ((this.#layout.shards[this.#shardOf(offset)] as { base: number }).base >>> 2) + ShardWord.PINNED
  }
}

function at(index: number): number {
  return Common.PINS + index * Common.PIN_WORDS
}
