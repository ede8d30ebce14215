/**
 * `sorites rss`: makes experiments and shows what came of them.
 * @module
 */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Arguments, Command } from '../command.ts'
import { Failure, OutputFile, reasonOf, UsageError, writeOutput } from '../failure.ts'
import { machineText } from '../machine.ts'
import { nearest } from '../nearest.ts'
import { svgChart } from '../page/chart.ts'
import { print, printJson, say } from '../terminal/output.ts'
import { Progress } from '../terminal/progress.ts'
import { experimentOf, requireExperiment } from './experiment.ts'
import { EXPERIMENTS } from './experiments.ts'
import { csvOf } from './report/csv.ts'
import { pageOf } from './report/page.ts'
import { chartOf } from './report/picture.ts'
import { outcomeText, summaryText } from './report/text.ts'
import { type Listed, type Outcome, runExperiments } from './runner.ts'

const DEFAULT_REPEATS = 3
const MOST_REPEATS = 1000

export const command: Command = {
  name: 'rss',
  summary: 'experiments: what makes resident memory grow and fall',
  usage: '[options] [FILE…]',
  description: `Each experiment states a hypothesis, takes its steps in fresh processes, and says whether the numbers bear it out.
The exit status is 0 when every hypothesis held and 1 when one did not. Without a FILE the experiments that come with the
tool are made; a FILE is a module that exports an \`experiment\` of your own (docs/laboratory.md).`,
  options: {
    list: { type: 'boolean', help: 'the names of the experiments, and what they ask' },
    only: { type: 'string', multiple: true, value: 'NAME', help: 'this experiment; may be given several times' },
    repeats: { type: 'string', value: 'N', help: `processes per experiment, ${DEFAULT_REPEATS} unless given` },
    json: { type: 'boolean', help: 'everything, as JSON on stdout' },
    csv: { type: 'boolean', help: 'one line for each step and figure, on stdout' },
    svg: { type: 'string', value: 'FOLDER', help: 'a picture of each experiment, NAME.svg' },
    html: { type: 'string', value: 'FILE', help: 'one page with everything' },
  },
  examples: [
    'sorites rss --list',
    'sorites rss --only huge-pages --only populate',
    'sorites rss --html rss.html',
    'sorites rss ./mine.js --repeats 10       # an experiment of your own',
  ],
  run,
}

async function run(given: Arguments): Promise<number> {
  if (given.flag('json') && given.flag('csv'))
    throw new UsageError('--json and --csv both write to stdout: give one of them')
  const repeats = given.number('repeats', 1, MOST_REPEATS) ?? DEFAULT_REPEATS
  if (!Number.isInteger(repeats)) throw new UsageError('--repeats expects a whole number')
  const chosen = await choose(given)
  if (given.flag('list')) return list(chosen, given.flag('json'))
  const folder = given.text('svg')
  // Before the work, so that a place that cannot be written to is known at once.
  if (folder !== undefined) requireFolder(folder)
  const path = given.text('html')
  const page = path === undefined ? undefined : new OutputFile(path)
  const outcomes = await make(chosen, repeats)
  if (folder !== undefined)
    for (const outcome of outcomes) writeOutput(join(folder, `${outcome.name}.svg`), svgChart(chartOf(outcome)))
  page?.write(pageOf(outcomes))
  page?.commit()
  show(given, outcomes)
  return outcomes.every(({ held }) => held) ? 0 : 1
}

function requireFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new Failure(`there is no folder ${folder} to put pictures in`)
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new Failure(`cannot write pictures in ${folder}: ${reasonOf(error)}`)
  }
}

async function make(chosen: readonly Listed[], repeats: number): Promise<Outcome[]> {
  const progress = new Progress(chosen.length * repeats)
  try {
    return await runExperiments(chosen, repeats, (done, name) => progress.update(done, name))
  } finally {
    progress.stop()
  }
}

function show(given: Arguments, outcomes: readonly Outcome[]): void {
  if (given.flag('json')) printJson({ machine: machineText(), made: new Date().toISOString(), outcomes })
  else if (given.flag('csv')) process.stdout.write(csvOf(outcomes))
  else {
    for (const outcome of outcomes) print(`${outcomeText(outcome)}\n`)
    print(summaryText(outcomes))
  }
  for (const file of [given.text('html'), given.text('svg')]) if (file !== undefined) say(`written: ${file}`)
}

function list(chosen: readonly Listed[], json: boolean): number {
  if (json) printJson(chosen.map(({ name, title, hypothesis }) => ({ name, title, hypothesis })))
  else for (const { name, title, hypothesis } of chosen) print(`${name}: ${title}\n    ${hypothesis}`)
  return 0
}

/** Those named by `--only`, and the files given unless it names some of them; without either, all that come with the tool. */
async function choose(given: Arguments): Promise<Listed[]> {
  const own = await Promise.all(given.positionals.map(load))
  const shipped = EXPERIMENTS.map(({ name, title, hypothesis }) => ({ name, title, hypothesis, url: urlOf(name) }))
  const names = [...shipped, ...own].map(({ name }) => name)
  const only = given.texts('only')
  for (const name of only)
    if (!names.includes(name)) {
      const near = nearest(name, names)
      throw new UsageError(
        `there is no experiment "${name}"${near === undefined ? '' : `; did you mean "${near}"?`} (\`sorites rss --list\` names them)`
      )
    }
  const named = (one: Listed): boolean => only.includes(one.name)
  if (own.length === 0) return only.length === 0 ? shipped : shipped.filter(named)
  return [...shipped.filter(named), ...(own.some(named) ? own.filter(named) : own)]
}

function urlOf(name: string): string {
  return new URL(`./experiments/${name}.js`, import.meta.url).href
}

/** A user's own file. */
async function load(path: string): Promise<Listed> {
  const url = pathToFileURL(resolve(path)).href
  if (!existsSync(path)) throw new Failure(`there is no file ${path}`)
  try {
    const { name, title, hypothesis } = requireExperiment(experimentOf(await import(url)), basename(path))
    return { name, title, hypothesis, url }
  } catch (error) {
    throw new Failure(`${path} holds no experiment: ${(error as Error).message}`)
  }
}
