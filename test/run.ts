/**
 * Runs compiled test files, each in a process of its own, and ends with the line `N passed, N failed`.
 *
 *     node .build/test/run.js test props          unit tests, then properties
 *     node .build/test/run.js test --only arena   files whose path contains a word
 *     node .build/test/run.js props --minutes 120 properties with a new seed each round, for so long
 *
 * Properties read two environment variables: PROPS_SEED (printed, so that a failure can be run again) and PROPS_RUNS
 * (programs per property).
 * @module
 */
import { randomInt } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Outcome, runFile } from './outcome.ts'

const build = fileURLToPath(new URL('..', import.meta.url))

function testFiles(folder: string, word: string): string[] {
  const whole = join(build, folder)
  const names = existsSync(whole) ? readdirSync(whole, { recursive: true, encoding: 'utf8' }) : []
  return names
    .filter((name) => /\.(test|prop)\.js$/.test(name) && join(folder, name).includes(word))
    .sort()
    .map((name) => join(build, folder, name))
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
      const outcome = await runFile(file, { env, timeoutSeconds: Number(env.TEST_TIMEOUT ?? 600) })
      report(outcome)
      outcomes.push(outcome)
    }
  }
  await Promise.all(Array.from({ length: jobs }, worker))
  return outcomes
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string', default: '' }, minutes: { type: 'string' }, jobs: { type: 'string' } },
})
const jobs = Number(values.jobs ?? Math.min(2, availableParallelism()))
const files = positionals.flatMap((folder) => {
  const found = testFiles(folder, values.only)
  if (found.length === 0) console.log(`no test files in ${folder}`)
  return found
})
const until = performance.now() + Number(values.minutes ?? 0) * 60_000
const outcomes: Outcome[] = []
let round = 0
do {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1' }
  if (values.minutes !== undefined) {
    env.PROPS_SEED = String(randomInt(2 ** 31 - 1))
    console.log(`round ${++round}: PROPS_SEED=${env.PROPS_SEED}`)
  }
  outcomes.push(...(await runAll(files, env, jobs)))
} while (performance.now() < until && outcomes.every((o) => o.failed === 0))

const sum = (key: 'passed' | 'failed' | 'skipped') => outcomes.reduce((total, outcome) => total + outcome[key], 0)
if (sum('skipped') > 0) console.log(`${sum('skipped')} skipped`)
console.log(`${sum('passed')} passed, ${sum('failed')} failed`)
process.exitCode = sum('failed') > 0 || files.length === 0 ? 1 : 0
