/**
 * The proof of a slab's equations about its bits. Cost: a step for each word of them.
 * @module
 */
import { CorruptedError } from '../../errors.ts'
import type { BitTree } from '../base/bits/bit-tree.ts'
import { countBits } from '../base/bits/bitmap.ts'
import type { SlotGrid } from './slot-grid.ts'

/** What is checked. */
export interface SlabState {
  readonly grid: SlotGrid
  readonly tree: BitTree
  readonly free: Int32Array
  /** The lowest slot that was never handed out. */
  readonly next: number
  readonly usedCount: number
  /** Leaf words that stand for a slot below `next`. */
  readonly wordEnd: number
}

/** Throws ERR_CORRUPTED unless slots below next = live + free, and none is free above. */
export function checkSlab({ grid, tree, free, next, usedCount, wordEnd }: SlabState): void {
  if (!(next >= grid.first)) throw new CorruptedError(`the next fresh slot, ${next}, lies before the first`)
  if ((next - grid.groupStart(grid.groupOf(next))) % grid.slotSize !== 0)
    throw new CorruptedError(`the next fresh slot, ${next}, is no slot`)
  tree.check(wordEnd)
  let live = 0
  let freed = 0
  for (const { bit, count } of grid.groups(next)) {
    const set = countBits(free, bit, bit + count)
    freed += set
    live += count - set
  }
  if (live !== usedCount) throw new CorruptedError(`${usedCount} live slots in the header, ${live} by the bits`)
  if (countBits(free, 0, wordEnd * 32) !== freed) throw new CorruptedError('a slot that was never handed out is free')
}
