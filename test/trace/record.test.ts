/** Recording: what was recorded replays to the same trace, and view calls count as the raw calls they stand for. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { AllocatorStats } from '../../src/allocator/contract.ts'
import { Arena, Heap, MiB } from '../../src/index.ts'
import { decodeTrace, encodeTrace } from '../../src/trace/format.ts'
import { Recorder } from '../../src/trace/record.ts'
import { Replay } from '../../src/trace/replay.ts'
import { CALLOC, FREE, MALLOC, MEMALIGN, REALLOC } from '../../src/trace/trace.ts'
import { VerifiedReplay } from '../../src/trace/verified-replay.ts'
import { sampleTrace } from './sample.ts'
import { ToyAllocator } from './toy-allocator.ts'

function recorder(): { inner: ToyAllocator; recorder: Recorder } {
  const inner = new ToyAllocator(2 ** 24)
  return { inner, recorder: new Recorder(inner, inner) }
}

test('a replay that is recorded gives the trace that was replayed', () => {
  const trace = { ...sampleTrace(5000), flags: 2 }
  const { recorder: recording } = recorder()
  new Replay(trace, recording).run()
  assert.equal(recording.trace(), trace)
  assert.equal(decodeTrace(encodeTrace(recording.trace())), trace)
})

test('a verified replay that is recorded gives it too', () => {
  const trace = { ...sampleTrace(2000), flags: 2 }
  const { inner, recorder: recording } = recorder()
  new VerifiedReplay(trace, recording, inner).run()
  assert.equal(recording.trace(), trace)
})

test('view calls are the raw calls they stand for', () => {
  const { recorder: heap } = recorder()
  const zeroed = heap.alloc(Float64Array, 3)
  const dirty = heap.allocUnsafe(Int16Array, 5)
  heap.free(zeroed)
  heap.realloc(dirty.byteOffset, 40)
  heap.memalign(256, 7)
  const { meta, slot, size } = heap.trace()
  assert.equal([...meta], [CALLOC, MALLOC, FREE, REALLOC, MEMALIGN | (8 << 8)])
  assert.equal([...slot], [0, 1, 0, 1, 0])
  assert.equal([...size], [24, 10, 0, 40, 7])
})

test('an alignment that every block has is recorded where memalign asked for it, and not for a view', () => {
  const { recorder: heap } = recorder()
  heap.memalign(8, 24)
  heap.alloc(Uint8Array, 24, { alignment: 8 })
  assert.equal([...heap.trace().meta], [MEMALIGN | (3 << 8), CALLOC])
})

test('Buffers, DataViews and aligned views are recorded', () => {
  const { recorder: heap } = recorder()
  const bytes: Buffer = heap.alloc(Buffer, 24)
  const data: DataView = heap.allocUnsafe(DataView, 10)
  heap.free(bytes)
  heap.free(data)
  assert.is(heap.alloc(Float64Array, 2, { alignment: 64 }).byteOffset % 64, 0)
  assert.is(heap.allocUnsafe(Uint8Array, 3, { alignment: 256 }).byteOffset % 256, 0)
  heap.allocUnsafe(Uint8Array, 3, {})
  assert.throws(() => heap.alloc(Uint8Array, 3, { alignment: 3 }), 'options.alignment')
  const { meta, size } = heap.trace()
  const calls = [CALLOC, MALLOC, FREE, FREE, MEMALIGN | (6 << 8), MEMALIGN | (8 << 8), MALLOC]
  assert.equal([...meta], calls)
  assert.equal([...size], [24, 10, 0, 0, 16, 3, 3])
})

test('reset frees every block', () => {
  const { inner, recorder: heap } = recorder()
  heap.malloc(8)
  heap.malloc(8)
  heap.reset()
  heap.malloc(8)
  assert.is(inner.stats().usedCount, 1)
  assert.is(heap.trace().summary.endLiveCount, 1)
  assert.is(heap.trace().summary.events, 5)
})

test('a call that fails leaves no event', () => {
  const { recorder: heap } = recorder()
  assert.is(heap.tryMalloc(2 ** 30), 0)
  assert.throws(() => heap.malloc(2 ** 30), 'full')
  assert.throws(() => heap.calloc(2 ** 30), 'full')
  assert.throws(() => heap.malloc(2 ** 31), /byteLength/)
  assert.throws(() => heap.alloc(Float64Array, 2 ** 28), /length/)
  assert.throws(() => heap.free(8), /not a live block/)
  assert.throws(() => heap.realloc(8, 8), /not a live block/)
  assert.is(heap.trace().summary.events, 0)
})

test('blocks made before the recording are unknown to it', () => {
  const { inner, recorder: heap } = recorder()
  const [a, b] = [inner.malloc(8), inner.malloc(8)]
  heap.free(a)
  const moved = heap.realloc(b, 100)
  heap.free(moved)
  assert.equal([...heap.trace().meta], [MALLOC, FREE])
})

test('pins and the end are passed on', async () => {
  const arena = Arena.reserve(MiB)
  const heap = new Recorder(new Heap(arena), arena)
  const view = heap.alloc(Uint8Array, 100)
  const pin = heap.pin(view)
  assert.throws(() => heap.free(view), /pinned/)
  assert.is(await heap.use(view, ({ length }) => length), 100)
  const closing = heap.closeWhenIdle()
  assert.throws(() => heap.pin(view), /no new pins/)
  pin[Symbol.dispose]()
  await Promise.all([closing, heap[Symbol.asyncDispose]()])
  assert.is(heap.trace().summary.events, 1)
  arena.close()
})

test('stats passes its options on', () => {
  const asked: unknown[] = []
  const inner = new (class extends ToyAllocator {
    override stats(...options: readonly unknown[]): AllocatorStats {
      asked.push(...options)
      return super.stats()
    }
  })(2 ** 20)
  new Recorder(inner, inner).stats({ classes: true })
  assert.equal(asked, [{ classes: true }])
})

test('everything else is passed on', () => {
  const { inner, recorder: heap } = recorder()
  const offset = heap.malloc(30)
  assert.is(heap.usableSize(offset), 32)
  assert.equal([...heap.blocks()], [...inner.blocks()])
  assert.equal(heap.stats(), inner.stats())
  assert.is(heap.purge(), 0)
  heap.check()
  heap.close()
})

test('a view that was detached: a free is recorded when it was made, and not when it was refused', () => {
  const arena = Arena.reserve(MiB)
  const heap = new Recorder(new Heap(arena), arena)
  const view = heap.alloc(Uint8Array, 10)
  const buffer = view.buffer as ArrayBuffer & { transfer?(): ArrayBuffer }
  if (buffer.transfer === undefined) structuredClone(buffer, { transfer: [buffer] })
  else buffer.transfer()
  // Whether a detached view says where it was is the runtime's: Node 20 does, later ones do not. What is freed is recorded, and nothing else.
  let freed = true
  try {
    heap.free(view)
  } catch (error) {
    assert.is((error as { code?: string }).code, 'ERR_INVALID_FREE')
    freed = false
  }
  for (const bad of [view, new Uint8Array(8)]) assert.throws(() => heap.free(bad))
  assert.is(heap.stats().usedCount, freed ? 0 : 1)
  assert.equal([...heap.trace().meta], freed ? [CALLOC, FREE] : [CALLOC])
  arena.close()
})

test('many offsets, in an array that says other things of itself, or in a block that is freed', () => {
  const arena = Arena.reserve(16 * MiB)
  const heap = new Recorder(new Heap(arena, { concurrent: true }), arena)
  class Lying extends Float64Array {
    override subarray(): never {
      throw new Error('no')
    }
  }
  const lying = new Lying(3)
  heap.mallocMany(40, lying)
  heap.freeMany(lying)
  const offsets = heap.alloc(Float64Array, 400_000)
  heap.mallocMany(40, offsets.subarray(1, 3))
  offsets[0] = arena.offsetOf(offsets)
  heap.freeMany(offsets, 3)
  const { endLiveCount, events } = heap.trace().summary
  assert.equal([endLiveCount, events], [0, 12])
  arena.close()
})

test.run()
