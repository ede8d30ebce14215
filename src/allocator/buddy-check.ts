/**
 * The proof of a buddy allocator's equations: one walk over its blocks, and one over the trees.
 * Cost: a step for each block and a byte read for each unit below the top.
 * @module
 */
import { lowestBit } from '../bits.ts'
import { CorruptedError } from '../errors.ts'
import type { BitTree } from './bit-tree.ts'
import { countBits } from './bitmap.ts'
import { FREE, ORDER, ORDERS, TOP } from './buddy.ts'
import type { BuddyLayout } from './buddy-layout.ts'
import { USED_BYTES, USED_COUNT } from './header.ts'
import type { Pages } from './pages.ts'

/** What is checked. */
export interface BuddyState {
  readonly numbers: Float64Array
  readonly words: Int32Array
  readonly states: Uint8Array
  readonly trees: readonly BitTree[]
  readonly pages: Pages
}

/** Throws ERR_CORRUPTED unless every equation at the top of Buddy holds. */
export function checkBuddy(layout: BuddyLayout, state: BuddyState): void {
  const { numbers, states } = state
  const top = numbers[TOP]
  if (!(top >= layout.first && top <= layout.end)) throw new CorruptedError(`the top ${top} lies outside the claim`)
  const free: number[] = state.trees.map(() => 0)
  let usedBytes = 0
  let usedCount = 0
  let lastFree = false
  let unit = layout.first
  while (unit < top) {
    const order = checkBlock(layout, state, unit)
    lastFree = (states[unit] & FREE) !== 0
    if (lastFree) free[order]++
    else {
      usedCount++
      usedBytes += 2 ** order * layout.minBlock
    }
    unit += 2 ** order
  }
  if (unit !== top || lastFree) throw new CorruptedError(`the last block ends at unit ${unit}, the top is ${top}, or it is free`)
  if (usedBytes !== numbers[USED_BYTES] || usedCount !== numbers[USED_COUNT])
    throw new CorruptedError(
      `${numbers[USED_COUNT]} blocks of ${numbers[USED_BYTES]} bytes in the header, ${usedCount} of ${usedBytes} by the states`
    )
  checkTrees(layout, state, free)
}

/** Checks the block at a unit, and gives its order. */
function checkBlock(layout: BuddyLayout, { states, trees, pages }: BuddyState, unit: number): number {
  const state = states[unit]
  const order = (state & ORDER) - 1
  const size = 2 ** order
  if (order < 0 || order > layout.mostOrder || unit % size !== 0)
    throw new CorruptedError(`unit ${unit} begins no block, or one that is not aligned: state ${state}`)
  for (let inside = unit + 1; inside < unit + size; inside++)
    if (states[inside] !== 0) throw new CorruptedError(`unit ${inside} has state ${states[inside]} inside the block at ${unit}`)
  const offset = layout.origin + unit * layout.minBlock
  if ((state & FREE) === 0) {
    if (!pages.covers(offset, size * layout.minBlock)) throw new CorruptedError(`the live block at ${offset} has a purged page`)
    return order
  }
  if (order < layout.mostOrder && states[unit ^ size] === state)
    throw new CorruptedError(`the free blocks at units ${unit} and ${unit ^ size} are buddies and not merged`)
  if (!(trees[order] as BitTree).has(unit / size)) throw new CorruptedError(`the free block at ${offset} is not in the tree of order ${order}`)
  return order
}

function checkTrees(layout: BuddyLayout, { words, numbers, trees }: BuddyState, free: readonly number[]): void {
  for (const [order, tree] of trees.entries()) {
    const bits = Math.floor(numbers[TOP] / 2 ** order) + 1
    tree.check(Math.ceil(bits / 32))
    const counted = countBits(words, tree.leaves * 32, tree.leaves * 32 + bits)
    if (counted !== free[order]) throw new CorruptedError(`order ${order}: ${counted} bits set for ${free[order]} free blocks`)
    if (counted > 0 && (words[ORDERS] & (1 << order)) === 0)
      throw new CorruptedError(`order ${order} has free blocks, and the header says it has none`)
  }
  if (words[ORDERS] !== 0 && lowestBit(words[ORDERS]) > layout.mostOrder)
    throw new CorruptedError('the header names an order that no block of the claim has')
}
