/**
 * Where things are in an arena's mapping. Pure arithmetic.
 *
 *     offset 0                          data end = metadata start
 *     |                                 |  header  directory          claims' metadata
 *     |  data: what blocks are cut from |  256 B | 65,532 x 64 B    | first fit, in units of 64 B             |
 *     |  windows lie over this          |<----- directoryBytes ---->|                                         |
 *     └ on a 1 GiB boundary             └ no window reaches this
 *       of addresses
 *
 * All of it is addresses only until it is touched, so the metadata region can be generous: half of the data up to 4 GiB, which
 * holds the tables of a heap on ranges below a few MiB (0.45 of the range) and on 1 TiB (3.2 GiB), a sixteenth for allocators
 * inside one another, and 8 MiB so that small arenas can hold many. In files pages take room on a disk, so there it is what a heap
 * on all of the data needs and a little more, and the directory is shorter. All are offsets, no addresses, so they mean the same in
 * every process that maps the arena.
 *
 *     memory file, named file (`Arena.open`)       | metadata | data            its header is at its start    `fileLayoutOf`
 *     mapped file (`mapFile(…).arena`)             | data            | metadata |  byte 0 is byte 0 of both   `layoutWithin`
 *
 *     header                                           directory entry, one an open claim
 *      0  u32 magic             48  u32 open claims      0  f64 offset            32  u32 state (ClaimState)
 *      4  u32 version           52  u32 boot             8  f64 byteLength        36  u32 entry of the claim around it + 1
 *      8  u32 layout hash       56  f64 directory bytes 16  f64 metadata offset   40  u32 times this entry was used
 *     12  u32 page size         64  u64 lock            24  f64 metadata length   44  12 bytes of kind, padded with zeros
 *     16  u32 state             72  u32 identity (two)                            56  u64 holder (thread-id.ts)
 *     20  u32 attachments       80  u32 namespace
 *     24  f64 byteLength        84  … free, zero
 *     32  f64 metadata bytes    96  owner (thread-id.ts, 32 bytes)
 *     40  u32 entries in use   128  … free, zero
 *     44  u32 change count
 *
 * An entry in state `changing` is being written or cleared. A thread that holds the lock and finds such an entry knows that its writer
 * died, and clears it. These hold for every other entry, and are verified (directory.ts):
 *
 *     state free               =>  all of the entry but the times it was used is zero
 *     the entry after the last in use was never written  =>  all of it is zero
 *
 * The lengths follow from the first of them: `layoutOf`, `fileLayoutOf` and `layoutWithin` are part of the format, and of the hash.
 * @module
 */
import { alignDown, alignUp } from '../../bits.ts'
import { GiB, KiB, MiB, TiB } from '../../units.ts'

/** Bytes in a long window, except the last of an arena: no view that is not longer crosses a multiple of it, and no block does. */
export const WINDOW_BYTES: number = GiB

/** Arenas start on a multiple of this, so that alignment up to a window holds for addresses too. */
export const ARENA_ALIGNMENT: number = WINDOW_BYTES

/** More than any process can address on the platforms we know (47 bits). */
export const MOST_BYTES: number = 128 * TiB

/** More than data and metadata of any arena take together. */
export const MOST_MAPPING_BYTES: number = 2 * MOST_BYTES

/** Bytes of the header. */
export const HEADER_BYTES = 256
/** Bytes of a directory entry. */
export const ENTRY_BYTES = 64
/** Bytes of header and directory together, at most. */
export const DIRECTORY_BYTES: number = 4 * MiB
/** Claims that can be open at the same time, at most. */
export const MOST_CLAIMS: number = mostClaims(DIRECTORY_BYTES)
/** The shortest directory: 252 claims. */
const LEAST_DIRECTORY_BYTES: number = 16 * KiB
/** Metadata is given out in multiples of this. */
export const METADATA_GRANULE = 64

/** 'SRTS', read as a little-endian word. */
export const MAGIC = 0x53545253
/** Raised with every change of what is in the metadata region. */
export const VERSION = 3

/** Words of the header, as indices of 32-bit words. */
export const HeaderWord = {
  magic: 0,
  version: 1,
  layoutHash: 2,
  pageSize: 3,
  state: 4,
  attachments: 5,
  entries: 10,
  changeCount: 11,
  openClaims: 12,
  boot: 13,
  identity: 18,
  namespace: 20,
} as const
/** Lengths in the header, as indices of 64-bit floats. */
export const HeaderLength = { byteLength: 3, metadataBytes: 4, directoryBytes: 7 } as const
/** Where the lock is, in bytes from the header's start. */
export const HEADER_LOCK = 64
/** Where the owner is. */
export const HEADER_OWNER = 96
/** Lengths in an entry, as indices of 64-bit floats from its start. */
export const EntryLength = { offset: 0, byteLength: 1, metadataOffset: 2, metadataLength: 3 } as const
/** Words of an entry, as indices of 32-bit words from its start. */
export const EntryWord = { state: 8, around: 9, uses: 10 } as const
/** Where an entry's kind starts, and how long it may be, in bytes. */
export const ENTRY_KIND = 44
export const KIND_BYTES = 12
/** Where an entry's holder is. */
export const ENTRY_HOLDER = 56

/**
 * The state of a directory entry. A claim that is lasting outlives its holder: another may take it over. An entry that is being
 * written or cleared is `changing`.
 */
export const ClaimState = { free: 0, open: 1, lasting: 2, changing: 3 } as const

/** An arena's state, as in its header. */
export const ArenaState = { none: 0, open: 1 } as const

/** Where the parts of a mapping are, in bytes from its start. */
export interface Layout {
  /** Bytes of data, whole pages. */
  readonly byteLength: number
  /** First byte of the metadata region. */
  readonly metadataStart: number
  /** Bytes of header and directory, whole pages. */
  readonly directoryBytes: number
  /** Bytes of the metadata region, header and directory included, whole pages. */
  readonly metadataBytes: number
  /** Bytes of it all. */
  readonly mappingBytes: number
}

/** The layout of an arena of at least `wanted` bytes. */
export function layoutOf(wanted: number, pageSize: number): Layout {
  const byteLength = alignUp(wanted, pageSize)
  const room = Math.min(byteLength / 2, 4 * GiB) + byteLength / 16 + 8 * MiB
  return layOut(byteLength, DIRECTORY_BYTES, alignUp(DIRECTORY_BYTES + Math.ceil(room), pageSize))
}

/** The layout of an arena of at least `wanted` bytes in a file whose every page takes room. */
export function fileLayoutOf(wanted: number, pageSize: number): Layout {
  const byteLength = alignUp(wanted, pageSize)
  const directory = Math.min(Math.max(byteLength / 1024, LEAST_DIRECTORY_BYTES), DIRECTORY_BYTES)
  const directoryBytes = alignUp(Math.ceil(directory), pageSize)
  const heap = Math.min(Math.ceil(byteLength * 0.13), 4 * GiB) + 64 * KiB
  const room = heap + Math.ceil(byteLength / 64) + 64 * KiB
  return layOut(byteLength, directoryBytes, alignUp(directoryBytes + room, pageSize))
}

/**
 * The layout of an arena that takes `totalBytes` at most, undefined when those are too few for a page of data. The metadata that
 * is not data holds the tables of a heap on all the data (at most an eighth of it and 64 KiB, and never above 3.25 GiB), and 1/32
 * of the data again for allocators inside one another.
 */
export function layoutWithin(totalBytes: number, pageSize: number): Layout | undefined {
  const total = alignDown(totalBytes, pageSize)
  const directoryBytes = Math.min(alignUp(Math.max(total / 256, 4096), pageSize), DIRECTORY_BYTES)
  const metadataFor = (data: number): number =>
    directoryBytes + alignUp(Math.min(data / 8, 3.25 * GiB) + data / 32 + 64 * KiB, pageSize)
  // The most pages of data that leave room for their metadata: that grows with the data, so bisection finds it.
  let low = 0
  let high = total / pageSize
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (middle * pageSize + metadataFor(middle * pageSize) <= total) low = middle
    else high = middle - 1
  }
  const byteLength = low * pageSize
  return low === 0 ? undefined : layOut(byteLength, directoryBytes, total - byteLength)
}

/** The layout of parts of these lengths. */
export function layOut(byteLength: number, directoryBytes: number, metadataBytes: number): Layout {
  return {
    byteLength,
    metadataStart: byteLength,
    directoryBytes,
    metadataBytes,
    mappingBytes: byteLength + metadataBytes,
  }
}

/** How many claims a directory of so many bytes, header included, has room for. */
export function mostClaims(directoryBytes: number): number {
  return (directoryBytes - HEADER_BYTES) / ENTRY_BYTES
}

/** A number that differs between builds that would not understand each other's metadata region (FNV-1a over its constants). */
export function layoutHash(): number {
  hash ??= hashOf([
    VERSION,
    HEADER_BYTES,
    ENTRY_BYTES,
    METADATA_GRANULE,
    HEADER_LOCK,
    HEADER_OWNER,
    ENTRY_KIND,
    ENTRY_HOLDER,
    ...Object.values(HeaderWord),
    ...Object.values(HeaderLength),
    ...Object.values(EntryLength),
    ...Object.values(EntryWord),
    ...Object.values(ClaimState),
    ...[4 * KiB, MiB, GiB + 4 * KiB, TiB].flatMap(lengthsFor),
  ])
  return hash
}

let hash: number | undefined

/** What the layout functions make of one length, in units of 4 KiB, so that each fits a word. */
function lengthsFor(byteLength: number): number[] {
  const pageSize = 4 * KiB
  const layouts = [
    layoutOf(byteLength, pageSize),
    fileLayoutOf(byteLength, pageSize),
    layoutWithin(byteLength, pageSize),
  ]
  return layouts.flatMap((layout) => [layout?.directoryBytes ?? 0, layout?.metadataBytes ?? 0]).map((n) => n / pageSize)
}

function hashOf(parts: readonly number[]): number {
  let value = 0x811c9dc5
  for (const part of parts) value = Math.imul(value ^ part, 0x01000193)
  return value >>> 0
}
