/**
 * Bump: blocks side by side, from the claim's start up; freed all together, or back to a mark. The fastest allocator there is, for
 * work that ends: a request, a frame, a parse.
 *
 *     claim   | block | block | pad | block     |  dirty, free  |  never used   |
 *     bounds  | 1       1       1               |               |
 *             first                             top             touched
 *
 * One bit for each granule (8 bytes, more in claims above 64 GiB) says where a block begins, its padding included (bounds.ts): so a mark
 * that no longer lies between two blocks is refused, live blocks are counted, and an inner claim finds the block that it lies in. Bytes from
 * `touched` on were never handed out: `calloc` does not fill them. A block has no recorded size; only the last can be resized.
 * Padding that spans whole pages is not committed. Cost: 1/64 of the bytes used in metadata; 7 ns a block.
 * The idea is bumpalo's, and every compiler's before it.
 *
 * Longer than other files: a public class is one thing, with all its calls and what is to be known of each.
 * @module
 */

import type { Arena } from '../../arena/arena.ts'
import { float64sIn, int32sIn } from '../../arena/buffer-range.ts'
import { WINDOW_BYTES } from '../../arena/format/layout.ts'
import { wholeNumber } from '../../arguments.ts'
import { alignDown, alignUp, log2Ceil, Word } from '../../bits.ts'
import { CorruptedError, InvalidFreeError, OutOfRangeError, UnsupportedOperationError } from '../../errors.ts'
import { showAs } from '../../inspection.ts'
import { wordsFor } from '../base/bits/bitmap.ts'
import { PageAccounts, pageBytes } from '../base/bits/page-accounts.ts'
import type { BlockMemory } from '../base/block-memory.ts'
import { placeInWindow } from '../base/block-memory.ts'
import type { PageNews } from '../base/channels.ts'
import { COMMITTED_END, HEADER_BYTES, type Layout, layOut, OWN_NUMBER, TOUCHED, USED_COUNT } from '../base/header.ts'
import type { Hooks } from '../base/hooks.ts'
import type { Lifecycle } from '../base/lifecycle.ts'
import type { Requests } from '../base/requests.ts'
import { Resizing } from '../base/resizing.ts'
import type { AllocatorOptions, AllocatorStats } from '../contract.ts'
import { AllocatorFacade, claimRange, factsOf, type Parts, partsOf } from '../facade.ts'
import { checkAllocatorOptions } from '../options.ts'
import { Bounds } from './bounds.ts'

// End of the last block; its start, or 0 when it has to be looked up; and the top before it, where its padding starts.
const TOP = OWN_NUMBER
const LAST = OWN_NUMBER + 1
const BOUND = OWN_NUMBER + 2

/** Bits of a claim's bounds at most, which keeps indices small integers. */
const MOST_BITS = 2 ** 33
/** Its tables for a claim of so many bytes. */
function bumpTables(byteLength: number, pageSize: number): Layout<'pages' | 'bounds' | 'pads'> {
  const bits = wordsFor(byteLength / granuleOf(byteLength) + 1) * 4
  return layOut({ pages: pageBytes(byteLength, pageSize), bounds: bits, pads: bits })
}

/** Bytes of a granule in a claim of so many bytes. */
function granuleOf(byteLength: number): number {
  return 2 ** Math.max(3, log2Ceil(byteLength / MOST_BITS))
}

/**
 * With the equations of Bounds, whose blocks are usedCount:
 *
 *     first <= top <= committed end;   usedBytes = top - first - purged bytes below the top
 *     committedBytes = usedBytes + freeDirtyBytes + metadataBytes
 */
export class Bump extends AllocatorFacade {
  readonly #parts: Parts = partsOf(this)
  readonly #life: Lifecycle = this.#parts.life
  readonly #memory: BlockMemory = this.#parts.memory
  readonly #requests: Requests = this.#parts.requests
  readonly #news: PageNews = this.#requests.news
  readonly #resizing: Resizing = new Resizing(
    {
      resizableAt: (offset) => this.#resizableAt(offset),
      resizeAt: (offset, usable, byteLength) => this.#resizeAt(offset, usable, byteLength),
      malloc: (byteLength) => this.malloc(byteLength),
    },
    this.#requests,
    this.#memory
  )
  readonly #granule: number
  /** First offset that can be a block, and the end of the claim. */
  readonly #first: number
  readonly #end: number
  /** Blocks per byte, and words of bounds per byte: factors, because a division takes longer than all the rest. */
  readonly #bitRate: number
  readonly #wordRate: number
  #numbers: Float64Array
  readonly #blocks: Bounds
  /** The bits of `#blocks`, here as well to save a step. */
  #bounds: Int32Array
  #pages: PageAccounts
  /** A block that ends here or before needs no page and no other window. 0 when that has to be found out: a cache. */
  #ready = 0

  static #hooksOf(self: Bump): Hooks {
    return {
      tryCalloc: (byteLength) => self.#tryCalloc(byteLength),
      tryMemalign: (alignment, byteLength, zero) => self.#tryMemalign(alignment, byteLength, zero),
      undo: () => self.#undo(),
      forget: () => self.#forget(),
      blockAround: (offset, byteLength) => self.#blockAround(offset, byteLength),
      totals: () => self.#totals(),
      sizeClasses: () => [],
      freeAll: () => self.#freeAll(),
      glance: () => self.#totals(),
    }
  }

  static {
    showAs(Bump.prototype, 'Bump', factsOf)
  }

  /**
   * Claims a range of an arena for blocks that are dropped together.
   *
   * @param arena - The arena.
   * @param options - The range and the limit.
   * @throws `ERR_ARENA_BUSY` when the range is claimed; `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` of an option.
   * @example
   * ```js
   * const bump = new Bump(arena, { offset: 32 * MiB, byteLength: MiB })
   * bump.malloc(100) // -> 33554432
   * ```
   */
  constructor(arena: Arena, options?: AllocatorOptions) {
    const layoutOf = (length: number) => bumpTables(length, arena.pageSize)
    super(claimRange(arena, 'Bump', checkAllocatorOptions(options), layoutOf), Bump.#hooksOf)
    const { claim, limit, layout } = this.#life
    const { offset, byteLength, metadata } = claim
    this.#granule = granuleOf(byteLength)
    this.#first = alignUp(Math.max(offset, 8), this.#granule)
    this.#end = offset + byteLength
    this.#bitRate = 1 / this.#granule
    this.#wordRate = 1 / (this.#granule * 32)
    this.#numbers = float64sIn(metadata, 0, HEADER_BYTES / 8)
    this.#bounds = int32sIn(metadata, layout.at.bounds, (layout.at.pads - layout.at.bounds) / 4)
    this.#blocks = new Bounds(this.#bounds, int32sIn(metadata, layout.at.pads), this.#first, this.#granule)
    const rate = 2 / (8 * this.#granule) + 1 / (8 * arena.pageSize)
    this.#pages = new PageAccounts({
      claim,
      pageSize: arena.pageSize,
      limit,
      first: this.#first,
      at: layout.at.pages,
      fixed: HEADER_BYTES,
      rate,
      news: this.#news,
    })
    this.#numbers[TOP] = this.#first
  }

  tryMalloc(byteLength: number): number {
    const offset = this.#tryMalloc(byteLength)
    return offset === 0 || this.#news.pending ? this.#requests.trySettle(offset, byteLength) : offset
  }

  #tryMalloc(byteLength: number): number {
    if (typeof byteLength !== 'number' || (byteLength & Word.SMALL) !== byteLength)
      return this.#tryPlaceSlow(8, this.#round(byteLength))
    const granule = this.#granule
    const size = (byteLength + granule - 1) & -granule || granule
    const numbers = this.#numbers
    const start = numbers[TOP]
    const end = start + size
    // Written so that it holds for the NaN that a closed allocator computes.
    if (!(end <= this.#ready)) return this.#tryPlaceSlow(8, size)
    this.#bounds[((start - this.#first) * this.#wordRate) | 0] |= 1 << ((start - this.#first) * this.#bitRate)
    numbers[TOP] = end
    numbers[LAST] = start
    numbers[BOUND] = start
    numbers[USED_COUNT]++
    return start
  }

  /**
   * Where the next block would go: `release` frees everything that is allocated from now on.
   *
   * @returns The mark: a number that `release` takes.
   * @throws `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * const bump = new Bump(Arena.reserve(MiB))
   * const mark = bump.mark()
   * bump.malloc(100)
   * bump.release(mark)
   * bump.stats().usedCount // -> 0
   * ```
   */
  mark(): number {
    this.#life.assertOpen()
    return this.#numbers[TOP]
  }

  /**
   * Frees every block allocated since `mark()` gave this mark. Throws ERR_OUT_OF_RANGE for a mark above the top or inside a block,
   * which a mark becomes when the memory was released past it and allocated anew.
   *
   * @param mark - What `mark` gave.
   * @throws `ERR_OUT_OF_RANGE` when it is no mark, or one that was released; `ERR_BLOCK_PINNED` when a block above it is pinned.
   * @example
   * ```js
   * const bump = new Bump(Arena.reserve(MiB))
   * const mark = bump.mark()
   * bump.alloc(Float64Array, 100)
   * bump.release(mark)
   * ```
   */
  release(mark: number): void {
    this.#life.assertOpen()
    const top = this.#top()
    wholeNumber('mark', mark, this.#first, top)
    if (mark !== top && !this.#blocks.isMark(mark))
      throw new OutOfRangeError('mark', 'a mark between two blocks (this one is stale, or no mark)', mark)
    this.#life.assertUnpinned('cannot release these blocks', mark)
    this.#life.assertNoInner(mark, top - mark)
    this.#lower(mark)
  }

  /**
   * Resizes the last block, in place where its window and the claim have the room, else by moving it. Throws
   * ERR_UNSUPPORTED_OPERATION for any other block: a bump allocator does not know where it ends.
   *
   * @param offset - The last block's offset in bytes.
   * @param byteLength - Its new length in bytes.
   * @returns The block's offset, which stays the same.
   * @throws `ERR_UNSUPPORTED_OPERATION` of a block that is not the last; `ERR_INVALID_FREE` where no block starts; otherwise as
   *   `malloc`.
   * @example
   * ```js
   * const bump = new Bump(Arena.reserve(MiB))
   * const offset = bump.malloc(100)
   * bump.realloc(offset, 200) === offset // -> true
   * ```
   */
  realloc(offset: number, byteLength: number): number {
    return this.#resizing.realloc(offset, byteLength)
  }

  #resizableAt(offset: number): number {
    const life = this.#life
    if (life.guard !== 0) life.assertOpen()
    this.#requireLast(offset)
    const usable = this.#top() - offset
    if (life.guard !== 0) {
      life.assertBlockUnpinned(offset)
      life.assertNoInner(offset, usable)
    }
    return usable
  }

  #resizeAt(offset: number, usable: number, byteLength: number): boolean {
    const size = this.#round(byteLength)
    if (size <= usable) {
      this.#retreat(offset + size)
      return true
    }
    if (offset + size > this.#end || placeInWindow(offset, size) !== offset) return false
    if (!this.#pages.commit(offset, size)) throw this.#requests.outOfMemory(byteLength)
    this.#numbers[TOP] = offset + size
    this.#ready = 0
    return true
  }

  /**
   * Gives the free pages above the last block back to the kernel; bytes given back.
   *
   * @returns How many bytes were given back.
   * @throws `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * const bump = new Bump(Arena.reserve(MiB))
   * bump.alloc(Uint8Array, 500_000).fill(1)
   * bump.reset()
   * bump.purge() >= 400_000 // -> true
   * ```
   */
  purge(): number {
    this.#life.assertOpen()
    const numbers = this.#numbers
    const { pageSize } = this.#life.arena
    this.#ready = 0
    const given = this.#pages.purge(this.#top(), numbers[COMMITTED_END])
    const rest = alignUp(numbers[TOP], pageSize)
    if (this.#life.claim.zeroed && numbers[COMMITTED_END] % pageSize === 0 && rest < numbers[TOUCHED])
      numbers[TOUCHED] = rest
    this.#requests.tellPages()
    return given
  }

  #freeAll(): void {
    this.#lower(this.#first)
  }

  #totals(): AllocatorStats {
    return this.#pages.totals(this.#usedBytes(), 'dirty')
  }

  check(): void {
    this.#life.assertOpen()
    this.#life.checkHeader()
    this.#pages.check()
    const numbers = this.#numbers
    const top = numbers[TOP]
    if (!(top >= this.#first && top <= Math.max(numbers[COMMITTED_END], this.#first)) || top % 8 !== 0)
      throw new CorruptedError(`the top ${top} lies outside the committed bytes`)
    this.#blocks.check(top, numbers[USED_COUNT])
    const last = this.#blocks.last(top)
    if (numbers[LAST] !== 0 && numbers[LAST] !== last)
      throw new CorruptedError(`the last block begins at ${last}, the header says ${numbers[LAST]}`)
    const used = this.#usedBytes()
    if (this.#pages.dataBytes < used) throw new CorruptedError(`${used} bytes used, ${this.#pages.dataBytes} committed`)
    this.#life.checkTotals()
  }

  #blockAround(offset: number, byteLength: number): { offset: number; byteLength: number } | undefined {
    return this.#blocks.around(offset, byteLength, this.#top())
  }

  #tryCalloc(byteLength: number): number {
    return this.#zeroed(this.#tryMalloc(byteLength))
  }

  /** A new block, the last, made to read zero. */
  #zeroed(start: number): number {
    const numbers = this.#numbers
    if (start !== 0 && start < numbers[TOUCHED])
      this.#memory.zeroNew(start, Math.min(numbers[TOP], numbers[TOUCHED]) - start)
    return start
  }

  #tryMemalign(alignment: number, byteLength: number, zero: boolean): number {
    const start = this.#tryPlaceSlow(alignment, this.#round(byteLength))
    return zero ? this.#zeroed(start) : start
  }

  #undo(): void {
    this.#lower(this.#numbers[BOUND])
  }

  #forget(): void {
    this.#ready = 0
    this.#numbers = new Float64Array(0)
    this.#bounds = new Int32Array(0)
    this.#blocks.forget()
  }

  #round(byteLength: number): number {
    return Math.max(alignUp(wholeNumber('byteLength', byteLength), this.#granule), this.#granule)
  }

  /** A block wherever there is room for it: in another window, on pages not handed out yet. */
  #tryPlaceSlow(alignment: number, size: number): number {
    this.#life.assertOpen()
    const numbers = this.#numbers
    const bound = this.#top()
    const start = placeInWindow(alignUp(bound, Math.max(alignment, this.#granule)), size)
    const end = start + size
    if (end > this.#end || !this.#pages.commit(start, size)) return 0
    this.#blocks.add(bound, start)
    numbers[TOP] = end
    numbers[LAST] = start
    numbers[BOUND] = bound
    numbers[USED_COUNT]++
    const committed = numbers[COMMITTED_END]
    const covered = this.#pages.covers(end, committed - end) ? committed : alignUp(end, this.#life.arena.pageSize)
    this.#ready = Math.min(covered, this.#end, alignUp(end, WINDOW_BYTES))
    return start
  }

  /** Takes the top down to a bound. */
  #lower(mark: number): void {
    const numbers = this.#numbers
    numbers[USED_COUNT] -= this.#blocks.remove(mark, this.#top())
    this.#retreat(mark)
    numbers[LAST] = 0
  }

  #retreat(top: number): void {
    const numbers = this.#numbers
    if (numbers[TOP] > numbers[TOUCHED]) numbers[TOUCHED] = numbers[TOP]
    if (top < numbers[TOP]) this.#ready = 0
    numbers[TOP] = top
  }

  #requireLast(offset: number): void {
    const numbers = this.#numbers
    const top = this.#top()
    const last = numbers[LAST] || this.#blocks.last(top)
    if (!(offset >= this.#first && offset < top) || (offset !== last && !this.#blocks.isBlock(offset)))
      throw new InvalidFreeError(`${offset} is not the start of a live block of Bump`)
    if (offset !== last)
      throw new UnsupportedOperationError(`Bump can resize its last block only, and ${offset} is an earlier one`)
    numbers[LAST] = last
  }

  /** Where the top bounds a walk, or a block: others may be able to write there. */
  #top(): number {
    const top = this.#numbers[TOP]
    if (top >= this.#first && top <= this.#end) return top
    throw new CorruptedError(`the top ${top} lies outside the claim`)
  }

  #usedBytes(): number {
    const top = this.#top()
    const first = this.#first
    if (top === first) return 0
    // The first page may have been left out as well, with the bytes before the first block.
    const skipped =
      this.#pages.purgedBytes(first, first + 1) === 0 ? first : alignDown(first, this.#life.arena.pageSize)
    return top - skipped - this.#pages.purgedBytes(first, top)
  }
}
