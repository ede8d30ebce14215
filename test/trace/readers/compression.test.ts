/** Traces that are compressed: each kind is told by its first bytes, what is damaged, too long or beyond this Node is said. */
import zlib, { gzipSync } from 'node:zlib'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TraceError, type TraceFault } from '../../../src/trace/error.ts'
import { encodeTrace } from '../../../src/trace/format.ts'
import { parseTrace, type ReadOptions } from '../../../src/trace/readers/read-trace.ts'
import { sampleTrace } from '../sample.ts'
import { SAMPLES, sampleFile, zipOf } from './files.ts'

function fault(bytes: Uint8Array, kind: TraceFault, message: RegExp, options?: ReadOptions): void {
  try {
    parseTrace(bytes, options)
  } catch (error) {
    assert.instance(error, TraceError, String(error))
    assert.is((error as TraceError).fault, kind, (error as TraceError).message)
    assert.match((error as TraceError).message, message)
    return
  }
  throw new Error('accepted')
}

test('every format is read from gzip and from zip', () => {
  for (const bytes of [...SAMPLES.map(sampleFile), encodeTrace(sampleTrace(200))]) {
    const plain = parseTrace(bytes)
    assert.equal(parseTrace(gzipSync(bytes)), plain)
    assert.equal(parseTrace(zipOf({ 'a.txt': bytes })), plain)
    assert.equal(parseTrace(zipOf({ 'folder/': Buffer.alloc(0), 'folder/a.txt': bytes }, 0)), plain)
  }
})

test('zstd where this Node has it; what to do where not, and for xz and bzip2', () => {
  const { zstdCompressSync } = zlib as { zstdCompressSync?: (bytes: Uint8Array) => Uint8Array }
  const bytes = sampleFile('small.rep')
  if (zstdCompressSync !== undefined) assert.equal(parseTrace(zstdCompressSync(bytes)), parseTrace(bytes))
  else
    fault(Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0]), 'compression', /zstd: this Node cannot decompress it; use zstd -d/)
  fault(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0]), 'compression', /xz: .* use xz -d first/)
  fault(Buffer.from('BZh91AY'), 'compression', /bzip2: .* use bzip2 -d first/)
})

test('a short file that stands for a long one is refused', () => {
  const bomb = Buffer.alloc(2 ** 22)
  const options = { maxByteLength: 2 ** 20 }
  fault(gzipSync(bomb), 'length', /gzip: more than 1048576 bytes/, options)
  fault(zipOf({ a: bomb }), 'length', /zip: more than 1048576 bytes/, options)
})

test('every shorter file is refused', () => {
  for (const whole of [gzipSync(sampleFile('small.rep')), zipOf({ a: sampleFile('small.rep') })])
    for (let length = 4; length < whole.length; length++) fault(whole.subarray(0, length), 'truncated', /gzip|zip/)
})

test('an archive of no file, of several, encrypted, of another method, with wrong lengths', () => {
  const bytes = sampleFile('small.rep')
  const changed = (offset: number, value: number) => {
    const archive = zipOf({ a: bytes })
    archive.writeUInt16LE(value, archive.readUInt32LE(archive.length - 6) + offset)
    return archive
  }
  fault(Buffer.concat([Buffer.from('PK\x03\x04'), zipOf({})]), 'compression', /an archive of 0 files/)
  fault(zipOf({ a: bytes, b: bytes }), 'compression', /an archive of 2 files; a trace is one/)
  fault(changed(8, 1), 'compression', /encrypted/)
  fault(changed(10, 9), 'compression', /method 9/)
  fault(changed(24, 1), 'compression', /the directory says 1 bytes, the file has \d+/)
  fault(changed(42, 9999), 'compression', /directory is damaged/)
})

test.run()
