/**
 * The contract of every allocator, and what its figures mean.
 *
 * Raw calls keep C's names and speak offsets: plain numbers, bytes from the arena's start, 0 never a block. View calls keep
 * Node's names and speak typed arrays. Both name the same blocks: `free` takes either.
 *
 * Longer than other files: three quarters of its lines are the documentation of public calls.
 * @module
 */
import type { NodeBuffer, NodeBufferConstructor, TypedArray, TypedArrayConstructor } from '../views.ts'

/** Options of `alloc` and `allocUnsafe`. */
export interface AllocOptions {
  /** The block starts on a multiple of this: a power of two, as for `memalign`. @defaultValue 8 */
  readonly alignment?: number | undefined
}

/** Options that every allocator takes. */
export interface AllocatorOptions {
  /** First byte of the range to claim. @defaultValue 0 */
  readonly offset?: number | undefined
  /** Length of the range to claim, in bytes. @defaultValue up to the arena's end */
  readonly byteLength?: number | undefined
  /** Committed bytes past which the allocator is full. @defaultValue no limit but the claim */
  readonly limit?: number | undefined
  /**
   * Called when a request of so many bytes does not fit, with nothing half-done: it may free, purge, reset or close. True: the request is
   * tried again. A request of its own that does not fit fails without another call. What it throws goes to the caller of the request.
   */
  readonly onFull?: ((byteLength: number) => boolean) | undefined
}

/**
 * Where the bytes are. `committedBytes` are those handed out at any time since the last purge, metadata included:
 *
 *     committedBytes = usedBytes + freeSlotBytes + freeDirtyBytes + metadataBytes
 *     resident bytes <= committedBytes
 */
export interface AllocatorStats {
  /** Length of the claimed range. */
  readonly reservedBytes: number
  /** Sum of the four figures below. */
  readonly committedBytes: number
  /** Usable bytes of live blocks. */
  readonly usedBytes: number
  /** Bytes inside spans that are cut into slots and not in a live block (0 where there are no slots). */
  readonly freeSlotBytes: number
  /** Other free bytes that may be resident: freed, not purged yet. */
  readonly freeDirtyBytes: number
  /** Bytes of metadata that have been written. */
  readonly metadataBytes: number
  /** Largest value `committedBytes` has had. */
  readonly peakCommittedBytes: number
  /** Live blocks. */
  readonly usedCount: number
  /** With the option `resident`: bytes of the claimed range that are in memory now. At most `committedBytes - metadataBytes`. */
  readonly residentBytes?: number
  /** With the option `resident`: bytes of its metadata that are, in whole pages. */
  readonly residentMetadataBytes?: number
  /**
   * With the option `classes`: the live blocks by size, those that there are. `usedCount`, `usedBytes` and `freeSlotBytes` are the sums
   * over them. Empty for a bump allocator, which does not know where its blocks end.
   */
  readonly classes?: readonly SizeClassStats[]
}

/** What `stats` is asked for besides the sums. */
export interface StatsOptions {
  /** Adds `classes`: the live blocks by size. Walks every block or slab. @defaultValue false */
  readonly classes?: boolean | undefined
  /** Adds `residentBytes` and `residentMetadataBytes`: asks the kernel about every page of the claim, 20 ms for 64 GiB. @defaultValue false */
  readonly resident?: boolean | undefined
}

/** The live blocks of one size, or of one range of sizes. */
export interface SizeClassStats {
  /** Where the blocks are: cut from a slab, or a block by itself. */
  readonly kind: 'slot' | 'span'
  /** Usable bytes of the smallest and of the largest block that the class can hold. */
  readonly least: number
  /** Usable bytes of the largest block that the class can hold. */
  readonly most: number
  /** Live blocks. */
  readonly usedCount: number
  /** Usable bytes of live blocks. */
  readonly usedBytes: number
  /** Bytes of the class's slabs that are in no live block. */
  readonly freeSlotBytes: number
}

/** What all allocators have: `Bump`, `Slab`, `Buddy` and `Heap`. They differ in what a call costs and in what comes back when. */
export interface Allocator {
  /**
   * A block of at least `byteLength` bytes, 8-byte aligned, contents undefined. Throws `ERR_OUT_OF_MEMORY` when full.
   *
   * @param byteLength - Bytes that the block must have; 0 gives a block as well.
   * @returns The block's offset in bytes from the arena's start, a multiple of 8, never 0.
   * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` of an argument; `ERR_OUT_OF_MEMORY` when the range or the limit is full,
   *   or the kernel has no memory; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * const offset = heap.malloc(100)
   * heap.usableSize(offset) >= 100 // -> true
   * heap.free(offset)
   * ```
   */
  malloc(byteLength: number): number
  /**
   * As `malloc`, but 0 when full: no error is built.
   *
   * @param byteLength - Bytes that the block must have.
   * @returns The block's offset in bytes, or 0 when there is no room.
   * @throws As `malloc`, except `ERR_OUT_OF_MEMORY` of a full allocator.
   * @example
   * ```js
   * heap.tryMalloc(2 ** 40) // -> 0
   * ```
   */
  tryMalloc(byteLength: number): number
  /**
   * As `malloc`, and the `byteLength` bytes read zero.
   *
   * @param byteLength - Bytes that the block must have.
   * @returns The block's offset in bytes.
   * @throws As `malloc`.
   * @example
   * ```js
   * const offset = heap.calloc(100)
   * arena.bytes(offset, 100).every((byte) => byte === 0) // -> true
   * ```
   */
  calloc(byteLength: number): number
  /**
   * As `malloc`, on a multiple of `alignment` (a power of two up to 1 GiB), in offset and in address.
   *
   * @param alignment - In bytes, a power of two from 1 to 1 GiB.
   * @param byteLength - Bytes that the block must have.
   * @returns The block's offset in bytes, a multiple of `alignment`.
   * @throws As `malloc`; `ERR_OUT_OF_RANGE` for an alignment that is no power of two; of a slab allocator
   *   `ERR_UNSUPPORTED_OPERATION` above the alignment of its slots.
   * @example
   * ```js
   * heap.memalign(4096, 100) % 4096 // -> 0
   * ```
   */
  memalign(alignment: number, byteLength: number): number
  /**
   * A zeroed view of `length` elements over a new block; of a `DataView` or `Buffer` the elements are bytes.
   *
   * @param type - A typed-array constructor, `DataView` or `Buffer`.
   * @param length - Elements; of a `DataView` or `Buffer` bytes.
   * @param options - `alignment` of the block in bytes.
   * @returns The view. Its `buffer` is a whole window of the arena, in which the block lies at `byteOffset`.
   * @throws As `malloc`; `ERR_INVALID_ARG_TYPE` for another type.
   * @example
   * ```js
   * const prices = heap.alloc(Float64Array, 1000, { alignment: 64 })
   * prices.fill(9.5)
   * arena.offsetOf(prices) % 64 // -> 0
   * heap.free(prices)
   * ```
   */
  alloc<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number, options?: AllocOptions): T
  alloc(type: DataViewConstructor, length: number, options?: AllocOptions): DataView
  alloc(type: NodeBufferConstructor, length: number, options?: AllocOptions): NodeBuffer
  /**
   * As `alloc`, but the contents are undefined.
   *
   * @param type - A typed-array constructor, `DataView` or `Buffer`.
   * @param length - Elements; of a `DataView` or `Buffer` bytes.
   * @param options - `alignment` of the block in bytes.
   * @returns The view, whose elements may be anything.
   * @throws As `malloc`; `ERR_INVALID_ARG_TYPE` for another type.
   * @example
   * ```js
   * const copy = heap.allocUnsafe(Buffer, 5)
   * copy.write('grain')
   * copy.toString() // -> 'grain'
   * ```
   */
  allocUnsafe<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number, options?: AllocOptions): T
  allocUnsafe(type: DataViewConstructor, length: number, options?: AllocOptions): DataView
  allocUnsafe(type: NodeBufferConstructor, length: number, options?: AllocOptions): NodeBuffer
  /**
   * Pins a live block: its offset, or a view that starts in it. Until the pin is disposed of, calls that would free, move or resize the
   * block throw `ERR_BLOCK_PINNED`: `free`, `freeMany`, `realloc`, `reset`, `release`, `close` and `destroy` of this allocator and of
   * those around it, and `arena.close`. Pins count. Disposing twice does nothing. Of a view that lies in an allocator in the block, the
   * innermost live block is pinned as well.
   *
   * @param block - The block's offset in bytes, or a view that starts in it.
   * @returns The pin; `using` or `[Symbol.dispose]()` ends it.
   * @throws `ERR_INVALID_FREE`, `ERR_DOUBLE_FREE` when no live block is there; `ERR_ARENA_CLOSED` after `close` or
   *   `closeWhenIdle`.
   * @example
   * ```js
   * const offset = heap.malloc(100)
   * const pin = heap.pin(offset)
   * heap.free(offset) // -> throws ERR_BLOCK_PINNED
   * pin[Symbol.dispose]()
   * heap.free(offset)
   * ```
   */
  pin(block: number | ArrayBufferView): Disposable
  /**
   * Runs an operation on a view, and pins the block that the view starts in until its promise is settled.
   *
   * @param view - A view that starts in a live block.
   * @param run - The operation; is given the view.
   * @returns What `run` gives.
   * @throws As `pin`, as a rejection; what `run` throws.
   * @example
   * ```js
   * const view = heap.alloc(Uint8Array, 1000)
   * const done = heap.use(view, async (bytes) => bytes.length)
   * heap.free(view) // -> throws ERR_BLOCK_PINNED
   * await done // -> 1000
   * heap.free(view)
   * ```
   */
  use<V extends ArrayBufferView, R>(view: V, run: (view: V) => R | Promise<R>): Promise<R>
  /**
   * Drops every block at once and keeps the claim.
   *
   * @throws `ERR_BLOCK_PINNED` when a block is pinned; `ERR_ARENA_BUSY` when another allocator has claimed part of a block;
   *   `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * heap.malloc(100)
   * heap.reset()
   * heap.stats().usedCount // -> 0
   * ```
   */
  reset(): void
  /**
   * Where the allocator's bytes are. Costs no walk unless an option asks for one.
   *
   * @param options - What to add to the sums.
   * @returns Byte counts, taken at this moment.
   * @throws `ERR_INVALID_ARG_TYPE` of an option; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * heap.malloc(1000)
   * const { usedBytes, committedBytes } = heap.stats()
   * usedBytes >= 1000 && committedBytes >= usedBytes // -> true
   * ```
   */
  stats(options?: StatsOptions): AllocatorStats
  /**
   * Walks everything and throws `ERR_CORRUPTED` on the first contradiction.
   *
   * @throws `ERR_CORRUPTED`; `ERR_ARENA_BUSY` of a concurrent heap when other peers are at work in a part of it, and the rest was proved;
   *   `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * heap.check()
   * ```
   */
  check(): void
  /**
   * Gives the claim back. Does nothing the second time.
   *
   * @throws `ERR_BLOCK_PINNED` when a block is pinned; `ERR_ARENA_BUSY` when another allocator has claimed part of a block. It is
   *   open then.
   * @example
   * ```js
   * heap.close()
   * heap.malloc(100) // -> throws ERR_ARENA_CLOSED
   * ```
   */
  close(): void
  /**
   * Closes the allocator once none of its blocks is pinned. From the call on, new pins throw `ERR_ARENA_CLOSED`. All calls that are waiting
   * get the same outcome; what `close` throws rejects it.
   *
   * @returns A promise that is settled when it is closed.
   * @throws What `close` throws, as a rejection.
   * @example
   * ```js
   * await heap.closeWhenIdle()
   * heap.malloc(100) // -> throws ERR_ARENA_CLOSED
   * ```
   */
  closeWhenIdle(): Promise<void>
  /**
   * Calls `close`: for `using`.
   *
   * @throws As `close`.
   * @example
   * ```js
   * heap[Symbol.dispose]()
   * ```
   */
  [Symbol.dispose](): void
  /**
   * Calls `closeWhenIdle`: for `await using`.
   *
   * @returns Its promise.
   * @throws As `closeWhenIdle`.
   * @example
   * ```js
   * await heap[Symbol.asyncDispose]()
   * ```
   */
  [Symbol.asyncDispose](): Promise<void>
}

/** An allocator that frees blocks singly: `Slab`, `Buddy` and `Heap`. `Bump` goes back to a mark. */
export interface FreeingAllocator extends Allocator {
  /**
   * Changes a block's length, in place where it can be; contents are kept up to the smaller length.
   *
   * @param offset - The block's offset in bytes.
   * @param byteLength - Its new length in bytes.
   * @returns The block's offset, which may have changed.
   * @throws `ERR_INVALID_FREE`, `ERR_DOUBLE_FREE` when no live block starts there; `ERR_BLOCK_PINNED`; otherwise as `malloc`. The
   *   block is as it was then.
   * @example
   * ```js
   * const offset = heap.malloc(100)
   * const longer = heap.realloc(offset, 100_000)
   * heap.usableSize(longer) >= 100_000 // -> true
   * ```
   */
  realloc(offset: number, byteLength: number): number
  /**
   * Gives a block back: by offset, or by a view that starts where the block starts.
   *
   * @param block - The block's offset in bytes, or a view that starts where the block starts.
   * @throws `ERR_DOUBLE_FREE` for a block that was freed; `ERR_INVALID_FREE` where no block starts; `ERR_BLOCK_PINNED`;
   *   `ERR_ARENA_BUSY` when another allocator has claimed part of it. Nothing has changed then.
   * @example
   * ```js
   * const offset = heap.malloc(100)
   * heap.free(offset)
   * heap.free(offset) // -> throws ERR_DOUBLE_FREE
   * ```
   */
  free(block: number | ArrayBufferView): void
  /**
   * Fills `offsets` with new blocks of `byteLength` bytes and says how many there are: fewer than its length only when full. What is behind
   * them in the array stays.
   *
   * @param byteLength - Bytes that each block must have.
   * @param offsets - Is filled from its start.
   * @returns How many blocks were made.
   * @throws As `tryMalloc`; `ERR_INVALID_ARG_TYPE` when `offsets` is no Float64Array.
   * @example
   * ```js
   * const offsets = new Float64Array(1000)
   * heap.mallocMany(24, offsets) // -> 1000
   * ```
   */
  mallocMany(byteLength: number, offsets: Float64Array): number
  /**
   * Frees the blocks at the first `count` offsets (default: all). When one of them is no live block, or comes twice, none is
   * freed; the error
   * has its place in the array as `index`.
   *
   * @param offsets - Of the blocks, in bytes.
   * @param count - How many of them, from the start.
   * @throws As `free`, with the place in the array as `index`; no block is freed then.
   * @example
   * ```js
   * const offsets = new Float64Array(1000)
   * const count = heap.mallocMany(24, offsets)
   * heap.freeMany(offsets, count)
   * ```
   */
  freeMany(offsets: Float64Array, count?: number): void
  /**
   * Bytes the block really has.
   *
   * @param block - The block's offset in bytes, or a view that starts where the block starts.
   * @returns Bytes, at least as many as were asked for.
   * @throws `ERR_INVALID_FREE`, `ERR_DOUBLE_FREE` when no live block starts there.
   * @example
   * ```js
   * heap.usableSize(heap.malloc(100)) >= 100 // -> true
   * ```
   */
  usableSize(block: number | ArrayBufferView): number
  /**
   * Gives free pages back to the kernel now; bytes returned.
   *
   * @returns How many bytes were given back.
   * @throws `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * const view = heap.alloc(Uint8Array, 1_000_000).fill(1)
   * heap.free(view)
   * heap.purge() >= 900_000 // -> true
   * ```
   */
  purge(): number
  /**
   * Every live block with its usable size, in no promised order.
   *
   * @returns Offset and usable size of each, in bytes.
   * @throws `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * heap.malloc(100)
   * [...heap.blocks()].length // -> 1
   * ```
   */
  blocks(): Iterable<{ offset: number; byteLength: number }>
}
