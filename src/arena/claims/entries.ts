/**
 * What a directory that others have written says of claims, checked before anybody relies on it: a file can hold anything.
 *
 *     in the data         multiples of 8; at one level no two overlap; an inner one lies in the one around it
 *     in the metadata     multiples of 64, in the region behind the directory; no two overlap, on any level
 *
 * @module
 */
import { CorruptedError, UnsupportedOperationError } from '../../errors.ts'
import { type Layout, METADATA_GRANULE } from '../layout.ts'
import type { DirectoryEntry } from './directory.ts'
import { contains, type Range, Ranges } from './ranges.ts'

/** Throws ERR_CORRUPTED, naming entry and field, unless the entries can all be true. */
export function requireEntries(
  entries: ReadonlyMap<number, DirectoryEntry>,
  layout: Layout,
  maxViewBytes: number
): void {
  const inOrder = [...entries].sort(([a], [b]) => a - b)
  for (const [index, entry] of inOrder) verifyPlace(index, entry, layout, maxViewBytes)
  for (const [index, entry] of inOrder) verifyAround(entries, index, entry)
  verifyApart(inOrder)
}

/** Throws when two claims at one level, or the metadata of any two, have a byte in common. */
function verifyApart(entries: readonly (readonly [number, DirectoryEntry])[]): void {
  const levels: Map<number, Ranges<Range>> = new Map()
  const metadata: Ranges<Range> = new Ranges()
  for (const [index, { offset, byteLength, around, metadataOffset, metadataLength }] of entries) {
    const level = levels.get(around) ?? new Ranges<Range>()
    levels.set(around, level)
    addTo(level, index, 'offset', { offset, byteLength })
    if (metadataLength > 0)
      addTo(metadata, index, 'metadata offset', { offset: metadataOffset, byteLength: metadataLength })
  }
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

function addTo(ranges: Ranges<Range>, index: number, field: string, range: Range): void {
  if (ranges.overlapping(range.offset, range.byteLength) !== undefined)
    throw new CorruptedError(
      `directory entry ${index}: "${field}" ${range.offset} lies in a range that another entry has`
    )
  ranges.add(range)
}

/** Throws unless the claims around one are open, contain it, and do not lead in a circle. */
function verifyAround(entries: ReadonlyMap<number, DirectoryEntry>, index: number, entry: DirectoryEntry): void {
  let depth = 0
  for (let inner = entry; inner.around >= 0; depth++) {
    const outer = entries.get(inner.around)
    if (outer === undefined || !contains(outer, inner.offset, inner.byteLength))
      throw new CorruptedError(
        `directory entry ${index}: "around" expected an open claim that contains it, got ${inner.around}`
      )
    if (depth === entries.size) throw new CorruptedError(`directory entry ${index}: "around" leads in a circle`)
    inner = outer
  }
}
