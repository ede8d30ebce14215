/** Verified replays: an honest allocator passes, each broken promise is found and named. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TraceBuilder } from '../../src/trace/builder.ts'
import { ReplayError } from '../../src/trace/error.ts'
import { VerifiedReplay } from '../../src/trace/verified-replay.ts'
import { sampleTrace } from './sample.ts'
import { type Fault, ToyAllocator } from './toy-allocator.ts'

const trace = sampleTrace(3000)

function failure(fault: Fault): ReplayError {
  const allocator = new ToyAllocator(2 ** 25, fault)
  const replay = new VerifiedReplay(trace, allocator, allocator)
  try {
    replay.run()
    replay.drain()
  } catch (error) {
    assert.instance(error, ReplayError)
    assert.is((error as ReplayError).event, replay.position)
    return error as ReplayError
  }
  throw new Error(`${fault} went unseen`)
}

test('an honest allocator passes, and every type of view is handed out', () => {
  const allocator = new ToyAllocator(2 ** 25)
  const replay = new VerifiedReplay(trace, allocator, allocator)
  replay.run(1000)
  assert.is(replay.position, 1000)
  replay.run()
  assert.ok(replay.done)
  assert.is(replay.liveBytes, trace.summary.endLiveBytes)
  assert.is(replay.drain(), trace.summary.endLiveCount)
  assert.is(replay.liveBytes, 0)
  assert.is(Object.keys(replay.viewCounts).length, 11)
  const handedOut = Object.values(replay.viewCounts).reduce((sum, count) => sum + count, 0)
  assert.is(handedOut, trace.summary.blocks)
  assert.ok(replay.verifiedBytes > trace.summary.requestedBytes)
})

test('blocks that overlap are found', () => {
  assert.match(failure('overlap').message, /^event \d+: byte \d+ of \d+ of the block made by event \d+ has changed/)
})

test('contents lost by a realloc are found', () => {
  assert.match(failure('lost contents').message, /has changed/)
})

test('a calloc that is not zero is found', () => {
  assert.match(failure('dirty calloc').message, /from calloc is \d+, not 0/)
})

test('a misaligned memalign is found', () => {
  assert.match(failure('misaligned').message, /is not a multiple of/)
})

test('one changed byte is found at its place, also past the pattern table', () => {
  const builder = new TraceBuilder()
  const slot = builder.malloc(3_000_001)
  builder.free(slot)
  for (const place of [0, 1, 65_535, 1_048_576, 3_000_000]) {
    const allocator = new ToyAllocator(2 ** 22)
    const replay = new VerifiedReplay(builder.build(), allocator, allocator)
    replay.run(1)
    const [block] = [...allocator.blocks()]
    new Uint8Array(allocator.buffer)[block!.offset + place]! ^= 1
    assert.throws(() => replay.run(), new RegExp(`byte ${place} of 3000001`))
  }
})

test.run()
