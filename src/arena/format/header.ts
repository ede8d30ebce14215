/**
 * The first 256 bytes of an arena's metadata region, as layout.ts draws them: writing them, and verifying them before a file is mapped
 * that seems to hold an arena.
 *
 * An attach reads the header out of the file. So a file that holds no arena, is too short, or is of another version is refused before a
 * page of it is touched. The message names the field. Others may write to a header while it is read, so it is copied
 * first, and the copy is what is verified and used.
 *
 *     another build, another page size     ERR_UNSUPPORTED_OPERATION: the memory is all right, for another build
 *     anything else                        ERR_CORRUPTED
 * @module
 */
import { CorruptedError, UnsupportedOperationError } from '../../errors.ts'
import type { Os } from '../../ffi/os.ts'
import type { Place } from '../../ffi/os-threads.ts'
import { randomWords } from '../../runtime.ts'
import { type BufferRange, float64sIn, uint32sIn } from '../buffer-range.ts'
import {
  ArenaState,
  fileLayoutOf,
  HEADER_BYTES,
  HeaderLength,
  HeaderWord,
  type Layout,
  layOut,
  layoutHash,
  layoutOf,
  layoutWithin,
  MAGIC,
  MOST_BYTES,
  MOST_MAPPING_BYTES,
  mostClaims,
  VERSION,
} from './layout.ts'

/** Random, two words: which arena this is. */
export type Identity = readonly [number, number]

/** An identity as text: a handle's `generation`. */
export function identityText(identity: Identity): string {
  return identity.map((word) => word.toString(16).padStart(8, '0')).join('')
}

/** A new identity. */
export function newIdentity(): Identity {
  const [first, second] = randomWords(2) as unknown as Identity
  return [first, second]
}

/** Writes the fields that never change into a header that reads zero. The magic comes last: a header that has it is complete. */
export function writeHeader(range: BufferRange, layout: Layout, pageSize: number): void {
  const words = uint32sIn(range, 0, HEADER_BYTES / 4)
  const lengths = float64sIn(range, 0, HEADER_BYTES / 8)
  words[HeaderWord.version] = VERSION
  words[HeaderWord.layoutHash] = layoutHash()
  words[HeaderWord.pageSize] = pageSize
  lengths[HeaderLength.byteLength] = layout.byteLength
  lengths[HeaderLength.metadataBytes] = layout.metadataBytes
  lengths[HeaderLength.directoryBytes] = layout.directoryBytes
  words[HeaderWord.state] = ArenaState.open
  Atomics.store(words, HeaderWord.magic, MAGIC)
}

/** Says which arena this is, and in which boot and namespace the processes are that may change it. */
export function writeIdentity(range: BufferRange, identity: Identity, place: Place): void {
  const words = uint32sIn(range, 0, HEADER_BYTES / 4)
  words.set(identity, HeaderWord.identity)
  words[HeaderWord.boot] = place.boot
  words[HeaderWord.namespace] = place.namespace
}

/** Whether a file holds the arena of a mapped file, mapped from `offset` to `end`: its header is behind the data. */
export function holdsMappedArena(os: Os, fd: number, offset: number, end: number): boolean {
  const possible = offset % os.pageSize === 0 && end > offset && end - offset <= MOST_MAPPING_BYTES
  const layout = possible ? layoutWithin(end - offset, os.pageSize) : undefined
  return layout !== undefined && hasMagic(os, fd, offset + layout.metadataStart)
}

/** Whether a file holds an arena that `Arena.open` has made: its header is at the file's start. */
export function holdsNamedArena(os: Os, fd: number): boolean {
  return hasMagic(os, fd, 0)
}

function hasMagic(os: Os, fd: number, position: number): boolean {
  const word = new Uint32Array(1)
  const read = os.files.read(fd, new Uint8Array(word.buffer), position)
  return read === word.byteLength && word[0] === MAGIC
}

/** What a header says of the arena. */
export interface HeaderFacts {
  readonly layout: Layout
  readonly identity: Identity
}

/** Fields that are the same in every arena that this build understands on this machine. */
const FIXED: readonly (readonly [keyof typeof HeaderWord, (pageSize: number) => number])[] = [
  ['version', () => VERSION],
  ['layoutHash', () => layoutHash()],
  ['pageSize', (pageSize) => pageSize],
]

const LENGTHS = ['byteLength', 'metadataBytes', 'directoryBytes'] as const

/** Reads a header; `name` is that of the file or arena in messages. Throws unless an arena is there that this build understands. */
export function readHeader(range: BufferRange, pageSize: number, name: string): HeaderFacts {
  const words = new Uint32Array(HEADER_BYTES / 4)
  words.set(uint32sIn(range, 0, HEADER_BYTES / 4))
  const lengths = new Float64Array(words.buffer)
  const problem = (field: string, expected: unknown, found: unknown): string =>
    `${name}: arena header: "${field}" expected ${expected}, got ${found}`
  const magic = words[HeaderWord.magic] as number
  if (magic !== MAGIC) throw new CorruptedError(problem('magic', hexadecimal(MAGIC), hexadecimal(magic)))
  for (const [field, expected] of FIXED)
    if (words[HeaderWord[field]] !== expected(pageSize))
      throw new UnsupportedOperationError(
        `${problem(field, expected(pageSize), words[HeaderWord[field]])}: it was written by another build, or on another machine`
      )
  const state = words[HeaderWord.state]
  if (state !== ArenaState.open) throw new CorruptedError(problem('state', ArenaState.open, state))
  for (const field of LENGTHS) {
    const found = lengths[HeaderLength[field]] as number
    if (!(found > 0 && found <= MOST_BYTES && found % pageSize === 0))
      throw new CorruptedError(problem(field, `whole pages of ${pageSize} bytes`, found))
  }
  const layout = layoutIn(lengths)
  if (layout.directoryBytes > layout.metadataBytes)
    throw new CorruptedError(problem('directoryBytes', `at most ${layout.metadataBytes}`, layout.directoryBytes))
  requireCounts(words, layout, name)
  return { layout, identity: [words[HeaderWord.identity] as number, words[HeaderWord.identity + 1] as number] }
}

/** Throws unless a header that has been read is that of an arena in this place. */
export function requireLayout(found: Layout, expected: Layout, name: string): void {
  for (const field of LENGTHS)
    if (found[field] !== expected[field])
      throw new CorruptedError(`${name}: arena header: "${field}" expected ${expected[field]}, got ${found[field]}`)
}

/** Throws unless a header that was read out of a file has lengths that `Arena.reserve` or `Arena.open` gives an arena. */
export function requireFileLayout(found: Layout, pageSize: number, name: string): void {
  const { byteLength } = found
  const expected = fileLayoutOf(byteLength, pageSize)
  // A copy of a memory file is a named file with the layout of one.
  const other = layoutOf(byteLength, pageSize)
  if (!LENGTHS.every((field) => found[field] === other[field])) requireLayout(found, expected, name)
}

/** Throws unless the counts in a header are possible ones. */
function requireCounts(words: Uint32Array, layout: Layout, name: string): void {
  const most = mostClaims(layout.directoryBytes)
  for (const field of ['entries', 'openClaims'] as const) {
    const found = words[HeaderWord[field]] as number
    if (found > most)
      throw new CorruptedError(`${name}: arena header: "${field}" expected at most ${most}, got ${found}`)
  }
}

function layoutIn(lengths: Float64Array): Layout {
  return layOut(
    lengths[HeaderLength.byteLength] as number,
    lengths[HeaderLength.directoryBytes] as number,
    lengths[HeaderLength.metadataBytes] as number
  )
}

function hexadecimal(word: number): string {
  return `0x${word.toString(16)}`
}
