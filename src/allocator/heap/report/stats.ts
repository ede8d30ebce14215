/**
 * The figures of a heap, taken from its tables. Walks every span and slab: some 10 ns each.
 *
 *     committed = used + free slots + free dirty + metadata
 *     free dirty = committed pages - live spans - slabs
 * @module
 */
import type { AllocatorStats, SizeClassStats } from '../../contract.ts'
import { CLASS_COUNT, CLASS_SIZE } from '../size-classes.ts'
import type { HeapSpace, HeapView } from '../space.ts'
import { At, ClassWord, SpanTag } from '../words.ts'

export function heapStats(space: HeapView): AllocatorStats {
  const { index, pages, slabs, tables } = space
  let usedBytes = 0
  let usedCount = 0
  let slabBytes = 0
  let slotBytes = 0
  for (const span of index.all()) {
    const kind = index.kind(span)
    if (kind === SpanTag.LIVE || kind === SpanTag.HUGE) usedCount++
    if (kind === SpanTag.LIVE || kind === SpanTag.HUGE || kind === SpanTag.PART) usedBytes += index.partLength(span)
    if (kind !== SpanTag.SLAB) continue
    const slab = index.slabOf(span)
    const used = slabs.used(slab)
    // A slab without live slots is given up when its bytes are wanted elsewhere: they are free like any.
    if (used === 0) continue
    usedCount += used
    slotBytes += used * slabs.slotSize(slab)
    slabBytes += index.partLength(span)
  }
  const metadataBytes = space.metadataBytes
  const pageBytes = pages.committedBytes
  return {
    reservedBytes: tables.byteLength,
    committedBytes: pageBytes + metadataBytes,
    usedBytes: usedBytes + slotBytes,
    freeSlotBytes: slabBytes - slotBytes,
    freeDirtyBytes: pageBytes - usedBytes - slabBytes,
    metadataBytes,
    peakCommittedBytes: Math.max(space.peakBytes, pageBytes + metadataBytes),
    usedCount,
  }
}

/** The two figures that counters have. Free slots of slabs count as used. */
export function heapGlance(space: HeapSpace): { usedBytes: number; committedBytes: number } {
  return { usedBytes: space.pages.usedBytes, committedBytes: space.committedBytes }
}

/** The live blocks by slot size, and those that are spans by doubling. */
export function heapSizeClasses({ index, slabs }: HeapView): SizeClassStats[] {
  const slots = Array.from({ length: CLASS_COUNT }, (_, c) => empty('slot', CLASS_SIZE[c], CLASS_SIZE[c]))
  const doublings = Array.from({ length: 54 }, (_, k) => empty('span', 2 ** k, 2 ** (k + 1) - 8))
  for (const span of index.all()) {
    const kind = index.kind(span)
    if (kind === SpanTag.LIVE || kind === SpanTag.HUGE) {
      const byteLength = index.length(span)
      count(doublings[Math.floor(Math.log2(byteLength))] as Mutable, 1, byteLength, 0)
    } else if (kind === SpanTag.SLAB) {
      const slab = index.slabOf(span)
      const used = slabs.used(slab)
      const usedBytes = used * slabs.slotSize(slab)
      const sizeClass = (slabs.state(slab) - At.CLASSES) / ClassWord.WORDS
      if (used > 0) count(slots[sizeClass] as Mutable, used, usedBytes, index.partLength(span) - usedBytes)
    }
  }
  return [...slots, ...doublings].filter((one) => one.usedCount > 0)
}

type Mutable = { -readonly [Name in keyof SizeClassStats]: SizeClassStats[Name] }

function empty(kind: 'slot' | 'span', least: number, most: number): Mutable {
  return { kind, least, most, usedCount: 0, usedBytes: 0, freeSlotBytes: 0 }
}

function count(one: Mutable, usedCount: number, usedBytes: number, freeSlotBytes: number): void {
  one.usedCount += usedCount
  one.usedBytes += usedBytes
  one.freeSlotBytes += freeSlotBytes
}
