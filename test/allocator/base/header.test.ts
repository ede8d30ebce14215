/** @module The header: written, verified, and every field missed. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  HEADER_BYTES,
  type HeaderFields,
  layOut,
  MAGIC,
  OWN_WORD,
  STATE_WORD,
  State,
  verifyHeader,
  writeHeader,
} from '../../../src/allocator/base/header.ts'
import { rangeOf } from '../../../src/arena/buffer-range.ts'
import { throwsCode } from '../../helpers/errors.ts'

const fields: HeaderFields = {
  kind: 'Slab',
  layoutHash: -12345,
  pageSize: 4096,
  zeroed: true,
  offset: 2 ** 40,
  byteLength: 2 ** 36,
  limit: Number.POSITIVE_INFINITY,
}

function written(): ArrayBuffer {
  const metadata = new ArrayBuffer(HEADER_BYTES)
  writeHeader(rangeOf(metadata), fields)
  return metadata
}

const test = suite('header')

test('what was written is verified', () => {
  verifyHeader(rangeOf(written()), fields)
  assert.is(new Int32Array(written())[0], MAGIC)
})

test('every field that differs is named', () => {
  const others: [Partial<HeaderFields>, string][] = [
    [{ kind: 'Heap' }, 'kind'],
    [{ layoutHash: 1 }, 'layout hash'],
    [{ pageSize: 16384 }, 'page size'],
    [{ zeroed: false }, 'zeroed'],
    [{ offset: 0 }, 'claim offset'],
    [{ byteLength: 8 }, 'claim byteLength'],
    [{ limit: 9 }, 'limit'],
  ]
  for (const [other, name] of others)
    throwsCode(() => verifyHeader(rangeOf(written()), { ...fields, ...other }), 'ERR_CORRUPTED', `"${name}"`)
})

test('no byte of the fields may change', () => {
  for (let byte = 0; byte < OWN_WORD; byte++) {
    const metadata = written()
    const bytes = new Uint8Array(metadata)
    bytes[byte] = (bytes[byte] as number) ^ 1
    // Words 6 and 7 hold the zeroed flag and nothing.
    if (byte >= 28) verifyHeader(rangeOf(metadata), fields)
    else throwsCode(() => verifyHeader(rangeOf(metadata), fields), 'ERR_CORRUPTED', 'header field')
  }
})

test('closed, taken, empty and short metadata is refused', () => {
  for (const state of [State.closed, State.taken]) {
    const metadata = written()
    new Int32Array(metadata)[STATE_WORD] = state
    throwsCode(() => verifyHeader(rangeOf(metadata), fields), 'ERR_CORRUPTED', '"state"')
  }
  throwsCode(() => verifyHeader(rangeOf(new ArrayBuffer(HEADER_BYTES)), fields), 'ERR_CORRUPTED', '"magic"')
  throwsCode(() => verifyHeader(rangeOf(new ArrayBuffer(8)), fields), 'ERR_CORRUPTED', '256 bytes')
})

test('tables follow one another on multiples of 64, and the hash tells layouts apart', () => {
  const layout = layOut({ one: 1, two: 100, three: 0 })
  assert.equal(layout.at, { one: 256, two: 320, three: 448 })
  assert.is(layout.byteLength, 448)
  assert.is(layout.hash, layOut({ one: 1, two: 100, three: 0 }).hash)
  for (const other of [
    layOut({ one: 2, two: 100, three: 0 }),
    layOut({ two: 1, one: 100, three: 0 }),
    layOut({ one: 1, two: 100 }),
  ])
    assert.is.not(layout.hash, other.hash)
})

test.run()
