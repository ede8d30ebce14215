/**
 * Recipe: a pool of processes over an arena with a name (pool.ts, journal.ts), whose workers are killed by `kill -9` at random. `--help`.
 *
 * Jobs are done while the killing goes on. At the end all workers are killed at once; this process, the survivor, opens the arena, becomes
 * the writer of each part, and compares every result with what it must be. With `--path` the arena is kept: this process can be killed
 * as well, and the next run goes on where it was.
 * @module
 */
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Arena, MiB } from '../../src/index.ts'
import { settings } from '../settings.ts'
import { verdict } from '../verdict.ts'
import { MOST_BYTES, resultOf } from './job.ts'
import { Journal, WriterAliveError } from './journal.ts'
import { Pool } from './pool.ts'

const HELP = `Usage: npm run example -- pool [options]

A pool of processes that store results in heaps of one named arena, while workers are
killed by kill -9 at random moments. Then all are killed, and every result must be there.

  --jobs N        jobs, each with a result to store (default 5000)
  --workers N     processes (default 4)
  --kills N       workers that are killed on the way (default 20)
  --seed N        for which worker is killed, and when (default 1)
  --path PATH     the arena's file; it stays, and a later run with the same jobs and
                  workers goes on with it (default: a temporary file)
  --help          this text

Exit status: 0 when every result was there and right, 1 when not.`

interface Options {
  readonly jobs: number
  readonly workers: number
  readonly kills: number
  readonly seed: number
}

/** Does the jobs that have no result, and kills workers meanwhile. */
async function work(path: string, ids: readonly number[], { workers, kills, seed }: Options): Promise<Pool> {
  const pool = new Pool(path, workers)
  let state = seed
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  let killed = 0
  let done = 0
  const every = ids.length / (kills + 1)
  try {
    await Promise.all(
      ids.map(async (id) => {
        await pool.run(id)
        if (++done < every * (killed + 1) || killed === kills) return
        killed++
        setTimeout(() => pool.kill(random(workers)), random(5))
      })
    )
  } finally {
    // All at once, without a word.
    await pool.close('SIGKILL')
  }
  return pool
}

/** Workers whose pool was killed end by themselves, in a moment. */
async function journalOf(arena: Arena, part: number, parts: number): Promise<Journal> {
  for (let tries = 100; ; tries--) {
    try {
      return new Journal(arena, part, parts)
    } catch (error) {
      if (!(error instanceof WriterAliveError) || tries === 0) throw error
      await sleep(100)
    }
  }
}

/** Looks at all parts as their writer. `right` are the jobs whose results are as they must be. */
async function survey(
  arena: Arena,
  workers: number
): Promise<{ right: Set<number>; wrong: number; recovered: number }> {
  const right = new Set<number>()
  let wrong = 0
  let recovered = 0
  for (let part = 0; part < workers; part++) {
    const journal = await journalOf(arena, part, workers)
    journal.check()
    if (journal.recovered) recovered++
    for (const id of journal.ids)
      if (!right.has(id) && journal.get(id)?.equals(resultOf(id))) right.add(id)
      else wrong++
    journal.close()
  }
  return { right, wrong, recovered }
}

async function run(arena: Arena, options: Options): Promise<void> {
  const { jobs, workers, kills } = options
  const before = await survey(arena, workers)
  const ids = Array.from({ length: jobs }, (_, id) => id).filter((id) => !before.right.has(id))
  const start = performance.now()
  const pool = await work(arena.path as string, ids, options)
  const seconds = (performance.now() - start) / 1000
  const found = await survey(arena, workers)
  const missing = ids.filter((id) => !found.right.has(id)).length
  const rate = (ids.length / seconds).toFixed(0)
  console.log(`
${ids.length} jobs by ${workers} processes in ${seconds.toFixed(1)} s, ${rate} a second; ${before.right.size} had a result from an earlier run.
Of the workers ${kills} were killed on the way, by kill -9; ${pool.recoveries} successors found a heap whose writer
had died, rebuilt it and went on; ${pool.unfinished} records were unfinished, and freed. At the end all
${workers} were killed at once, and this process became the writer of their heaps.
`)
  verdict([
    { name: `${found.right.size} results are there: each one whose job was done`, ok: missing === 0 },
    { name: 'none is wrong, and none is there twice', ok: found.wrong === 0 && before.wrong === 0 },
    {
      name: `${found.recovered} heaps whose writers had died were rebuilt, and all are whole`,
      ok: found.recovered > 0 || ids.length === 0,
    },
  ])
}

const options = settings(HELP, {
  jobs: { default: 5000, least: 1, most: 1_000_000 },
  workers: { default: 4, least: 1, most: 64 },
  kills: { default: 20, least: 0, most: 10_000 },
  seed: { default: 1, least: 1, most: 2 ** 32 - 1 },
  path: { default: '' },
})
if (options !== undefined) {
  const path = options.path === '' ? join(tmpdir(), `sorites-pool-${process.pid}`) : options.path
  // Room for all results in each part: one worker may do most of the jobs.
  const byteLength = options.workers * (MiB + Math.ceil((options.jobs * MOST_BYTES) / MiB) * MiB)
  const arena = Arena.open(path, { create: true, byteLength })
  const end = (): void => {
    if (options.path === '') arena.unlink()
    arena.close()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      end()
      process.exit(128 + constants.signals[signal])
    })
  try {
    await run(arena, options)
  } finally {
    end()
  }
}
