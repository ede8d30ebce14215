/**
 * Replays traces through policies, one after the other, each pair in a fresh process (child.ts), and through the allocators of C where that is
 * wanted (native/). Ctrl-C ends the process that runs and removes the files.
 * @module
 */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { encodeTrace } from '../../../trace/format.ts'
import { atEnd, Failure } from '../../failure.ts'
import { Scratch } from '../../native/compile.ts'
import type { LoadedTrace } from '../load.ts'
import type { NativeMeasured, Natives } from '../natives.ts'
import { type TraceFigures, traceFigures } from '../trace-figures.ts'
import type { Answer, Job, Measured } from './job.ts'

/** How one allocator did on one trace. */
export interface Outcome {
  readonly name: string
  readonly kind: 'policy' | 'native'
  readonly summary: string
  /** Undefined where the policy ran out of room. */
  readonly measured: Measured | undefined
  readonly native: NativeMeasured | undefined
  /** The event at which there was no room. */
  readonly fullAt: number | undefined
}

export interface TraceOutcome {
  readonly trace: LoadedTrace
  readonly figures: TraceFigures
  readonly outcomes: readonly Outcome[]
}

/** What is replayed through. `word` leads to the policy in another process. */
export interface Chosen {
  readonly word: string
  readonly name: string
  readonly summary: string
}

export interface RunPlan extends Omit<Job, 'trace' | 'policy'> {
  readonly policies: readonly Chosen[]
  readonly natives: Natives | undefined
  /** Told before each replay. */
  readonly next: (what: string) => void
}

const CHILD = fileURLToPath(new URL('child.js', import.meta.url))

export async function replayThrough(traces: readonly LoadedTrace[], plan: RunPlan): Promise<TraceOutcome[]> {
  const scratch = new Scratch()
  const settled = atEnd(() => scratch[Symbol.dispose]())
  try {
    const results: TraceOutcome[] = []
    for (const trace of traces) results.push(await replayOne(trace, plan, scratch))
    return results
  } finally {
    settled()
    scratch[Symbol.dispose]()
  }
}

async function replayOne(trace: LoadedTrace, plan: RunPlan, scratch: Scratch): Promise<TraceOutcome> {
  const file = join(scratch.path, 'trace.mtrc')
  writeFileSync(file, encodeTrace(trace.trace))
  const outcomes: Outcome[] = []
  for (const policy of plan.policies) {
    plan.next(`${trace.name}, ${policy.name}`)
    outcomes.push(await replayPolicy(trace, file, policy, plan))
  }
  for (const name of plan.natives?.names ?? []) {
    plan.next(`${trace.name}, ${name}`)
    const native = await plan.natives!.replay(name, file, trace.trace.summary.events, plan.warmMs, scratch)
    outcomes.push({ name, kind: 'native', summary: 'malloc of C', measured: undefined, native, fullAt: undefined })
  }
  return { trace, figures: traceFigures(trace.trace), outcomes }
}

async function replayPolicy(trace: LoadedTrace, file: string, policy: Chosen, plan: RunPlan): Promise<Outcome> {
  const { arenaBytes, verify, frames, warmMs } = plan
  const job: Job = { trace: file, policy: policy.word, arenaBytes, verify: false, frames, warmMs }
  // In a process of its own, so that what it leaves of the collector's heap is not in the figures.
  const verified = verify ? await ask({ ...job, verify: true }, policy.name) : undefined
  const answer = verified === undefined || verified.kind === 'verified' ? await ask(job, policy.name) : verified
  const outcome = { name: policy.name, kind: 'policy', summary: policy.summary, native: undefined } as const
  if (answer.kind === 'measured') return { ...outcome, measured: answer.measured, fullAt: undefined }
  if (answer.kind === 'full') return { ...outcome, measured: undefined, fullAt: answer.event }
  if (answer.kind === 'verified') throw new Failure(`policy ${policy.name}: its process measured nothing`)
  const where = answer.kind === 'failed' ? `, event ${answer.event} of ${trace.name}` : ''
  throw new Failure(`policy ${policy.name}${where}: ${answer.message}`)
}

/** Has a job done in a process of its own. */
function ask(job: Job, name: string): Promise<Answer> {
  const child = spawn(process.execPath, ['--expose-gc', '--no-warnings', CHILD, JSON.stringify(job)], {
    stdio: ['ignore', 2, 2, 'pipe'],
  })
  const settled = atEnd(() => child.kill('SIGKILL'))
  const chunks: Buffer[] = []
  child.stdio[3]!.on('data', (chunk: Buffer) => chunks.push(chunk))
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new Failure(`cannot start a process: ${error.message}`)))
    child.on('close', (status, signal) => {
      settled()
      try {
        resolve(JSON.parse(Buffer.concat(chunks).toString()))
      } catch {
        reject(new Failure(`policy ${name}: its process ended with ${signal ?? `status ${status}`} and no answer`))
      }
    })
  })
}
