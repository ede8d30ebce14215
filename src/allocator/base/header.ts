/**
 * The first 256 bytes of every allocator's metadata: what it is, what it holds, and the counters its next step needs.
 *
 *     byte   +0       +4       +8       +12      +16      +20      +24      +28
 *      0     magic    version  kind     layout   state    page     zeroed   0
 *      32    claim offset      claim byteLength  limit             metadata bytes
 *      64    committed end     purged bytes      touched           peak committed
 *      96    used bytes        used count        0                 0
 *      128   the allocator's own words ………………………………………………………………………………………
 *      256   its tables
 *
 * Whole numbers below 2^31 are 32-bit words; everything that may be larger is a 64-bit float, on a multiple of 8. There are no
 * addresses, so the same bytes mean the same in any thread or process that maps them. Code that attaches calls `verifyHeader` first:
 * the layout hash (FNV-1a over the names and lengths of the tables) differs between builds that would read the tables differently.
 * The idea is Boost.Interprocess's segment header.
 * @module
 */
import { type BufferRange, float64sIn, int32sIn } from '../../arena/buffer-range.ts'
import { alignUp } from '../../bits.ts'
import { CorruptedError } from '../../errors.ts'

/** 'SORI', read as a little-endian word. */
export const MAGIC = 0x49524f53
/** Raised with every change of a table's meaning that its length does not show. */
export const VERSION = 2
/** Bytes of the header; the tables start here. */
export const HEADER_BYTES = 256

/** Allocators by the number that stands for them. */
export const Kind = { Bump: 1, Slab: 2, Buddy: 3, Heap: 4 } as const
export type Kind = keyof typeof Kind

/**
 * `closed`: no allocator is here, or it is still being made; released metadata reads zero. `open`: one is, and no step is under
 * way. `taken`: a heap that has a writer, which may be inside a step, or may have died there (heap/attach/writer.ts).
 */
export const State = { closed: 0, open: 1, taken: 2 } as const

// Indices of 32-bit words.
export const STATE_WORD = 4
const ZEROED_WORD = 6
/** First 32-bit word of the allocator's own. */
export const OWN_WORD = 32

// Indices of 64-bit floats.
const CLAIM_OFFSET = 4
const CLAIM_BYTES = 5
/** Committed bytes past which the allocator is full; Infinity when there is no limit. */
export const LIMIT = 6
/** Bytes of metadata that may have been written. */
export const METADATA_BYTES = 7
/** Pages below this offset have been handed out, unless purged since. */
export const COMMITTED_END = 8
/** Bytes below the committed end that have been purged and not been handed out again. */
export const PURGED_BYTES = 9
/** Bytes from this offset on were never handed out and read zero. */
export const TOUCHED = 10
export const PEAK_BYTES = 11
export const USED_BYTES = 12
export const USED_COUNT = 13
/** First 64-bit float of the allocator's own. */
export const OWN_NUMBER = 16

/** What a header says of the allocator. */
export interface HeaderFields {
  readonly kind: Kind
  readonly layoutHash: number
  readonly pageSize: number
  /** Whether the claim was known to read zero when it was granted. */
  readonly zeroed: boolean
  readonly offset: number
  readonly byteLength: number
  readonly limit: number
}

/** Writes the fields into metadata that reads zero. The state comes last: until then the bytes are no header. */
export function writeHeader(metadata: BufferRange, fields: HeaderFields, state: number = State.open): void {
  const words = int32sIn(metadata, 0, HEADER_BYTES / 4)
  const numbers = float64sIn(metadata, 0, HEADER_BYTES / 8)
  for (const [, index, value] of wordsOf(fields)) words[index] = value
  for (const [, index, value] of numbersOf(fields)) numbers[index] = value
  words[STATE_WORD] = state
}

/** The fields of a header that another has written, once it has been verified. `known` is what the reader knows from elsewhere. */
export function readHeader(metadata: BufferRange, known: Omit<HeaderFields, 'zeroed' | 'limit'>): HeaderFields {
  const whole = metadata.byteLength >= HEADER_BYTES
  const zeroed = whole && int32sIn(metadata, 0, HEADER_BYTES / 4)[ZEROED_WORD] === 1
  const limit = whole ? (float64sIn(metadata, 0, HEADER_BYTES / 8)[LIMIT] as number) : 0
  const fields = { ...known, zeroed, limit }
  verifyHeader(metadata, fields)
  if (!(limit >= 0)) throw new CorruptedError(`header field "limit": expected a number of bytes, got ${limit}`)
  return fields
}

/** Throws ERR_CORRUPTED, naming the field, unless the metadata begins with this header and is open. */
export function verifyHeader(metadata: BufferRange, fields: HeaderFields): void {
  if (metadata.byteLength < HEADER_BYTES)
    throw new CorruptedError(`header: expected ${HEADER_BYTES} bytes of metadata, got ${metadata.byteLength}`)
  const words = int32sIn(metadata, 0, HEADER_BYTES / 4)
  const numbers = float64sIn(metadata, 0, HEADER_BYTES / 8)
  for (const [name, index, value] of wordsOf(fields)) verify(name, value, words[index])
  for (const [name, index, value] of numbersOf(fields)) verify(name, value, numbers[index])
  if (fields.kind !== 'Heap' || words[STATE_WORD] !== State.taken) verify('state', State.open, words[STATE_WORD])
}

function verify(name: string, expected: number, found: number | undefined): void {
  if (found !== expected) throw new CorruptedError(`header field "${name}": expected ${expected}, got ${found}`)
}

function wordsOf(fields: HeaderFields): [string, number, number][] {
  return [
    ['magic', 0, MAGIC],
    ['version', 1, VERSION],
    ['kind', 2, Kind[fields.kind]],
    ['layout hash', 3, fields.layoutHash],
    ['page size', 5, fields.pageSize],
    ['zeroed', ZEROED_WORD, fields.zeroed ? 1 : 0],
  ]
}

function numbersOf(fields: HeaderFields): [string, number, number][] {
  return [
    ['claim offset', CLAIM_OFFSET, fields.offset],
    ['claim byteLength', CLAIM_BYTES, fields.byteLength],
    ['limit', LIMIT, fields.limit],
  ]
}

/** Where the tables behind a header are. */
export interface Layout<Name extends string = string> {
  /** Bytes of header and tables. */
  readonly byteLength: number
  /** First byte of each table, a multiple of 64. */
  readonly at: Readonly<Record<Name, number>>
  /** A number that differs between layouts. */
  readonly hash: number
}

/** Lays tables of so many bytes each out behind the header, in the order given. */
export function layOut<Name extends string>(tables: Readonly<Record<Name, number>>): Layout<Name> {
  const at = {} as Record<Name, number>
  let end = HEADER_BYTES
  let hash = 0x811c9dc5
  for (const name of Object.keys(tables) as Name[]) {
    at[name] = end
    end = alignUp(end + tables[name], 64)
    for (const character of `${name}:${tables[name]};`)
      hash = Math.imul(hash ^ (character.codePointAt(0) as number), 0x01000193)
  }
  return { byteLength: end, at, hash }
}
