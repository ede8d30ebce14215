/**
 * Reads and writes traces as MTRC version 1 (traces/README.md documents the bytes), raw or compressed with gzip.
 *
 * Nothing is believed: a decoded trace has been walked from end to end, every event is possible, and the header's figures are
 * those that the events amount to. Decoding costs about 10 ns an event over decompression. Other formats: readers/.
 * @module
 */
import { writeFileSync } from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'
import { TraceError } from './error.ts'
import { summarize, type Trace, type TraceSummary } from './trace.ts'

const MAGIC = 0x4352544d // 'MTRC'
/** Most bytes that a compressed trace may come to: a short file can stand for endless ones. */
const MOST_BYTES = 2 ** 30
const VERSION = 1
const HEADER_BYTES = 64
const COLUMNS = 3

/**
 * Writes a trace to a file: compressed when the name ends in `.gz`.
 *
 * @param path - Of the file.
 * @param trace - What to write.
 * @throws What the file system refuses (`ENOENT`, `EACCES`, …).
 * @example
 * ```js
 * writeTrace(`${path}.mtrc.gz`, new TraceBuilder().build())
 * readTrace(`${path}.mtrc.gz`).summary.events // -> 0
 * ```
 */
export function writeTrace(path: string, trace: Trace): void {
  const bytes = encodeTrace(trace)
  writeFileSync(path, path.endsWith('.gz') ? gzipSync(bytes, { level: 9 }) : bytes)
}

/**
 * Decodes a trace, raw or compressed. Throws a `TraceError` that says what is wrong and where.
 *
 * @param bytes - Of a file in the format MTRC, compressed or not.
 * @returns The trace.
 * @throws `TraceError`.
 * @example
 * ```js
 * decodeTrace(encodeTrace(new TraceBuilder().build())).summary.events // -> 0
 * ```
 */
export function decodeTrace(bytes: Uint8Array): Trace {
  const raw = bytes[0] === 0x1f && bytes[1] === 0x8b ? decompress(bytes) : bytes
  const header = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  const events = checkHeader(header)
  const column = (index: number): Int32Array => {
    const start = raw.byteOffset + HEADER_BYTES + 4 * events * index
    return new Int32Array(raw.buffer.slice(start, start + 4 * events))
  }
  const columns = { meta: column(0), slot: column(1), size: column(2) }
  const claimed = readSummary(header, events)
  const summary = summarize(columns)
  for (const key of Object.keys(summary) as (keyof TraceSummary)[])
    if (claimed[key] !== summary[key])
      throw new TraceError('summary', `the header says ${key} ${claimed[key]}, the events amount to ${summary[key]}`)
  return { ...columns, summary, flags: header.getUint32(60, true) }
}

/**
 * The bytes of a trace, not compressed.
 *
 * @param trace - What to encode.
 * @returns Bytes in the format MTRC.
 * @throws Nothing.
 * @example
 * ```js
 * encodeTrace(new TraceBuilder().build()).length // -> 64
 * ```
 */
export function encodeTrace(trace: Trace): Uint8Array {
  const { meta, slot, size, flags } = trace
  const summary = summarize(trace)
  const bytes = new Uint8Array(HEADER_BYTES + 4 * meta.length * COLUMNS)
  const header = new DataView(bytes.buffer)
  const words: [number, number][] = [
    [0, MAGIC],
    [4, VERSION],
    [8, summary.events],
    [12, summary.slots],
    [40, summary.endLiveCount],
    [44, summary.threads],
    [56, HEADER_BYTES],
    [60, flags],
  ]
  for (const [at, value] of words) header.setUint32(at, value, true)
  header.setBigUint64(16, BigInt(summary.blocks), true)
  header.setBigUint64(24, BigInt(summary.peakLiveBytes), true)
  header.setBigUint64(32, BigInt(summary.endLiveBytes), true)
  header.setBigUint64(48, BigInt(summary.requestedBytes), true)
  const columns = new Int32Array(bytes.buffer, HEADER_BYTES)
  columns.set(meta, 0)
  columns.set(slot, meta.length)
  columns.set(size, 2 * meta.length)
  return bytes
}

function decompress(bytes: Uint8Array): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: MOST_BYTES })
  } catch (cause) {
    const { code } = cause as { code?: string }
    if (code === 'ERR_BUFFER_TOO_LARGE')
      throw new TraceError('length', `gzip: more than ${MOST_BYTES} bytes`, { cause })
    const cut = code === 'Z_BUF_ERROR'
    throw new TraceError(cut ? 'truncated' : 'compression', `gzip: ${(cause as Error).message}`, { cause })
  }
}

/** Checks that the bytes are a whole trace of a version we know; returns the number of events. */
function checkHeader(header: DataView): number {
  const { byteLength } = header
  if (byteLength < 4 || header.getUint32(0, true) !== MAGIC)
    throw new TraceError('magic', 'the file does not begin with "MTRC"')
  if (byteLength < HEADER_BYTES)
    throw new TraceError('truncated', `a header has ${HEADER_BYTES} bytes, the file ${byteLength}`)
  const version = header.getUint32(4, true)
  if (version !== VERSION) throw new TraceError('version', `version ${version} is not ${VERSION}`)
  const headerBytes = header.getUint32(56, true)
  if (headerBytes !== HEADER_BYTES) throw new TraceError('version', `header size ${headerBytes} is not ${HEADER_BYTES}`)
  const events = header.getUint32(8, true)
  const expected = HEADER_BYTES + 4 * events * COLUMNS
  if (byteLength !== expected)
    throw new TraceError(
      byteLength < expected ? 'truncated' : 'trailing',
      `${events} events take ${expected} bytes, the file has ${byteLength}`
    )
  return events
}

function readSummary(header: DataView, events: number): TraceSummary {
  return {
    events,
    slots: header.getUint32(12, true),
    blocks: Number(header.getBigUint64(16, true)),
    peakLiveBytes: Number(header.getBigUint64(24, true)),
    endLiveBytes: Number(header.getBigUint64(32, true)),
    endLiveCount: header.getUint32(40, true),
    threads: header.getUint32(44, true),
    requestedBytes: Number(header.getBigUint64(48, true)),
  }
}
