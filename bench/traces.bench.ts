/**
 * How long does a real program's trace take, and how much memory does it need at its peak?
 *
 * Two kinds of pass. Memory: the first pass, which writes to every page of each block as its program did; the growth of the
 * process's peak RSS, less that of the same loop through an allocator that does nothing. Time: passes that write the first and
 * last bytes only, median; the floor is the same loop through the allocator that does nothing.
 *
 *     npm run bench -- traces [FILE …]
 * @module
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Heap } from '../src/allocator/heap.ts'
import { Arena } from '../src/arena/arena.ts'
import { readTrace } from '../src/trace/format.ts'
import { Replay, type ReplayTarget, type Touch } from '../src/trace/replay.ts'
import type { Trace } from '../src/trace/trace.ts'
import { GiB, MiB } from '../src/units.ts'
import { progress, quick } from './grid.ts'
import { countText, markdownTable, timeText } from './markdown.ts'
import { median } from './measure.ts'

const PASS_MS = quick ? 100 : 1500
const ROUNDS = quick ? 1 : 3

interface Toucher {
  readonly ends: Touch
  readonly pages: Touch
}

/** Writes through the arena's windows, which are found again only when a block lies in another one than the last. */
function toucher(arena: Arena): Toucher {
  let bytes = new Uint8Array(arena.window(0).buffer)
  let start = 0
  const at = (offset: number): number => {
    if (offset - start >= bytes.length || offset < start) {
      const window = arena.window(offset)
      bytes = new Uint8Array(window.buffer)
      start = window.start
    }
    return offset - start
  }
  const ends: Touch = (offset, byteLength) => {
    if (byteLength === 0) return
    const index = at(offset)
    bytes[index] = 1
    bytes[index + byteLength - 1] = 1
  }
  const { pageSize } = arena
  const pages: Touch = (offset, byteLength, before) => {
    ends(offset, byteLength, before)
    const index = at(offset)
    for (let i = index - (index % pageSize) + pageSize; i < index + byteLength; i += pageSize) bytes[i] = 1
  }
  return { ends, pages }
}

const floor: ReplayTarget = { malloc: () => 8, calloc: () => 8, realloc: () => 8, memalign: () => 8, free: () => {} }

function status(name: string): number {
  const text = readFileSync('/proc/self/status', 'latin1')
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? Number.NaN) * 1024
}

/** Growth of the process's peak RSS while a pass runs. */
function peakGrowth(run: () => void): number {
  globalThis.gc?.()
  writeFileSync('/proc/self/clear_refs', '5')
  const before = status('VmRSS')
  run()
  return status('VmHWM') - before
}

/** Median nanoseconds an event over passes. */
function time(replay: Replay): number {
  const passes: number[] = []
  for (const until = performance.now() + PASS_MS; performance.now() < until || passes.length < 3; ) {
    replay.rewind()
    const start = performance.now()
    replay.run()
    passes.push(((performance.now() - start) * 1e6) / replay.trace.summary.events)
  }
  return median(passes)
}

/** What one process measures of one trace. */
interface Measured {
  /** Nanoseconds an event. */
  readonly time: number
  readonly growthBytes: number
  readonly committedBytes: number
}

function measureHeap(trace: Trace): Measured {
  using arena = Arena.reserve(16 * GiB)
  const heap = new Heap(arena)
  const touch = toucher(arena)
  const cold = new Replay(trace, heap, touch.pages)
  const growthBytes = peakGrowth(() => cold.run())
  const committedBytes = heap.stats().peakCommittedBytes
  cold.drain()
  return { time: time(new Replay(trace, heap, touch.ends)), growthBytes, committedBytes }
}

function measureFloor(trace: Trace): Measured {
  const idle: Touch = () => {}
  const cold = new Replay(trace, floor, idle)
  return { growthBytes: peakGrowth(() => cold.run()), time: time(cold), committedBytes: 0 }
}

/** A process for each, so that neither's shapes slow the other's loop down. */
function inChild(subject: 'heap' | 'floor', file: string): Measured {
  const self = fileURLToPath(import.meta.url)
  const args = ['--expose-gc', self, `--one=${subject}`, ...(quick ? ['--quick'] : []), file]
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Measured
}

function row(file: string): string[] {
  const { summary } = readTrace(file)
  const runs = { heap: [] as Measured[], floor: [] as Measured[] }
  for (let round = 0; round < ROUNDS; round++) {
    progress(`${file}, round ${round + 1}`)
    runs.heap.push(inChild('heap', file))
    runs.floor.push(inChild('floor', file))
  }
  const middle = (kind: 'heap' | 'floor', key: keyof Measured) => median(runs[kind].map((run) => run[key]))
  const growth = middle('heap', 'growthBytes') - middle('floor', 'growthBytes')
  const mib = (bytes: number) => (bytes / MiB).toFixed(1)
  return [
    basename(file).replace(/\.mtrc(\.gz)?$/, ''),
    countText(summary.events),
    timeText(middle('heap', 'time')),
    timeText(middle('floor', 'time')),
    mib(summary.peakLiveBytes),
    mib(middle('heap', 'committedBytes')),
    mib(growth),
    (growth / summary.peakLiveBytes).toFixed(2),
  ]
}

function main(): void {
  const one = process.argv.find((argument) => argument.startsWith('--one='))
  const given = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
  if (one !== undefined) {
    const trace = readTrace(given[0]!)
    console.log(JSON.stringify(one === '--one=heap' ? measureHeap(trace) : measureFloor(trace)))
    return
  }
  const folder = fileURLToPath(new URL('../../traces', import.meta.url))
  const committed = readdirSync(folder).filter((name) => /\.mtrc(\.gz)?$/.test(name))
  const files = given.length > 0 ? given : committed.map((name) => join(folder, name))
  const head = [
    'trace',
    'events',
    'ns an event',
    'the loop alone',
    'peak live MiB',
    'committed',
    'RSS growth',
    '/ live',
  ]
  const rows = (quick ? files.slice(0, 2) : files).map(row)
  console.log(`**in the recorded order**, through Heap, median of ${ROUNDS} interleaved rounds:\n`)
  console.log(markdownTable(head, rows))
}

main()
