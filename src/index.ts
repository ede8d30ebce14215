/**
 * The public names.
 *
 * In the examples of the reference, `arena` is an arena of 64 MiB, `heap` a heap in its first half, `path` the path of a file of 64 KiB, and
 * `file` that file, mapped in mode `'write'`.
 * @module sorites
 */

export { Buddy, type BuddyOptions } from './allocator/buddy/buddy.ts'
export { Bump } from './allocator/bump/bump.ts'
export type {
  Allocator,
  AllocatorOptions,
  AllocatorStats,
  AllocOptions,
  FreeingAllocator,
  SizeClassStats,
  StatsOptions,
} from './allocator/contract.ts'
export type { Schedule } from './allocator/heap/decay.ts'
export { Heap } from './allocator/heap/heap.ts'
export type { HeapAttachOptions, HeapOpenOptions, HeapOptions, HeapRole } from './allocator/heap/options.ts'
export { Slab, type SlabOptions } from './allocator/slab/slab.ts'
export { Arena } from './arena/arena.ts'
export type { FileMode, FileOptions, FileTarget } from './arena/file/file-options.ts'
export type { SyncOptions } from './arena/file/file-pages.ts'
export { mapFile } from './arena/file/map-file.ts'
export { MappedFile } from './arena/file/mapped-file.ts'
export type { FileView, ReadOnlyBuffer, ReadOnlyDataView, ReadOnlyView } from './arena/file/read-only-view.ts'
export type { ArenaOptions, AttachOptions, OpenOptions } from './arena/options.ts'
export type { ArenaHandle, ArenaSource } from './arena/sources/handle.ts'
export type { StaleOwner } from './arena/sources/locator.ts'
export type { ViewNameOf, ViewRef, ViewTypeName, ViewTypes } from './arena/views/view-ref.ts'
export type { WaitAsyncOptions, WaitOptions, WaitResult } from './arena/waiting/wait.ts'
export type { AbortSignalLike, UrlLike } from './arguments.ts'
export {
  ArenaBusyError,
  ArenaClosedError,
  BlockPinnedError,
  CorruptedError,
  DoubleFreeError,
  type ErrorCode,
  InvalidArgumentTypeError,
  InvalidFreeError,
  NotFoundError,
  OtherInstanceError,
  OutOfMemoryError,
  OutOfRangeError,
  SystemError,
  TruncatedError,
  UnsupportedOperationError,
} from './errors.ts'
export type { Advice } from './ffi/os-pages.ts'
export { GiB, KiB, MiB, TiB } from './units.ts'
export type {
  NodeBuffer,
  NodeBufferConstructor,
  TypedArray,
  TypedArrayConstructor,
  View,
  ViewConstructor,
} from './views.ts'
