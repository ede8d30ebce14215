/**
 * What guard.test.ts measures, in processes of their own: a trace replayed with everything counted, and pairs of malloc and free against a
 * loop that does what they do at the least.
 * @module
 */
import { Heap } from '../../src/allocator/heap.ts'
import { SlabTable } from '../../src/allocator/slab-table.ts'
import { SpanTable } from '../../src/allocator/span-table.ts'
import { Arena } from '../../src/arena/arena.ts'
import { readTrace } from '../../src/trace/format.ts'
import { Replay } from '../../src/trace/replay.ts'
import { type Address, GiB } from '../../src/units.ts'
import { FakeOs } from '../helpers/fake-os.ts'

/** Of one trace. All but `faults` are the same in every run. */
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
  /** Page faults of the process in the third pass. */
  readonly faults: number
}

export type SlowCall = 'refill' | 'settle' | 'allocate' | 'release'

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
    refill: countCalls(SlabTable.prototype, 'refill'),
    settle: countCalls(SlabTable.prototype, 'settle'),
    allocate: countCalls(SpanTable.prototype, 'allocate'),
    release: countCalls(SpanTable.prototype, 'release'),
  }
  const before = [os.count('purge'), os.purgedPages, process.resourceUsage().minorPageFault] as const
  replay.run()
  const { refill, settle, allocate, release } = calls
  return {
    events: trace.summary.events,
    peakLiveBytes: trace.summary.peakLiveBytes,
    peakCommittedBytes,
    committedBytes,
    metadataBytes,
    purges: [first[0], os.count('purge') - before[0]],
    purgedPages: [first[1], os.purgedPages - before[1]],
    slowCalls: { refill: refill(), settle: settle(), allocate: allocate(), release: release() },
    faults: process.resourceUsage().minorPageFault - before[2],
  }
}

const LIVE = 1000
const BYTES = 64

/** Frees the oldest of a thousand blocks and makes a new one, so many times. */
type Pairs = (count: number) => void

function heapPairs(): Pairs {
  const heap = new Heap(Arena.reserve(GiB), { decayMs: -1 })
  const blocks = Float64Array.from({ length: LIVE }, () => heap.malloc(BYTES))
  let at = 0
  return (count) => {
    for (let i = 0; i < count; i++) {
      heap.free(blocks[at]!)
      blocks[at] = heap.malloc(BYTES)
      at = at + 1 === LIVE ? 0 : at + 1
    }
  }
}

/** The same with slots of one size in one bitmap: a free sets a bit if it is not set, a malloc clears the lowest of a word. */
function bitmapPairs(): Pairs {
  const words = new Int32Array(64).fill(-1)
  let current = 0
  const make = (): number => {
    while (words[current] === 0) current = (current + 1) & 63
    const bits = words[current]!
    words[current] = bits & (bits - 1)
    return ((current << 5) + 31 - Math.clz32(bits & -bits)) * BYTES
  }
  const drop = (offset: number): void => {
    const slot = offset >>> 6
    const bit = 1 << slot
    if ((offset & 63) !== 0 || (words[slot >>> 5]! & bit) !== 0) throw new Error('not live')
    words[slot >>> 5]! |= bit
  }
  const blocks = Float64Array.from({ length: LIVE }, make)
  let at = 0
  return (count) => {
    for (let i = 0; i < count; i++) {
      drop(blocks[at]!)
      blocks[at] = make()
      at = at + 1 === LIVE ? 0 : at + 1
    }
  }
}

/** The heap's time over the bitmap's, by round: short rounds in turns, so that what disturbs one disturbs the other. */
export function pairRatios(rounds: number, count: number): number[] {
  const [heap, bitmap] = [heapPairs(), bitmapPairs()]
  const time = (pairs: Pairs): number => {
    const start = performance.now()
    pairs(count)
    return performance.now() - start
  }
  for (let round = 0; round < 50; round++) [time(heap), time(bitmap)]
  return Array.from({ length: rounds }, () => time(heap) / time(bitmap))
}
