/**
 * The allocators in the arenas of a process, read out of its memory without a change to it: no attaching, which would be noted in the arena.
 *
 *     mapping of an arena     data | header, directory, metadata of the allocators
 *     anonymous               begins at the data; its length tells the layout (arena/format/layout.ts)
 *     memory file, named      two mappings of one file, data first; the file begins with the header
 *     mapped file             one mapping; the header stands behind the data
 *
 * The process goes on meanwhile, and its memory may hold anything: every figure is bounded before it is used, and what does not fit
 * together is not shown.
 * @module
 */
import {
  HEADER_BYTES as ALLOCATOR_HEADER_BYTES,
  MAGIC as ALLOCATOR_MAGIC,
  Kind,
  USED_BYTES,
  USED_COUNT,
} from '../../allocator/base/header.ts'
import { At } from '../../allocator/heap/words.ts'
import {
  ClaimState,
  ENTRY_BYTES,
  ENTRY_KIND,
  EntryLength,
  EntryWord,
  HEADER_BYTES,
  HeaderLength,
  HeaderWord,
  KIND_BYTES,
  layoutOf,
  layoutWithin,
  MAGIC,
  mostClaims,
  VERSION,
} from '../../arena/format/layout.ts'
import { figuresOfEntry, sumOf } from './figures.ts'
import type { Owned } from './owners.ts'
import type { TargetMemory } from './target-memory.ts'

/** An allocator in an arena. */
export interface AllocatorContents {
  readonly kind: string
  readonly offset: number
  readonly byteLength: number
  /** Bytes of live blocks; of a heap, of live spans and slabs. Slabs and bump allocators count no bytes. */
  readonly usedBytes?: number
  /** Live blocks. Heaps do not count them in one place. */
  readonly usedCount?: number
}

export interface ArenaContents {
  readonly name: string
  /** Where its mapping begins and ends. */
  readonly start: number
  readonly end: number
  readonly byteLength: number
  readonly residentBytes: number
  readonly allocators: readonly AllocatorContents[]
}

/** Mappings of one arena: in the order of addresses, adjoining. */
interface Candidate {
  readonly name: string
  readonly start: number
  readonly end: number
  readonly residentBytes: number
  readonly headers: readonly number[]
}

/** The arenas that can be told: those whose header stands where it must, and anonymous ones that have none yet, as far as their length says. */
export function arenaContents(memory: TargetMemory, owned: readonly Owned[], pageSize: number): ArenaContents[] {
  return candidates(owned, pageSize).flatMap((one) => {
    for (const header of one.headers) {
      const found = readArena(memory, one, header)
      if (found !== undefined) return [found]
    }
    return []
  })
}

function candidates(owned: readonly Owned[], pageSize: number): Candidate[] {
  const found: Candidate[] = []
  for (let at = 0; at < owned.length; at++) {
    const first = owned[at]!
    const file = first.entry.inode !== 0
    if (first.owner !== 'sorites' && !(file && first.owner === 'files')) continue
    let last = at
    while (continues(owned[last]!, owned[last + 1])) last++
    const parts = owned.slice(at, last + 1)
    const [start, end] = [first.entry.start, parts.at(-1)!.entry.end]
    found.push({
      name: first.part,
      start,
      end,
      residentBytes: sumOf(parts.map(({ entry }) => figuresOfEntry(entry))).resident,
      headers: file ? headersInFile(parts, start, end, pageSize) : headersBehind(start, end, pageSize),
    })
    at = last
  }
  return found
}

function continues(one: Owned, next: Owned | undefined): boolean {
  if (next === undefined || next.owner !== one.owner || next.entry.start !== one.entry.end) return false
  return next.entry.inode === one.entry.inode && next.part === one.part && next.entry.start % 2 ** 30 !== 0
}

/** Of anonymous memory: the length that was asked for follows from the length of it all. */
function headersBehind(start: number, end: number, pageSize: number): number[] {
  const pages = (end - start) / pageSize
  let [low, high] = [1, pages]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (layoutOf(middle * pageSize, pageSize).mappingBytes < end - start) low = middle + 1
    else high = middle
  }
  return layoutOf(low * pageSize, pageSize).mappingBytes === end - start ? [start + low * pageSize] : []
}

function headersInFile(parts: readonly Owned[], start: number, end: number, pageSize: number): number[] {
  const first = parts.find(({ entry }) => entry.fileOffset === 0)
  const behind = layoutWithin(end - start, pageSize)
  return [
    ...(first === undefined ? [] : [first.entry.start]),
    ...(behind === undefined ? [] : [start + behind.metadataStart]),
  ]
}

function readArena(
  memory: TargetMemory,
  { name, start, end, residentBytes }: Candidate,
  at: number
): ArenaContents | undefined {
  const header = memory.read(at, HEADER_BYTES)
  if (header === undefined) return undefined
  const word = (index: number): number => header.getUint32(4 * index, true)
  const length = (index: number): number => header.getFloat64(8 * index, true)
  const byteLength = length(HeaderLength.byteLength)
  if (word(HeaderWord.magic) !== MAGIC || word(HeaderWord.version) !== VERSION) return undefined
  if (!(byteLength > 0) || start + byteLength + length(HeaderLength.metadataBytes) > end) return undefined
  const count = Math.min(word(HeaderWord.entries), mostClaims(length(HeaderLength.directoryBytes)))
  const allocators: AllocatorContents[] = []
  for (let index = 0; index < count; index++) {
    const found = readAllocator(memory, start, end, byteLength, at + HEADER_BYTES + index * ENTRY_BYTES)
    if (found !== undefined) allocators.push(found)
  }
  return { name, start, end, byteLength, residentBytes, allocators }
}

function readAllocator(
  memory: TargetMemory,
  start: number,
  end: number,
  dataBytes: number,
  at: number
): AllocatorContents | undefined {
  const entry = memory.read(at, ENTRY_BYTES)
  const state = entry?.getUint32(4 * EntryWord.state, true)
  if (entry === undefined || (state !== ClaimState.open && state !== ClaimState.lasting)) return undefined
  const length = (index: number): number => entry.getFloat64(8 * index, true)
  const [offset, byteLength] = [length(EntryLength.offset), length(EntryLength.byteLength)]
  if (!(offset >= 0 && byteLength > 0 && offset + byteLength <= dataBytes)) return undefined
  const kind = Buffer.from(entry.buffer, ENTRY_KIND, KIND_BYTES).toString('latin1').replace(/\0.*$/s, '')
  const metadata = start + length(EntryLength.metadataOffset)
  const inside = metadata >= start && metadata + ALLOCATOR_HEADER_BYTES <= end
  return { kind, offset, byteLength, ...(inside ? usedOf(memory, kind, metadata) : {}) }
}

/** Where each kind keeps its counters, as indices of 64-bit floats in its metadata. */
const COUNTERS: Readonly<Record<string, { readonly bytes?: number; readonly count?: number }>> = {
  Heap: { bytes: At.SPAN_BYTES >> 1 },
  Buddy: { bytes: USED_BYTES, count: USED_COUNT },
  Slab: { count: USED_COUNT },
  Bump: { count: USED_COUNT },
}

function usedOf(
  memory: TargetMemory,
  kind: string,
  metadata: number
): Pick<AllocatorContents, 'usedBytes' | 'usedCount'> {
  const tables = memory.read(metadata, 2 * ALLOCATOR_HEADER_BYTES)
  if (tables === undefined || tables.getUint32(0, true) !== ALLOCATOR_MAGIC) return {}
  const counters = COUNTERS[kind]
  if (counters === undefined || tables.getInt32(8, true) !== Kind[kind as Kind]) return {}
  const at = (index: number | undefined): number | undefined => {
    const value = index === undefined ? undefined : tables.getFloat64(8 * index, true)
    return value !== undefined && value >= 0 && value <= Number.MAX_SAFE_INTEGER ? value : undefined
  }
  const [usedBytes, usedCount] = [at(counters.bytes), at(counters.count)]
  return { ...(usedBytes === undefined ? {} : { usedBytes }), ...(usedCount === undefined ? {} : { usedCount }) }
}
