/**
 * The figures of a heap, taken from its tables. Walks every span and slab: some 10 ns each.
 *
 *     committed = used + free slots + free dirty + metadata
 *     free dirty = committed pages - live spans - slabs
 * @module
 */
import type { AllocatorStats } from './allocator.ts'
import type { HeapParts } from './heap.ts'
import { Tag } from './heap-layout.ts'

export function heapStats({ spans, slabs, source }: HeapParts): AllocatorStats {
  let usedBytes = 0
  let usedCount = 0
  let slabBytes = 0
  let slotBytes = 0
  for (const span of spans.all()) {
    const kind = spans.kind(span)
    if (kind === Tag.LIVE || kind === Tag.HUGE) usedCount++
    if (kind === Tag.LIVE || kind === Tag.HUGE || kind === Tag.PART) usedBytes += spans.partLength(span)
    if (kind !== Tag.SLAB) continue
    const slab = spans.slabOf(span)
    const used = slabs.used(slab)
    // A slab without live slots is given up when its bytes are wanted elsewhere: they are free like any.
    if (used === 0) continue
    usedCount += used
    slotBytes += used * slabs.slotSize(slab)
    slabBytes += spans.partLength(span)
  }
  const metadataBytes = source.metadataBytes(0, 0)
  const pageBytes = spans.committedBytes
  return {
    reservedBytes: source.byteLength,
    committedBytes: pageBytes + metadataBytes,
    usedBytes: usedBytes + slotBytes,
    freeSlotBytes: slabBytes - slotBytes,
    freeDirtyBytes: pageBytes - usedBytes - slabBytes,
    metadataBytes,
    peakCommittedBytes: Math.max(spans.peakBytes, pageBytes + metadataBytes),
    usedCount,
  }
}
