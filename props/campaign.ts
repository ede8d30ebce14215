/**
 * A campaign: many programs on one kind of scenario, run once, and a test for each sentence about them.
 *
 *     SORITES_PROGRAMS=1000        how many programs (50 of the usual seed, 100 of another)
 *     SORITES_SEED, SORITES_PATH   which: as a failure prints them
 *     SORITES_PROGRAM              one program alone, as a failure prints it
 *
 * A sentence that failed fails its test, with a shrunk program; a sentence that was never tried, or a path that was never taken,
 * fails too, unless the run was for one program only. `PROPS_SEED` and `PROPS_RUNS` are read where those are not set.
 * @module
 */
import { randomInt } from 'node:crypto'
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Program, parseCommands, showCommands } from './commands.ts'
import { ProgramArbitrary } from './program/arbitrary.ts'
import { runProgram } from './program/interpreter.ts'
import type { Random } from './program/random.ts'
import type { Scenario } from './program/scenario.ts'
import { SENTENCES, type Sentence, Tally, Violation } from './program/sentences.ts'

const { env } = process
/** The same programs each time, so that a test that passed passes again; the soak looks for new ones. */
const USUAL_SEED = 20261122
const USUAL_PROGRAMS = 30
/** The seed of this run: as a failure prints it, or `random`. */
const wanted = env.SORITES_SEED ?? env.PROPS_SEED ?? USUAL_SEED
export const seed: number = wanted === 'random' ? randomInt(2 ** 31 - 1) : Number(wanted)
/** Programs a campaign: fewer of the usual ones, which are known to take every path. */
const usual = seed === USUAL_SEED
export const programs: number = Number(env.SORITES_PROGRAMS ?? env.PROPS_RUNS ?? (usual ? USUAL_PROGRAMS : 100))
/** Whether enough is run that every path must be taken. */
export const whole: boolean =
  programs >= (usual ? USUAL_PROGRAMS : 100) && env.SORITES_PATH === undefined && env.SORITES_PROGRAM === undefined

export interface Campaign {
  readonly name: string
  readonly scenario: (random: Random) => Scenario
  readonly sentences: readonly Sentence[]
  /** Paths that must have been taken. */
  readonly paths: readonly string[]
  readonly faults?: boolean
  /** The share of the programs that are run. @defaultValue 1 */
  readonly share?: number
}

interface Result {
  readonly tally: Tally
  readonly violation: Violation | undefined
  readonly report: string
}

/** Registers a campaign's tests. */
export function campaign(plan: Campaign): void {
  let result: Result | undefined
  const run = (): Result => (result ??= runCampaign(plan))
  for (const sentence of plan.sentences)
    test(`${plan.name}: ${SENTENCES[sentence]}`, () => {
      const { violation, report, tally } = run()
      assert.ok(violation?.sentence !== sentence, report)
      if (whole && violation === undefined) assert.ok((tally.tried.get(sentence) ?? 0) > 0, 'it was never tried')
    })
  test(`${plan.name}: every path was taken`, () => {
    const { violation, tally, report } = run()
    assert.ok(violation === undefined || plan.sentences.includes(violation.sentence), report)
    if (violation !== undefined || !whole) return
    const missing = plan.paths.filter((path) => !tally.taken.has(path))
    assert.equal(missing, [], `${describe(tally)}; seed ${seed}`)
  })
}

function runCampaign(plan: Campaign): Result {
  const tally = new Tally()
  if (env.SORITES_PROGRAM !== undefined) return runOne(parseProgram(env.SORITES_PROGRAM), tally)
  const start = performance.now()
  const arbitrary = new ProgramArbitrary(plan.scenario, plan.faults ?? false)
  const property = fc.property(arbitrary, (program) => runProgram(program, tally))
  const path = env.SORITES_PATH
  const count = Math.ceil(programs * (plan.share ?? 1))
  const details = fc.check(property, { seed, numRuns: count, ...(path === undefined ? {} : { path }) })
  if (details.failed) return failure(plan, details, tally)
  // For the report only.
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(`${plan.name}: ${count} programs in ${seconds} s, seed ${seed}: ${describe(tally)}`)
  return { tally, violation: undefined, report: '' }
}

function failure(plan: Campaign, details: fc.RunDetails<[Program]>, tally: Tally): Result {
  const program = details.counterexample?.[0] as Program
  const cause = details.errorInstance
  const violation =
    cause instanceof Violation ? cause : new Violation('errors', String((cause as Error)?.stack ?? cause))
  const report = [
    violation.message,
    `${plan.name}, program ${details.numRuns} of seed ${details.seed}, shrunk ${details.numShrinks} times to ${program.commands.length} commands:`,
    `  ${JSON.stringify(program.scenario)}`,
    `  ${showCommands(program.commands)}`,
    `again:  SORITES_PROGRAM='${JSON.stringify(program.scenario)} ${showCommands(program.commands)}'`,
    `   or:  SORITES_SEED=${details.seed} SORITES_PATH=${details.counterexamplePath}`,
  ].join('\n')
  console.log(report)
  return { tally, violation, report }
}

function runOne(program: Program, tally: Tally): Result {
  try {
    runProgram(program, tally)
    return { tally, violation: undefined, report: '' }
  } catch (error) {
    const violation = error as Violation
    return { tally, violation, report: violation.message }
  }
}

/** A scenario as JSON, a blank, and commands. */
function parseProgram(text: string): Program {
  const end = text.lastIndexOf('}') + 1
  return { scenario: JSON.parse(text.slice(0, end)), commands: parseCommands(text.slice(end)) }
}

function describe({ taken }: Tally): string {
  return [...taken].map(([path, count]) => `${path} ${count}`).join(', ')
}
