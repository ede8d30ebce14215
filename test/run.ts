/**
 * Runs compiled test files, each in a process of its own, and ends with the line `N passed, N failed`.
 *
 *     node .build/test/run.js test props          unit tests, then properties
 *     node .build/test/run.js test --only arena   files whose path contains a word
 *     node .build/test/run.js test --except site,packaging    all but those whose path contains one of these words
 *     node .build/test/run.js props --minutes 120 properties with a new seed each round, for so long
 *     node .build/test/run.js test --jobs 4       files at a time (2, or 1 where there is one core)
 *
 * Properties read two environment variables: PROPS_SEED (printed, so that a failure can be run again) and PROPS_RUNS
 * (programs per property). TEST_WATCHDOG is the number of seconds after which a file is taken to hang (1800).
 *
 * The files that take longest start first, so that the last ones to end are short and all cores are used to the end. When the
 * runner is ended, by Ctrl-C too, it ends every process that a test has started.
 * @module
 */
import { randomInt } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { availableParallelism, constants } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { endAll, type Outcome, runFile, testEnvironment } from './outcome.ts'

const build = fileURLToPath(new URL('..', import.meta.url))
/** How many of the slowest files are named at the end. */
const SLOWEST = 8
/** What takes longest, by parts of paths: these start first, in this order. Anything else takes a few seconds. */
const LONGEST = [
  'shared-arena.prop',
  'heap.prop',
  'faults.prop',
  'bump.prop',
  'shared.prop',
  'storm',
  'fuzz',
  'buddy.prop',
  'mapped-file.prop',
  'slab.prop',
  'attach/recovery',
  'examples/files',
  'examples/http',
  'examples/pool',
  'threads/threads',
  'mapping/close',
  'demo/main',
  'file/closing',
  'bench/traces',
  'readme',
  'waiting/wait',
]

function testFiles(folder: string, word: string): string[] {
  const whole = join(build, folder)
  const names = existsSync(whole) ? readdirSync(whole, { recursive: true, encoding: 'utf8' }) : []
  return names
    .filter((name) => /\.(test|prop)\.js$/.test(name) && join(folder, name).includes(word))
    .sort()
    .map((name) => join(build, folder, name))
}

function isExcepted(name: string): boolean {
  return values.except.split(',').some((word) => word !== '' && name.includes(word))
}

function longestFirst(files: readonly string[]): string[] {
  const rank = (file: string): number => {
    const found = LONGEST.findIndex((part) => file.includes(part))
    return found < 0 ? LONGEST.length : found
  }
  return files.toSorted((one, other) => rank(one) - rank(other))
}

function report(outcome: Outcome): void {
  const { file, passed, failed, skipped, seconds, reason, output } = outcome
  const counts = [`${passed} passed`, failed ? `${failed} failed` : '', skipped ? `${skipped} skipped` : '']
  const name = relative(build, file)
  console.log(
    `${failed ? 'FAIL' : ' ok '} ${name.padEnd(44)} ${seconds.toFixed(1).padStart(6)} s  ${counts.filter(Boolean).join(', ')}`
  )
  if (failed) console.log(`${reason === undefined ? '' : `     ${reason}\n`}${output.trimEnd()}\n`)
}

async function runAll(files: readonly string[], env: NodeJS.ProcessEnv, jobs: number): Promise<Outcome[]> {
  const queue = [...files]
  const outcomes: Outcome[] = []
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const outcome = await runFile(file, { env, watchdogSeconds: Number(env.TEST_WATCHDOG ?? 1800) })
      report(outcome)
      outcomes.push(outcome)
    }
  }
  await Promise.all(Array.from({ length: jobs }, worker))
  return outcomes
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', default: '' },
    except: { type: 'string', default: '' },
    minutes: { type: 'string' },
    jobs: { type: 'string' },
  },
})
const jobs = Number(values.jobs ?? Math.min(2, availableParallelism()))
if (!(jobs >= 1)) throw new RangeError(`--jobs expected a number from 1, got "${values.jobs}"`)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => {
    endAll()
    process.exit(128 + constants.signals[signal])
  })
const files = longestFirst(
  positionals.flatMap((folder) => {
    const found = testFiles(folder, values.only).filter((file) => !isExcepted(relative(build, file)))
    if (found.length === 0) console.log(`no test files in ${folder}`)
    return found
  })
)
const begin = performance.now()
const until = begin + Number(values.minutes ?? 0) * 60_000
const outcomes: Outcome[] = []
let round = 0
do {
  const env = testEnvironment()
  if (values.minutes !== undefined) {
    env.PROPS_SEED = String(randomInt(2 ** 31 - 1))
    console.log(`round ${++round}: PROPS_SEED=${env.PROPS_SEED}`)
  }
  outcomes.push(...(await runAll(files, env, jobs)))
} while (performance.now() < until && outcomes.every((o) => o.failed === 0))

const slowest = outcomes.toSorted((one, other) => other.seconds - one.seconds).slice(0, SLOWEST)
console.log(
  `slowest: ${slowest.map(({ file, seconds }) => `${relative(build, file)} ${seconds.toFixed(0)} s`).join(', ')}`
)
console.log(`${outcomes.length} files in ${((performance.now() - begin) / 1000).toFixed(0)} s, ${jobs} at a time`)
for (const { file, failed, reason } of outcomes)
  if (failed > 0) console.log(`failed: ${relative(build, file)} (${reason?.split('\n')[0] ?? `${failed} tests`})`)
const sum = (key: 'passed' | 'failed' | 'skipped') => outcomes.reduce((total, outcome) => total + outcome[key], 0)
if (sum('skipped') > 0) console.log(`${sum('skipped')} skipped`)
console.log(`${sum('passed')} passed, ${sum('failed')} failed`)
process.exitCode = sum('failed') > 0 || files.length === 0 ? 1 : 0
