/**
 * Example: workers fill typed arrays of one arena, and this thread adds them up; nothing is copied. `--help`.
 *
 *     arena    | worker 1 fills  | worker 2 fills  | worker 3 fills  | worker 4 fills  |
 *              0                                                                       this thread sums all of it
 *
 * Then the time to give that much memory to a worker, by handle and by posting a copy: the round trip of a message to a worker that
 * looks at both ends of it and answers.
 * @module
 */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { bytes, table } from '../demo/print.ts'
import { Arena, MiB } from '../src/index.ts'
import type { Task } from './worker-arena-thread.ts'

const HELP = `Usage: npm run example -- worker-arena [options]

Workers fill typed arrays of one arena, and the main thread adds them up. Then that
arena is passed to a worker by handle, and the same bytes as a copy.

  --mib N         MiB that are filled and passed, a multiple of 4 (default 256)
  --workers N     workers that fill, 1 to 16 (default 4)
  --rounds N      times that it is passed by copy; by handle ten times as often (default 5)
  --help          this text

Exit status: 0 when every number was where it should be, 1 when not.`

interface Options {
  readonly byteLength: number
  readonly workers: number
  readonly rounds: number
}

const threadFile = fileURLToPath(new URL('./worker-arena-thread.js', import.meta.url))

async function main(options: Options): Promise<void> {
  const arena = Arena.reserve(options.byteLength, { name: 'worker-arena' })
  const before = process.memoryUsage.rss()
  const workers = Array.from({ length: options.workers }, () => new Worker(threadFile))
  const filling = performance.now()
  await Promise.all(workers.map((worker, index) => ask(worker, fillTask(arena, index, options.workers))))
  const summing = performance.now()
  verifySum(arena)
  const done = performance.now()
  const grown = process.memoryUsage.rss() - before
  console.log(
    `${options.workers} workers have filled ${bytes(options.byteLength)} in ${(summing - filling).toFixed(0)} ms (their start included);\n` +
      `the main thread has added them up in ${(done - summing).toFixed(0)} ms.\n` +
      `Of the arena ${bytes(arena.resident())} are resident, and the process has grown by ${bytes(grown)}, the workers' own heaps\nincluded: nothing was copied.\n`
  )
  await comparePassing(arena, workers[0] as Worker, options.rounds)
  for (const worker of workers) await worker.terminate()
  arena.close()
}

/** A worker's part of the arena, in whole numbers of elements. */
function fillTask(arena: Arena, index: number, count: number): Task {
  const length = arena.byteLength / 8
  const first = Math.floor((length * index) / count)
  return { do: 'fill', handle: arena.handle(), first, length: Math.floor((length * (index + 1)) / count) - first }
}

/** The numbers are their own indices, so their sum is known; it is exact up to 2^53. */
function verifySum(arena: Arena): void {
  const length = arena.byteLength / 8
  let sum = 0
  const step = MiB / 8
  for (let first = 0; first < length; first += step)
    for (const number of arena.view(Float64Array, first * 8, Math.min(step, length - first))) sum += number
  const expected = (length * (length - 1)) / 2
  if (sum !== expected) throw new Error(`the numbers add up to ${sum}, not ${expected}`)
}

async function comparePassing(arena: Arena, worker: Worker, rounds: number): Promise<void> {
  const copy = new Uint8Array(arena.byteLength)
  for (let at = 0; at < copy.length; at += MiB)
    copy.set(arena.view(Uint8Array, at, Math.min(MiB, copy.length - at)), at)
  const byHandle = await times(10 * rounds, () => ask(worker, { do: 'look', handle: arena.handle() }))
  const byCopy = await times(rounds, () => ask(worker, { do: 'look', copy }))
  const size = bytes(arena.byteLength)
  const rows = [
    [`${size} by handle`, milliseconds(byHandle.median), milliseconds(byHandle.best), '·'],
    [
      `${size} by postMessage of a copy`,
      milliseconds(byCopy.median),
      milliseconds(byCopy.best),
      `${(byCopy.median / byHandle.median).toFixed(0)} ×`,
    ],
  ]
  console.log(table(['passed and looked at', 'median', 'best', 'by handle is faster'], rows))
}

/** Times of several runs, in milliseconds. Each must find the first and the last number. */
async function times(count: number, run: () => Promise<number>): Promise<{ median: number; best: number }> {
  const all: number[] = []
  const expected = await run()
  for (let round = 0; round < count; round++) {
    const start = performance.now()
    const found = await run()
    all.push(performance.now() - start)
    if (found !== expected) throw new Error(`the worker has found ${found}, not ${expected}`)
  }
  all.sort((a, b) => a - b)
  return { median: all[count >> 1] as number, best: all[0] as number }
}

async function ask(worker: Worker, task: Task): Promise<number> {
  worker.postMessage(task)
  const [answer] = await once(worker, 'message')
  return answer
}

function milliseconds(time: number): string {
  return `${time.toFixed(time < 10 ? 3 : 0)} ms`
}

function wholeNumber(name: string, text: string, most: number): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1 || number > most)
    throw new Error(`--${name} expected a whole number from 1 to ${most}, got "${text}"`)
  return number
}

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '256' },
    workers: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '5' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) console.log(HELP)
else
  await main({
    byteLength: wholeNumber('mib', values.mib, 1024) * MiB,
    workers: wholeNumber('workers', values.workers, 16),
    rounds: wholeNumber('rounds', values.rounds, 1000),
  })
