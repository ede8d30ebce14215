/**
 * The control words that a handle leads to.
 * @module
 */
import type { Control } from '../../src/arena/sharing/control.ts'
import { type ArenaHandle, checkSource, findSource } from '../../src/arena/sharing/handle.ts'
import { systemOs } from '../../src/ffi/system.ts'

/** By any kernel of this process: all have the same memory in common. */
export function controlOf(handle: ArenaHandle): Control {
  const found = findSource(systemOs(), checkSource(handle))
  if (!('control' in found)) throw new Error('a handle of another process')
  return found.control
}
