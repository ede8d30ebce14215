/**
 * The main run: a heap on a 64 GiB arena lives through a real program's trace, phase by phase, under a sampler.
 *
 *     start -> reserve -> heap -> growth … -> full -> freeing … -> freed -> purged -> closed
 *
 * Every block is a typed-array view filled with a pattern and verified when it is resized or freed (VerifiedReplay).
 * @module
 */
import { Arena, type FreeingAllocator, GiB, Heap } from '../src/index.ts'
import type { Trace } from '../src/trace/trace.ts'
import { VerifiedReplay } from '../src/trace/verified-replay.ts'
import { type Sample, Sampler } from './sampler.ts'

const RESERVED_BYTES = 64 * GiB
const GROWTH_SAMPLES = 48
const FREEING_SAMPLES = 8

export interface ReplayRun {
  readonly samples: readonly Sample[]
  readonly blocks: number
  readonly views: Readonly<Record<string, number>>
  readonly verifiedBytes: number
  /** Blocks that were still live when the trace ended, and were freed afterwards. */
  readonly freedAtEnd: number
  /** What `purge()` said it gave back. */
  readonly purgedBytes: number
  /** Times that `check()` walked the whole heap and found no contradiction. */
  readonly checksPassed: number
  /** The code of the error that a malloc after close threw. */
  readonly afterClose: string
  /** What went wrong in the replay, if anything did. */
  readonly failure: string | undefined
}

export function runReplay(trace: Trace): ReplayRun {
  const sampler = new Sampler(warmUp())
  sampler.take('start', { settled: true })
  const arena = Arena.reserve(RESERVED_BYTES)
  sampler.arena = arena
  sampler.take('reserve', { settled: true })
  const heap: FreeingAllocator = new Heap(arena)
  sampler.heap = heap
  sampler.take('heap', { settled: true })
  const replay = new VerifiedReplay(trace, heap, arena)
  const outcome = liveThrough(replay, heap, sampler)
  arena.close()
  sampler.arena = undefined
  sampler.heap = undefined
  sampler.take('closed', { settled: true })
  return {
    ...outcome,
    samples: sampler.samples,
    blocks: trace.summary.blocks,
    views: replay.viewCounts,
    verifiedBytes: replay.verifiedBytes,
    afterClose: codeOf(() => heap.malloc(8)),
  }
}

type Outcome = Pick<ReplayRun, 'freedAtEnd' | 'purgedBytes' | 'checksPassed' | 'failure'>

/** Growth, freeing, purge. An error ends the run where it is, and is reported. */
function liveThrough(replay: VerifiedReplay, heap: FreeingAllocator, sampler: Sampler): Outcome {
  let freedAtEnd = 0
  let purgedBytes = 0
  let checksPassed = 0
  const check = () => {
    heap.check()
    checksPassed++
  }
  const now = () => ({ liveBytes: replay.liveBytes })
  try {
    const step = Math.ceil(replay.trace.summary.events / GROWTH_SAMPLES)
    while (!replay.done) {
      replay.run(step)
      if (!replay.done) sampler.take('growth', now())
    }
    check()
    sampler.take('full', { ...now(), settled: true })
    const share = Math.ceil(replay.trace.summary.endLiveCount / FREEING_SAMPLES)
    for (let freed = replay.drain(share); freed > 0; freed = replay.drain(share)) {
      freedAtEnd += freed
      sampler.take('freeing', now())
    }
    check()
    sampler.take('freed', { ...now(), settled: true })
    purgedBytes = heap.purge()
    check()
    sampler.take('purged', { ...now(), settled: true })
    return { freedAtEnd, purgedBytes, checksPassed, failure: undefined }
  } catch (error) {
    return { freedAtEnd, purgedBytes, checksPassed, failure: String(error) }
  }
}

/** Loads and compiles what the run will use, so that the first sample does not pay for it. Gives the page size. */
function warmUp(): number {
  using arena = Arena.reserve(GiB)
  const heap = new Heap(arena)
  for (let i = 0; i < 200; i++) heap.free(heap.alloc(Float64Array, 100 + i * 10))
  arena.resident()
  return arena.pageSize
}

function codeOf(run: () => unknown): string {
  try {
    run()
    return 'no error'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}
