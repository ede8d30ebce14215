/**
 * `sorites replay TRACE…`: traces through allocation policies, side by side.
 * @module
 */
import { cpus } from 'node:os'
import { GiB, MiB } from '../../units.ts'
import type { Arguments, Command } from '../command.ts'
import { OutputFile, UsageError } from '../failure.ts'
import { print, printJson, say } from '../terminal/output.ts'
import { Progress } from '../terminal/progress.ts'
import { table } from '../terminal/table.ts'
import { type LoadedTrace, loadTrace } from './load.ts'
import { loadPolicy } from './load-policy.ts'
import { Natives } from './natives.ts'
import { POLICIES } from './policies/index.ts'
import { replayPage } from './report/page.ts'
import { jsonReport, textReport } from './report/text-report.ts'
import { type Chosen, type RunPlan, replayThrough, type TraceOutcome } from './run/runner.ts'

const FRAMES = 120
const WARM_MS = 1000
const MOST_ARENA_MIB = 64 * 1024

export const command: Command = {
  name: 'replay',
  summary: 'runs malloc traces through allocation policies, and compares time and memory',
  usage: '[options] TRACE…',
  description: `A TRACE is MTRC, Android's memory_replay text, what glibc's mtrace() wrote, or a .rep of the malloc lab,
compressed or not; - is standard input. Each policy replays each trace in a process of its own: a first
pass that writes to every page (its time, and by how much the peak of RSS rises), passes that write to
both ends of a block (their median time), and one that is looked at (memory held, fragmentation, pictures).
A policy is a file: docs/policies.md teaches writing one.`,
  options: {
    policy: {
      type: 'string',
      short: 'p',
      multiple: true,
      value: 'NAME|FILE',
      help: 'a policy; may be given several times (default: all of --list)',
    },
    list: { type: 'boolean', help: 'list the policies and end' },
    verify: { type: 'boolean', help: 'first replay with contents, overlap and alignment verified' },
    native: { type: 'boolean', help: 'also glibc, mimalloc, jemalloc, tcmalloc, where they and cc are installed' },
    frames: { type: 'string', value: 'N', help: `samples and pictures of the heap (default ${FRAMES})` },
    arena: { type: 'string', value: 'MIB', help: 'addresses for a policy that says nothing of it (default 1024)' },
    quick: { type: 'boolean', help: 'one timed pass after the first' },
    json: { type: 'boolean', help: 'the report as JSON on stdout' },
    html: { type: 'string', value: 'FILE', help: 'write a page with charts and the heap over time' },
  },
  examples: [
    'sorites replay program.mtrc.gz  # every policy, as a table',
    'sorites replay -p heap -p best-fit --html heap.html program.mtrc.gz',
    'sorites replay --policy ./mine.js --verify --native program.mtrc.gz',
  ],
  run: replay,
}

async function replay(given: Arguments): Promise<number> {
  if (given.flag('list')) return list()
  if (given.positionals.length === 0)
    throw new UsageError('replay expects a trace (`sorites replay --help` explains it)')
  const frames = Math.floor(given.number('frames', 2, 1000) ?? FRAMES)
  const arenaBytes = Math.floor(given.number('arena', 1, MOST_ARENA_MIB) ?? GiB / MiB) * MiB
  const words = given.texts('policy')
  const policies = await chosen(words.length > 0 ? words : Object.keys(POLICIES))
  const natives = given.flag('native') ? new Natives(say) : undefined
  const traces: LoadedTrace[] = []
  for (const path of given.positionals) traces.push(await load(path))
  // Before the work, so that a place that cannot be written to is known at once.
  const page = pageOf(given)
  const progress = new Progress(traces.length * (policies.length + (natives?.names.length ?? 0)))
  let done = 0
  const plan: RunPlan = {
    arenaBytes,
    frames,
    verify: given.flag('verify'),
    warmMs: given.flag('quick') ? 0 : WARM_MS,
    policies,
    natives,
    next: (what) => progress.update(done++, what),
  }
  try {
    report(await replayThrough(traces, plan), given, page)
  } finally {
    progress.stop()
  }
  return 0
}

async function load(path: string): Promise<LoadedTrace> {
  const trace = await loadTrace(path)
  for (const note of trace.notes) say(`${path}: ${note}`)
  return trace
}

async function chosen(words: readonly string[]): Promise<Chosen[]> {
  const policies: Chosen[] = []
  for (const word of words) {
    const { name, module } = await loadPolicy(word)
    policies.push({ word, name, summary: typeof module.summary === 'string' ? module.summary : '' })
  }
  return policies
}

function pageOf(given: Arguments): OutputFile | undefined {
  const path = given.text('html')
  return path === undefined ? undefined : new OutputFile(path)
}

function report(results: readonly TraceOutcome[], given: Arguments, page: OutputFile | undefined): void {
  const origin = {
    date: new Date().toISOString(),
    node: process.version,
    machine: `${cpus().length} × ${cpus()[0]?.model.trim() ?? process.arch}`,
    verified: given.flag('verify'),
  }
  if (page !== undefined) {
    page.write(replayPage(results, origin))
    page.commit()
    say(`The page is in ${page.path}`)
  }
  if (given.flag('json')) printJson(jsonReport(results, origin))
  else print(results.map(textReport).join('\n\n\n'))
}

async function list(): Promise<number> {
  const policies = await chosen(Object.keys(POLICIES))
  print(
    table(
      [{ title: 'policy' }, { title: 'what it does' }],
      policies.map(({ name, summary }) => [name, summary])
    )
  )
  return 0
}
