/**
 * One round of the thread storm, in a process of its own: workers on one heap, of which some are killed and replaced, and the accounts after.
 *
 *     live blocks at the end = those in the table + at most HELD_MOST for each that was killed
 *
 * Killed at random amounts of work, not times. Writes what happened as one line of JSON.
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { Arena, Heap, MiB } from '../../src/index.ts'
import { Random } from '../random.ts'
import { controlBytes, controlOf, HELD_MOST, OPS, proveBlock, SLOTS, STOP, TABLE, wordsOf } from './work.ts'

export interface Round {
  readonly kind: 'threads' | 'processes'
  readonly seed: number
  readonly ops: number
  readonly deaths: number
  readonly workers: number
}

const PROGRAM = fileURLToPath(new URL('./worker.js', import.meta.url))
const ARENA_BYTES = 512 * MiB

/** A worker, of either kind. */
interface Hands {
  readonly ready: Promise<void>
  readonly ended: Promise<Record<string, number>>
  kill(): Promise<void>
}

function startThread(arena: Arena, seed: number): Hands {
  const worker = new Worker(PROGRAM, { workerData: { handle: arena.handle(), seed } })
  return hands(
    (told) => worker.on('message', told),
    (failed) => worker.on('error', failed),
    (over) => worker.on('exit', over),
    async () => {
      await worker.terminate()
    }
  )
}

function startProcess(path: string, seed: number): Hands {
  const child: ChildProcess = fork(PROGRAM, { env: { ...process.env, STORM_THREADS: JSON.stringify({ path, seed }) } })
  const gone = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  return hands(
    (told) => child.on('message', told),
    (failed) => child.on('error', failed),
    (over) => child.on('exit', (code, signal) => over(signal === 'SIGKILL' ? 0 : (code ?? 1))),
    async () => {
      child.kill('SIGKILL')
      await gone
    }
  )
}

function hands(
  onMessage: (told: (message: { ready?: boolean; counts?: Record<string, number> }) => void) => void,
  onError: (failed: (error: unknown) => void) => void,
  onExit: (over: (code: number) => void) => void,
  kill: () => Promise<void>
): Hands {
  let isReady: () => void
  let end: (counts: Record<string, number>) => void
  const ready = new Promise<void>((resolve) => {
    isReady = resolve
  })
  const ended = new Promise<Record<string, number>>((resolve) => {
    end = resolve
  })
  onMessage((message) => {
    if (message.ready) isReady()
    if (message.counts) end(message.counts)
  })
  onError((error) => fail(error))
  onExit((code) => {
    if (code > 1) fail(`a worker has ended with ${code}`)
    isReady()
    end({})
  })
  return { ready, ended, kill }
}

function fail(what: unknown): never {
  console.log(JSON.stringify({ wrong: what instanceof Error ? (what.stack ?? what.message) : String(what) }))
  process.exit(3)
}

/** Waits until so much work has been done since it was last asked, or stands still. */
async function until(control: Int32Array, ops: number): Promise<void> {
  while (Atomics.load(control, OPS) < ops) await new Promise((resolve) => setTimeout(resolve, 1))
}

export async function round({ kind, seed, ops, deaths, workers }: Round): Promise<object> {
  const random = new Random(seed)
  const folder = mkdtempSync(join(tmpdir(), 'sorites-storm-'))
  const path = join(folder, 'arena')
  const arena =
    kind === 'threads' ? Arena.reserve(ARENA_BYTES) : Arena.open(path, { create: true, byteLength: ARENA_BYTES })
  try {
    const heap = Heap.open(arena, {
      create: true,
      concurrent: true,
      ...(random.below(4) === 0 && { limit: 300 * MiB }),
    })
    heap.setRoot('table', heap.calloc(controlBytes()))
    const control = controlOf(arena, heap)
    heap.rest()
    const start = (): Hands => {
      const its = random.below(2 ** 30)
      return kind === 'threads' ? startThread(arena, its) : startProcess(path, its)
    }
    const running = Array.from({ length: workers }, start)
    await Promise.all(running.map(({ ready }) => ready))
    let next = Atomics.load(control, OPS)
    for (let death = 0; death < deaths; death++) {
      await until(control, (next += random.below(Math.ceil((2 * ops) / (deaths + 1)))))
      const victim = random.below(workers)
      await (running[victim] as Hands).kill()
      running[victim] = start()
      await (running[victim] as Hands).ready
    }
    await until(control, ops)
    Atomics.store(control, STOP, 1)
    const counts = await Promise.all(running.map(({ ended }) => ended))
    const done = Atomics.load(control, OPS)
    const figures = judge(arena, heap, control, deaths)
    heap.destroy()
    return { kind, seed, ops: done, deaths, ...figures, counts: sum(counts) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function sum(all: readonly Record<string, number>[]): Record<string, number> {
  const total: Record<string, number> = {}
  for (const one of all) for (const [name, count] of Object.entries(one)) total[name] = (total[name] ?? 0) + count
  return total
}

/** Every block of the table is live and as it was filled; what else is live, the dead held. Then all is freed, and nothing is left. */
function judge(arena: Arena, heap: Heap, control: Int32Array, deaths: number): object {
  const words = wordsOf(arena)
  heap.check()
  const live = new Set([...heap.blocks()].map(({ offset }) => offset))
  live.delete(heap.root('table'))
  const blocks = live.size
  let held = 0
  for (let slot = TABLE; slot < TABLE + SLOTS; slot++) {
    const offset = control[slot] as number
    if (offset === 0) continue
    held++
    proveBlock(words, offset)
    if (!live.delete(offset)) throw new Error(`the block at ${offset} is in the table, and not live, or twice in it`)
    heap.free(offset)
  }
  // A worker that was killed in `mallocMany` and `freeMany` held up to 40 blocks more.
  if (live.size > deaths * (HELD_MOST + 40))
    throw new Error(`${live.size} blocks are live that no worker has, after ${deaths} deaths`)
  for (const offset of live) heap.free(offset)
  heap.check()
  const { usedCount } = heap.stats()
  if (usedCount !== 1) throw new Error(`${usedCount} blocks are left of 1`)
  heap.purge()
  heap.check()
  return { blocks, held, lost: live.size }
}

if (process.env.STORM_ROUND !== undefined) {
  const asked = JSON.parse(process.env.STORM_ROUND) as Round
  delete process.env.STORM_ROUND
  try {
    console.log(JSON.stringify(await round(asked)))
    process.exit(0)
  } catch (error) {
    fail(error)
  }
}
