/**
 * Does the cost grow with the number of live blocks? Blocks of 64 bytes, freed and made again at random.
 *
 * Past some 100,000 blocks every step is a few cache misses, in any language: so the same loop runs in C as well, through glibc
 * and, where it is installed, mimalloc; what grows in all of them is the memory's share, not the allocator's.
 * @module
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Heap } from '../src/allocator/heap.ts'
import { Arena } from '../src/arena/arena.ts'
import { GiB, MiB } from '../src/units.ts'
import { progress, quick } from './grid.ts'
import { countText, markdownTable, timeText } from './markdown.ts'
import { measure, median } from './measure.ts'

const BYTES = 64
const LIVE = quick ? [1000, 10_000] : [1000, 10_000, 100_000, 1_000_000, 10_000_000]
const ROUNDS = quick ? 1 : 3
const SECONDS = quick ? 0.05 : 0.5

/** The source stands beside this file in the repository, one folder up from the compiled one. */
const source = fileURLToPath(new URL('../../bench/live-blocks.c', import.meta.url))
const libraries = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib64',
  '/usr/lib',
  '/usr/local/lib',
]
const mimalloc = libraries
  .flatMap((folder) => [join(folder, 'libmimalloc.so.2'), join(folder, 'libmimalloc.so')])
  .find((path) => existsSync(path))

const folder = mkdtempSync(join(tmpdir(), 'sorites-bench-'))
const program = join(folder, 'live-blocks')
try {
  const compiler = spawnSync('cc', ['-O2', '-o', program, source], { encoding: 'utf8' })
  const compiled = compiler.status === 0
  printTimes(compiled)
  if (!compiled) console.log('C: skipped, no working `cc` here.')
  else if (mimalloc === undefined) console.log('mimalloc: skipped, libmimalloc.so is not installed.')
  printScriptHeap()
} finally {
  rmSync(folder, { recursive: true })
}

function printTimes(compiled: boolean): void {
  const rows = LIVE.map((live) => {
    const times: Record<string, number[]> = { heap: [], glibc: [], mimalloc: [] }
    const plan = { rounds: 1, time: SECONDS * 700, fillMs: 60_000, batchMs: 60_000 }
    for (let round = 0; round < ROUNDS; round++) {
      progress(`live ${live}, round ${round + 1}`)
      const heap = measure('raw', ['Heap'], { byteLength: BYTES, liveCount: live, order: 'random' }, plan)
      times.heap!.push(...(heap.get('Heap') ?? []))
      if (compiled) times.glibc!.push(runC(live))
      if (compiled && mimalloc !== undefined) times.mimalloc!.push(runC(live, mimalloc))
    }
    const cells = Object.values(times).map((list) => (list.length ? timeText(median(list)) : '–'))
    return [countText(live), ...cells]
  })
  console.log(
    `**random**, blocks of ${BYTES} B, ns a pair of free and malloc, median of ${ROUNDS} interleaved rounds:\n`
  )
  console.log(`${markdownTable(['live blocks', 'Heap', 'C, glibc', 'C, mimalloc'], rows, 0)}\n`)
}

function runC(live: number, preload?: string): number {
  const env = { ...process.env, ...(preload === undefined ? {} : { LD_PRELOAD: preload }) }
  return Number(execFileSync(program, [String(live), String(BYTES), String(SECONDS)], { encoding: 'utf8', env }))
}

/** What the blocks cost outside the arena, and inside it beyond their own bytes. */
function printScriptHeap(): void {
  const live = LIVE.at(-1)!
  using arena = Arena.reserve(4 * GiB)
  const heap = new Heap(arena)
  const offsets = new Float64Array(live)
  for (let i = 0; i < 1000; i++) heap.free(heap.malloc(BYTES))
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < live; i++) offsets[i] = heap.malloc(BYTES)
  globalThis.gc?.()
  const growth = process.memoryUsage().heapUsed - before
  const { committedBytes, metadataBytes } = heap.stats()
  console.log(`\n${countText(live)} live blocks made the JavaScript heap grow by ${(growth / 1024).toFixed(0)} KiB.`)
  const rest = `${(committedBytes / MiB).toFixed(1)} MiB committed, metadata ${(metadataBytes / MiB).toFixed(1)} MiB`
  console.log(`Their ${((live * BYTES) / MiB).toFixed(1)} MiB take ${rest}.`)
}
