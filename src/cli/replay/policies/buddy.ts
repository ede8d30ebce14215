/**
 * Buddy: the library's `Buddy`. Every block is a power of two on a multiple of itself, and two halves that are free are joined.
 * @module
 */
import { Buddy } from '../../../allocator/buddy/buddy.ts'
import type { Arena } from '../../../arena/arena.ts'
import { GiB } from '../../../units.ts'
import type { Policy } from '../policy.ts'
import { libraryPolicy } from './library.ts'

export const summary = 'powers of two, split in halves and joined again'
export const arenaBytes: number = 16 * GiB

export function create(arena: Arena): Policy {
  return libraryPolicy(new Buddy(arena, { minBlock: 16 }))
}
