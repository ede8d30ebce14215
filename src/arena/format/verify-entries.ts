/**
 * What a directory that others have written says of claims, checked before any of it is used: a file can hold anything.
 *
 *     in the data         multiples of 8; at one level no two overlap; an inner one lies in the one around it, and is not lasting
 *     in the metadata     multiples of 64, in the region behind the directory; no two overlap, on any level
 *
 * A directory may have 65,532 entries, in any order and nested to any depth: each entry is looked at once, and sorted twice, which is
 * n log n steps.
 * @module
 */
import { CorruptedError, UnsupportedOperationError } from '../../errors.ts'
import { contains, type Range } from '../ranges.ts'
import type { DirectoryEntry } from './entry-format.ts'
import { type Layout, METADATA_GRANULE } from './layout.ts'

/** An entry with its number. */
export type Numbered = readonly [number, DirectoryEntry]

/** Entries that can all be true. */
export interface SoundEntries {
  /** Those at the top level, by offset. */
  readonly top: Numbered[]
  /** Where their metadata is, of all levels, by offset. */
  readonly metadata: Range[]
}

/** Throws ERR_CORRUPTED, naming entry and field, unless the entries can all be true. */
export function requireEntries(
  entries: ReadonlyMap<number, DirectoryEntry>,
  layout: Layout,
  maxViewBytes: number
): SoundEntries {
  for (const [index, entry] of entries) verifyPlace(index, entry, layout, maxViewBytes)
  verifyAround(entries)
  for (const [index, { lasting, around }] of entries)
    if (lasting && around >= 0)
      throw new CorruptedError(`directory entry ${index}: "state" expected 1, that of a claim in a block, got 2`)
  const all = [...entries]
  return { top: verifyApart(all), metadata: verifyMetadataApart(all) }
}

/** Throws when two claims at one level have a byte in common. Gives those at the top level, by offset. */
function verifyApart(all: Numbered[]): Numbered[] {
  const sorted = all.toSorted(([, one], [, other]) => one.around - other.around || one.offset - other.offset)
  for (let at = 1; at < sorted.length; at++) {
    const [[, before], [index, entry]] = [sorted[at - 1] as Numbered, sorted[at] as Numbered]
    if (before.around === entry.around && before.offset + before.byteLength > entry.offset)
      throw overlap(index, 'offset', entry.offset)
  }
  return sorted.filter(([, { around }]) => around < 0)
}

/** Throws when the metadata of two claims has a byte in common. Gives where there is any, by offset. */
function verifyMetadataApart(all: Numbered[]): Range[] {
  const sorted = all
    .filter(([, { metadataLength }]) => metadataLength > 0)
    .sort(([, one], [, other]) => one.metadataOffset - other.metadataOffset)
  let end = 0
  return sorted.map(([index, { metadataOffset, metadataLength }]) => {
    if (metadataOffset < end) throw overlap(index, 'metadata offset', metadataOffset)
    end = metadataOffset + metadataLength
    return { offset: metadataOffset, byteLength: metadataLength }
  })
}

function overlap(index: number, field: string, offset: number): CorruptedError {
  return new CorruptedError(`directory entry ${index}: "${field}" ${offset} lies in a range that another entry has`)
}

function verifyPlace(index: number, entry: DirectoryEntry, layout: Layout, maxViewBytes: number): void {
  const { byteLength: dataEnd, metadataStart, directoryBytes, mappingBytes } = layout
  const { offset, byteLength, metadataOffset, metadataLength } = entry
  verify(index, 'offset', offset, 8, 0, dataEnd - 8)
  verify(index, 'byteLength', byteLength, 8, 8, dataEnd - offset)
  verify(index, 'metadata offset', metadataOffset, METADATA_GRANULE, metadataStart + directoryBytes, mappingBytes)
  verify(index, 'metadata length', metadataLength, METADATA_GRANULE, 0, mappingBytes - metadataOffset)
  if (metadataLength > maxViewBytes)
    throw new UnsupportedOperationError(
      `directory entry ${index}: metadata of ${metadataLength} bytes is longer than this runtime's ArrayBuffers, ${maxViewBytes}`
    )
}

function verify(index: number, field: string, value: number, unit: number, least: number, most: number): void {
  if (!(value >= least && value <= most && value % unit === 0))
    throw new CorruptedError(
      `directory entry ${index}: "${field}" expected a multiple of ${unit} from ${least} to ${most}, got ${value}`
    )
}

/** Throws unless the claims around each one are open, contain it, and do not lead in a circle. */
function verifyAround(entries: ReadonlyMap<number, DirectoryEntry>): void {
  // Entries from which the way to the top level is known to be right.
  const sound = new Set([-1])
  for (const [first, entry] of entries) {
    const way = new Set<number>()
    let [index, inner] = [first, entry]
    while (!sound.has(index)) {
      if (way.has(index)) throw new CorruptedError(`directory entry ${index}: "around" leads in a circle`)
      way.add(index)
      if (inner.around < 0) break
      const outer = entries.get(inner.around)
      if (outer === undefined || !contains(outer, inner.offset, inner.byteLength))
        throw new CorruptedError(
          `directory entry ${index}: "around" expected an open claim that contains it, got ${inner.around}`
        )
      ;[index, inner] = [inner.around, outer]
    }
    for (const passed of way) sound.add(passed)
  }
}
