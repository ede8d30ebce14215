/**
 * Bump: blocks one after the other, and none is ever given out again. Nothing is faster, and no memory comes back; it shows how much a
 * program asks for altogether. A header of eight bytes holds a block's length.
 * @module
 */
import type { Arena } from '../../../arena/arena.ts'
import type { Policy } from '../policy.ts'

export const summary = 'one after the other, never given out again'

const HEADER_BYTES = 8

export function create(arena: Arena): Policy {
  const words = new Uint32Array(arena.window(0).buffer)
  const end = words.length * 4
  const { pageSize } = arena
  let top = 0
  const heldBytes = (): number => Math.ceil(top / pageSize) * pageSize
  return {
    malloc(byteLength) {
      const start = top
      const usable = Math.ceil(Math.max(1, byteLength) / HEADER_BYTES) * HEADER_BYTES
      if (start + HEADER_BYTES + usable > end) return 0
      words[start / 4] = usable
      top = start + HEADER_BYTES + usable
      return start + HEADER_BYTES
    },
    free() {},
    usableSize: (offset) => words[offset / 4 - 2]!,
    heldBytes,
    peakHeldBytes: heldBytes,
  }
}
