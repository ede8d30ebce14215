/**
 * A process that has so many victims of one kind killed and proves after each that what is left is whole. Its parent reads the results
 * one by one, so it is known how far it came when it ends itself.
 * @module
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { Heap } from '../../src/allocator/heap/heap.ts'
import { Arena } from '../../src/arena/arena.ts'
import { Random } from '../random.ts'
import { ARENA_BYTES, come, HEAP_BYTES, type Way } from './ground.ts'
import type { Kill, KillKind } from './kinds.ts'
import { Nursery } from './nursery.ts'
import { proveDirectory, proveHeap, proveMade, readAnything } from './proofs.ts'
import type { Work } from './work.ts'

/** What a judge is told. */
export interface Case {
  readonly kind: KillKind
  readonly seed: number
  readonly count: number
}

/** A kill, from giving the work to the proof. */
type Round = (random: Random) => Promise<void>

const MOST_DELAY_MS = 12
/** Victims that end themselves do so within so many calls to the kernel. */
const MOST_DOOM = 60

const folder = mkdtempSync(join(tmpdir(), 'sorites-kills-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

/** When: half of them within a few milliseconds, half at some call to the kernel. */
function fate(random: Random): { doom: number; delay: number } {
  const doom = random.chance(50) ? 0 : 1 + random.below(MOST_DOOM)
  return { doom, delay: random.below(MOST_DELAY_MS) + (doom > 0 ? 20 : 0) }
}

/** The arena that the kills are about, and how victims come to it. */
function ground(where: string): { arena: Arena; way: Way } {
  const path = join(folder, 'ground')
  if (where === 'named')
    return { arena: Arena.open(path, { create: true, byteLength: ARENA_BYTES }), way: { by: 'path', path } }
  if (where === 'file') return { arena: come({ by: 'file', path }), way: { by: 'file', path } }
  return { arena: Arena.reserve(ARENA_BYTES, { shared: true }), way: { by: 'fd' } }
}

/** Writers in turn: some attach right after one that was killed, others after a reader has looked. */
function writers(where: string, reading: boolean): Round {
  const { arena, way } = ground(where)
  new Heap(arena, { offset: 0, byteLength: HEAP_BYTES }).close()
  const nursery = new Nursery(where === 'shared' ? arena.fd : undefined)
  let kills = 0
  return async (random) => {
    const { doom, delay } = fate(random)
    const reader = reading ? Heap.attach(arena, { role: 'reader', offset: 0 }) : undefined
    const given: Work = { what: 'write', seed: random.next(), way, doom }
    const wrong = await nursery.kill(given, delay, () => reader && readAnything(reader))
    if (wrong !== undefined) throw new Error(wrong)
    if (reader !== undefined) {
      readAnything(reader)
      reader.close()
    }
    kills++
    if (!reading && random.chance(30)) return
    proveHeap(arena, kills)
    kills = 0
  }
}

function claimers(where: string): Round {
  const { arena, way } = ground(where)
  const nursery = new Nursery(where === 'shared' ? arena.fd : undefined)
  return async (random) => {
    const { doom, delay } = fate(random)
    const wrong = await nursery.kill({ what: 'claim', seed: random.next(), way, doom }, delay)
    if (wrong !== undefined) throw new Error(wrong)
    proveDirectory(arena, random)
  }
}

function makers(what: 'arena' | 'file'): Round {
  const nursery = new Nursery()
  return async (random) => {
    const given: Work = { what: `make-${what}`, seed: random.next(), folder, doom: 1 + random.below(MOST_DOOM) }
    const wrong = await nursery.kill(given, 30)
    try {
      if (wrong !== undefined) throw new Error(wrong)
      proveMade(folder, what)
    } finally {
      for (const name of readdirSync(folder)) rmSync(join(folder, name))
    }
  }
}

/** Threads: of this process, which ends with them when koffi or V8 cannot bear it. */
function workers(): Round {
  const arena = Arena.reserve(ARENA_BYTES)
  const handle = arena.handle()
  new Heap(arena, { offset: 0, byteLength: HEAP_BYTES }).close()
  const file = fileURLToPath(new URL('victim.js', import.meta.url))
  return async (random) => {
    const victim: Work = { what: 'write', seed: random.next(), way: { by: 'handle', handle }, doom: 0 }
    const worker = new Worker(file, { workerData: { victim } })
    const said = await new Promise<string>((resolve, reject) => worker.once('message', resolve).once('error', reject))
    if (said !== 'running') throw new Error(said)
    await new Promise((resolve) => setTimeout(resolve, random.below(MOST_DELAY_MS)))
    await worker.terminate()
    proveHeap(arena, 1)
  }
}

function roundOf(kind: KillKind): Round {
  const [what, where = 'shared'] = kind.split('-') as [string, string | undefined]
  if (what === 'writer') return writers(where, false)
  if (what === 'reader') return writers('shared', true)
  if (what === 'claimer') return claimers(where)
  if (what === 'worker') return workers()
  return makers(where as 'arena' | 'file')
}

async function judge({ kind, seed, count }: Case): Promise<void> {
  let round: Round | undefined
  for (let index = 0; index < count; index++) {
    let result: Kill = { kind }
    try {
      round ??= roundOf(kind)
      await round(new Random(seed + index))
    } catch (error) {
      result = { kind, wrong: `${(error as Error).stack ?? error}` }
    }
    process.send?.(result)
    // What is wrong once may go on being wrong: the rest is another judge's.
    if (result.wrong !== undefined) break
  }
  process.exit()
}

process.on('message', (given) => void judge(given as Case))
process.once('disconnect', () => process.exit())
