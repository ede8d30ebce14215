/** The trace that comes of a recording's events, whole or damaged. */
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { END, EVENT_BYTES, traceOf } from '../../../src/cli/record/events.ts'
import { decodeTrace, encodeTrace } from '../../../src/trace/format.ts'
import { CALLOC, FLAG_RECORDED, FLAG_TRUNCATED, FREE, MALLOC } from '../../../src/trace/trace.ts'

function eventsOf(...events: readonly (readonly [number, number, number])[]): Buffer {
  const bytes = Buffer.alloc(events.length * EVENT_BYTES)
  for (const [index, word] of events.flat().entries()) bytes.writeUInt32LE(word, 4 * index)
  return bytes
}

test('blocks by id, frees, the end', () => {
  const { trace, ended, clipped } = traceOf(
    eventsOf([MALLOC, 1, 100], [CALLOC, 2, 200], [FREE, 1, 0], [MALLOC, 3, 2 ** 32 - 1], [FREE, 9, 0], [END, 0, 0])
  )
  assert.equal([...trace.meta], [MALLOC, CALLOC, FREE, MALLOC])
  assert.equal([...trace.slot], [0, 1, 0, 0])
  assert.equal([...trace.size], [100, 200, 0, 2 ** 31 - 1])
  assert.is(trace.flags, FLAG_RECORDED)
  assert.ok(ended)
  assert.is(clipped, 1)
})

test('a program that was killed: no end, half an event', () => {
  const bytes = Buffer.concat([eventsOf([MALLOC, 1, 100]), Buffer.from([1, 0, 0])])
  const { trace, ended } = traceOf(bytes)
  assert.is(trace.summary.events, 1)
  assert.is(trace.flags, FLAG_RECORDED | FLAG_TRUNCATED)
  assert.not.ok(ended)
})

test('any bytes give a valid trace', () => {
  const word = fc.oneof(fc.nat(10), fc.nat(2 ** 31 - 1))
  const event = fc.tuple(fc.nat(10), fc.nat(5), word)
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), fc.uint8Array({ maxLength: 11 }), (events, rest) => {
      const { trace } = traceOf(Buffer.concat([eventsOf(...events), rest]))
      assert.equal(decodeTrace(encodeTrace(trace)), trace)
    }),
    { seed: 1, numRuns: 500 }
  )
})

test.run()
