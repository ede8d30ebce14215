/**
 * The public names.
 * @module
 */
export type { Allocator, AllocatorOptions, AllocatorStats, FreeingAllocator } from './allocator/allocator.ts'
export { Bump } from './allocator/bump.ts'
export { Heap, type HeapOptions } from './allocator/heap.ts'
export { Arena } from './arena/arena.ts'
export type { ArenaOptions } from './arena/options.ts'
export * from './errors.ts'
export { GiB, KiB, MiB, TiB } from './units.ts'
export type { TypedArray, TypedArrayConstructor } from './views.ts'
