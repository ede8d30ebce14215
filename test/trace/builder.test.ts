/** Traces built call by call: columns, slots, summaries. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TraceBuilder } from '../../src/trace/builder.ts'
import { CALLOC, FREE, MALLOC, MEMALIGN, REALLOC } from '../../src/trace/trace.ts'
import { sampleTrace } from './sample.ts'

test('each call is one event, and slots are given out again, last freed first', () => {
  const builder = new TraceBuilder()
  const a = builder.malloc(10)
  const b = builder.calloc(20)
  builder.realloc(a, 15)
  builder.free(b)
  builder.free(a)
  const c = builder.memalign(64, 5)
  assert.equal([a, b, c], [0, 1, 0])
  const trace = builder.build()
  assert.equal([...trace.meta], [MALLOC, CALLOC, REALLOC, FREE, FREE, MEMALIGN | (6 << 8)])
  assert.equal([...trace.slot], [0, 1, 0, 1, 0, 0])
  assert.equal([...trace.size], [10, 20, 15, 0, 0, 5])
  assert.equal(trace.summary, {
    events: 6,
    slots: 2,
    blocks: 3,
    peakLiveBytes: 35,
    endLiveBytes: 5,
    endLiveCount: 1,
    threads: 1,
    requestedBytes: 50,
  })
})

test('a realloc to nothing is recorded as one byte', () => {
  const builder = new TraceBuilder()
  builder.realloc(builder.malloc(10), 0)
  assert.is(builder.build().size[1], 1)
})

test('building goes on after a trace was taken, past the first columns', () => {
  const builder = new TraceBuilder()
  for (let i = 0; i < 3000; i++) builder.malloc(i)
  const early = builder.build()
  for (let i = 0; i < 3000; i++) builder.free(i)
  assert.is(early.summary.endLiveCount, 3000)
  assert.is(builder.build().summary.endLiveCount, 0)
  assert.is(builder.build().size[2999], 2999)
})

test('the sample of the other tests has every operation', () => {
  const { meta } = sampleTrace(500)
  assert.equal(new Set(meta.map((word) => word & 255)), new Set([MALLOC, CALLOC, REALLOC, MEMALIGN, FREE]))
})

test.run()
