/**
 * What an allocator should hold, kept in the plainest way: live blocks in the order of their offsets, and sums.
 *
 * The list is sorted, so that a new block needs to be compared with two neighbours only to prove that no two blocks overlap.
 * @module
 */
import type { Bump } from '../src/allocator/bump/bump.ts'
import type { TypedArray } from '../src/views.ts'

/** A range inside a block, from its start. */
export type Range = readonly [from: number, to: number]

export interface LiveBlock {
  readonly offset: number
  /** What was asked for, or what was last reallocated to. */
  byteLength: number
  usable: number
  /** Of the pattern written into it. */
  seed: number
  /** Where the pattern stands. */
  written: readonly Range[]
  /** The view it was given out as. */
  view?: TypedArray
  /** An allocator inside it. */
  inner?: Bump
  /** Pins of it that are held. */
  pins?: Disposable[]
}

export class Model {
  /** Live blocks by offset. */
  readonly live: LiveBlock[] = []
  /** Offsets freed last, newest last. They may have been handed out again. */
  readonly freed: number[] = []
  /** Usable size of the last block that started at an offset. */
  readonly history: Map<number, number> = new Map()
  usedBytes = 0
  /** End of the highest block there ever was. */
  highest = 0

  get usedCount(): number {
    return this.live.length
  }

  /** Index of the first block at or above an offset. */
  indexOf(offset: number): number {
    let low = 0
    let high = this.live.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.live[middle] as LiveBlock).offset < offset) low = middle + 1
      else high = middle
    }
    return low
  }

  at(offset: number): LiveBlock | undefined {
    const block = this.live[this.indexOf(offset)]
    return block?.offset === offset ? block : undefined
  }

  /** The live block that a byte lies in. */
  around(offset: number): LiveBlock | undefined {
    const block = this.at(offset) ?? this.live[this.indexOf(offset) - 1]
    return block !== undefined && offset < block.offset + block.usable ? block : undefined
  }

  /** The live block that a number means, or undefined when there is none at all. */
  pick(number: number): LiveBlock | undefined {
    return this.live[number % this.live.length]
  }

  /** The neighbour that has a byte in common with the range. */
  overlapping(offset: number, byteLength: number): LiveBlock | undefined {
    const index = this.indexOf(offset)
    const above = this.live[index]
    if (above !== undefined && above.offset < offset + byteLength) return above
    const below = this.live[index - 1]
    return below !== undefined && below.offset + below.usable > offset ? below : undefined
  }

  add(block: LiveBlock): void {
    this.live.splice(this.indexOf(block.offset), 0, block)
    this.usedBytes += block.usable
    this.highest = Math.max(this.highest, block.offset + block.usable)
    this.history.set(block.offset, block.usable)
  }

  remove(block: LiveBlock): void {
    this.live.splice(this.indexOf(block.offset), 1)
    this.usedBytes -= block.usable
    this.#remember(block.offset)
  }

  resize(block: LiveBlock, usable: number): void {
    this.usedBytes += usable - block.usable
    block.usable = usable
    this.highest = Math.max(this.highest, block.offset + usable)
  }

  /** Drops every block from an offset on; gives them back. */
  cut(offset = 0): LiveBlock[] {
    const dropped = this.live.splice(this.indexOf(offset))
    for (const block of dropped) {
      this.usedBytes -= block.usable
      this.#remember(block.offset)
    }
    return dropped
  }

  /** The gaps between blocks in `[start, end)`: each as its first byte and its end. */
  *gaps(start: number, end: number): Generator<Range> {
    let at = start
    for (const block of this.live) {
      if (block.offset > at) yield [at, block.offset]
      at = block.offset + block.usable
    }
    if (end > at) yield [at, end]
  }

  #remember(offset: number): void {
    this.freed.push(offset)
    if (this.freed.length > 256) this.freed.splice(0, 128)
  }
}
