/**
 * Many programs, until there have been so many calls or so much time has passed, in one child a job; each failure is shrunk and told once.
 * @module
 */
import type { Command } from './commands/picks.ts'
import { Child } from './parent.ts'
import { generate, type Shape, showProgram } from './program.ts'
import type { Outcome } from './run.ts'
import { shrink, signature } from './shrink.ts'
import type { Failing } from './world.ts'

export interface CampaignOptions {
  readonly seed: number
  /** Ends after so many calls of the library. */
  readonly calls: number
  /** Ends after so many minutes. */
  readonly minutes: number
  readonly shape: Shape
  readonly failing: Failing
  readonly jobs: number
  /** Milliseconds that a program may take. */
  readonly timeoutMs: number
  /** Milliseconds for making a failure shorter; 0: not at all. */
  readonly shrinkMs: number
  readonly log: (text: string) => void
}

export interface Found {
  readonly seed: number
  readonly wrong: string
  readonly program: readonly Command[]
  readonly count: number
}

export interface Report {
  readonly programs: number
  readonly calls: number
  readonly failures: number
  readonly tally: ReadonlyMap<string, number>
  /** Each kind of failure once. */
  readonly found: readonly Found[]
}

export async function campaign(options: CampaignOptions): Promise<Report> {
  const { seed: first, calls: most, minutes, shape, failing, log } = options
  const until = performance.now() + minutes * 60_000
  const found: Map<string, Found> = new Map()
  const tally: Map<string, number> = new Map()
  let programs = 0
  let calls = 0
  let failures = 0
  const job = async (): Promise<void> => {
    const child = new Child(options.timeoutMs)
    while (calls < most && performance.now() < until) {
      const seed = (first + programs++) % 2 ** 31
      const outcome = await child.run({ seed, shape, failing })
      calls += outcome.calls
      failures += outcome.failures
      for (const [key, count] of outcome.tally) tally.set(key, (tally.get(key) ?? 0) + count)
      if (outcome.wrong !== undefined) await note(outcome, seed, child)
    }
    child.end()
  }
  const note = async ({ wrong = '', at = -1 }: Outcome, seed: number, child: Child): Promise<void> => {
    const key = signature(wrong)
    const known = found.get(key)
    if (known !== undefined) {
      child.end()
      found.set(key, { ...known, count: known.count + 1 })
      return
    }
    const before = child.programs
    child.end()
    const whole = generate(seed, shape)
    const start = at >= 0 ? whole.slice(0, at + 1) : whole
    found.set(key, { seed, wrong, program: start, count: 1 })
    log(`seed ${seed}: ${wrong}`)
    const program = await shorter(start, seed, wrong, options)
    if (program === undefined) {
      log(
        `  not again in a child of its own; it came after ${before - 1} other programs\n  ${showProgram(start).slice(0, 2000)}`
      )
      return
    }
    found.set(key, { ...(found.get(key) as Found), program })
    log(`  ${program.length} commands: ${showProgram(program)}`)
  }
  await Promise.all(Array.from({ length: options.jobs }, job))
  return { programs, calls, failures, tally, found: [...found.values()] }
}

/** The failing program made short; undefined when it does not fail by itself. */
async function shorter(
  commands: readonly Command[],
  seed: number,
  wrong: string,
  { shape, failing, timeoutMs, shrinkMs }: CampaignOptions
): Promise<readonly Command[] | undefined> {
  if (shrinkMs === 0) return commands
  const child = new Child(Math.min(timeoutMs, 10_000))
  const fails = async (candidate: readonly Command[]): Promise<string | undefined> => {
    const { wrong: found } = await child.run({ seed, shape, failing, commands: candidate })
    // What a failed program has left open must not be taken for the next one's.
    if (found !== undefined) child.end()
    return found
  }
  try {
    if ((await fails(commands)) === undefined) return undefined
    return await shrink(commands, fails, wrong, shrinkMs)
  } finally {
    child.end()
  }
}
