/**
 * The figures of a heap, taken from its tables. Walks every span and slab: some 10 ns each.
 *
 *     committed = used + free slots + free dirty + metadata
 *     free dirty = committed pages - live spans - slabs
 * @module
 */
import type { AllocatorStats, SizeClassStats } from '../../contract.ts'
import type { HeapParts } from '../parts.ts'
import { CLASS_COUNT, CLASS_SIZE } from '../size-classes.ts'
import { At, ClassWord, SpanTag } from '../words.ts'

export function heapStats({ spans, slabs, source }: HeapParts): AllocatorStats {
  let usedBytes = 0
  let usedCount = 0
  let slabBytes = 0
  let slotBytes = 0
  for (const span of spans.all()) {
    const kind = spans.kind(span)
    if (kind === SpanTag.LIVE || kind === SpanTag.HUGE) usedCount++
    if (kind === SpanTag.LIVE || kind === SpanTag.HUGE || kind === SpanTag.PART) usedBytes += spans.partLength(span)
    if (kind !== SpanTag.SLAB) continue
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

/** The two figures that counters have. Free slots of slabs count as used. */
export function heapGlance({ spans, source }: HeapParts): { usedBytes: number; committedBytes: number } {
  return { usedBytes: spans.usedBytes, committedBytes: spans.committedBytes + source.metadataBytes(0, 0) }
}

/** The live blocks by slot size, and those that are spans by doubling. */
export function heapSizeClasses({ spans, slabs }: HeapParts): SizeClassStats[] {
  const slots = Array.from({ length: CLASS_COUNT }, (_, c) => empty('slot', CLASS_SIZE[c], CLASS_SIZE[c]))
  const doublings = Array.from({ length: 54 }, (_, k) => empty('span', 2 ** k, 2 ** (k + 1) - 8))
  for (const span of spans.all()) {
    const kind = spans.kind(span)
    if (kind === SpanTag.LIVE || kind === SpanTag.HUGE) {
      const byteLength = spans.length(span)
      count(doublings[Math.floor(Math.log2(byteLength))] as Mutable, 1, byteLength, 0)
    } else if (kind === SpanTag.SLAB) {
      const slab = spans.slabOf(span)
      const used = slabs.used(slab)
      const usedBytes = used * slabs.slotSize(slab)
      const sizeClass = (slabs.state(slab) - At.CLASSES) / ClassWord.WORDS
      if (used > 0) count(slots[sizeClass] as Mutable, used, usedBytes, spans.partLength(span) - usedBytes)
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
