/**
 * Kills of all kinds, a few hundred a judge, until there have been so many.
 *
 * A judge that ends before its time is a fault of the library, unless the runtime says that the abort was its own (koffi ends the process
 * when a thread is terminated inside its call for a window): those are counted separately, and not hidden.
 * @module
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Case } from './judge.ts'
import { KILL_KINDS, type Kill, type KillKind } from './kinds.ts'

export interface KillOptions {
  readonly seed: number
  readonly count: number
  readonly only: readonly string[]
  readonly jobs: number
  readonly log: (text: string) => void
}

export interface KillReport {
  readonly total: number
  /** By kind. */
  readonly kills: ReadonlyMap<KillKind, number>
  /** How often koffi or V8 ended a process whose thread was terminated. */
  readonly runtime: number
  readonly wrong: readonly string[]
}

const MOST_A_JUDGE = 100
/** A judge that says nothing for so long hangs. */
const SILENCE_MS = 60_000
/** Aborts that are told from those of the library by what the runtime prints. */
const RUNTIME = /napi_|Napi|koffi|v8::|Check failed|HandleScope|FATAL ERROR/

const file = fileURLToPath(new URL('judge.js', import.meta.url))

export async function killCampaign({ seed, count, only, jobs, log }: KillOptions): Promise<KillReport> {
  const kinds = KILL_KINDS.filter((kind) => only.length === 0 || only.some((word) => kind.includes(word)))
  const kills: Map<KillKind, number> = new Map()
  const wrong: string[] = []
  let runtime = 0
  const todo: Case[] = kinds.flatMap((kind, index) =>
    cases(kind, seed + index * 2 ** 20, Math.ceil(count / kinds.length))
  )
  todo.sort((one, other) => (one.seed % 2 ** 20) - (other.seed % 2 ** 20))
  const job = async (): Promise<void> => {
    for (let next = todo.shift(); next !== undefined; next = todo.shift()) {
      const results = await hear(next)
      for (const result of results) {
        if (result.runtime) runtime++
        else if (result.wrong !== undefined) {
          wrong.push(`${result.kind}, seed ${next.seed}: ${result.wrong}`)
          log(wrong.at(-1) as string)
        }
        kills.set(result.kind, (kills.get(result.kind) ?? 0) + 1)
      }
      const left = next.count - results.length
      if (left > 0 && wrong.length < 20) todo.push({ ...next, seed: next.seed + results.length, count: left })
    }
  }
  await Promise.all(Array.from({ length: jobs }, job))
  return { total: [...kills.values()].reduce((sum, one) => sum + one, 0), kills, runtime, wrong }
}

function cases(kind: KillKind, seed: number, count: number): Case[] {
  const all: Case[] = []
  for (let done = 0; done < count; done += MOST_A_JUDGE)
    all.push({ kind, seed: seed + done, count: Math.min(MOST_A_JUDGE, count - done) })
  return all
}

/** What a judge says until it ends; its own end, when that is not the end of its work, is the last result. */
function hear(given: Case): Promise<Kill[]> {
  const judge = spawn(process.execPath, ['--no-warnings', '--enable-source-maps', file], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
  })
  const results: Kill[] = []
  let complaint = ''
  let silent = false
  const timer = setTimeout(() => {
    silent = true
    judge.kill('SIGKILL')
  }, SILENCE_MS)
  judge.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-4000)
  })
  judge.on('message', (result) => {
    timer.refresh()
    results.push(result as Kill)
  })
  judge.send(given)
  return new Promise((resolve) =>
    judge.on('close', (status, signal) => {
      clearTimeout(timer)
      if (status === 0 && results.length > 0) return resolve(results)
      const { kind } = given
      if (silent) results.push({ kind, wrong: `nothing was heard for ${SILENCE_MS / 1000} s` })
      else if (kind === 'worker' && signal === 'SIGABRT' && RUNTIME.test(complaint))
        results.push({ kind, runtime: true })
      else results.push({ kind, wrong: `the judge ended by ${signal ?? `status ${status}`}\n${complaint}` })
      resolve(results)
    })
  )
}
