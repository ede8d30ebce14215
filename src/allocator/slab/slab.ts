/**
 * Slab: slots of one size. The allocator for many objects of a kind: nodes, records, messages.
 *
 *     slots    | live | free | live | live | free |  fresh, never handed out …
 *     free bit |  0   |  1   |  0   |  0   |  1   |  0   0   0
 *                                                 next
 *
 * `malloc` takes the lowest freed slot, so live slots stay together and pages fall empty; when there is none, the next fresh one. A
 * tree of bits finds the lowest (bit-tree.ts), and a counter knows the fresh ones, so slots that were never used cost nothing, not
 * even a bit written. The bit is also the check: a slot below `next` is free if and only if its bit is set. Nothing is kept in the
 * slots. Cost: 1 bit a slot; 10 to 13 ns for a malloc and free.
 * The idea is Bonwick's slab (1994), with hardened_malloc's bitmap outside the slots.
 *
 * Longer than other files: a public class is one thing, with all its calls and what is to be known of each.
 * @module
 */

import type { Arena } from '../../arena/arena.ts'
import { float64sIn, int32sIn } from '../../arena/buffer-range.ts'
import { wholeNumber } from '../../arguments.ts'
import { alignUp, lowestBit } from '../../bits.ts'
import { CorruptedError, UnsupportedOperationError } from '../../errors.ts'
import { showAs } from '../../inspection.ts'
import { BitTree, treeWords } from '../base/bits/bit-tree.ts'
import { PageAccounts, pageBytes } from '../base/bits/page-accounts.ts'
import type { BlockMemory } from '../base/block-memory.ts'
import type { PageNews } from '../base/channels.ts'
import { checkMany, Freeing, type FreeingHooks, withIndex } from '../base/freeing.ts'
import { COMMITTED_END, HEADER_BYTES, layOut, PURGED_BYTES, TOUCHED, USED_COUNT } from '../base/header.ts'
import type { Lifecycle } from '../base/lifecycle.ts'
import type { Requests } from '../base/requests.ts'
import type { Resizing } from '../base/resizing.ts'
import type { Views } from '../base/views.ts'
import type { AllocatorOptions, AllocatorStats, FreeingAllocator, SizeClassStats } from '../contract.ts'
import { AllocatorFacade, claimRange, factsOf, type Parts, partsOf } from '../facade.ts'
import { checkAllocatorOptions } from '../options.ts'
import { checkSlab } from './check.ts'
import { NEXT as NEXT_NUMBER, SlotBits } from './slot-bits.ts'
import { SlotGrid, slotSizeOf } from './slot-grid.ts'

/** Of this module, for speed: an imported binding is read and checked anew in each free. */
const NEXT = NEXT_NUMBER

export interface SlabOptions extends AllocatorOptions {
  /** Bytes of a slot, at least 8; rounded up to a multiple of 8. */
  readonly slotSize: number
}

/**
 *     slots below next = usedCount + free bits set;   no free bit at or above next
 *     usedBytes = usedCount * slotSize;   every page of a live slot is committed
 *     committedBytes = usedBytes + freeSlotBytes + metadataBytes
 */
export class Slab extends AllocatorFacade implements FreeingAllocator {
  /** Bytes of every slot. */
  readonly slotSize: number
  readonly #parts: Parts<FreeingHooks> = partsOf(this)
  readonly #life: Lifecycle = this.#parts.life
  readonly #memory: BlockMemory = this.#parts.memory
  readonly #requests: Requests = this.#parts.requests
  readonly #news: PageNews = this.#requests.news
  readonly #views: Views = this.#parts.views
  readonly #freeing: Freeing = new Freeing(this.#parts)
  readonly #resizing: Resizing = this.#freeing.resizing
  readonly #grid: SlotGrid
  /** 1 / slotSize. Rounded to the nearest, a multiple of the size times this is exact: quotients are below 2^27. */
  readonly #rate: number
  readonly #tree: BitTree
  readonly #bits: SlotBits
  readonly #pages: PageAccounts
  #numbers: Float64Array
  #free: Int32Array
  // Caches: the word to take slots from, and the slot that its first bit stands for;
  #word = 0
  #wordStart: number
  // the group last freed into: its first slot, the bytes of its slots, and its first word;
  #groupStart = 0
  #groupSpan = 0
  #groupWord = 0
  // the end up to which fresh slots lie on pages handed out; and whether the slot just taken reads zero.
  #ready = 0
  #clean = false
  // and how many slots were live when no free one had its pages: a slot that is freed is one that has.
  #refusedAt = -1

  static #hooksOf(self: Slab): FreeingHooks {
    return {
      malloc: (byteLength) => self.malloc(byteLength),
      tryCalloc: (byteLength) => self.#tryCalloc(byteLength),
      tryMemalign: (alignment, byteLength, zero) => self.#tryMemalign(alignment, byteLength, zero),
      undo: (offset) => self.#freeAt(offset),
      forget: () => self.#forget(),
      blockAround: (offset, byteLength) => self.#bits.around(offset, byteLength),
      totals: () => self.#totals(),
      sizeClasses: () => self.#sizeClasses(),
      freeAll: () => self.#freeAll(),
      glance: () => self.#totals(),
      sizeAt: (offset) => self.#sizeAt(offset),
      freeAt: (offset) => self.#freeAt(offset),
      resizeAt: (_offset, _usable, byteLength) => self.#resizeAt(byteLength),
    }
  }

  static {
    showAs(Slab.prototype, 'Slab', factsOf)
  }

  /**
   * Claims a range of an arena for blocks of one size.
   *
   * @param arena - The arena.
   * @param options - `slotSize` in bytes, the range and the limit.
   * @throws `ERR_ARENA_BUSY` when the range is claimed; `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` of an option.
   * @example
   * ```js
   * const slab = new Slab(Arena.reserve(64 * MiB), { slotSize: 48 })
   * slab.usableSize(slab.malloc(40)) // -> 48
   * ```
   */
  constructor(arena: Arena, options: SlabOptions) {
    const slotSize = slotSizeOf(options)
    const checked = checkAllocatorOptions(options)
    const start = checked.offset ?? 0
    const layoutOf = (length: number) =>
      layOut({
        pages: pageBytes(length, arena.pageSize),
        free: treeWords(new SlotGrid(start, length, slotSize).wordCount) * 4,
      })
    super(claimRange(arena, 'Slab', checked, layoutOf), Slab.#hooksOf)
    const { claim, limit, layout } = this.#life
    const grid = new SlotGrid(claim.offset, claim.byteLength, slotSize)
    this.slotSize = slotSize
    this.#rate = 1 / slotSize
    this.#grid = grid
    this.#numbers = float64sIn(claim.metadata, 0, HEADER_BYTES / 8)
    this.#free = int32sIn(claim.metadata, layout.at.free)
    this.#tree = new BitTree(this.#free, 0, grid.wordCount)
    this.#bits = new SlotBits(grid, this.#free, this.#numbers)
    const rate = 33 / 32 / (8 * slotSize) + 1 / (8 * arena.pageSize)
    this.#pages = new PageAccounts({
      claim,
      pageSize: arena.pageSize,
      limit,
      first: grid.first,
      at: layout.at.pages,
      fixed: HEADER_BYTES + 64,
      rate,
      news: this.#news,
    })
    this.#numbers[NEXT] = grid.first
    this.#wordStart = grid.first
  }

  tryMalloc(byteLength: number): number {
    const offset = this.#tryMalloc(byteLength)
    return offset === 0 || this.#news.pending ? this.#requests.trySettle(offset, byteLength) : offset
  }

  #tryMalloc(byteLength: number): number {
    if (typeof byteLength !== 'number' || byteLength >>> 0 !== byteLength || byteLength > this.slotSize)
      this.#requireFits(byteLength)
    if (this.#life.guard !== 0) this.#life.assertOpen()
    const word = this.#free[this.#word]
    if (word === 0 || this.#numbers[PURGED_BYTES] !== 0) return this.#tryTakeSlow()
    this.#free[this.#word] = word & (word - 1)
    this.#numbers[USED_COUNT]++
    return this.#wordStart + lowestBit(word) * this.slotSize
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

  purge(): number {
    this.#life.assertOpen()
    let given = 0
    this.#ready = 0
    this.#refusedAt = -1
    for (const { start, end } of this.#grid.freeRanges(this.#free, this.#numbers[NEXT], this.#numbers[COMMITTED_END]))
      given += this.#pages.purge(start, end)
    this.#requests.tellPages()
    return given
  }

  #freeAll(): void {
    const numbers = this.#numbers
    numbers[TOUCHED] = Math.max(numbers[TOUCHED], Math.min(numbers[NEXT], this.#grid.end))
    this.#tree.clear(this.#bits.wordEnd)
    numbers[NEXT] = this.#grid.first
    numbers[USED_COUNT] = 0
    this.#word = 0
    this.#wordStart = this.#grid.first
    this.#ready = 0
    this.#refusedAt = -1
  }

  #totals(): AllocatorStats {
    return this.#pages.totals(this.#numbers[USED_COUNT] * this.slotSize, 'slots')
  }

  #sizeClasses(): SizeClassStats[] {
    const { usedCount, usedBytes, freeSlotBytes } = this.#totals()
    const { slotSize } = this
    return [{ kind: 'slot', least: slotSize, most: slotSize, usedCount, usedBytes, freeSlotBytes }]
  }

  check(): void {
    this.#life.assertOpen()
    this.#life.checkHeader()
    this.#pages.check()
    checkSlab({
      grid: this.#grid,
      tree: this.#tree,
      free: this.#free,
      next: this.#numbers[NEXT],
      usedCount: this.#numbers[USED_COUNT],
      wordEnd: this.#bits.wordEnd,
    })
    for (const { offset } of this.blocks())
      if (!this.#pages.covers(offset, this.slotSize))
        throw new CorruptedError(`the live slot at ${offset} has a purged page`)
    this.#life.checkTotals()
  }

  *blocks(): Generator<{ offset: number; byteLength: number }> {
    this.#life.assertOpen()
    for (const offset of this.#bits.live()) {
      yield { offset, byteLength: this.slotSize }
      this.#life.assertOpen()
    }
  }

  #tryCalloc(byteLength: number): number {
    this.#clean = false
    const offset = this.#tryMalloc(byteLength)
    if (offset !== 0 && !this.#clean) this.#memory.zeroNew(offset, alignUp(byteLength, 8))
    return offset
  }

  #tryMemalign(alignment: number, byteLength: number, zero: boolean): number {
    if (alignment > this.#grid.alignment)
      throw new UnsupportedOperationError(
        `slots of ${this.slotSize} bytes from ${this.#grid.first} on lie on multiples of ${this.#grid.alignment}, not of ${alignment}`
      )
    return zero ? this.#tryCalloc(byteLength) : this.#tryMalloc(byteLength)
  }

  #freeAt(offset: number): void {
    let distance = offset - this.#groupStart
    if (!(distance >= 0 && distance < this.#groupSpan)) distance = this.#enterGroup(offset)
    const slot = (distance * this.#rate + 0.5) | 0
    const index = this.#groupWord + (slot >>> 5)
    const word = this.#free[index]
    const bit = 1 << slot
    const numbers = this.#numbers
    if (slot * this.slotSize !== distance || (word & bit) !== 0 || offset >= numbers[NEXT])
      throw this.#bits.notLive(offset)
    this.#free[index] = word | bit
    numbers[USED_COUNT]--
    if (word !== 0) return
    this.#tree.raise(index)
    if (index < this.#word) {
      this.#word = index
      this.#wordStart = offset - (slot & 31) * this.slotSize
    }
  }

  /** Frees one by one; at the first that is not live those before it are made live again, which one bit each does. */
  freeMany(offsets: Float64Array, count?: number): void {
    const checked = checkMany(offsets, count)
    if (this.#life.guard !== 0) this.#freeing.assertManyFree(checked)
    let freed = 0
    try {
      for (; freed < checked.length; freed++) this.#freeAt(checked[freed] as number)
    } catch (error) {
      const failed = freed
      while (freed > 0) this.#take(checked[--freed] as number)
      throw withIndex(error, failed)
    }
  }

  /** Makes a freed slot live. */
  #take(offset: number): void {
    this.#bits.take(offset)
    this.#numbers[USED_COUNT]++
  }

  #sizeAt(offset: number): number {
    const reason = this.#bits.whyNot(offset)
    if (reason !== undefined) throw reason
    return this.slotSize
  }

  #resizeAt(byteLength: number): boolean {
    this.#requireFits(byteLength)
    return true
  }

  #forget(): void {
    this.#numbers = new Float64Array(0)
    this.#free = new Int32Array(0)
    this.#bits.forget()
  }

  #requireFits(byteLength: number): void {
    wholeNumber('byteLength', byteLength, 0, this.slotSize)
  }

  /** A slot when the usual word has none, or pages have been purged. */
  #tryTakeSlow(): number {
    const index = this.#tree.lowest()
    if (index < 0) return this.#tryTakeFresh()
    const start = index === this.#word ? this.#wordStart : this.#grid.wordStart(index)
    const word = this.#free[index]
    const offset = start + lowestBit(word) * this.slotSize
    if (!(offset + this.slotSize <= this.#grid.end)) throw this.#life.outside(offset)
    this.#word = index
    this.#wordStart = start
    const clean = this.#pages.readsZero(offset, this.slotSize, this.#grid.end)
    if (!this.#pages.covers(offset, this.slotSize) && !this.#pages.commit(offset, this.slotSize))
      return this.#tryTakeCommitted()
    this.#clean = clean
    this.#free[index] = word & (word - 1)
    this.#numbers[USED_COUNT]++
    return offset
  }

  /** At the limit: the first free slot that needs no page, found by looking at every one, but not again before a slot was freed. */
  #tryTakeCommitted(): number {
    if (this.#refusedAt === this.#numbers[USED_COUNT]) return 0
    const offset = this.#bits.findFreed((freed) => this.#pages.covers(freed, this.slotSize))
    if (offset !== 0) {
      this.#clean = false
      this.#take(offset)
      return offset
    }
    if (this.#pages.covers(this.#numbers[NEXT], this.slotSize)) return this.#tryTakeFresh()
    this.#refusedAt = this.#numbers[USED_COUNT]
    return 0
  }

  #tryTakeFresh(): number {
    const numbers = this.#numbers
    const offset = numbers[NEXT]
    const end = offset + this.slotSize
    if (!(offset >= this.#grid.first)) throw this.#life.outside(offset)
    if (end > this.#ready) {
      if (end > this.#grid.end) return 0
      this.#clean = this.#pages.readsZero(offset, this.slotSize, numbers[TOUCHED])
      if (!this.#pages.covers(offset, this.slotSize) && !this.#pages.commit(offset, this.slotSize)) return 0
      if (numbers[PURGED_BYTES] === 0) this.#ready = Math.min(numbers[COMMITTED_END], this.#grid.end)
    } else this.#clean = offset >= numbers[TOUCHED]
    numbers[NEXT] = this.#grid.after(offset)
    numbers[USED_COUNT]++
    return offset
  }

  /** Points the caches at the group of an offset; its distance from the group's first slot. */
  #enterGroup(offset: number): number {
    const grid = this.#grid
    if (!(offset >= grid.first && offset < grid.end)) throw this.#bits.notLive(offset)
    const group = grid.groupOf(offset)
    this.#groupStart = grid.groupStart(group)
    this.#groupSpan = grid.slotsIn(group) * this.slotSize
    this.#groupWord = group * grid.wordsInGroup
    const distance = offset - this.#groupStart
    if (distance >= this.#groupSpan) throw this.#bits.notLive(offset)
    return distance
  }
}
