/** Sizes and lives of a trace, counted by hand. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { boundsOf, classOf } from '../../../src/cli/replay/size-classes.ts'
import { traceFigures } from '../../../src/cli/replay/trace-figures.ts'
import { TraceBuilder } from '../../../src/trace/builder.ts'
import { sampleTrace } from '../../trace/sample.ts'

test('classes are powers of two', () => {
  for (const [size, least, most] of [
    [0, 0, 0],
    [1, 1, 1],
    [2, 2, 3],
    [3, 2, 3],
    [4, 4, 7],
    [1024, 1024, 2047],
    [2 ** 31 - 1, 2 ** 30, 2 ** 31 - 1],
  ] as const)
    assert.equal(boundsOf(classOf(size)), [least, most])
})

test('blocks, bytes, most at once, lives and what is left', () => {
  const trace = new TraceBuilder()
  const a = trace.malloc(5) // event 0
  const b = trace.calloc(6) // 1
  trace.free(a) // 2: a lived 2 events
  const c = trace.malloc(100) // 3
  trace.realloc(c, 9000) // 4: is no new block
  trace.malloc(7) // 5
  trace.free(b) // 6: b lived 5
  trace.free(c) // 7: c lived 4
  const { sizes, lives } = traceFigures(trace.build())
  assert.equal(sizes, [
    { least: 4, most: 7, blocks: 3, bytes: 18, peakCount: 2, left: 1, medianLife: 5, ninthLife: 5 },
    { least: 64, most: 127, blocks: 1, bytes: 100, peakCount: 1, left: 0, medianLife: 4, ninthLife: 4 },
  ])
  assert.equal(lives, [0, 0, 1, 2])
})

test('sums over the classes are those of the trace', () => {
  const trace = sampleTrace(5000)
  const { sizes, lives } = traceFigures(trace)
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  assert.is(sum(sizes.map(({ blocks }) => blocks)), trace.summary.blocks)
  assert.is(sum(sizes.map(({ left }) => left)), trace.summary.endLiveCount)
  assert.is(sum(lives), trace.summary.blocks - trace.summary.endLiveCount)
})

test('a trace without events', () => {
  assert.equal(traceFigures(new TraceBuilder().build()), { sizes: [], lives: [] })
})

test.run()
