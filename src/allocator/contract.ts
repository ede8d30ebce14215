/**
 * The contract of every allocator, and what its figures mean.
 *
 * Raw calls keep C's names and speak offsets: plain numbers, bytes from the arena's start, 0 never a block. View calls keep
 * Node's names and speak typed arrays. Both name the same blocks: `free` takes either.
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
  readonly most: number
  readonly usedCount: number
  readonly usedBytes: number
  /** Bytes of the class's slabs that are in no live block. */
  readonly freeSlotBytes: number
}

export interface Allocator {
  /** A block of at least `byteLength` bytes, 8-byte aligned, contents undefined. Throws `ERR_OUT_OF_MEMORY` when full. */
  malloc(byteLength: number): number
  /** As `malloc`, but 0 when full: no error is built. */
  tryMalloc(byteLength: number): number
  /** As `malloc`, and the `byteLength` bytes read zero. */
  calloc(byteLength: number): number
  /** As `malloc`, on a multiple of `alignment` (a power of two up to 1 GiB), in offset and in address. */
  memalign(alignment: number, byteLength: number): number
  /** A zeroed view of `length` elements over a new block; of a `DataView` or `Buffer` the elements are bytes. */
  alloc<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number, options?: AllocOptions): T
  alloc(type: DataViewConstructor, length: number, options?: AllocOptions): DataView
  alloc(type: NodeBufferConstructor, length: number, options?: AllocOptions): NodeBuffer
  /** As `alloc`, but the contents are undefined. */
  allocUnsafe<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number, options?: AllocOptions): T
  allocUnsafe(type: DataViewConstructor, length: number, options?: AllocOptions): DataView
  allocUnsafe(type: NodeBufferConstructor, length: number, options?: AllocOptions): NodeBuffer
  /**
   * Pins a live block: its offset, or a view that starts in it. Until the pin is disposed of, calls that would free, move or resize the
   * block throw `ERR_BLOCK_PINNED`: `free`, `freeMany`, `realloc`, `reset`, `release`, `close` and `destroy` of this allocator and of
   * those around it, and `arena.close`. Pins count. Disposing twice does nothing.
   */
  pin(block: number | ArrayBufferView): Disposable
  /** Runs an operation on a view, and pins the block that the view starts in until its promise is settled. */
  use<V extends ArrayBufferView, R>(view: V, run: (view: V) => R | Promise<R>): Promise<R>
  /** Drops every block at once and keeps the claim. */
  reset(): void
  stats(options?: StatsOptions): AllocatorStats
  /** Walks everything and throws `ERR_CORRUPTED` on the first contradiction. */
  check(): void
  /** Gives the claim back. Does nothing the second time. */
  close(): void
  /**
   * Closes the allocator once none of its blocks is pinned. From the call on, new pins throw `ERR_ARENA_CLOSED`. All calls that are waiting
   * get the same outcome; what `close` throws rejects it.
   */
  closeWhenIdle(): Promise<void>
  [Symbol.dispose](): void
  [Symbol.asyncDispose](): Promise<void>
}

export interface FreeingAllocator extends Allocator {
  /** Changes a block's length, in place where it can be; contents are kept up to the smaller length. */
  realloc(offset: number, byteLength: number): number
  /** Gives a block back: by offset, or by a view that starts where the block starts. */
  free(block: number | ArrayBufferView): void
  /**
   * Fills `offsets` with new blocks of `byteLength` bytes and says how many there are: fewer than its length only when full. What is behind
   * them in the array stays.
   */
  mallocMany(byteLength: number, offsets: Float64Array): number
  /**
   * Frees the blocks at the first `count` offsets (default: all). When one of them is no live block, or comes twice, none is freed; the error
   * has its place in the array as `index`.
   */
  freeMany(offsets: Float64Array, count?: number): void
  /** Bytes the block really has. */
  usableSize(block: number | ArrayBufferView): number
  /** Gives free pages back to the kernel now; bytes returned. */
  purge(): number
  /** Every live block with its usable size, in no promised order. */
  blocks(): Iterable<{ offset: number; byteLength: number }>
}
