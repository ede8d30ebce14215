/**
 * The thread table that a handle leads to.
 * @module
 */

import { type ArenaHandle, checkSource, findSource } from '../../src/arena/sources/handle.ts'
import type { ThreadTable } from '../../src/arena/threads/thread-table.ts'
import { systemOs } from '../../src/ffi/system.ts'

/** By any kernel of this process: all have the same memory in common. */
export function tableOf(handle: ArenaHandle): ThreadTable {
  const found = findSource(systemOs(), checkSource(handle))
  if (!('table' in found)) throw new Error('a handle of another process')
  return found.table
}
