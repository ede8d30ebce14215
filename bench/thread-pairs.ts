/**
 * One thread on a concurrent heap beside one on a plain heap, ns a pair of malloc and free.
 *
 *     back     1,000 blocks are made, and freed in that order
 *     random   one of 1,000 blocks is freed, and another made, by sizes in a mixed order
 *
 * Each heap is in a worker of its own, since V8 tunes code to all heaps that it has run. They take turns, some milliseconds each, and a ratio is
 * the median of two turns side by side; a figure, the median of several pairs of workers.
 * @module
 */
import { fileURLToPath } from 'node:url'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { Heap } from '../src/allocator/heap/heap.ts'
import { Arena } from '../src/arena/arena.ts'
import { GiB } from '../src/units.ts'
import { median, quantile } from './report/statistics.ts'

const LIVE = 1000
const TURN_MS = 5
const WARM_TURNS = 40
/** V8 does not compile the same program the same way each time: so many pairs of workers, one after the other. */
const ISOLATES = 7

interface Task {
  readonly turns: Int32Array
  readonly times: Float64Array
  readonly least: number
  readonly most: number
  readonly back: boolean
  readonly concurrent: boolean
}

/** Words of `turns`: which turn it is, and which one is over. */
const TURN = 0
const OVER = 1
const STOP = -1

export interface PairRow {
  readonly name: string
  /** ns a pair: the quickest tenth of the turns. */
  readonly plain: number
  readonly concurrent: number
  /** Median of the ratios of turns side by side. */
  readonly ratio: number
}

const PATTERNS = [
  { name: '64 B, 1,000 and back', least: 64, most: 64, back: true },
  { name: 'random, 64 B', least: 64, most: 64, back: false },
  { name: 'random, 16 to 1,024 B', least: 16, most: 1024, back: false },
  { name: 'random, 2 to 32 KiB', least: 2048, most: 32768, back: false },
]

export async function measurePairs(turns: number): Promise<PairRow[]> {
  const rows: PairRow[] = []
  for (const { name, ...pattern } of PATTERNS) {
    const found: Omit<PairRow, 'name'>[] = []
    for (let isolate = 0; isolate < ISOLATES; isolate++)
      found.push(await sideBySide(pattern, Math.ceil(turns / ISOLATES)))
    const of = (which: 'plain' | 'concurrent' | 'ratio'): number => median(found.map((row) => row[which]))
    rows.push({ name, plain: of('plain'), concurrent: of('concurrent'), ratio: of('ratio') })
  }
  return rows
}

async function sideBySide(
  pattern: Pick<Task, 'least' | 'most' | 'back'>,
  turns: number
): Promise<Omit<PairRow, 'name'>> {
  const sides = { plain: side(pattern, false), concurrent: side(pattern, true) }
  const times = { plain: [] as number[], concurrent: [] as number[] }
  for (let turn = 0; turn < turns + WARM_TURNS; turn++) {
    const order = turn % 2 === 0 ? (['plain', 'concurrent'] as const) : (['concurrent', 'plain'] as const)
    for (const which of order) {
      const time = sides[which].turn()
      if (turn >= WARM_TURNS) times[which].push(time)
    }
  }
  await Promise.all([sides.plain.end(), sides.concurrent.end()])
  return {
    plain: quantile(times.plain, 0.1),
    concurrent: quantile(times.concurrent, 0.1),
    ratio: median(times.concurrent.map((time, turn) => time / (times.plain[turn] as number))),
  }
}

function side(pattern: Pick<Task, 'least' | 'most' | 'back'>, concurrent: boolean) {
  const turns = new Int32Array(new SharedArrayBuffer(8))
  const times = new Float64Array(new SharedArrayBuffer(8))
  const task: Task = { ...pattern, turns, times, concurrent }
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: task })
  const ended = new Promise((resolve) => worker.once('exit', resolve))
  const go = (turn: number): void => {
    Atomics.store(turns, TURN, turn)
    Atomics.notify(turns, TURN)
  }
  let turn = 0
  return {
    turn: (): number => {
      go(++turn)
      for (let over = Atomics.load(turns, OVER); over !== turn; over = Atomics.load(turns, OVER))
        Atomics.wait(turns, OVER, over, 1000)
      return times[0] as number
    },
    end: async (): Promise<void> => {
      go(STOP)
      await ended
    },
  }
}

/** Runs a turn each time it is told to. */
function work({ turns, times, least, most, back, concurrent }: Task): void {
  const heap = new Heap(Arena.reserve(GiB), { concurrent, decayMs: -1 })
  const sizes = Int32Array.from({ length: 1024 }, (_, i) => least + ((i * 7919) % (most - least + 1)))
  const own = new Int32Array(LIVE)
  let state = 1
  const next = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) | 0
    return state >>> 8
  }
  const there = (): void => {
    for (let i = 0; i < LIVE; i++) own[i] = heap.malloc(64)
    for (let i = 0; i < LIVE; i++) heap.free(own[i]!)
  }
  const mixed = (): void => {
    for (let i = 0; i < LIVE; i++) {
      const k = next() % LIVE
      if (own[k] !== 0) heap.free(own[k]!)
      own[k] = heap.malloc(sizes[next() & 1023]!)
    }
  }
  const step = back ? there : mixed
  for (let last = 0; ; ) {
    Atomics.wait(turns, TURN, last)
    last = Atomics.load(turns, TURN)
    if (last === STOP) return
    const begin = performance.now()
    let pairs = 0
    for (; performance.now() - begin < TURN_MS; pairs += LIVE) step()
    times[0] = ((performance.now() - begin) * 1e6) / pairs
    Atomics.store(turns, OVER, last)
    Atomics.notify(turns, OVER)
  }
}

if (!isMainThread && (workerData as Task | null)?.turns !== undefined) work(workerData as Task)
