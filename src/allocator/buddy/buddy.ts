/**
 * Buddy: blocks of minBlock * 2^order bytes, each on a multiple of its size. The allocator for blocks of many sizes that must be
 * aligned, and whose free space must grow together again.
 *
 *     malloc(n)   order of n  ->  lowest free block of the least order that fits, split   or  the units above the top
 *     free(p)     state of p's unit: live?  ->  merged with its buddy while that is free  ->  free, or above the top again
 *
 * One byte a unit holds the state of the block that starts there, 0 where none does: it tells a live block's order, and is the check
 * of every free. Free blocks of an order hang in a tree of bits (bit-tree.ts), lowest first. Space from `top` on is no block at all
 * and costs nothing; a free block never ends there, but lowers the top. So 64 GiB begin with a few pages of metadata.
 * Waste: up to half of a block to the next power of two, 1 1/4 bytes of metadata a unit. Cost: 25 ns for a malloc and free,
 * 5 ns for each split and merge.
 * The idea is Knowlton's (1965), XOR and all; the space above the top is the wilderness of Lea's malloc.
 *
 * Longer than other files: a public class is one thing, with all its calls and what is to be known of each.
 * @module
 */

import type { Arena } from '../../arena/arena.ts'
import { float64sIn } from '../../arena/buffer-range.ts'
import { WINDOW_BYTES } from '../../arena/format/layout.ts'
import { optionsObject, powerOfTwo, wholeNumber } from '../../arguments.ts'
import { alignUp, log2Ceil, Word } from '../../bits.ts'
import { DoubleFreeError, InvalidFreeError } from '../../errors.ts'
import { showAs } from '../../inspection.ts'
import { PageAccounts } from '../base/bits/page-accounts.ts'
import type { BlockMemory } from '../base/block-memory.ts'
import type { PageNews } from '../base/channels.ts'
import { classesOfBlocks, Freeing, type FreeingHooks } from '../base/freeing.ts'
import { COMMITTED_END, HEADER_BYTES, PURGED_BYTES, TOUCHED, USED_BYTES, USED_COUNT } from '../base/header.ts'
import type { Lifecycle } from '../base/lifecycle.ts'
import type { Requests } from '../base/requests.ts'
import type { Resizing } from '../base/resizing.ts'
import type { Views } from '../base/views.ts'
import type { AllocatorOptions, AllocatorStats, FreeingAllocator } from '../contract.ts'
import { AllocatorFacade, claimRange, factsOf, type Parts, partsOf } from '../facade.ts'
import { checkAllocatorOptions } from '../options.ts'
import { checkBuddy } from './check.ts'
import { buddyLayout, buddyTables, HIGH } from './layout.ts'
import { BuddyUnits } from './units.ts'

export interface BuddyOptions extends AllocatorOptions {
  /** Bytes of the smallest block, a power of two from 16 on. @defaultValue 64, more in claims above 64 GiB */
  readonly minBlock?: number | undefined
}

/**
 * With the equations of BuddyUnits:
 *
 *     usedBytes = sum of live blocks;   every page of a live block is committed
 *     committedBytes = usedBytes + freeDirtyBytes + metadataBytes
 */
export class Buddy extends AllocatorFacade implements FreeingAllocator {
  /** Bytes of the smallest block. */
  readonly minBlock: number
  readonly #parts: Parts<FreeingHooks> = partsOf(this)
  readonly #life: Lifecycle = this.#parts.life
  readonly #memory: BlockMemory = this.#parts.memory
  readonly #requests: Requests = this.#parts.requests
  readonly #news: PageNews = this.#requests.news
  readonly #views: Views = this.#parts.views
  readonly #freeing: Freeing = new Freeing(this.#parts)
  readonly #resizing: Resizing = this.#freeing.resizing
  readonly #shift: number
  readonly #mostOrder: number
  readonly #origin: number
  /** 1 / minBlock, exact. */
  readonly #rate: number
  readonly #pages: PageAccounts
  readonly #units: BuddyUnits
  #numbers: Float64Array
  /** Changes so far, and after which of them a walk found no free block of an order, or more, that has its pages. */
  #changes = 0
  #refusedAt = -1
  #refusedOrder = 0

  static #hooksOf(self: Buddy): FreeingHooks {
    return {
      malloc: (byteLength) => self.malloc(byteLength),
      tryCalloc: (byteLength) => self.#tryMemalign(1, byteLength, true),
      tryMemalign: (alignment, byteLength, zero) => self.#tryMemalign(alignment, byteLength, zero),
      undo: (offset) => self.#freeAt(offset),
      forget: () => self.#forget(),
      blockAround: (offset, byteLength) => self.#blockAround(offset, byteLength),
      totals: () => self.#totals(),
      sizeClasses: () => classesOfBlocks(self.blocks()),
      freeAll: () => self.#freeAll(),
      glance: () => self.#totals(),
      sizeAt: (offset) => self.#sizeAt(offset),
      freeAt: (offset) => self.#freeAt(offset),
      resizeAt: (offset, usable, byteLength) => self.#resizeAt(offset, usable, byteLength),
    }
  }

  static {
    showAs(Buddy.prototype, 'Buddy', factsOf)
  }

  /**
   * Claims a range of an arena for blocks whose lengths are powers of two.
   *
   * @param arena - The arena.
   * @param options - `minBlock` in bytes, the range and the limit.
   * @throws `ERR_ARENA_BUSY` when the range is claimed; `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` of an option.
   * @example
   * ```js
   * const buddy = new Buddy(Arena.reserve(64 * MiB))
   * buddy.usableSize(buddy.malloc(5000)) // -> 8192
   * ```
   */
  constructor(arena: Arena, options?: BuddyOptions) {
    const wanted = minBlockOf(options)
    const checked = checkAllocatorOptions(options)
    const start = checked.offset ?? 0
    const layoutOf = (length: number) =>
      buddyTables(buddyLayout(start, length, wanted, arena.pageSize), length, arena.pageSize)
    super(claimRange(arena, 'Buddy', checked, layoutOf), Buddy.#hooksOf)
    const { claim, limit, layout: tables } = this.#life
    const { pageSize } = arena
    const layout = buddyLayout(claim.offset, claim.byteLength, wanted, pageSize)
    this.minBlock = layout.minBlock
    this.#shift = layout.shift
    this.#mostOrder = layout.mostOrder
    this.#origin = layout.origin
    this.#rate = 1 / layout.minBlock
    this.#numbers = float64sIn(claim.metadata, 0, HEADER_BYTES / 8)
    this.#units = new BuddyUnits(layout, tables, claim.metadata)
    this.#pages = new PageAccounts({
      claim,
      pageSize,
      limit,
      first: this.#offset(layout.first),
      at: tables.at.pages,
      fixed: layout.fixed,
      rate: layout.rate,
      news: this.#news,
    })
  }

  tryMalloc(byteLength: number): number {
    if (this.#life.guard !== 0) this.#life.assertOpen()
    const order = this.#orderOf(byteLength)
    if (order > this.#mostOrder) return this.#requests.trySettle(0, byteLength)
    const from = this.#units.find(order)
    const offset = this.#tryTake(order, from, from >= 0 ? from : this.#units.aboveTop(order, 1), 1)
    return offset === 0 || this.#news.pending ? this.#requests.trySettle(offset, byteLength) : offset
  }

  free(block: number | ArrayBufferView): void {
    const offset = typeof block === 'number' ? block : this.#views.locate(block)
    if (this.#life.guard !== 0) this.#freeing.assertFree(offset)
    this.#freeAt(offset)
  }

  usableSize(block: number | ArrayBufferView): number {
    return this.#freeing.usableSize(block)
  }

  realloc(offset: number, byteLength: number): number {
    return this.#resizing.realloc(offset, byteLength)
  }

  mallocMany(byteLength: number, offsets: Float64Array): number {
    return this.#freeing.mallocMany(byteLength, offsets)
  }

  freeMany(offsets: Float64Array, count?: number): void {
    this.#freeing.freeMany(offsets, count)
  }

  purge(): number {
    this.#life.assertOpen()
    const units = this.#units
    let given = 0
    let run = -1
    for (let unit = units.layout.first; unit < units.top; unit += units.sizeAt(unit)) {
      if (units.isFree(unit)) {
        if (run < 0) run = unit
      } else {
        if (run >= 0) given += this.#pages.purge(this.#offset(run), this.#offset(unit))
        run = -1
      }
    }
    given += this.#pages.purge(this.#offset(run < 0 ? units.top : run), this.#numbers[COMMITTED_END])
    this.#requests.tellPages()
    return given
  }

  #freeAll(): void {
    this.#units.clear()
    this.#changes++
    this.#numbers[USED_BYTES] = 0
    this.#numbers[USED_COUNT] = 0
  }

  #totals(): AllocatorStats {
    return this.#pages.totals(this.#numbers[USED_BYTES], 'dirty')
  }

  check(): void {
    this.#life.assertOpen()
    this.#life.checkHeader()
    this.#pages.check()
    checkBuddy(this.#units, this.#pages, this.#numbers[USED_BYTES], this.#numbers[USED_COUNT])
    this.#life.checkTotals()
  }

  *blocks(): Generator<{ offset: number; byteLength: number }> {
    this.#life.assertOpen()
    const units = this.#units
    for (let unit = units.layout.first; unit < units.top; ) {
      // A block may have been merged away since the last step: go on from the next unit that starts one.
      const size = units.states[unit] === 0 ? 1 : units.sizeAt(unit)
      if (units.states[unit] > 0 && !units.isFree(unit)) {
        yield { offset: this.#offset(unit), byteLength: size * this.minBlock }
        this.#life.assertOpen()
      }
      unit += size
    }
  }

  #blockAround(offset: number, byteLength: number): { offset: number; byteLength: number } | undefined {
    const units = this.#units
    const unit = units.startAround(Math.floor((offset - this.#origin) * this.#rate))
    if (unit < 0 || units.isFree(unit)) return undefined
    const block = { offset: this.#offset(unit), byteLength: units.sizeAt(unit) * this.minBlock }
    return offset + byteLength <= block.offset + block.byteLength ? block : undefined
  }

  #tryMemalign(alignment: number, byteLength: number, zero: boolean): number {
    if (this.#life.guard !== 0) this.#life.assertOpen()
    const order = this.#orderOf(byteLength)
    if (order > this.#mostOrder) return 0
    // A free block of the alignment's order starts where the block should; what is not needed of it is split off.
    const least = alignment <= this.minBlock ? order : Math.max(order, log2Ceil(alignment * this.#rate))
    const from = this.#units.find(least)
    const unit = from >= 0 ? from : this.#units.aboveTop(order, alignment)
    if (unit < 0 || !zero) return this.#tryTake(order, from, unit, alignment)
    // What is known of the block has to be asked before it is handed out.
    const touched = from >= 0 ? Number.POSITIVE_INFINITY : this.#numbers[TOUCHED]
    const clean = this.#pages.readsZero(this.#offset(unit), (1 << order) * this.minBlock, touched)
    const offset = this.#tryTake(order, from, unit, alignment)
    if (offset !== 0 && !(clean && offset === this.#offset(unit))) this.#memory.zeroNew(offset, alignUp(byteLength, 8))
    return offset
  }

  #freeAt(offset: number): void {
    const order = this.#liveOrder(offset)
    const unit = this.#unitAt(offset)
    this.#changes++
    this.#numbers[USED_BYTES] -= (1 << order) * this.minBlock
    this.#numbers[USED_COUNT]--
    this.#units.give(unit, order)
  }

  #sizeAt(offset: number): number {
    return (1 << this.#liveOrder(offset)) * this.minBlock
  }

  #resizeAt(offset: number, usable: number, byteLength: number): boolean {
    const order = this.#orderOf(byteLength)
    const unit = this.#unitAt(offset)
    const old = this.#orderOf(usable)
    const size = 2 ** order * this.minBlock
    if (order > old) {
      if (!this.#units.canGrow(unit, old, order) || !this.#pages.commit(offset + usable, size - usable)) return false
      this.#units.grow(unit, old, order)
      this.#noteTouched(offset + size)
    } else if (order < old) this.#units.shrink(unit, old, order)
    this.#changes++
    this.#numbers[USED_BYTES] += size - usable
    return true
  }

  #forget(): void {
    this.#numbers = new Float64Array(0)
    this.#units.forget()
  }

  /** The order of the smallest block that holds so many bytes. */
  #orderOf(byteLength: number): number {
    if (typeof byteLength === 'number' && (byteLength & Word.SMALL) === byteLength)
      return byteLength === 0 ? 0 : 32 - Math.clz32((byteLength - 1) >>> this.#shift)
    return log2Ceil(wholeNumber('byteLength', byteLength) / this.minBlock)
  }

  /**
   * A block of `order` from the free block `from`, which may be longer, or at `unit` above the top when that is -1. 0 when both are -1,
   * or the limit is reached.
   */
  #tryTake(order: number, from: number, unit: number, alignment: number): number {
    if (unit < 0) return 0
    const offset = this.#offset(unit)
    const byteLength = (1 << order) * this.minBlock
    const numbers = this.#numbers
    if (numbers[PURGED_BYTES] !== 0 || offset + byteLength > numbers[COMMITTED_END]) {
      if (!this.#pages.covers(offset, byteLength) && !this.#pages.commit(offset, byteLength)) {
        const committed = this.#findCommitted(order, from, alignment)
        return committed < 0 ? 0 : this.#tryTake(order, committed, committed, alignment)
      }
    }
    if (from >= 0) this.#units.take(from, order)
    else {
      this.#units.takeAbove(unit, order)
      this.#noteTouched(offset + byteLength)
    }
    numbers[USED_BYTES] += byteLength
    numbers[USED_COUNT]++
    this.#changes++
    return offset
  }

  /**
   * At the limit: the first free block of the order or more whose beginning needs no page, or -1. `from`: the free block that was found
   * first, or -1. It walks the blocks, but not again until something has changed.
   */
  #findCommitted(order: number, from: number, alignment: number): number {
    const units = this.#units
    const size = 1 << order
    const numbers = this.#numbers
    // Where no free block is long enough, none of them will do, unless it was the alignment that none had.
    if (from < 0 && alignment <= size * this.minBlock) return -1
    if (this.#pages.dataBytes - numbers[USED_BYTES] < size * this.minBlock) return -1
    if (alignment <= this.minBlock && order >= this.#refusedOrder && this.#refusedAt === this.#changes) return -1
    for (let unit = units.layout.first; unit < units.top; unit += units.sizeAt(unit)) {
      const offset = this.#offset(unit)
      const fits = units.isFree(unit) && units.sizeAt(unit) >= size && offset % alignment === 0
      if (fits && this.#pages.covers(offset, size * this.minBlock)) return unit
    }
    if (alignment <= this.minBlock) {
      this.#refusedOrder = order
      this.#refusedAt = this.#changes
    }
    return -1
  }

  #noteTouched(end: number): void {
    if (end > this.#numbers[TOUCHED]) this.#numbers[TOUCHED] = end
  }

  /** The order of the live block that starts at an offset; throws when there is none. Others may be able to write there: one reading. */
  #liveOrder(offset: number): number {
    const unit = this.#unitAt(offset)
    const state = this.#units.states[unit]
    if (state > 0 && state <= this.#mostOrder + 1 && this.#offset(unit) === offset) return state - 1
    throw this.#whyNot(offset)
  }

  /** The unit that an offset lies in. */
  #unitAt(offset: number): number {
    return ((offset - this.#origin) * this.#rate) | 0
  }

  #offset(unit: number): number {
    return this.#origin + unit * this.minBlock
  }

  /** The error for an offset that is not the start of a live block. */
  #whyNot(offset: number): Error {
    const units = this.#units
    const { first, end } = units.layout
    const unit = (offset - this.#origin) * this.#rate
    if (!(unit >= first && unit < end))
      return new InvalidFreeError(`${offset} lies outside the blocks of the buddy allocator`)
    if (!Number.isInteger(unit)) return new InvalidFreeError(`${offset} is not a multiple of ${this.minBlock}`)
    if (unit >= units.words[HIGH]) return new InvalidFreeError(`nothing was ever allocated at ${offset}`)
    const start = units.startAround(unit)
    if (start < 0 || units.isFree(start)) return new DoubleFreeError(`the block at ${offset} is free already`)
    return new InvalidFreeError(`${offset} lies inside the live block at ${this.#offset(start)}`)
  }
}

function minBlockOf(options: BuddyOptions | undefined): number | undefined {
  optionsObject('options', options)
  const wanted = options?.minBlock
  if (wanted === undefined) return undefined
  return powerOfTwo('options.minBlock', wanted, WINDOW_BYTES, 16)
}
