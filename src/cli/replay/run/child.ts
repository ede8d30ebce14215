/**
 * The process in which one policy replays one trace, so that its RSS is its own and V8 compiles the loops for it alone. Takes a job as JSON in
 * its argument, and writes the answer as JSON to descriptor 3: what a policy prints goes to stderr.
 *
 *     cold pass: time, peak of RSS  ->  warm passes: time  ->  observed replay: samples, pictures          or a verified replay alone
 *
 * The observed replay has an arena and a policy of its own.
 * @module
 */
import { readFileSync, writeFileSync, writeSync } from 'node:fs'
import { Arena } from '../../../arena/arena.ts'
import { OutOfMemoryError } from '../../../errors.ts'
import { decodeTrace } from '../../../trace/format.ts'
import { readBounded } from '../../../trace/readers/read-trace.ts'
import type { Trace } from '../../../trace/trace.ts'
import { loadPolicy } from '../load-policy.ts'
import type { Policy, PolicyModule } from '../policy.ts'
import type { Answer, Job, Measured } from './job.ts'
import { observe } from './observe.ts'
import { ArenaToucher, coldPass, PassError, slotsLeft, type Target, tablesFor, warmPass } from './passes.ts'
import { PolicyAllocator, PolicyError, PolicyFullError } from './policy-allocator.ts'
import { verify } from './verify.ts'

const ANSWER_FD = 3
const MOST_BYTES = 2 ** 40

/** Runs with a new arena and a new policy, and closes the arena. */
function withPolicy<T>(module: PolicyModule, bytes: number, run: (policy: Policy, arena: Arena) => T): T {
  const arena = Arena.reserve(bytes)
  try {
    return run(checkedPolicy(module.create(arena)), arena)
  } finally {
    arena.close()
  }
}

function checkedPolicy(policy: unknown): Policy {
  for (const call of ['malloc', 'free'] as const)
    if (typeof (policy as Policy | undefined)?.[call] !== 'function')
      throw new PolicyError(`\`create\` gave no policy: it has no function \`${call}\``)
  return policy as Policy
}

function measure(trace: Trace, module: PolicyModule, bytes: number, job: Job): Measured {
  const timed = withPolicy(module, bytes, (policy, arena) => {
    const target: Target = policy.allocator ?? new PolicyAllocator(policy, arena, { timed: true })
    return timePasses(trace, target, arena, job.warmMs)
  })
  const observation = withPolicy(module, bytes, (policy, arena) => observe(trace, policy, arena, job.frames))
  return { ...timed, observation }
}

function timePasses(trace: Trace, target: Target, arena: Arena, warmMs: number): Omit<Measured, 'observation'> {
  const toucher = new ArenaToucher(arena)
  const tables = tablesFor(trace)
  const left = slotsLeft(trace)
  const drain = (): void => {
    for (const at of left) target.free(tables.blocks[at]!)
  }
  const perEvent = 1e6 / Math.max(1, trace.summary.events)
  globalThis.gc?.()
  resetPeak()
  const before = statusBytes('VmRSS')
  let start = performance.now()
  coldPass(trace, target, toucher, tables)
  const coldNs = (performance.now() - start) * perEvent
  const processPeakBytes = statusBytes('VmHWM')
  drain()
  const times: number[] = []
  const began = performance.now()
  do {
    start = performance.now()
    warmPass(trace, target, toucher, tables)
    times.push((performance.now() - start) * perEvent)
    drain()
  } while (performance.now() - began < warmMs)
  times.sort((a, b) => a - b)
  return {
    coldNs,
    warmNs: times[times.length >> 1]!,
    passes: times.length,
    peakRssBytes: processPeakBytes - before,
    processPeakBytes,
  }
}

/** Makes the peak of RSS start anew. Where that is forbidden, the peak is that of the process. */
function resetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
  } catch {
    // Said by the figure itself, which is then that of loading the trace at least.
  }
}

function statusBytes(key: string): number {
  const text = readFileSync('/proc/self/status', 'latin1')
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1024
}

async function answer(job: Job): Promise<Answer> {
  const { module } = await loadPolicy(job.policy)
  const trace = decodeTrace(readBounded(job.trace, MOST_BYTES))
  const bytes = module.arenaBytes ?? job.arenaBytes
  try {
    if (job.verify) {
      withPolicy(module, bytes, (policy, arena) => verify(trace, policy, arena))
      return { kind: 'verified' }
    }
    return { kind: 'measured', measured: measure(trace, module, bytes, job) }
  } catch (error) {
    if (!(error instanceof PassError)) throw error
    const full = error.cause instanceof PolicyFullError || error.cause instanceof OutOfMemoryError
    return { kind: full ? 'full' : 'failed', event: error.event, message: error.message }
  }
}

async function main(): Promise<void> {
  let text: string
  try {
    text = JSON.stringify(await answer(JSON.parse(process.argv[2]!)))
  } catch (error) {
    text = JSON.stringify({ kind: 'refused', message: error instanceof Error ? error.message : String(error) })
  }
  const bytes = Buffer.from(text)
  for (let done = 0; done < bytes.length; ) done += writeSync(ANSWER_FD, bytes, done)
  // A timer or a handle that a policy has left does not keep the process.
  process.exit(0)
}

await main()
