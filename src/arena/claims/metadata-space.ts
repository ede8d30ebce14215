/**
 * The metadata region behind the directory: which parts of it are free, and the buffers over those that are not.
 *
 * First fit. What is given back reads zero. Its buffer is kept for the next claim at the same place, since making one costs 1.5 us
 * and waits for the garbage collector.
 * @module
 */

import { type BufferRange, bytesIn, isDetached, rangeOf } from '../buffer-range.ts'
import { type Layout, METADATA_GRANULE } from '../format/layout.ts'
import type { Lifetime } from '../mapping/lifetime.ts'
import { type Mapping, makeZero } from '../mapping/mapping.ts'
import type { Range } from '../ranges.ts'
import { FreeRanges } from './free-ranges.ts'

const NONE: BufferRange = rangeOf(new ArrayBuffer(0))

/** Buffers over released metadata that are kept for the next claim at the same place. */
const KEPT_BUFFERS = 64

export class MetadataSpace {
  readonly #mapping: Mapping
  readonly #layout: Layout
  readonly #lifetime: Lifetime
  readonly #kept: Map<number, BufferRange> = new Map()
  #free: FreeRanges

  constructor(layout: Layout, mapping: Mapping, lifetime: Lifetime) {
    this.#layout = layout
    this.#mapping = mapping
    this.#lifetime = lifetime
    this.#free = this.#empty()
  }

  /** Free bytes. */
  get byteLength(): number {
    return this.#free.byteLength
  }

  /** Takes room for so many bytes, on a page when it is a page or more; -1 when there is none. */
  take(byteLength: number): number {
    const { pageSize, maxViewBytes } = this.#mapping
    if (byteLength > maxViewBytes) return -1
    return this.#free.take(byteLength, byteLength >= pageSize ? pageSize : METADATA_GRANULE)
  }

  /** Forgets what is taken, and takes these ranges, which are sorted. False when two of them overlap, or one is outside. */
  retake(sorted: Iterable<Range>): boolean {
    const free = this.#empty()
    if (!free.takeAll(sorted)) return false
    this.#free = free
    return true
  }

  /** Clears many ranges that are taken, and gives them back: ranges that touch are cleared as one. */
  giveAll(ranges: readonly Range[]): void {
    const { maxViewBytes } = this.#mapping
    const sorted = [...ranges].sort((one, other) => one.offset - other.offset)
    for (let first = 0, last = 0; first < sorted.length; first = last) {
      const { offset } = sorted[first] as Range
      let end = offset
      for (; sorted[last]?.offset === end; last++) end += (sorted[last] as Range).byteLength
      for (let at = offset; at < end; at += maxViewBytes) {
        const byteLength = Math.min(maxViewBytes, end - at)
        this.clear(at, this.another(at, byteLength))
      }
    }
    this.#free.giveAll(ranges)
  }

  /** Gives room back that was taken. It reads zero. */
  give(offset: number, byteLength: number): void {
    this.#free.give(offset, byteLength)
  }

  /** A buffer over a range that is taken. */
  buffer(offset: number, byteLength: number): BufferRange {
    if (byteLength === 0) return NONE
    const kept = this.#kept.get(offset)
    this.#kept.delete(offset)
    if (kept?.byteLength === byteLength && !isDetached(kept)) return kept
    return this.another(offset, byteLength)
  }

  /** A further buffer over a range that is taken. */
  another(offset: number, byteLength: number): BufferRange {
    return byteLength === 0 ? NONE : this.#lifetime.range(offset, byteLength)
  }

  /** Keeps a buffer for the next claim there. */
  keep(offset: number, metadata: BufferRange): void {
    if (metadata.byteLength === 0 || isDetached(metadata)) return
    if (this.#kept.size >= KEPT_BUFFERS)
      for (const oldest of this.#kept.keys()) {
        this.#kept.delete(oldest)
        break
      }
    this.#kept.set(offset, metadata)
  }

  /** Lets go of the buffers. */
  forget(): void {
    this.#kept.clear()
  }

  /** Makes metadata read zero. */
  clear(offset: number, metadata: BufferRange): void {
    try {
      makeZero(this.#mapping, offset, metadata.byteLength, (at, length) => bytesIn(metadata, at - offset, length))
    } catch {
      // The kernel keeps the pages (they may be locked). Zero they must be all the same.
      bytesIn(metadata).fill(0)
    }
  }

  #empty(): FreeRanges {
    const { metadataStart, metadataBytes, directoryBytes } = this.#layout
    return new FreeRanges(metadataStart + directoryBytes, metadataBytes - directoryBytes)
  }
}
