/**
 * The storm: random programs over the whole public surface, compared with a model; and kills.
 *
 *     npm run storm                                    for a minute
 *     npm run storm -- --calls 1000000                 until so many calls were made
 *     npm run storm -- --minutes 15 --fail-nth random  with a kernel that fails
 *     npm run storm -- --seed 7 --trace                one program again, each call printed
 *     npm run storm -- --seed 7 --program FILE         a program from a file: `name a b c`, separated by semicolons
 *     npm run storm -- kills --count 5000              writers, claimers, readers, workers and makers that are killed
 *
 * Ends with status 1 when anything was wrong.
 * @module
 */
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { campaign, type Report } from './campaign.ts'
import { killCampaign } from './kills/campaign.ts'
import { KILL_KINDS } from './kills/kinds.ts'
import { Child } from './parent.ts'
import { KINDS, parseProgram } from './program.ts'
import type { Failing } from './world.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    calls: { type: 'string' },
    minutes: { type: 'string' },
    count: { type: 'string', default: '200' },
    length: { type: 'string', default: '300' },
    only: { type: 'string', default: '' },
    program: { type: 'string' },
    'fail-nth': { type: 'string' },
    jobs: { type: 'string', default: String(Math.min(2, availableParallelism())) },
    timeout: { type: 'string', default: '60' },
    'shrink-seconds': { type: 'string', default: '60' },
    trace: { type: 'boolean', default: false },
    summary: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const seed = values.seed === undefined ? randomInt(2 ** 30) : Number(values.seed)
const only = values.only === '' ? [] : values.only.split(',')
const failing: Failing =
  values['fail-nth'] === undefined ? undefined : values['fail-nth'] === 'random' ? 'random' : Number(values['fail-nth'])
const shape = { length: Number(values.length), only }
const timeoutMs = Number(values.timeout) * 1000

function help(): void {
  console.log(`npm run storm -- [kills] [options]

  --seed N              the first program's seed (printed otherwise)
  --calls N             end after so many calls        --minutes N       end after so much time (1 when neither is given)
  --length N            commands a program (300)       --jobs N          programs at a time
  --only KINDS          ${Object.keys(KINDS).join(',')}
  --fail-nth N|random   the nth call to the kernel in each step fails
  --trace               the one program of --seed, each call printed
  --program FILE        run this program               --timeout N       seconds a program may take (60)
  --shrink-seconds N    for making a failure short (60)
  --summary             how often each call had which outcome

  kills --count N       so many kills                  --only            ${KILL_KINDS.join(',')}`)
}

/** One program again: from a file, or the one of the seed. */
async function one(path: string | undefined): Promise<boolean> {
  const commands = path === undefined ? undefined : parseProgram(readFileSync(path, 'utf8'))
  const child = new Child(timeoutMs)
  const outcome = await child.run({ seed, shape, failing, commands, trace: values.trace })
  child.end()
  console.log(
    outcome.wrong === undefined ? `${outcome.calls} calls, nothing wrong` : `command ${outcome.at}: ${outcome.wrong}`
  )
  return outcome.wrong === undefined
}

function show({ programs, calls, failures, tally, found }: Report): void {
  if (values.summary) for (const [key, count] of [...tally].sort()) console.log(`${String(count).padStart(9)}  ${key}`)
  for (const { seed: at, wrong, count } of found)
    console.log(`${count} times, first with --seed ${at}: ${wrong.split('\n')[0]}`)
  console.log(
    `${programs} programs, ${calls} calls, ${failures} failures of the kernel, ${found.length} kinds of faults`
  )
}

async function storm(): Promise<boolean> {
  console.log(`seed ${seed}`)
  const report = await campaign({
    seed,
    calls: Number(values.calls ?? Infinity),
    minutes: Number(values.minutes ?? (values.calls === undefined ? 1 : Infinity)),
    shape,
    failing,
    jobs: Number(values.jobs),
    timeoutMs,
    shrinkMs: Number(values['shrink-seconds']) * 1000,
    log: (text) => console.log(text),
  })
  show(report)
  return report.found.length === 0
}

async function kills(): Promise<boolean> {
  console.log(`seed ${seed}`)
  const report = await killCampaign({
    seed,
    count: Number(values.count),
    only,
    jobs: Number(values.jobs),
    log: (text: string) => console.log(text),
  })
  for (const [kind, count] of report.kills) console.log(`${String(count).padStart(7)}  ${kind}`)
  console.log(`${report.total} kills, ${report.runtime} aborts of the runtime, ${report.wrong.length} wrong`)
  return report.wrong.length === 0
}

if (values.help) help()
else {
  const well =
    positionals[0] === 'kills'
      ? await kills()
      : values.program === undefined && !values.trace
        ? await storm()
        : await one(values.program)
  process.exitCode = well ? 0 : 1
}
