/**
 * The blocks of a buddy allocator, in units: finding, splitting, merging. Integers only; pages, offsets and bytes are buddy.ts's.
 *
 *     units     | L1  .  | F0 | L0 | F2  .  .  .  | L3 . . . . . . . |   never used …        L live, F free, with the order
 *     order 0               *                                       top
 *     order 2                        *                                      a tree of bits for each order: its free blocks
 *
 *     units from first to top = sum of blocks' units;   the state is 0 inside a block
 *     a free block's buddy is not a free block of its order;   no free block ends at the top
 *     bits set in an order's tree = free blocks of the order
 *
 * `1 << order` is safe: orders are at most 30 (MOST_UNITS). `2 ** order` would be a call to pow, 10 ns each.
 * @module
 */
import { type BufferRange, bytesIn, int32sIn } from '../../arena/buffer-range.ts'
import { alignUp, lowestBit } from '../../bits.ts'
import { CorruptedError } from '../../errors.ts'
import { BitTree, treeWords } from '../base/bits/bit-tree.ts'
import type { Layout } from '../base/header.ts'
import { type BuddyLayout, FREE, HIGH, ORDER, ORDERS, TOP } from './layout.ts'

export class BuddyUnits {
  readonly layout: BuddyLayout
  /** Header and tables, as words. */
  words: Int32Array
  /** For each unit: 0, or order + 1 of the block that starts there, and FREE. */
  states: Uint8Array
  /** For each order, its free blocks. */
  trees: readonly BitTree[]

  constructor(layout: BuddyLayout, tables: Layout<'states' | 'trees'>, metadata: BufferRange) {
    const words = int32sIn(metadata)
    let tree = tables.at.trees / 4
    this.layout = layout
    this.words = words
    this.states = bytesIn(metadata, tables.at.states, layout.end + 1)
    this.trees = layout.leafWords.map((leafWords) => {
      const start = tree
      tree += treeWords(leafWords)
      return new BitTree(words, start, leafWords)
    })
    words[TOP] = layout.first
    words[HIGH] = layout.first
  }

  /** Lets go of the metadata. */
  forget(): void {
    this.words = new Int32Array(0)
    this.states = new Uint8Array(0)
    this.trees = []
  }

  /** Units from here on are no block. */
  get top(): number {
    const top = this.words[TOP]
    if (top >= this.layout.first && top <= this.layout.end) return top
    throw new CorruptedError(`the top ${top} lies outside the claim`)
  }

  /** Units of the block, live or free, that starts at a unit. */
  sizeAt(unit: number): number {
    return 1 << this.#orderAt(unit)
  }

  /** What a state says, when an order can be that: others may be able to write there. */
  #orderAt(unit: number): number {
    const order = (this.states[unit] & ORDER) - 1
    if (order >= 0 && order <= this.layout.mostOrder) return order
    throw new CorruptedError(`unit ${unit} begins no block, and something leads to it`)
  }

  isFree(unit: number): boolean {
    return (this.states[unit] & FREE) !== 0
  }

  /** The lowest free block of the least order from `order` on, or -1. */
  find(order: number): number {
    const words = this.words
    for (let orders = order > 30 ? 0 : words[ORDERS] & (-1 << order); orders !== 0; orders &= orders - 1) {
      const found = lowestBit(orders)
      if (found > this.layout.mostOrder) throw new CorruptedError(`a block of order ${found} is said to be free`)
      const index = this.trees[found].first()
      if (index >= 0) {
        const unit = index << found
        if (unit < this.layout.first || unit >= this.top || this.states[unit] !== FREE + found + 1)
          throw new CorruptedError(`unit ${unit} is in the tree of order ${found}, and begins no such block`)
        return unit
      }
      words[ORDERS] &= ~(1 << found)
    }
    return -1
  }

  /** Where a block would go above the top, on a multiple of `alignment` bytes, or -1. */
  aboveTop(order: number, alignment: number): number {
    const { origin, minBlock, end } = this.layout
    const size = 1 << order
    let unit = (this.top + size - 1) & -size
    if (alignment > size * minBlock) unit = (alignUp(origin + unit * minBlock, alignment) - origin) / minBlock
    return unit + size > end ? -1 : unit
  }

  /** Makes the beginning of a free block a live one; the rest stays free, split into upper halves. */
  take(unit: number, order: number): void {
    let size = this.#orderAt(unit)
    this.#unsetFree(unit, size)
    while (size > order) {
      size--
      this.#setFree(unit + (1 << size), size)
    }
    this.states[unit] = order + 1
  }

  /** Makes units above the top a live block; what lies between becomes free blocks. */
  takeAbove(unit: number, order: number): void {
    const { mostOrder } = this.layout
    for (let gap = this.top; gap < unit; ) {
      const gapOrder = gap === 0 ? mostOrder : Math.min(lowestBit(gap), mostOrder)
      this.#setFree(gap, gapOrder)
      gap += 1 << gapOrder
    }
    this.states[unit] = order + 1
    this.#raiseTop(unit + (1 << order))
  }

  /** Makes a block free: merged with its buddies, and with the space above the top. */
  give(unit: number, order: number): void {
    const states = this.states
    const top = this.words[TOP]
    states[unit] = 0
    const { mostOrder } = this.layout
    for (; order < mostOrder; order++) {
      const buddy = unit ^ (1 << order)
      // What lies above the top has no state; the table may even end there.
      if (buddy >= top || states[buddy] !== FREE + order + 1) break
      this.#unsetFree(buddy, order)
      unit &= ~(1 << order)
    }
    if (unit + (1 << order) === top) this.#lowerTop(unit)
    else this.#setFree(unit, order)
  }

  /** Cuts a live block down; the upper halves become free. */
  shrink(unit: number, old: number, order: number): void {
    this.states[unit] = order + 1
    for (let upper = old - 1; upper >= order; upper--) this.give(unit + (1 << upper), upper)
  }

  /** Whether a live block could grow where it is, over free upper buddies and what is above the top. */
  canGrow(unit: number, old: number, order: number): boolean {
    const { mostOrder, end } = this.layout
    if (order > mostOrder || (unit & ((1 << order) - 1)) !== 0 || unit + (1 << order) > end) return false
    const reach = this.#reach(unit, old, order)
    return reach === order || unit + (1 << reach) === this.words[TOP]
  }

  /** Grows a live block that can. */
  grow(unit: number, old: number, order: number): void {
    const reach = this.#reach(unit, old, order)
    for (let upper = old; upper < reach; upper++) this.#unsetFree(unit + (1 << upper), upper)
    this.states[unit] = order + 1
    if (unit + (1 << order) > this.words[TOP]) this.#raiseTop(unit + (1 << order))
  }

  /** Drops every block. Takes a step for each: filling whole tables would make pages of them resident that were never touched. */
  clear(): void {
    const { first } = this.layout
    const { top } = this
    for (let unit = first; unit < top; ) {
      const order = this.#orderAt(unit)
      this.#unsetFree(unit, order)
      unit += 1 << order
    }
    this.words[TOP] = first
    this.words[HIGH] = first
  }

  /** The start of the block, live or free, that a unit lies in, or -1. */
  startAround(unit: number): number {
    if (!(unit >= this.layout.first && unit < this.words[TOP])) return -1
    for (let order = 0; order <= this.layout.mostOrder; order++) {
      const start = (unit >> order) << order
      if (this.states[start] !== 0) return start
    }
    return -1
  }

  /** The order that a block could reach over free upper buddies. */
  #reach(unit: number, old: number, order: number): number {
    let reach = old
    while (reach < order && this.states[unit + (1 << reach)] === FREE + reach + 1) reach++
    return reach
  }

  #raiseTop(top: number): void {
    this.words[TOP] = top
    if (top > this.words[HIGH]) this.words[HIGH] = top
  }

  /** Lowers the top to a unit, and on over free blocks that end there. */
  #lowerTop(top: number): void {
    const { first, mostOrder } = this.layout
    for (let order = 0; order <= mostOrder && (top & ((1 << order) - 1)) === 0; ) {
      const below = top - (1 << order)
      if (below < first) break
      if (this.states[below] === FREE + order + 1) {
        this.#unsetFree(below, order)
        top = below
        order = 0
      } else order++
    }
    this.words[TOP] = top
  }

  #setFree(unit: number, order: number): void {
    this.states[unit] = FREE + order + 1
    this.trees[order].add(unit >>> order)
    this.words[ORDERS] |= 1 << order
  }

  #unsetFree(unit: number, order: number): void {
    this.states[unit] = 0
    this.trees[order].remove(unit >>> order)
  }
}
