/**
 * Claims that others have left in an arena's directory, checked before anybody relies on them: a file can hold anything.
 *
 *     in the data         multiples of 8; at one level no two overlap; an inner one lies in the one around it
 *     in the metadata     multiples of 64, in the region behind the directory; no two overlap, on any level
 *
 * @module
 */
import { CorruptedError, UnsupportedOperationError } from '../../errors.ts'
import { type Layout, METADATA_GRANULE } from '../layout.ts'
import type { DirectoryEntry } from './directory.ts'
import { AbsentHolder } from './granted-claim.ts'
import { contains, type Range, Ranges } from './ranges.ts'

/** A left claim: its number in the directory, its entry, and who stands for its holder. */
export interface LeftEntry {
  readonly index: number
  readonly entry: DirectoryEntry
  readonly holder: AbsentHolder
}

/** The entries in an order in which every claim comes after the one around it. Throws ERR_CORRUPTED, naming entry and field. */
export function takeUpLeftClaims(
  entries: ReadonlyMap<number, DirectoryEntry>,
  layout: Layout,
  maxViewBytes: number
): LeftEntry[] {
  const levels: Map<number, Ranges<Range>> = new Map()
  const metadata: Ranges<Range> = new Ranges()
  for (const [index, entry] of entries) {
    verifyPlace(index, entry, layout, maxViewBytes)
    const { offset, byteLength, around, metadataOffset, metadataLength } = entry
    addTo(levelOf(levels, around), index, 'offset', { offset, byteLength })
    if (metadataLength > 0)
      addTo(metadata, index, 'metadata offset', { offset: metadataOffset, byteLength: metadataLength })
    const outer = around < 0 ? undefined : entries.get(around)
    if (around >= 0 && (outer === undefined || !contains(outer, offset, byteLength)))
      throw new CorruptedError(
        `directory entry ${index}: "around" expected an open claim that contains it, got ${around}`
      )
  }
  const sorted = [...entries].sort(([a], [b]) => depthOf(entries, a) - depthOf(entries, b))
  return sorted.map(([index, entry]) => ({ index, entry, holder: new AbsentHolder(entry.kind) }))
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

function levelOf(levels: Map<number, Ranges<Range>>, around: number): Ranges<Range> {
  const level = levels.get(around) ?? new Ranges<Range>()
  levels.set(around, level)
  return level
}

function addTo(ranges: Ranges<Range>, index: number, field: string, range: Range): void {
  if (ranges.overlapping(range.offset, range.byteLength) !== undefined)
    throw new CorruptedError(
      `directory entry ${index}: "${field}" ${range.offset} lies in a range that another entry has`
    )
  ranges.add(range)
}

/** How many claims are around one. Every step leads to a longer range or an equal one, so a circle is found by counting. */
function depthOf(entries: ReadonlyMap<number, DirectoryEntry>, index: number): number {
  let depth = 0
  for (let at = entries.get(index)?.around ?? -1; at >= 0; at = entries.get(at)?.around ?? -1)
    if (++depth > entries.size) throw new CorruptedError(`directory entry ${index}: "around" leads in a circle`)
  return depth
}
