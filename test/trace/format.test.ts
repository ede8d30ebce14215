/** The bytes of a trace: round trips, and what is said of each kind of damage. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TraceError, type TraceFault } from '../../src/trace/error.ts'
import { decodeTrace, encodeTrace, writeTrace } from '../../src/trace/format.ts'
import { readTrace } from '../../src/trace/readers/read-trace.ts'
import { FREE, MALLOC, MEMALIGN, REALLOC, summarize } from '../../src/trace/trace.ts'
import { roomyFolder } from '../helpers/scratch.ts'
import { sampleTrace } from './sample.ts'

const sample = sampleTrace(500)

function fault(bytes: Uint8Array): TraceError {
  try {
    decodeTrace(bytes)
  } catch (error) {
    assert.instance(error, TraceError)
    assert.is((error as TraceError).code, 'ERR_INVALID_TRACE')
    assert.is((error as TraceError).name, 'TraceError')
    return error as TraceError
  }
  throw new Error('damaged bytes were accepted')
}

/** The sample's bytes with one word changed. */
function changed(at: number, word: number): Uint8Array {
  const bytes = encodeTrace(sample)
  new DataView(bytes.buffer).setUint32(at, word, true)
  return bytes
}

test('what was encoded is decoded again, raw and compressed', () => {
  const bytes = encodeTrace(sample)
  assert.equal(decodeTrace(bytes), sample)
  assert.equal(decodeTrace(gzipSync(bytes)), sample)
})

test('bytes at an odd place of a larger buffer are decoded', () => {
  const bytes = encodeTrace(sample)
  const larger = new Uint8Array(bytes.length + 3)
  larger.set(bytes, 3)
  assert.equal(decodeTrace(larger.subarray(3)), sample)
})

test('a file is written and read, compressed when its name ends in .gz', () => {
  const folder = mkdtempSync(join(roomyFolder(), 'sorites-'))
  try {
    const [raw, small] = [join(folder, 'a.mtrc'), join(folder, 'a.mtrc.gz')]
    writeTrace(raw, sample)
    writeTrace(small, sample)
    assert.equal(readTrace(raw), sample)
    assert.equal(readTrace(small), sample)
    assert.ok(statSync(small).size < statSync(raw).size / 2)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a trace without events is a trace', () => {
  const none = { meta: new Int32Array(0), slot: new Int32Array(0), size: new Int32Array(0) }
  const trace = { ...none, summary: summarize(none), flags: 0 }
  assert.equal(decodeTrace(encodeTrace(trace)), trace)
})

test('every shorter file is refused', () => {
  const bytes = encodeTrace(sampleTrace(20))
  for (let length = 0; length < bytes.length; length++)
    assert.is(fault(bytes.subarray(0, length)).fault, length < 4 ? 'magic' : 'truncated')
  const small = gzipSync(bytes)
  for (let length = 3; length < small.length; length++) assert.is(fault(small.subarray(0, length)).fault, 'truncated')
})

test('damage is named', () => {
  const cases: [Uint8Array, TraceFault, RegExp][] = [
    [changed(0, 0), 'magic', /MTRC/],
    [changed(4, 2), 'version', /version 2 is not 1/],
    [changed(56, 72), 'version', /header size 72/],
    [
      Buffer.concat([encodeTrace(sample), Buffer.alloc(1)]),
      'trailing',
      /500 events take 6064 bytes, the file has 6065/,
    ],
    [changed(12, 2 ** 31), 'summary', /slots 2147483648/],
    [changed(24, 7), 'summary', /peakLiveBytes 7, the events amount to \d+/],
    [changed(48, 1), 'summary', /requestedBytes 1/],
    [changed(44, 9), 'summary', /threads 9/],
    [Buffer.from([0x1f, 0x8b, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]), 'compression', /gzip/],
  ]
  for (const [bytes, kind, message] of cases) {
    const error = fault(bytes)
    assert.is(error.fault, kind)
    assert.match(error.message, message)
  }
})

test('an event that cannot be is named with its index', () => {
  const column = (index: number) => 64 + 4 * sample.meta.length * index
  const free = sample.meta.findIndex((meta) => (meta & 255) === FREE)
  const malloc = sample.meta.findIndex((meta) => (meta & 255) === MALLOC)
  const realloc = sample.meta.findIndex((meta) => (meta & 255) === REALLOC)
  const memalign = sample.meta.findIndex((meta) => (meta & 255) === MEMALIGN)
  const cases: [number, number, number, RegExp][] = [
    [0, malloc, 0, /operation 0/],
    [0, malloc, 6, /operation 6/],
    [0, malloc, MALLOC | (3 << 8), /alignment 2\^3/],
    [0, memalign, MEMALIGN | (31 << 8), /alignment 2\^31/],
    [1, malloc, 500, /slot 500 is not below/],
    [1, malloc, 2 ** 32 - 1, /slot 4294967295 is not below/],
    [2, malloc, 2 ** 31, /size 2147483648 is not below/],
    [2, free, 1, /a free of 1 bytes/],
    [2, realloc, 0, /a realloc to 0 bytes/],
    [0, 0, REALLOC, /slot 0 is empty/],
    [0, free, MALLOC, /holds a live block/],
  ]
  for (const [index, event, word, message] of cases) {
    const error = fault(changed(column(index) + 4 * event, word))
    assert.is(error.fault, 'event')
    assert.is(error.event, event)
    assert.match(error.message, message)
    assert.match(error.message, new RegExp(`^event ${event}:`))
  }
})

test('no single bit flip in the header goes unseen, except in the flags', () => {
  const bytes = encodeTrace(sample)
  for (let bit = 0; bit < 60 * 8; bit++) {
    const copy = bytes.slice()
    copy[bit >> 3]! ^= 1 << (bit & 7)
    fault(copy)
  }
})

test.run()
