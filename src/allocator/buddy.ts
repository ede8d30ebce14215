/**
 * Buddy: blocks of minBlock * 2^order bytes, each on a multiple of its size. The allocator for blocks of many sizes that must be
 * aligned, and whose free space must grow together again.
 *
 *     units     | L1  .  | F0 | L0 | F2  .  .  .  | L3 . . . . . . . |   never used …        L live, F free, with the order
 *     order 0               *                                       top
 *     order 2                        *                                      a tree of bits for each order: its free blocks
 *
 * One byte a unit holds the state of the block that starts there, 0 where none does: it tells a live block's order, and is the check
 * of every free. Free blocks of an order hang in a tree of bits (bit-tree.ts), lowest first. Space from `top` on is no block at all
 * and costs nothing; a free block never ends there, but lowers the top. So 64 GiB begin with a few pages of metadata.
 * Waste: up to half of a block to the next power of two, 1 3/8 bytes of metadata a unit. Cost: 20 ns for a malloc and free,
 * 3 ns for each split and merge.
 * The idea is Knowlton's (1965), XOR and all; the wilderness is Lea's.
 * @module
 */
import type { Arena } from '../arena/arena.ts'
import { optionsObject, powerOfTwo, wholeNumber } from '../arguments.ts'
import { alignUp, log2Ceil, lowestBit } from '../bits.ts'
import { DoubleFreeError, InvalidFreeError, OutOfRangeError } from '../errors.ts'
import { GiB } from '../units.ts'
import type { AllocatorOptions, AllocatorStats } from './allocator.ts'
import { BitTree, treeWords } from './bit-tree.ts'
import { checkBuddy } from './buddy-check.ts'
import { type BuddyLayout, buddyLayout, buddyTables } from './buddy-layout.ts'
import { FreeingBlocks } from './freeing-blocks.ts'
import {
  COMMITTED_END, HEADER_BYTES, METADATA_BYTES, OWN_NUMBER, OWN_WORD, PEAK_BYTES, TOUCHED, USED_BYTES, USED_COUNT,
} from './header.ts'
import { Pages } from './pages.ts'

export interface BuddyOptions extends AllocatorOptions {
  /** Bytes of the smallest block, a power of two from 16 on. @defaultValue 64, more in claims above 32 GiB */
  readonly minBlock?: number | undefined
}

/** Units from here on are no block: never used, or merged back. */
export const TOP = OWN_NUMBER
/** Highest top since the last reset: offsets above it were never allocated. */
const HIGH = OWN_NUMBER + 1
/** One bit for each order: clear when no block of it is free. It may be stale when set. */
export const ORDERS = OWN_WORD + 4

/** States: order + 1 of the block, and this bit when it is free. */
export const FREE = 64
export const ORDER = 63

/** Requests below this find their order in 32-bit arithmetic. */
const SMALL_MASK = 2 ** 30 - 1

/**
 *     units from first to top = sum of blocks' units;   the byte is 0 inside a block
 *     a free block's buddy is not a free block of its order;   no free block ends at the top
 *     bits set in an order's tree = free blocks of the order;   usedBytes = sum of live blocks
 *     committedBytes = usedBytes + freeDirtyBytes + metadataBytes
 */
export class Buddy extends FreeingBlocks<'pages' | 'states' | 'trees'> {
  /** Bytes of the smallest block. */
  readonly minBlock: number
  readonly #layout: BuddyLayout
  readonly #trees: BitTree[] = []
  readonly #pages: Pages
  #numbers: Float64Array
  #words: Int32Array
  #states: Uint8Array

  constructor(arena: Arena, options?: BuddyOptions) {
    const wanted = minBlockOf(options)
    const start = options?.offset ?? 0
    super('Buddy', arena, options, (byteLength) =>
      buddyTables(buddyLayout(start, byteLength, wanted, arena.pageSize), byteLength, arena.pageSize)
    )
    const { claim, limit } = this
    const { pageSize } = arena
    const layout = buddyLayout(claim.offset, claim.byteLength, wanted, pageSize)
    this.minBlock = layout.minBlock
    this.#layout = layout
    this.#numbers = new Float64Array(claim.metadata, 0, HEADER_BYTES / 8)
    this.#words = new Int32Array(claim.metadata)
    this.#states = new Uint8Array(claim.metadata, this.layout.at.states, layout.end + 1)
    let tree = this.layout.at.trees / 4
    for (const leafWords of layout.leafWords) {
      this.#trees.push(new BitTree(this.#words, tree, leafWords))
      tree += treeWords(leafWords)
    }
    this.#pages = new Pages({ claim, pageSize, limit, at: this.layout.at.pages, fixed: layout.fixed, rate: layout.rate })
    this.#numbers[TOP] = layout.first
    this.#numbers[HIGH] = layout.first
  }

  tryMalloc(byteLength: number): number {
    if (this.guard !== 0) this.assertOpen()
    const order = this.#orderOf(byteLength)
    return this.#take(order, order)
  }

  purge(): number {
    this.assertOpen()
    let given = 0
    let run = -1
    const top = this.#numbers[TOP]
    for (let unit = this.#layout.first; unit < top; ) {
      const state = this.#states[unit]
      if ((state & FREE) === 0) {
        if (run >= 0) given += this.#pages.purge(this.#offset(run), this.#offset(unit))
        run = -1
      } else if (run < 0) run = unit
      unit += 2 ** ((state & ORDER) - 1)
    }
    return given + this.#pages.purge(this.#offset(run < 0 ? top : run), this.#numbers[COMMITTED_END])
  }

  reset(): void {
    this.assertOpen()
    this.claim.revokeInner()
    const numbers = this.#numbers
    const top = numbers[TOP]
    this.#noteTouched()
    for (const [order, tree] of this.#trees.entries()) tree.clear(Math.ceil((Math.floor(top / 2 ** order) + 1) / 32))
    this.#states.fill(0, 0, top)
    this.#words[ORDERS] = 0
    numbers[TOP] = this.#layout.first
    numbers[HIGH] = this.#layout.first
    numbers[USED_BYTES] = 0
    numbers[USED_COUNT] = 0
  }

  stats(): AllocatorStats {
    this.assertOpen()
    const numbers = this.#numbers
    return {
      reservedBytes: this.claim.byteLength,
      committedBytes: this.#pages.committedBytes,
      usedBytes: numbers[USED_BYTES],
      freeSlotBytes: 0,
      freeDirtyBytes: this.#pages.dataBytes - numbers[USED_BYTES],
      metadataBytes: numbers[METADATA_BYTES],
      peakCommittedBytes: numbers[PEAK_BYTES],
      usedCount: numbers[USED_COUNT],
    }
  }

  check(): void {
    this.assertOpen()
    this.checkHeader()
    this.#pages.check()
    checkBuddy(this.#layout, { numbers: this.#numbers, words: this.#words, states: this.#states, trees: this.#trees, pages: this.#pages })
  }

  *blocks(): Generator<{ offset: number; byteLength: number }> {
    this.assertOpen()
    for (let unit = this.#layout.first; unit < this.#numbers[TOP]; ) {
      const state = this.#states[unit]
      // A block may have been merged away since the last step: go on from the next unit that starts one.
      if (state === 0) {
        unit++
        continue
      }
      const byteLength = this.#bytesOf(state)
      if ((state & FREE) === 0) {
        yield { offset: this.#offset(unit), byteLength }
        this.assertOpen()
      }
      unit += byteLength / this.minBlock
    }
  }

  blockAround(offset: number, byteLength: number): { offset: number; byteLength: number } | undefined {
    const unit = this.#startAround(Math.floor((offset - this.#layout.origin) / this.minBlock))
    if (unit < 0 || (this.#states[unit] & FREE) !== 0) return undefined
    const block = { offset: this.#offset(unit), byteLength: this.#bytesOf(this.#states[unit]) }
    return offset + byteLength <= block.offset + block.byteLength ? block : undefined
  }

  protected tryCalloc(byteLength: number): number {
    if (this.guard !== 0) this.assertOpen()
    const order = this.#orderOf(byteLength)
    const from = this.#find(order)
    // What is known of the block has to be asked before it is handed out.
    const unit = from >= 0 ? from : this.#aboveTop(order)
    const touched = from >= 0 ? Number.POSITIVE_INFINITY : this.#numbers[TOUCHED]
    const clean = this.#pages.readsZero(this.#offset(unit), 2 ** order * this.minBlock, touched)
    const offset = this.#take(order, order)
    if (offset !== 0 && !(clean && offset === this.#offset(unit))) this.zero(offset, alignUp(byteLength, 8))
    return offset
  }

  protected tryMemalign(alignment: number, byteLength: number): number {
    if (this.guard !== 0) this.assertOpen()
    const order = this.#orderOf(byteLength)
    return this.#take(order, Math.max(order, log2Ceil(alignment / this.minBlock)))
  }

  protected freeAt(offset: number): void {
    const unit = (offset - this.#layout.origin) / this.minBlock
    const state = this.#states[unit]
    if (!(state > 0 && state < FREE)) throw this.#whyNot(offset)
    const numbers = this.#numbers
    numbers[USED_BYTES] -= this.#bytesOf(state)
    numbers[USED_COUNT]--
    this.#give(unit, state - 1)
  }

  protected sizeAt(offset: number): number {
    const state = this.#states[(offset - this.#layout.origin) / this.minBlock]
    if (!(state > 0 && state < FREE)) throw this.#whyNot(offset)
    return this.#bytesOf(state)
  }

  protected resizeAt(offset: number, usable: number, byteLength: number): boolean {
    const order = this.#orderOf(byteLength)
    const unit = (offset - this.#layout.origin) / this.minBlock
    const old = this.#states[unit] - 1
    if (order > old) {
      if (!this.#grow(unit, old, order)) return false
    } else {
      this.#states[unit] = order + 1
      for (let upper = old - 1; upper >= order; upper--) this.#give(unit + 2 ** upper, upper)
    }
    this.#numbers[USED_BYTES] += this.#bytesOf(order + 1) - usable
    return true
  }

  protected forget(): void {
    this.#numbers = new Float64Array(0)
    this.#words = new Int32Array(0)
    this.#states = new Uint8Array(0)
  }

  /** The order of the smallest block that holds so many bytes. */
  #orderOf(byteLength: number): number {
    if (typeof byteLength === 'number' && (byteLength & SMALL_MASK) === byteLength)
      return byteLength === 0 ? 0 : 32 - Math.clz32((byteLength - 1) >>> this.#layout.shift)
    return log2Ceil(wholeNumber('byteLength', byteLength) / this.minBlock)
  }

  /** A block of `order` at a multiple of 2^`align` units, from a free block or above the top; 0 when there is none. */
  #take(order: number, align: number): number {
    let from = this.#find(align)
    const unit = from >= 0 ? from : this.#aboveTop(order, align)
    if (unit < 0) return 0
    const offset = this.#offset(unit)
    const byteLength = 2 ** order * this.minBlock
    if (!this.#pages.covers(offset, byteLength) && !this.#pages.commit(offset, byteLength)) {
      from = this.#findCommitted(order, align)
      if (from < 0) return 0
    }
    return this.#claimUnit(from, unit, order)
  }

  /** Makes the free block at `from`, or the units above the top when that is -1, a live block. */
  #claimUnit(from: number, above: number, order: number): number {
    const unit = from >= 0 ? from : above
    if (from >= 0) this.#split(from, order)
    else this.#raiseTop(above, order)
    this.#states[unit] = order + 1
    const numbers = this.#numbers
    numbers[USED_BYTES] += 2 ** order * this.minBlock
    numbers[USED_COUNT]++
    return this.#offset(unit)
  }

  /** The lowest free block of the least order from `order` on, or -1. */
  #find(order: number): number {
    const words = this.#words
    for (let orders = order > 30 ? 0 : words[ORDERS] & (-1 << order); orders !== 0; orders &= orders - 1) {
      const found = lowestBit(orders)
      const index = (this.#trees[found] as BitTree).first()
      if (index >= 0) return index * 2 ** found
      words[ORDERS] &= ~(1 << found)
    }
    return -1
  }

  /** At the limit: the first free block of at least 2^`align` units whose beginning needs no page, or -1. */
  #findCommitted(order: number, align: number): number {
    const top = this.#numbers[TOP]
    for (let unit = this.#layout.first; unit < top; ) {
      const state = this.#states[unit]
      if ((state & FREE) !== 0 && (state & ORDER) > align && this.#pages.covers(this.#offset(unit), 2 ** order * this.minBlock))
        return unit
      unit += 2 ** ((state & ORDER) - 1)
    }
    return -1
  }

  /** Where a block would go above the top, or -1. */
  #aboveTop(order: number, align: number = order): number {
    const unit = alignUp(this.#numbers[TOP], 2 ** align)
    return unit + 2 ** order > this.#layout.end ? -1 : unit
  }

  /** Raises the top over a block; what lies between becomes free blocks. */
  #raiseTop(unit: number, order: number): void {
    const numbers = this.#numbers
    for (let gap = numbers[TOP]; gap < unit; ) {
      const gapOrder = lowestBit(gap)
      this.#setFree(gap, gapOrder)
      gap += 2 ** gapOrder
    }
    numbers[TOP] = unit + 2 ** order
    if (numbers[TOP] > numbers[HIGH]) numbers[HIGH] = numbers[TOP]
  }

  /** Takes a free block and gives the upper halves back until it has the order. */
  #split(unit: number, order: number): void {
    let size = (this.#states[unit] & ORDER) - 1
    this.#unsetFree(unit, size)
    while (size > order) {
      size--
      this.#setFree(unit + 2 ** size, size)
    }
  }

  /** Makes a block free: merged with its buddies, and with the space above the top. */
  #give(unit: number, order: number): void {
    const states = this.#states
    states[unit] = 0
    const { mostOrder } = this.#layout
    for (; order < mostOrder; order++) {
      const buddy = unit ^ (1 << order)
      if (states[buddy] !== FREE + order + 1) break
      this.#unsetFree(buddy, order)
      unit &= ~(1 << order)
    }
    if (unit + 2 ** order === this.#numbers[TOP]) this.#lowerTop(unit)
    else this.#setFree(unit, order)
  }

  #lowerTop(top: number): void {
    this.#noteTouched()
    const states = this.#states
    for (let order = 0; top % 2 ** order === 0 && order <= this.#layout.mostOrder; ) {
      const below = top - 2 ** order
      if (states[below] === FREE + order + 1) {
        this.#unsetFree(below, order)
        top = below
        order = 0
      } else order++
    }
    this.#numbers[TOP] = top
  }

  /** Grows a live block where it is, over free upper buddies and what is above the top; false when something is in the way. */
  #grow(unit: number, old: number, order: number): boolean {
    const states = this.#states
    const numbers = this.#numbers
    const end = unit + 2 ** order
    if (order > this.#layout.mostOrder || unit % 2 ** order !== 0 || end > this.#layout.end) return false
    let reach = old
    while (reach < order && states[unit + 2 ** reach] === FREE + reach + 1) reach++
    if (reach < order && unit + 2 ** reach !== numbers[TOP]) return false
    const grown = unit + 2 ** old
    if (!this.#pages.commit(this.#offset(grown), (end - grown) * this.minBlock)) return false
    for (let upper = old; upper < reach; upper++) this.#unsetFree(unit + 2 ** upper, upper)
    states[unit] = order + 1
    if (end > numbers[TOP]) numbers[TOP] = end
    if (end > numbers[HIGH]) numbers[HIGH] = end
    return true
  }

  #setFree(unit: number, order: number): void {
    this.#states[unit] = FREE + order + 1
    ;(this.#trees[order] as BitTree).add(unit >>> order)
    this.#words[ORDERS] |= 1 << order
  }

  #unsetFree(unit: number, order: number): void {
    this.#states[unit] = 0
    ;(this.#trees[order] as BitTree).remove(unit >>> order)
  }

  /** Everything below the top has been handed out: remembered before the top goes down. */
  #noteTouched(): void {
    const numbers = this.#numbers
    const top = this.#offset(numbers[TOP])
    if (top > numbers[TOUCHED]) numbers[TOUCHED] = top
  }

  #offset(unit: number): number {
    return this.#layout.origin + unit * this.minBlock
  }

  #bytesOf(state: number): number {
    return 2 ** ((state & ORDER) - 1) * this.minBlock
  }

  /** The start of the block, live or free, that a unit lies in, or -1. */
  #startAround(unit: number): number {
    if (!(unit >= this.#layout.first && unit < this.#numbers[TOP])) return -1
    for (let order = 0; order <= this.#layout.mostOrder; order++) {
      const start = Math.floor(unit / 2 ** order) * 2 ** order
      if (this.#states[start] !== 0) return start
    }
    return -1
  }

  /** The error for an offset that is not the start of a live block. */
  #whyNot(offset: number): Error {
    const { origin, first, end } = this.#layout
    const unit = (offset - origin) / this.minBlock
    if (!(unit >= first && unit < end)) return new InvalidFreeError(`${offset} lies outside the blocks of the buddy allocator`)
    if (!Number.isInteger(unit)) return new InvalidFreeError(`${offset} is not a multiple of ${this.minBlock}`)
    if (unit >= this.#numbers[HIGH]) return new InvalidFreeError(`nothing was ever allocated at ${offset}`)
    const start = this.#startAround(unit)
    if (start < 0 || (this.#states[start] & FREE) !== 0) return new DoubleFreeError(`the block at ${offset} is free already`)
    return new InvalidFreeError(`${offset} lies inside the live block at ${this.#offset(start)}`)
  }
}

function minBlockOf(options: BuddyOptions | undefined): number | undefined {
  optionsObject('options', options)
  if (options?.minBlock === undefined) return undefined
  const minBlock = powerOfTwo('options.minBlock', options.minBlock, GiB)
  if (minBlock < 16) throw new OutOfRangeError('options.minBlock', 'a power of two from 16 on', minBlock)
  return minBlock
}
