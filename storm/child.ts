/**
 * A process that runs programs, one after the other, as it is told; its parent sees which one it dies of.
 * @module
 */
import type { Command } from './commands/picks.ts'
import { generate, type Shape } from './program.ts'
import { type Outcome, runProgram } from './run.ts'
import type { Failing } from './world.ts'

/** What a child is asked to run: a program, or the seed of one. */
export interface Task {
  readonly seed: number
  readonly shape: Shape
  readonly commands?: readonly Command[] | undefined
  readonly failing: Failing
  /** Whether to print every call. */
  readonly trace?: boolean
}

let fail: ((outcome: Outcome) => void) | undefined

async function run({ seed, shape, commands, failing, trace }: Task): Promise<Outcome> {
  // What could not be caught is a failure of the program that runs.
  const uncaught = new Promise<Outcome>((resolve) => {
    fail = resolve
  })
  return Promise.race([
    runProgram(commands ?? generate(seed, shape), seed, failing, trace ? (text) => console.log(text) : undefined),
    uncaught,
  ])
}

for (const event of ['uncaughtException', 'unhandledRejection'] as const)
  process.on(event, (error: unknown) =>
    fail?.({ calls: 0, failures: 0, tally: [], wrong: `${event}: ${(error as Error)?.stack ?? error}`, at: -1 })
  )
process.on('message', async (task) => process.send?.(await run(task as Task)))
process.once('disconnect', () => process.exit())
process.send?.('ready')
