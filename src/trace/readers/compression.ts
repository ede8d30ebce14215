/**
 * Takes the compression off a file, told by its first bytes: gzip, zip (of one file, as Android keeps its traces), and zstd where the
 * runtime has it. What the bytes come to is bounded: a short file can stand for endless ones.
 * @module
 */
import zlib from 'node:zlib'
import { TraceError } from '../error.ts'
import { fileOfZip } from './zip.ts'

/** Decompresses `bytes`; throws an error whose code is ERR_BUFFER_TOO_LARGE above the limit. */
type Decompress = (bytes: Uint8Array, limits: { readonly maxOutputLength: number }) => Uint8Array

interface Compression {
  readonly name: string
  readonly magic: readonly number[]
  /** Undefined where the runtime cannot. */
  readonly decompress: Decompress | undefined
  /** What a user can do about it then. */
  readonly advice: string
}

const { zstdDecompressSync } = zlib as { readonly zstdDecompressSync?: Decompress }

const COMPRESSIONS: readonly Compression[] = [
  { name: 'gzip', magic: [0x1f, 0x8b], decompress: zlib.gunzipSync, advice: 'gzip -d' },
  { name: 'zip', magic: [0x50, 0x4b, 3, 4], decompress: fileOfZip, advice: 'unzip' },
  { name: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd], decompress: zstdDecompressSync, advice: 'zstd -d' },
  { name: 'xz', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], decompress: undefined, advice: 'xz -d' },
  { name: 'bzip2', magic: [0x42, 0x5a, 0x68], decompress: undefined, advice: 'bzip2 -d' },
]

/** The bytes without their compression, if they have one: at most `most` of them. */
export function withoutCompression(bytes: Uint8Array, most: number): Uint8Array {
  const found = COMPRESSIONS.find(({ magic }) => magic.every((byte, index) => bytes[index] === byte))
  if (found === undefined) return bytes
  const { name, decompress, advice } = found
  if (decompress === undefined)
    throw new TraceError('compression', `${name}: this Node cannot decompress it; use ${advice} first`)
  try {
    return decompress(bytes, { maxOutputLength: most })
  } catch (cause) {
    if (cause instanceof TraceError) throw cause
    const { code, message } = cause as { code?: string; message: string }
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLong(name, most, cause)
    const cut = code === 'Z_BUF_ERROR' || /unexpected end/i.test(message)
    throw new TraceError(cut ? 'truncated' : 'compression', `${name}: ${message}`, { cause })
  }
}

/** The error for a trace that is longer than its reader was told to take. */
export function tooLong(what: string, most: number, cause?: unknown): TraceError {
  return new TraceError('length', `${what}: more than ${most} bytes`, { cause })
}
