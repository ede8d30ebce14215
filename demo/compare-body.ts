/**
 * One side of the comparison, in a process of its own: the trace as a job, with blocks from a heap or with Buffers, and the memory of the
 * process over it.
 *
 *     load, warm up  ->  the events, read at equal distances  ->  drop what is left  ->  give back: purge, or collect
 *
 * Both sides write to every page of every block, and to its last byte, as the program did. The heap's blocks are offsets; a Buffer is made by
 * `Buffer.allocUnsafe` or `Buffer.alloc`, as the program called malloc or calloc, and freed by dropping it. The time is that of the events
 * alone, collections of garbage included. Arguments: side, trace file. The answer is JSON on stdout.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { readStatm } from '../src/ffi/procfs.ts'
import { Arena, GiB, Heap } from '../src/index.ts'
import { readTrace } from '../src/trace/readers/read-trace.ts'
import { Replay, type ReplayTarget, type Touch } from '../src/trace/replay.ts'
import type { Trace } from '../src/trace/trace.ts'

const READINGS = 64
const RESERVED_BYTES = 64 * GiB
const PAGE = 4096
/** Collections until V8 has freed what was dropped: it frees the memory of Buffers in another thread. */
const COLLECTIONS = 8

export interface Side {
  readonly milliseconds: number
  /** Memory of the process above its start, after so many events. */
  readonly curve: readonly (readonly [event: number, bytes: number])[]
  readonly peakBytes: number
  /** What is left when everything is freed and given back. */
  readonly leftBytes: number
}

interface Job {
  readonly target: ReplayTarget
  readonly touch: Touch
  giveBack(): Promise<void>
}

function heapJob(): Job {
  const arena = Arena.reserve(RESERVED_BYTES)
  const heap = new Heap(arena)
  const { buffer } = arena.window(0)
  const bytes = new Uint8Array(buffer)
  const touch: Touch = (offset, byteLength, before) => {
    const block = offset + byteLength <= bytes.length ? bytes : arena.view(Uint8Array, offset, byteLength)
    write(block, block === bytes ? offset : 0, byteLength, before)
  }
  return { target: heap, touch, giveBack: async () => void heap.purge() }
}

function bufferJob(trace: Trace): Job {
  const buffers: (Buffer | undefined)[] = new Array(trace.summary.slots + 1)
  const free: number[] = []
  let made = 0
  // A number for each Buffer stands for it, from 1 on.
  const keep = (buffer: Buffer): number => {
    const at = free.pop() ?? ++made
    buffers[at] = buffer
    return at
  }
  const drop = (at: number): void => {
    buffers[at] = undefined
    free.push(at)
  }
  const target: ReplayTarget = {
    malloc: (byteLength) => keep(Buffer.allocUnsafe(byteLength)),
    calloc: (byteLength) => keep(Buffer.alloc(byteLength)),
    memalign: (_, byteLength) => keep(Buffer.allocUnsafe(byteLength)),
    realloc: (at, byteLength) => {
      const longer = Buffer.allocUnsafe(byteLength)
      buffers[at]!.copy(longer)
      drop(at)
      return keep(longer)
    },
    free: (at) => drop(at as number),
  }
  const touch: Touch = (at, byteLength, before) => write(buffers[at]!, 0, byteLength, before)
  const giveBack = async (): Promise<void> => {
    for (let round = 0; round < COLLECTIONS; round++) {
      globalThis.gc?.()
      await sleep(10)
    }
  }
  return { target, touch, giveBack }
}

/** A byte of every page, and the last one. */
function write(bytes: Uint8Array, start: number, byteLength: number, before: number): void {
  if (byteLength === 0) return
  for (let at = before - (before % PAGE); at < byteLength; at += PAGE) bytes[start + at] = 1
  bytes[start + byteLength - 1] = 1
}

async function run(job: Job, trace: Trace, pageSize: number): Promise<Side> {
  globalThis.gc?.()
  const rss = (): number => readStatm(pageSize).residentBytes
  const start = rss()
  const replay = new Replay(trace, job.target, job.touch)
  const curve: [number, number][] = [[0, 0]]
  let milliseconds = 0
  for (let reading = 1; reading <= READINGS; reading++) {
    const to = Math.ceil((trace.summary.events * reading) / READINGS)
    const begin = performance.now()
    replay.run(to - replay.position)
    milliseconds += performance.now() - begin
    curve.push([to, Math.max(0, rss() - start)])
  }
  replay.drain()
  await job.giveBack()
  const peakBytes = curve.reduce((most, [, bytes]) => Math.max(most, bytes), 0)
  return { milliseconds, curve, peakBytes, leftBytes: Math.max(0, rss() - start) }
}

/** Loads and compiles what the job uses, with the first events, so that the time is that of a program which runs for long. */
function warmUp(make: (trace: Trace) => Job, trace: Trace): void {
  const job = make(trace)
  const replay = new Replay(trace, job.target, job.touch)
  replay.run(WARM_EVENTS)
  replay.drain()
}

const WARM_EVENTS = 20_000

const [side, file] = process.argv.slice(2)
const trace = readTrace(file as string)
const make = side === 'heap' ? heapJob : bufferJob
warmUp(make, trace)
process.stdout.write(JSON.stringify(await run(make(trace), trace, Arena.reserve(PAGE).pageSize)))
