/**
 * An allocator of the library as a policy. Offsets, calls and meanings are the same; being full is 0 here and an error there.
 * @module
 */
import type { FreeingAllocator } from '../../../allocator/contract.ts'
import { OutOfMemoryError } from '../../../errors.ts'
import type { Policy } from '../policy.ts'

export function libraryPolicy(allocator: FreeingAllocator): Policy {
  const orFull = (run: () => number): number => {
    try {
      return run()
    } catch (error) {
      if (error instanceof OutOfMemoryError) return 0
      throw error
    }
  }
  return {
    allocator,
    malloc: (byteLength) => allocator.tryMalloc(byteLength),
    free: (offset) => allocator.free(offset),
    usableSize: (offset) => allocator.usableSize(offset),
    realloc: (offset, byteLength) => orFull(() => allocator.realloc(offset, byteLength)),
    calloc: (byteLength) => orFull(() => allocator.calloc(byteLength)),
    memalign: (alignment, byteLength) => orFull(() => allocator.memalign(alignment, byteLength)),
    heldBytes: () => allocator.stats().committedBytes,
    peakHeldBytes: () => allocator.stats().peakCommittedBytes,
    check: () => allocator.check(),
  }
}
