/**
 * One heap, many threads: what a concurrent Heap does with one thread and with two, beside plain heaps, one a thread, and the allocators of C on
 * the same patterns.
 *
 *     own 64, own small, own mixed      each thread makes and frees blocks of its own: 64 B; 16 to 1,024 B; 16 B to 32 KiB
 *     handed small                      each puts its blocks into a table that all have, and frees what it finds there (larson)
 *     pass 64, pass small, pass mixed   one makes blocks, another frees them
 *
 * Figures are million operations a second, of the best of many windows of 10 ms, since other work on the machine only takes away. Before them
 * comes what a pair costs one thread (thread-pairs.ts), behind them a free by another.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { Heap } from '../src/allocator/heap/heap.ts'
import { Arena } from '../src/arena/arena.ts'
import { Scratch } from '../src/cli/native/compile.ts'
import { environment, findNatives } from '../src/cli/native/libraries.ts'
import { GiB } from '../src/units.ts'
import { compile } from './native/compile.ts'
import { markdownTable, timeText } from './report/markdown.ts'
import { Progress } from './report/progress.ts'
import { measurePairs } from './thread-pairs.ts'

const quick = process.argv.includes('--quick')
const SECONDS = quick ? 0.5 : 3
const PATTERNS = ['own 64', 'own small', 'own mixed', 'handed small', 'pass 64', 'pass small', 'pass mixed'] as const
type Pattern = (typeof PATTERNS)[number]

const OWN = 1000
const TABLE = 4096
const RING = 4096
const BATCH = 64
/** Words of the control block: started, stop, ready; a line of counts a thread; the table; a ring for two threads each. */
const OPS = 64
const SHARED = 1024
const RINGS = SHARED + TABLE
const RING_WORDS = RING + 256
const CONTROL_WORDS = RINGS + 4 * RING_WORDS
/** Blocks of the measurement of a free by another. */
const FREES = 100_000
const PART = 2000

interface Task {
  readonly handle: unknown
  readonly control: Int32Array
  readonly id: number
  readonly pattern: Pattern | 'free'
  readonly plain: boolean
}

function sizesFor(pattern: string): Int32Array {
  return Int32Array.from({ length: 1024 }, (_, i) => {
    if (pattern.endsWith('64')) return 64
    if (!pattern.endsWith('mixed')) return 16 + ((i * 37) % 1009)
    const m = (i * 613) % 1024
    return m < 512 ? 16 + m * 2 : 1024 + (m - 512) * 62
  })
}

/** What a thread does until it is told to stop. */
function work({ handle, control, id, pattern, plain }: Task): void {
  const arena = plain ? Arena.reserve(GiB) : Arena.attach(handle as never)
  const heap = plain ? new Heap(arena) : Heap.attach(arena)
  const data = arena.view(Int32Array, 0, GiB / 4)
  const sizes = sizesFor(pattern)
  let state = id * 7919 + 1
  const next = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) | 0
    return state >>> 8
  }
  const own = new Int32Array(OWN)
  const stopped = (): boolean => Atomics.load(control, 1) !== 0
  const ring = RINGS + (id >> 1) * RING_WORDS
  let at = 0
  const steps: Record<string, () => number> = {
    'own 64': () => {
      for (let i = 0; i < OWN; i++) {
        const block = heap.malloc(64)
        data[block >>> 2] = i
        own[i] = block
      }
      for (let i = 0; i < OWN; i++) heap.free(own[i]!)
      return OWN
    },
    own: () => {
      for (let i = 0; i < OWN; i++) {
        const k = next() % OWN
        if (own[k] !== 0) heap.free(own[k]!)
        const block = heap.malloc(sizes[next() & 1023]!)
        data[block >>> 2] = i
        own[k] = block
      }
      return OWN
    },
    handed: () => {
      for (let i = 0; i < OWN; i++) {
        const block = heap.malloc(sizes[next() & 1023]!)
        data[block >>> 2] = i
        const old = Atomics.exchange(control, SHARED + (next() & (TABLE - 1)), block)
        if (old !== 0) heap.free(old)
      }
      return OWN
    },
    produce: () => {
      for (let i = 0; i < BATCH; i++) {
        const block = heap.malloc(sizes[next() & 1023]!)
        data[block >>> 2] = i
        own[i] = block
      }
      while (((at - Atomics.load(control, ring + 64)) | 0) > RING - BATCH) if (stopped()) return 0
      for (let i = 0; i < BATCH; i++) control[ring + 128 + ((at + i) & (RING - 1))] = own[i]!
      at = (at + BATCH) | 0
      Atomics.store(control, ring, at)
      return BATCH
    },
    consume: () => {
      const end = Atomics.load(control, ring)
      for (; at !== end; at = (at + 1) | 0) heap.free(control[ring + 128 + (at & (RING - 1))]!)
      Atomics.store(control, ring + 64, at)
      return 0
    },
  }
  const kind = pattern === 'own 64' ? pattern : pattern.split(' ')[0]!
  const step = steps[kind === 'pass' ? (id % 2 === 0 ? 'produce' : 'consume') : kind]!
  Atomics.add(control, 2, 1)
  Atomics.wait(control, 0, 0)
  while (!stopped()) Atomics.add(control, OPS + id * 32, step())
}

/** Frees 100,000 blocks of another each time it is told to, in the order of the table or mixed, and says how long it took. */
function workFree({ handle, control }: Task): void {
  const heap = Heap.attach(Arena.attach(handle as never))
  Atomics.add(control, 2, 1)
  for (let round = 1; ; round++) {
    Atomics.wait(control, 0, round - 1)
    if (Atomics.load(control, 1) !== 0) return
    // In parts: the quickest one is the one that nothing else has disturbed.
    let best = Number.POSITIVE_INFINITY
    for (let from = 0; from < FREES; from += PART) {
      const begin = performance.now()
      for (let i = from; i < from + PART; i++) heap.free(control[SHARED + i]!)
      best = Math.min(best, ((performance.now() - begin) * 1e6) / PART)
    }
    control[3] = Math.round(best * 1000)
    Atomics.store(control, 4, round)
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function start(task: Omit<Task, 'id'>, threads: number): Promise<Worker[]> {
  const workers = Array.from(
    { length: threads },
    (_, id) => new Worker(fileURLToPath(import.meta.url), { workerData: { ...task, id } })
  )
  while (Atomics.load(task.control, 2) < threads) await sleep(2)
  return workers
}

async function measure(pattern: Pattern, threads: number, plain: boolean): Promise<number> {
  const arena = Arena.reserve(GiB)
  const heap = new Heap(arena, { concurrent: true })
  heap.rest()
  const control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4))
  const workers = await start({ handle: arena.handle(), control, pattern, plain }, threads)
  Atomics.store(control, 0, 1)
  Atomics.notify(control, 0)
  const sum = (): number => {
    let total = 0
    for (let id = 0; id < threads; id++) total += Atomics.load(control, OPS + id * 32)
    return total
  }
  await sleep(500)
  let best = 0
  let before = sum()
  let then = performance.now()
  for (const end = then + SECONDS * 1000; then < end; ) {
    await sleep(10)
    const after = sum()
    const now = performance.now()
    best = Math.max(best, ((after - before) | 0) / (now - then) / 1000)
    before = after
    then = now
  }
  Atomics.store(control, 1, 1)
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))))
  arena.close()
  return best
}

/** ns of a free by another, and of collecting, a block: the least of some rounds. */
async function measureFree(mixed: boolean): Promise<{ free: number; collect: number }> {
  const arena = Arena.reserve(GiB)
  const heap = new Heap(arena, { concurrent: true })
  const control = new Int32Array(new SharedArrayBuffer((SHARED + FREES) * 4))
  const [worker] = await start({ handle: arena.handle(), control, pattern: 'free', plain: false }, 1)
  const best = { free: Number.POSITIVE_INFINITY, collect: Number.POSITIVE_INFINITY }
  for (let round = 1; round <= (quick ? 5 : 40); round++) {
    for (let i = 0; i < FREES; i++) control[SHARED + i] = heap.malloc(64)
    for (let i = FREES - 1, state = 1; mixed && i > 0; i--) {
      state = (Math.imul(state, 1103515245) + 12345) | 0
      const j = (state >>> 8) % (i + 1)
      const block = control[SHARED + i]!
      control[SHARED + i] = control[SHARED + j]!
      control[SHARED + j] = block
    }
    Atomics.store(control, 0, round)
    Atomics.notify(control, 0)
    while (Atomics.load(control, 4) < round) await sleep(1)
    best.free = Math.min(best.free, control[3]! / 1000)
    const begin = performance.now()
    heap.rest()
    best.collect = Math.min(best.collect, ((performance.now() - begin) * 1e6) / FREES)
  }
  Atomics.store(control, 1, 1)
  Atomics.store(control, 0, -1)
  Atomics.notify(control, 0)
  await worker!.terminate()
  return best
}

async function main(): Promise<void> {
  using scratch = new Scratch()
  const program = compile('threads', scratch)
  const skipped: string[] = []
  const natives = program === undefined ? [] : findNatives((line) => skipped.push(line))
  const only = process.argv.find((word) => word.startsWith('--only='))?.slice(7)
  if (only === undefined || only === 'pairs') await printPairs()
  if (only === 'pairs') return
  const patterns = PATTERNS.filter((pattern) => only === undefined || pattern.startsWith(only))
  const progress = new Progress(patterns.length * 2)
  const rows: string[][] = []
  for (const pattern of patterns)
    for (const threads of pattern.startsWith('pass') ? [2] : [1, 2]) {
      progress.next(`${pattern}, ${threads}`)
      const alone = pattern.startsWith('own')
      const row = [await measure(pattern, threads, false), alone ? await measure(pattern, threads, true) : Number.NaN]
      for (const native of natives)
        row.push(
          Number(
            execFileSync(program!, [pattern, String(threads), String(SECONDS)], {
              encoding: 'utf8',
              env: environment(native),
            })
          )
        )
      rows.push([`${pattern}, ${threads}`, ...row.map((rate) => (Number.isNaN(rate) ? '' : rate.toFixed(1)))])
    }
  progress.stop()
  console.log('million operations a second, best window of 10 ms:\n')
  console.log(
    markdownTable(['pattern, threads', 'concurrent', 'plain heaps', ...natives.map(({ name }) => `C, ${name}`)], rows)
  )
  if (only === undefined) {
    console.log('')
    for (const mixed of [false, true]) {
      const { free, collect } = await measureFree(mixed)
      console.log(
        `- a free of 64 B by another, ${mixed ? 'at random' : 'in order'}: ${timeText(free)} ns; collecting ${timeText(collect)} ns`
      )
    }
  }
  for (const line of skipped) console.log(`${line}.`)
}

async function printPairs(): Promise<void> {
  const rows = (await measurePairs(quick ? 20 : 420)).map(({ name, plain, concurrent, ratio }) => [
    name,
    timeText(plain),
    timeText(concurrent),
    ratio.toFixed(2),
  ])
  console.log(
    'one thread, ns a pair of malloc and free, quickest tenth; the ratio is the median of turns side by side:\n'
  )
  console.log(`${markdownTable(['pattern', 'plain heap', 'concurrent heap', 'ratio'], rows)}\n`)
}

if (isMainThread) await main()
else if ((workerData as Task).pattern === 'free') workFree(workerData as Task)
else work(workerData as Task)
