/**
 * Runs experiments, each repeat in a fresh process, one process at a time, and reduces the repeats to medians with their spread.
 *
 * Repeats go round all experiments, so that a busy spell of the machine does not hit all repeats of one. What an experiment prints goes to
 * stderr.
 * @module
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { atEnd, Failure, reasonOf } from '../failure.ts'
import type { Expectation, Reading, RunReport } from './experiment.ts'
import { judge, type Verdict } from './judgement.ts'
import type { Machine } from './lab.ts'
import { type Spread, spreadOf } from './spread.ts'

/** An experiment, and where it is. */
export interface Listed {
  readonly name: string
  readonly title: string
  readonly hypothesis: string
  readonly url: string
}

export interface StepSummary {
  readonly name: string
  readonly change: Readonly<Record<string, Spread>>
}

export interface Outcome {
  readonly name: string
  readonly title: string
  readonly hypothesis: string
  readonly repeats: number
  readonly machine: Machine
  /** Why it was not made; nothing is judged then. */
  readonly skipped?: string
  readonly steps: readonly StepSummary[]
  readonly verdicts: readonly Verdict[]
  readonly held: boolean
  /** The readings of the repeat in the middle, by its highest resident memory. */
  readonly readings: readonly Reading[]
}

const body = fileURLToPath(new URL('body.js', import.meta.url))

/** Runs each `repeats` times. `onRun` hears of each process before it starts. */
export async function runExperiments(
  experiments: readonly Listed[],
  repeats: number,
  onRun: (done: number, name: string) => void = () => undefined
): Promise<Outcome[]> {
  const reports = new Map<Listed, RunReport[]>(experiments.map((one) => [one, []]))
  let done = 0
  for (let repeat = 0; repeat < repeats; repeat++)
    for (const [experiment, made] of reports) {
      onRun(done++, experiment.name)
      if (made[0]?.skipped === undefined) made.push(await runOnce(experiment))
    }
  return [...reports].map(([experiment, made]) => summarize(experiment, made))
}

/** One repeat. Rejects with a `Failure` that says why there is no report. */
export async function runOnce({ name, url }: Pick<Listed, 'name' | 'url'>): Promise<RunReport> {
  const folder = temporaryFolder()
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  const keep = atEnd(remove)
  try {
    return await runIn(folder, name, url)
  } finally {
    keep()
    remove()
  }
}

/** The files of a run lie in a folder that this process removes: the one that makes them may be killed. */
function temporaryFolder(): string {
  try {
    return mkdtempSync(join(tmpdir(), 'sorites-rss-'))
  } catch (error) {
    throw new Failure(`cannot make a folder in ${tmpdir()}: ${reasonOf(error)}`)
  }
}

async function runIn(folder: string, name: string, url: string): Promise<RunReport> {
  const words = ['--expose-gc', '--no-warnings', body, url, folder]
  const child = spawn(process.execPath, words, { stdio: ['ignore', 2, 2, 'pipe'] })
  const forget = atEnd(() => child.kill('SIGKILL'))
  const text = read(child.stdio[3] as Readable)
  const [status, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (...end) => resolve(end))
  })
  forget()
  const answer = (await text) || '{}'
  const { report, error } = JSON.parse(answer) as { report?: RunReport; error?: string }
  if (error !== undefined) throw new Failure(`the experiment ${name} failed: ${error}`)
  if (report === undefined)
    throw new Failure(`the experiment ${name} ended without a report, by ${signal ?? `exit status ${status}`}`)
  return report
}

async function read(stream: Readable): Promise<string> {
  let text = ''
  for await (const chunk of stream.setEncoding('utf8')) text += chunk
  return text
}

export function summarize({ name, title, hypothesis }: Listed, reports: readonly RunReport[]): Outcome {
  const { machine, skipped, expectations } = reports[0] as RunReport
  const steps = summarizeSteps(reports)
  const verdicts = expectations.map((expectation: Expectation) => judge(expectation, reports))
  return {
    name,
    title,
    hypothesis,
    repeats: reports.length,
    machine,
    ...(skipped === undefined ? {} : { skipped }),
    steps,
    verdicts,
    held: verdicts.every(({ held }) => held),
    readings: middle(reports).readings,
  }
}

function summarizeSteps(reports: readonly RunReport[]): StepSummary[] {
  return reports[0]!.steps.map(({ name, change }, index) => ({
    name,
    change: Object.fromEntries(
      Object.keys(change).map((figure) => [
        figure,
        spreadOf(reports.map(({ steps }) => steps[index]?.change[figure] ?? 0)),
      ])
    ),
  }))
}

function middle(reports: readonly RunReport[]): RunReport {
  const highest = ({ readings }: RunReport): number =>
    readings.reduce((most, { figures }) => Math.max(most, figures.resident ?? 0), 0)
  const sorted = [...reports].sort((one, other) => highest(one) - highest(other))
  return sorted[Math.floor((sorted.length - 1) / 2)] as RunReport
}
