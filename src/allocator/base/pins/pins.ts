/**
 * The pinned blocks of one allocator.
 *
 *     offset of a block  ->  { its length, how often it is pinned }        allocator.guard has PINNED  <=>  there is one
 *
 * A pin of a block in an inner allocator is also one of the block around it, level by level (`ClaimHolder.pin`), and one of the arena.
 * So each allocator finds in its own table whatever it must not touch. `free` looks an offset up, and does so only while `guard` is not 0.
 * Cost: one map entry for a pinned block, a look-up for each free while one is pinned.
 * @module
 */
import type { Range } from '../../../arena/ranges.ts'
import { BlockPinnedError, bytes } from '../../../errors.ts'

/** A pinned block. */
export interface PinnedBlock extends Range {
  /** Pins of it that are held. */
  count: number
}

export class Pins {
  readonly #blocks: Map<number, PinnedBlock> = new Map()

  /** Pinned blocks. */
  get size(): number {
    return this.#blocks.size
  }

  add({ offset, byteLength }: Range): PinnedBlock {
    let block = this.#blocks.get(offset)
    if (block === undefined) {
      block = { offset, byteLength, count: 0 }
      this.#blocks.set(offset, block)
    }
    block.count++
    return block
  }

  /** Takes one pin of a block back. Does nothing for a block that has been forgotten. */
  remove(block: PinnedBlock): void {
    block.count--
    if (block.count === 0 && this.#blocks.get(block.offset) === block) this.#blocks.delete(block.offset)
  }

  has(offset: number): boolean {
    return this.#blocks.has(offset)
  }

  /** Throws when the block that starts here is pinned. */
  assertFree(offset: number): void {
    const block = this.#blocks.get(offset)
    if (block !== undefined) throw new BlockPinnedError(`${describe(block)} and cannot be freed, moved or resized`)
  }

  /** Throws when a block from `offset` on is pinned. `refused`: what the caller was asked for. */
  assertNoneFrom(offset: number, refused: string): void {
    for (const block of this.#blocks.values())
      if (block.offset >= offset) throw new BlockPinnedError(`${refused}: ${describe(block)}`)
  }

  /** The allocator is gone. */
  forget(): void {
    this.#blocks.clear()
  }
}

function describe({ offset, byteLength, count }: PinnedBlock): string {
  return `the block of ${bytes(byteLength)} at ${offset} is pinned ${count === 1 ? 'once' : `${count} times`}`
}
