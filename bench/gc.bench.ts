/**
 * Does the garbage collector notice ten million live blocks? One program makes ordinary garbage, and keeps some of it: once without a heap,
 * once while ten million raw blocks live. V8 does not know of blocks, so its pauses should be the same.
 *
 * That the bench would see a difference shows in the third program: a million typed arrays from the same heap, which V8 does know of.
 *
 *     node --expose-gc gc.bench.js --one=…    one program, as JSON
 * @module
 */
import { execFileSync } from 'node:child_process'
import { constants, PerformanceObserver } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { Arena, GiB, Heap } from '../src/index.ts'
import { quick } from './pairs/grid.ts'
import { countText, markdownTable } from './report/markdown.ts'
import { Progress } from './report/progress.ts'
import { median, quantile, rangeText } from './report/statistics.ts'

const BLOCKS = quick ? 1_000_000 : 10_000_000
const VIEWS = quick ? 100_000 : 1_000_000
const KEPT = 200_000
/** Steps of the program, the same in every run. */
const STEPS = quick ? 3_000_000 : 60_000_000
const BATCH = 100_000
/** So many steps apart the whole JavaScript heap is collected at once, on demand: the longest pause there is. */
const FULL_EVERY = quick ? 500_000 : 2_000_000
const ROUNDS = quick ? 1 : 5

/** As Node 16 and later have it; the types for Node 20 do not know `detail`. */
type GcEntry = { readonly duration: number } & { readonly detail: { readonly kind: number } }

/** Pauses in milliseconds: those of the young generation, and those of the whole heap. */
interface Pauses {
  readonly minor: number[]
  readonly major: number[]
}

const PROGRAMS: Readonly<Record<string, () => unknown>> = {
  'no heap': () => new Float64Array(BLOCKS),
  [`${countText(BLOCKS)} blocks`]: () => {
    const heap = new Heap(Arena.reserve(4 * GiB))
    return [heap, Float64Array.from({ length: BLOCKS }, () => heap.malloc(64))]
  },
  [`${countText(VIEWS)} views`]: () => {
    const heap = new Heap(Arena.reserve(4 * GiB))
    return [heap, Array.from({ length: VIEWS }, () => heap.allocUnsafe(Uint8Array, 64))]
  },
}

/** The same in every program: small objects, most of them dropped at once, one in 32 kept for a while. */
function makeGarbage(steps: number, kept: unknown[], state: number): number {
  for (let i = 0; i < steps; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    const made = { id: i, name: `item ${i & 1023}`, tags: [i, state], next: undefined }
    if ((state & 31) === 0) kept[(state >>> 5) % KEPT] = made
  }
  return state
}

async function runProgram(name: string): Promise<Pauses> {
  const alive = PROGRAMS[name]!()
  const kept: unknown[] = new Array(KEPT).fill(undefined)
  let state = makeGarbage(3_000_000, kept, 88172645)
  globalThis.gc?.()
  const pauses: Pauses = { minor: [], major: [] }
  const observer = new PerformanceObserver((list) => {
    for (const { detail, duration } of list.getEntries() as unknown as GcEntry[]) {
      const { kind } = detail
      if (kind === constants.NODE_PERFORMANCE_GC_MINOR) pauses.minor.push(duration)
      else if (kind === constants.NODE_PERFORMANCE_GC_MAJOR) pauses.major.push(duration)
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  for (let step = 0; step < STEPS; step += BATCH) {
    state = makeGarbage(BATCH, kept, state)
    if (step % FULL_EVERY === 0) globalThis.gc?.()
    // Entries arrive in turns of the loop.
    await new Promise((resolve) => setImmediate(resolve))
  }
  observer.disconnect()
  if (alive === undefined) throw new Error('nothing lived')
  return pauses
}

function inChild(name: string): Pauses {
  const file = fileURLToPath(import.meta.url)
  const args = ['--expose-gc', file, `--one=${name}`, ...(quick ? ['--quick'] : [])]
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 2 ** 28 })) as Pauses
}

function printPauses(): void {
  const names = Object.keys(PROGRAMS)
  const found = new Map<string, Pauses[]>(names.map((name) => [name, []]))
  const progress = new Progress(ROUNDS * names.length)
  for (let round = 0; round < ROUNDS; round++)
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + round) % names.length]!
      progress.next(`round ${round + 1}, ${name}`)
      found.get(name)!.push(inChild(name))
    }
  progress.stop()
  for (const kind of ['minor', 'major'] as const) {
    const rows = names.map((name) => [name, ...cells(found.get(name)!.map((pauses) => pauses[kind]))])
    console.log(
      `**Pauses of ${kind} collections**, milliseconds; of ${ROUNDS} interleaved rounds the median, and the range:\n`
    )
    console.log(`${markdownTable(['program', 'pauses', 'median', 'p99', 'longest', 'in all'], rows)}\n`)
  }
}

/** By round a list of pauses. */
function cells(rounds: readonly (readonly number[])[]): string[] {
  const text = (of: (pauses: readonly number[]) => number, digits: number) => {
    const values = rounds.filter((pauses) => pauses.length > 0).map(of)
    return values.length === 0 ? '–' : `${median(values).toFixed(digits)} (${rangeText(values, digits)})`
  }
  return [
    text((pauses) => pauses.length, 0),
    text(median, 2),
    text((pauses) => quantile(pauses, 0.99), 2),
    text((pauses) => Math.max(...pauses), 2),
    text((pauses) => pauses.reduce((sum, pause) => sum + pause, 0), 0),
  ]
}

const one = process.argv.find((argument) => argument.startsWith('--one='))
if (one === undefined) printPauses()
else {
  console.log(JSON.stringify(await runProgram(one.slice('--one='.length))))
  process.exit(0)
}
