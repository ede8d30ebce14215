/**
 * Rounds of the thread storm, one after the other, until there was so much work.
 * @module
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Round } from './round.ts'

export interface Storm {
  readonly ops: number
  readonly deaths: number
  /** Of one round, at most. */
  readonly roundOps: number
  readonly kinds: readonly Round['kind'][]
  readonly seed: number
  readonly workers: number
  readonly log: (text: string) => void
}

export interface StormReport {
  readonly ops: number
  readonly deaths: number
  /** Rounds whose process was ended by the runtime: a worker was terminated while koffi made an object. */
  readonly byRuntime: number
  readonly wrong: readonly string[]
}

const ROUND = fileURLToPath(new URL('./round.js', import.meta.url))

export async function threadStorm({ ops, deaths, roundOps, kinds, seed, workers, log }: Storm): Promise<StormReport> {
  const rounds = Math.max(kinds.length, Math.ceil(ops / roundOps))
  const total = { ops: 0, deaths: 0, byRuntime: 0, wrong: [] as string[] }
  for (let index = 0; index < rounds; index++) {
    const round: Round = {
      kind: kinds[index % kinds.length] as Round['kind'],
      seed: seed + index,
      ops: Math.ceil(ops / rounds),
      deaths: Math.ceil(deaths / rounds),
      workers,
    }
    const { text, signal } = await run(round)
    log(text.trim())
    const found = lastJson(text)
    if (found?.wrong !== undefined || (found === undefined && signal === null)) {
      total.wrong.push(`${JSON.stringify(round)}: ${text}`)
    } else if (found === undefined) total.byRuntime++
    else {
      total.ops += found.ops as number
      total.deaths += found.deaths as number
    }
  }
  return total
}

function run(round: Round): Promise<{ text: string; signal: string | null }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--enable-source-maps', ROUND], {
      env: { ...process.env, STORM_ROUND: JSON.stringify(round) },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    child.stdout.on('data', (part) => {
      text += part
    })
    child.on('close', (_, signal) => resolve({ text, signal }))
  })
}

function lastJson(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text.trim().split('\n').at(-1) ?? '')
  } catch {
    return undefined
  }
}
