/**
 * Reads traces of any format that is known here, compressed or not; which one is told by the content, not by the name.
 *
 *     bytes -> without compression -> "MTRC" ? format.ts : the text reader that accepts the first line -> a valid trace
 *
 * Nothing that a file says is trusted: memory is bounded by the bytes there are, those by `maxByteLength`, and time is linear in them. A text
 * costs about 300 ns a line.
 * @module
 */
import { Buffer } from 'node:buffer'
import { closeSync, openSync, readSync } from 'node:fs'
import { wholeNumber } from '../../arguments.ts'
import { TraceError } from '../error.ts'
import { decodeTrace } from '../format.ts'
import type { Trace } from '../trace.ts'
import { tooLong, withoutCompression } from './compression.ts'
import { mallocLab } from './malloc-lab.ts'
import { memoryReplay } from './memory-replay.ts'
import { mtrace } from './mtrace.ts'
import type { TextReader, TraceFormat } from './reader.ts'

/** Options of `readTrace` and `parseTrace`. */
export interface ReadOptions {
  /** Most bytes that a file may have, before and after decompression. @defaultValue 1 GiB */
  readonly maxByteLength?: number | undefined
}

/** What `parseTrace` gives. */
export interface ParsedTrace {
  /** The events. */
  readonly trace: Trace
  /** The format that the content was told to be of. */
  readonly format: TraceFormat
  /** What in the file was not as it should be and was mended: frees of blocks that were never made, a last line that is cut. */
  readonly notes: readonly string[]
}

const MOST_BYTES = 2 ** 30
const CHUNK_BYTES = 1 << 20
const FIRST_LINE = 4096
const TEXTS: readonly TextReader[] = [memoryReplay, mtrace, mallocLab]

/**
 * Reads a trace from a file of any known format. Throws a `TraceError` that says what is wrong and where.
 *
 * @param path - Of the file.
 * @param options - The most bytes.
 * @returns The trace.
 * @throws `TraceError`; what the file system refuses.
 * @example
 * ```js
 * writeTrace(`${path}.mtrc`, new TraceBuilder().build())
 * readTrace(`${path}.mtrc`).summary.events // -> 0
 * ```
 */
export function readTrace(path: string, options?: ReadOptions): Trace {
  return parseTrace(readBounded(path, mostBytes(options)), options).trace
}

/**
 * Reads a trace from the bytes of a file of any known format.
 *
 * @param bytes - Of the file.
 * @param options - The most bytes.
 * @returns The trace, its format, and what was mended.
 * @throws `TraceError`.
 * @example
 * ```js
 * parseTrace(encodeTrace(new TraceBuilder().build())).format // -> 'MTRC'
 * ```
 */
export function parseTrace(bytes: Uint8Array, options?: ReadOptions): ParsedTrace {
  const raw = withoutCompression(bytes, mostBytes(options))
  if (raw[0] === 0x4d && raw[1] === 0x54 && raw[2] === 0x52 && raw[3] === 0x43)
    return { trace: decodeTrace(raw), format: 'MTRC', notes: [] }
  const line = firstLine(raw)
  const reader = TEXTS.find(({ accepts }) => accepts(line))
  if (reader === undefined)
    throw new TraceError(
      'magic',
      'the file does not begin with "MTRC", nor as a text of memory_replay, mtrace or the malloc lab does'
    )
  return { ...reader.read(raw), format: reader.format }
}

/** The bytes of a file, of a pipe too, at most `most`. */
export function readBounded(path: string | number, most: number = MOST_BYTES): Uint8Array {
  const fd = typeof path === 'number' ? path : openSync(path, 'r')
  try {
    const chunks: Uint8Array[] = []
    let [chunk, filled] = [Buffer.allocUnsafeSlow(CHUNK_BYTES), 0]
    for (;;) {
      const count = readSync(fd, chunk, filled, CHUNK_BYTES - filled, null)
      filled += count
      if (chunks.length * CHUNK_BYTES + filled > most) throw tooLong('the file', most)
      if (count === 0) return Buffer.concat([...chunks, chunk.subarray(0, filled)])
      if (filled < CHUNK_BYTES) continue
      chunks.push(chunk)
      chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
      filled = 0
    }
  } finally {
    if (typeof path !== 'number') closeSync(fd)
  }
}

function mostBytes(options: ReadOptions | undefined): number {
  return wholeNumber('options.maxByteLength', options?.maxByteLength ?? MOST_BYTES, 1)
}

/** The first line that is not blank, or how it begins. */
function firstLine(bytes: Uint8Array): string {
  let start = 0
  while (start < bytes.length && bytes[start]! <= 32) start++
  const shown = Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.min(FIRST_LINE, bytes.length - start))
  return shown.toString('latin1').split('\n', 1)[0]!
}
