/**
 * Heap: the library's `Heap`. Slabs of slots up to 1,024 bytes, best fit above, pages swept before the heap would grow beyond its peak.
 * @module
 */
import { Heap } from '../../../allocator/heap/heap.ts'
import type { Arena } from '../../../arena/arena.ts'
import { GiB } from '../../../units.ts'
import type { Policy } from '../policy.ts'
import { libraryPolicy } from './library.ts'

export const summary = "the library's Heap: slabs for small blocks, best fit for the others"
export const arenaBytes: number = 64 * GiB

export function create(arena: Arena): Policy {
  return libraryPolicy(new Heap(arena))
}
