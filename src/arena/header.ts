/**
 * The first 256 bytes of an arena's metadata region, as layout.ts draws them: writing them, and making sure of them before a file
 * is mapped that claims to hold an arena.
 *
 * Whoever attaches reads the header out of the file, so a file that is none, or too short, or of another version, is found out
 * without a page of it being touched. The message names the field.
 * @module
 */
import { CorruptedError, UnsupportedOperationError } from '../errors.ts'
import type { Place } from '../ffi/os-threads.ts'
import {
  ArenaState,
  HEADER_BYTES,
  HeaderLength,
  HeaderWord,
  type Layout,
  layOut,
  layoutHash,
  MAGIC,
  MOST_BYTES,
  VERSION,
} from './layout.ts'

/** Random, two words: which arena this is. */
export type Identity = readonly [number, number]

/** A new identity. */
export function newIdentity(): Identity {
  const [first, second] = crypto.getRandomValues(new Uint32Array(2)) as unknown as Identity
  return [first, second]
}

/** Writes the fields that never change into a header that reads zero. The magic comes last: a header that has it is complete. */
export function writeHeader(buffer: ArrayBuffer, layout: Layout, pageSize: number): void {
  const words = new Uint32Array(buffer, 0, HEADER_BYTES / 4)
  const lengths = new Float64Array(buffer, 0, HEADER_BYTES / 8)
  words[HeaderWord.version] = VERSION
  words[HeaderWord.layoutHash] = layoutHash()
  words[HeaderWord.pageSize] = pageSize
  lengths[HeaderLength.byteLength] = layout.byteLength
  lengths[HeaderLength.metadataBytes] = layout.metadataBytes
  lengths[HeaderLength.directoryBytes] = layout.directoryBytes
  words[HeaderWord.state] = ArenaState.open
  Atomics.store(words, HeaderWord.magic, MAGIC)
}

/** Says which arena this is and where those are who may change it. */
export function writeIdentity(buffer: ArrayBuffer, identity: Identity, place: Place): void {
  const words = new Uint32Array(buffer, 0, HEADER_BYTES / 4)
  words.set(identity, HeaderWord.identity)
  words[HeaderWord.boot] = place.boot
  words[HeaderWord.namespace] = place.namespace
}

/** What a header says of the arena. */
export interface HeaderFacts {
  readonly layout: Layout
  readonly identity: Identity
}

/** Reads the header of a file of `fileLength` bytes; `name` is the file's in messages. Throws unless an arena is there. */
export function readHeader(buffer: ArrayBuffer, fileLength: number, pageSize: number, name: string): HeaderFacts {
  const words = new Uint32Array(buffer, 0, HEADER_BYTES / 4)
  const lengths = new Float64Array(buffer, 0, HEADER_BYTES / 8)
  const corrupted = (field: string, expected: unknown, found: unknown): CorruptedError =>
    new CorruptedError(`${name}: field "${field}" of the arena's header: expected ${expected}, got ${found}`)
  if (words[HeaderWord.magic] !== MAGIC)
    throw corrupted('magic', hexadecimal(MAGIC), hexadecimal(words[HeaderWord.magic] as number))
  for (const [field, expected] of [
    ['version', VERSION],
    ['layoutHash', layoutHash()],
    ['pageSize', pageSize],
  ] as const) {
    const found = words[HeaderWord[field]]
    if (found !== expected)
      throw new UnsupportedOperationError(
        `${name}: field "${field}" of the arena's header: this library and machine need ${expected}, got ${found}`
      )
  }
  if (words[HeaderWord.state] !== ArenaState.open) throw corrupted('state', ArenaState.open, words[HeaderWord.state])
  for (const field of ['byteLength', 'metadataBytes', 'directoryBytes'] as const) {
    const found = lengths[HeaderLength[field]] as number
    if (!(found > 0 && found <= MOST_BYTES && found % pageSize === 0))
      throw corrupted(field, `whole pages of ${pageSize} bytes`, found)
  }
  const layout = layOut(
    lengths[HeaderLength.byteLength] as number,
    lengths[HeaderLength.directoryBytes] as number,
    lengths[HeaderLength.metadataBytes] as number
  )
  if (layout.directoryBytes > layout.metadataBytes)
    throw corrupted('directoryBytes', `at most ${layout.metadataBytes}`, layout.directoryBytes)
  if (layout.mappingBytes !== fileLength)
    throw corrupted('byteLength', `a file of ${layout.mappingBytes} bytes`, fileLength)
  return { layout, identity: [words[HeaderWord.identity] as number, words[HeaderWord.identity + 1] as number] }
}

function hexadecimal(word: number): string {
  return `0x${word.toString(16)}`
}
