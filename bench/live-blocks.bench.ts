/**
 * Does the cost grow with the number of live blocks? Blocks of 64 bytes, freed and made again at random.
 *
 * Past some 100,000 blocks every step is a few cache misses, in any language: so the same loop runs in C as well, through glibc
 * and whatever else is installed; what grows in all of them is the memory's share, not the allocator's.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { Heap } from '../src/allocator/heap/heap.ts'
import { Arena } from '../src/arena/arena.ts'
import { Scratch } from '../src/cli/native/compile.ts'
import { environment, findNatives, type NativeAllocator } from '../src/cli/native/libraries.ts'
import { GiB } from '../src/units.ts'
import { compile } from './native/compile.ts'
import { quick } from './pairs/grid.ts'
import { measure, PLAN, timesOf } from './pairs/measure.ts'
import { countText, markdownTable, mebibytes, timeText } from './report/markdown.ts'
import { Progress } from './report/progress.ts'
import { median } from './report/statistics.ts'

const BYTES = 64
const LIVE = quick ? [1000, 10_000] : [1000, 10_000, 100_000, 1_000_000, 10_000_000]
const ROUNDS = quick ? 1 : 3
const SECONDS = quick ? 0.05 : 0.5

function main(): void {
  using scratch = new Scratch()
  const program = compile('live-blocks', scratch)
  const skipped: string[] = []
  const natives = findNatives((line) => skipped.push(line))
  if (program === undefined) skipped.push('C: skipped, no working `cc` here')
  printTimes(program, natives)
  for (const line of skipped) console.log(`${line}.`)
  printScriptHeap()
}

function printTimes(program: string | undefined, natives: readonly NativeAllocator[]): void {
  const plan = { ...PLAN, rounds: 1, time: SECONDS * 700, fillMs: 60_000, batchMs: 60_000 }
  const names = ['Heap', ...(program === undefined ? [] : natives.map(({ name }) => `C, ${name}`))]
  const progress = new Progress(LIVE.length * ROUNDS)
  const rows = LIVE.map((liveCount) => {
    const times: number[][] = names.map(() => [])
    for (let round = 0; round < ROUNDS; round++) {
      progress.next(`${countText(liveCount)} live, round ${round + 1}`)
      const measured = measure('raw', ['Heap'], { byteLength: BYTES, liveCount, order: 'random' }, plan)
      times[0]!.push(...timesOf(measured, 'Heap'))
      if (program !== undefined)
        for (const [i, native] of natives.entries()) times[i + 1]!.push(runC(program, liveCount, native))
    }
    return [countText(liveCount), ...times.map((list) => (list.length > 0 ? timeText(median(list)) : '–'))]
  })
  progress.stop()
  console.log(
    `**random**, blocks of ${BYTES} B, ns a pair of free and malloc, median of ${ROUNDS} interleaved rounds:\n`
  )
  console.log(`${markdownTable(['live blocks', ...names], rows, 0)}\n`)
}

function runC(program: string, liveCount: number, native: NativeAllocator): number {
  const args = [liveCount, BYTES, SECONDS].map(String)
  return Number(execFileSync(program, args, { encoding: 'utf8', env: environment(native) }))
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
  const rest = `${mebibytes(committedBytes)} MiB committed, metadata ${mebibytes(metadataBytes)} MiB`
  console.log(`Their ${mebibytes(live * BYTES)} MiB take ${rest}.`)
}

main()
