/**
 * The one file of a zip archive. Its directory stands at the end:
 *
 *      | local header, name, data | … | directory: a record for each file | end record, comment |
 *
 * Every place and length is read from the archive and checked against its bytes. Archives of 4 GiB and more (zip64), encrypted ones, and
 * methods other than `stored` and `deflated` are refused.
 * @module
 */
import { Buffer } from 'node:buffer'
import { inflateRawSync } from 'node:zlib'
import { TraceError } from '../error.ts'

const LOCAL = 0x04034b50
const RECORD = 0x02014b50
const END = 0x06054b50
const LOCAL_BYTES = 30
const RECORD_BYTES = 46
const END_BYTES = 22
const LONGEST_COMMENT = 0xffff
const STORED = 0
const DEFLATED = 8

interface ZipRecord {
  readonly name: string
  readonly encrypted: boolean
  readonly method: number
  readonly compressedBytes: number
  readonly byteLength: number
  readonly at: number
}

export function fileOfZip(bytes: Uint8Array, { maxOutputLength }: { readonly maxOutputLength: number }): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const files = [...records(view)].filter(({ name }) => !name.endsWith('/') && !name.startsWith('__MACOSX/'))
  const [file] = files
  if (file === undefined || files.length > 1) throw fault(`an archive of ${files.length} files; a trace is one`)
  if (file.encrypted) throw fault('the file is encrypted')
  const data = dataOf(view, file)
  if (file.method === STORED) return data
  if (file.method !== DEFLATED) throw fault(`method ${file.method} is neither "stored" nor "deflated"`)
  const inflated = inflateRawSync(data, { maxOutputLength })
  if (inflated.length !== file.byteLength)
    throw fault(`the directory says ${file.byteLength} bytes, the file has ${inflated.length}`)
  return inflated
}

function* records(view: DataView): Iterable<ZipRecord> {
  const end = endRecord(view)
  const count = view.getUint16(end + 10, true)
  let at = view.getUint32(end + 16, true)
  for (let index = 0; index < count; index++) {
    if (at + RECORD_BYTES > end || view.getUint32(at, true) !== RECORD) throw fault(`its directory is damaged`)
    const nameBytes = view.getUint16(at + 28, true)
    const name = Buffer.from(
      view.buffer,
      view.byteOffset + at + RECORD_BYTES,
      Math.min(nameBytes, end - at - RECORD_BYTES)
    )
    yield {
      name: name.toString('latin1'),
      encrypted: (view.getUint16(at + 8, true) & 1) !== 0,
      method: view.getUint16(at + 10, true),
      compressedBytes: view.getUint32(at + 20, true),
      byteLength: view.getUint32(at + 24, true),
      at: view.getUint32(at + 42, true),
    }
    at += RECORD_BYTES + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true)
  }
}

/** Where the end record is: the last one that a comment leads to the end from. */
function endRecord(view: DataView): number {
  const last = view.byteLength - END_BYTES
  for (let at = last; at >= 0 && at >= last - LONGEST_COMMENT; at--)
    if (view.getUint32(at, true) === END && at + END_BYTES + view.getUint16(at + 20, true) === view.byteLength)
      return at
  throw new TraceError('truncated', 'zip: the archive has no end record')
}

function dataOf(view: DataView, { at, compressedBytes }: ZipRecord): Uint8Array {
  if (at + LOCAL_BYTES > view.byteLength || view.getUint32(at, true) !== LOCAL) throw fault('its directory is damaged')
  const start = at + LOCAL_BYTES + view.getUint16(at + 26, true) + view.getUint16(at + 28, true)
  if (start + compressedBytes > view.byteLength) throw fault('its directory is damaged')
  return new Uint8Array(view.buffer, view.byteOffset + start, compressedBytes)
}

function fault(message: string): TraceError {
  return new TraceError('compression', `zip: ${message}`)
}
