/**
 * Programs as fast-check wants them: made from its random numbers, and shrunk by leaving commands out, first half of them, then
 * smaller and smaller parts, and at last by making numbers smaller.
 *
 * fast-check's own array would keep to the minimum length when it shrinks, and try each number of each command before it leaves the
 * next command out. Where the shrinking stands is kept as the value's context, so a success is not followed by a new beginning.
 * @module
 */
import * as fc from 'fast-check'
import { anyCommands, type Command, type Program } from '../commands.ts'
import { Random } from './random.ts'
import type { Scenario } from './scenario.ts'

/** Parts of `size` commands are left out, from the part that ends at `end` down; size 0: numbers, from command `end` - 1 down. */
interface Stand {
  readonly size: number
  readonly end: number
}

/** Shrinking ends after so many milliseconds with what it has. */
const PATIENCE = 60_000

export class ProgramArbitrary extends fc.Arbitrary<Program> {
  readonly #scenario: (random: Random) => Scenario
  readonly #faults: boolean
  #deadline: number | undefined

  constructor(scenario: (random: Random) => Scenario, faults: boolean) {
    super()
    this.#scenario = scenario
    this.#faults = faults
  }

  generate(source: fc.Random): fc.Value<Program> {
    const random = new Random(source)
    const scenario = this.#scenario(random)
    const commands = anyCommands(random, scenario, random.int(1000, 1200), this.#faults)
    return new fc.Value({ scenario, commands }, undefined)
  }

  canShrinkWithoutContext(value: unknown): value is Program {
    return typeof value === 'object' && value !== null
  }

  shrink(program: Program, context: unknown): fc.Stream<fc.Value<Program>> {
    // Bounds only how far a failure that was found is shrunk. Whether one is found does not depend on the clock.
    const deadline = (this.#deadline ??= performance.now() + PATIENCE)
    return fc.stream(candidates(program, context as Stand | undefined)).takeWhile(() => performance.now() < deadline)
  }
}

function* candidates(program: Program, stand: Stand | undefined): Generator<fc.Value<Program>> {
  const { commands } = program
  let size = stand?.size ?? Math.ceil(commands.length / 2)
  let end = Math.min(stand?.end ?? commands.length, commands.length)
  for (; size > 0; size = size === 1 ? 0 : Math.ceil(size / 2), end = commands.length)
    for (; end > 0; end -= size) {
      const rest = [...commands.slice(0, Math.max(0, end - size)), ...commands.slice(end)]
      yield new fc.Value({ ...program, commands: rest }, { size, end: end - size })
    }
  for (; end > 0; end--)
    for (const smaller of smallerCommands(commands[end - 1] as Command))
      yield new fc.Value({ ...program, commands: commands.with(end - 1, smaller) }, { size: 0, end })
}

function* smallerCommands(command: Command): Generator<Command> {
  const { name, a, b } = command
  if (a > 0)
    for (const smaller of new Set([0, Math.floor(a / 2), a - Math.ceil(a / 8)])) yield { ...command, a: smaller }
  const least = name === 'memalign' ? 1 : 0
  if (b > least) for (const smaller of new Set([least, Math.floor(b / 2)])) yield { ...command, b: smaller }
}
