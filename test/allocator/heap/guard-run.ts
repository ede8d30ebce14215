/**
 * What guard.test.ts measures, in processes of their own: a trace replayed with everything counted.
 * @module
 */
import { Heap } from '../../../src/allocator/heap/heap.ts'
import { Slabs } from '../../../src/allocator/heap/slabs.ts'
import { HeapSpace } from '../../../src/allocator/heap/space.ts'
import { FreeSpans } from '../../../src/allocator/heap/spans/free-spans.ts'
import { Arena } from '../../../src/arena/arena.ts'
import { readTrace } from '../../../src/trace/readers/read-trace.ts'
import { Replay } from '../../../src/trace/replay.ts'
import { type Address, GiB } from '../../../src/units.ts'
import { FakeOs } from '../../helpers/fake-os.ts'

/** Of one trace, the same in every run. */
export interface Counts {
  readonly events: number
  readonly peakLiveBytes: number
  readonly peakCommittedBytes: number
  /** After the last event, before what lives then is freed. */
  readonly committedBytes: number
  readonly metadataBytes: number
  /** In the first pass and in the third. */
  readonly purges: readonly [number, number]
  readonly purgedPages: readonly [number, number]
  /** Calls out of the fast paths in the third pass: for another word of free slots, a full or an empty slab, a span to cut, a span to join. */
  readonly slowCalls: Readonly<Record<SlowCall, number>>
}

export type SlowCall = 'refill' | 'settle' | 'allocate' | 'join'

class CountingOs extends FakeOs {
  purgedPages = 0

  override purge(address: Address, byteLength: number): void {
    super.purge(address, byteLength)
    this.purgedPages += byteLength / this.pageSize
  }
}

/** Counts the calls of a method from now on. */
function countCalls(prototype: object, name: string): () => number {
  const methods = prototype as Record<string, (...args: unknown[]) => unknown>
  const method = methods[name]
  if (typeof method !== 'function')
    throw new Error(`there is no method ${name} to count: see test/allocator/guard-run.ts`)
  let count = 0
  methods[name] = function (...args) {
    count++
    return method.apply(this, args)
  }
  return () => count
}

export function countReplay(file: string): Counts {
  const trace = readTrace(file)
  const os = new CountingOs()
  const arena = Arena.reserve(64 * GiB, { os })
  // No decay: a timer would make the counts depend on the time.
  const heap = new Heap(arena, { decayMs: -1 })
  const bytes = new Uint8Array(arena.window(0).buffer)
  const touch = (offset: number, byteLength: number) => {
    for (let i = offset; i < offset + byteLength; i += arena.pageSize) bytes[i] = 1
    if (byteLength > 0) bytes[offset + byteLength - 1] = 1
  }
  const replay = new Replay(trace, heap, touch)
  replay.run()
  heap.check()
  const { committedBytes, metadataBytes, peakCommittedBytes } = heap.stats()
  const first = [os.count('purge'), os.purgedPages] as const
  replay.rewind()
  replay.run()
  replay.rewind()
  const calls = {
    refill: countCalls(Slabs.prototype, 'nextWord'),
    settle: countCalls(Slabs.prototype, 'settle'),
    allocate: countCalls(HeapSpace.prototype, 'allocate'),
    join: countCalls(FreeSpans.prototype, 'join'),
  }
  const before = [os.count('purge'), os.purgedPages] as const
  replay.run()
  const { refill, settle, allocate, join } = calls
  return {
    events: trace.summary.events,
    peakLiveBytes: trace.summary.peakLiveBytes,
    peakCommittedBytes,
    committedBytes,
    metadataBytes,
    purges: [first[0], os.count('purge') - before[0]],
    purgedPages: [first[1], os.purgedPages - before[1]],
    slowCalls: { refill: refill(), settle: settle(), allocate: allocate(), join: join() },
  }
}
