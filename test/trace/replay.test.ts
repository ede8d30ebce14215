/** Plain replays: which calls are made, where steps end, what touching is told. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TraceBuilder } from '../../src/trace/builder.ts'
import { Replay } from '../../src/trace/replay.ts'
import { sampleTrace } from './sample.ts'
import { ToyAllocator } from './toy-allocator.ts'

const trace = sampleTrace(2000)

test('steps add up to the whole trace, and drain frees what is left', () => {
  const allocator = new ToyAllocator(2 ** 24)
  const replay = new Replay(trace, allocator)
  let events = 0
  while (!replay.done) events += replay.run(300)
  assert.is(events, 2000)
  assert.is(replay.position, 2000)
  assert.is(replay.run(1), 0)
  assert.is(allocator.stats().usedCount, trace.summary.endLiveCount)
  assert.is(replay.drain(), trace.summary.endLiveCount)
  assert.is(replay.drain(), 0)
  assert.is(allocator.stats().usedCount, 0)
})

test('a replay can be run again', () => {
  const allocator = new ToyAllocator(2 ** 24)
  const replay = new Replay(trace, allocator)
  replay.run(1500)
  replay.rewind()
  assert.is(allocator.stats().usedCount, 0)
  assert.is(replay.run(), 2000)
})

test('each call reaches the allocator with its arguments, threads left out', () => {
  const builder = new TraceBuilder()
  const a = builder.malloc(1)
  builder.calloc(2)
  builder.realloc(a, 3)
  const d = builder.memalign(4096, 4)
  builder.free(d)
  const made = builder.build()
  made.meta.forEach((word, event) => {
    made.meta[event] = word | (7 << 16)
  })
  const calls: unknown[] = []
  const replay = new Replay(made, {
    malloc: (size) => calls.push(['malloc', size]) * 8,
    calloc: (size) => calls.push(['calloc', size]) * 8,
    realloc: (offset, size) => calls.push(['realloc', offset, size]) * 8,
    memalign: (alignment, size) => calls.push(['memalign', alignment, size]) * 8,
    free: (offset) => calls.push(['free', offset]),
  })
  replay.run()
  const expected = [
    ['malloc', 1],
    ['calloc', 2],
    ['realloc', 8, 3],
    ['memalign', 4096, 4],
    ['free', 32],
  ]
  assert.equal(calls, expected)
  calls.length = 0
  replay.rewind()
  assert.equal(calls, [
    ['free', 24],
    ['free', 16],
  ])
})

test('touch is told the block, its size, and the size before', () => {
  const builder = new TraceBuilder()
  const a = builder.malloc(100)
  builder.realloc(a, 300)
  builder.free(a)
  builder.calloc(50)
  const touched: number[][] = []
  const allocator = new ToyAllocator(2 ** 20)
  new Replay(builder.build(), allocator, (offset, size, before) => {
    touched.push([size, before])
    assert.ok(allocator.usableSize(offset) >= size)
  }).run()
  assert.equal(touched, [
    [100, 0],
    [300, 100],
    [50, 0],
  ])
})

test('both loops make the same calls', () => {
  const [plain, touching] = [new ToyAllocator(2 ** 24), new ToyAllocator(2 ** 24)]
  new Replay(trace, plain).run()
  new Replay(trace, touching, () => {}).run()
  assert.equal([...plain.blocks()], [...touching.blocks()])
})

test.run()
