/**
 * The proof of a buddy allocator's equations: one walk over its blocks, and one over the trees.
 * Cost: a step for each block and a byte read for each unit below the top.
 * @module
 */
import { CorruptedError } from '../../errors.ts'
import { countBits } from '../base/bits/bitmap.ts'
import type { PageAccounts } from '../base/bits/page-accounts.ts'
import { FREE, HIGH, ORDER, ORDERS } from './layout.ts'
import type { BuddyUnits } from './units.ts'

/** Throws ERR_CORRUPTED unless every equation of Buddy and BuddyUnits holds. */
export function checkBuddy(units: BuddyUnits, pages: PageAccounts, usedBytes: number, usedCount: number): void {
  const { first, end, minBlock, origin } = units.layout
  const { top } = units
  const high = units.words[HIGH]
  if (!(high >= top && high <= end))
    throw new CorruptedError(`the highest top ${high} is not between ${top} and ${end}`)
  const free: number[] = units.trees.map(() => 0)
  let bytes = 0
  let count = 0
  let lastFree = false
  let unit = first
  while (unit < top) {
    const order = checkBlock(units, unit)
    const byteLength = 2 ** order * minBlock
    lastFree = units.isFree(unit)
    if (lastFree) free[order]++
    else {
      count++
      bytes += byteLength
      const offset = origin + unit * minBlock
      if (!pages.covers(offset, byteLength)) throw new CorruptedError(`the live block at ${offset} has a purged page`)
    }
    unit += 2 ** order
  }
  if (unit !== top || lastFree)
    throw new CorruptedError(`the last block ends at unit ${unit}, the top is ${top}, or it is free`)
  if (bytes !== usedBytes || count !== usedCount)
    throw new CorruptedError(
      `${usedCount} blocks of ${usedBytes} bytes in the header, ${count} of ${bytes} by the states`
    )
  checkTrees(units, free)
  checkUnused(units, top, end)
}

/** Units that are looked at beyond the top, in any case. */
const MORE_UNITS = 4096
/** So many states are looked at to the end. */
const WHOLE_UNITS = 2 ** 18

function checkUnused({ states }: BuddyUnits, top: number, end: number): void {
  const last = end <= WHOLE_UNITS ? end : Math.min(end, top + MORE_UNITS)
  for (let unit = top; unit <= last; unit++)
    if (states[unit] !== 0) throw new CorruptedError(`unit ${unit} has state ${states[unit]} above the top`)
}

/** Checks the block at a unit, and gives its order. */
function checkBlock({ layout, states, trees }: BuddyUnits, unit: number): number {
  const state = states[unit]
  const order = (state & ORDER) - 1
  const size = 2 ** order
  if (order < 0 || order > layout.mostOrder || unit % size !== 0)
    throw new CorruptedError(`unit ${unit} begins no block, or one that is not aligned: state ${state}`)
  for (let inside = unit + 1; inside < unit + size; inside++)
    if (states[inside] !== 0)
      throw new CorruptedError(`unit ${inside} has state ${states[inside]} inside the block at ${unit}`)
  if ((state & FREE) === 0) return order
  if (order < layout.mostOrder && states[unit ^ size] === state)
    throw new CorruptedError(`the free blocks at units ${unit} and ${unit ^ size} are buddies and not merged`)
  if (!trees[order].has(unit / size))
    throw new CorruptedError(`the free block at unit ${unit} is not in the tree of order ${order}`)
  return order
}

function checkTrees({ words, top, trees }: BuddyUnits, free: readonly number[]): void {
  if ((words[ORDERS] & (-2 << (trees.length - 1))) !== 0)
    throw new CorruptedError('the header has free blocks of an order above the largest')
  for (const [order, tree] of trees.entries()) {
    const bits = Math.floor(top / 2 ** order) + 1
    tree.check(Math.ceil(bits / 32))
    const counted = countBits(words, tree.leaves * 32, (tree.leaves + Math.ceil(bits / 32)) * 32)
    if (counted !== free[order])
      throw new CorruptedError(`order ${order}: ${counted} free blocks by the bitmap, ${free[order]} by the states`)
    if (counted > 0 && (words[ORDERS] & (1 << order)) === 0)
      throw new CorruptedError(`order ${order} has free blocks, and the header says it has none`)
  }
}
