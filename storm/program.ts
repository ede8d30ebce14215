/**
 * Programs: a list of commands, plain data and one line of text each way.
 *
 *     reserve 0 1 4; make 0 17 99; allocate 0 0 824; closeArena 0 0 0
 *
 * A command is a name and three numbers. Which arena, allocator or block is meant is `number modulo how many there are`, so every part of
 * a program is a program. The same seed gives the same program; each program has a taste of its own.
 * @module
 */
import { allocatorCommands } from './commands/allocators.ts'
import { arenaCommands } from './commands/arenas.ts'
import { blockCommands } from './commands/blocks.ts'
import { elsewhereCommands } from './commands/elsewhere.ts'
import { fileCommands } from './commands/files.ts'
import type { Command, Commands } from './commands/picks.ts'
import { viewCommands } from './commands/views.ts'
import { waitCommands } from './commands/waits.ts'
import { Random } from './random.ts'

/** The kinds of commands, for `--only`. */
export const KINDS: Readonly<Record<string, Commands>> = {
  arenas: arenaCommands,
  allocators: allocatorCommands,
  blocks: blockCommands,
  views: viewCommands,
  waits: waitCommands,
  elsewhere: elsewhereCommands,
  files: fileCommands,
}

export const COMMANDS: Commands = Object.assign({}, ...Object.values(KINDS))

/** What every program begins with, unless it is about files alone. */
const BEGINNING = ['reserve', 'openNamed', 'make', 'make']

export interface Shape {
  readonly length: number
  /** Kinds of commands; empty: all. */
  readonly only: readonly string[]
}

export function generate(seed: number, { length, only }: Shape): Command[] {
  const random = new Random(seed)
  const kinds = only.length === 0 ? Object.keys(KINDS) : only
  const names: string[] = []
  const weights: number[] = []
  for (const kind of kinds) {
    const taste = random.pick<number>([1, 2, 4, 4, 8])
    // Starting others is slow: most programs do without.
    const scarce: number = kind === 'elsewhere' && only.length === 0 && !random.chance(30) ? 0 : 1
    for (const [name, [weight]] of Object.entries(KINDS[kind] as Commands)) {
      names.push(name)
      weights.push(weight * taste * scarce * random.pick<number>([0, 1, 1, 1, 3]))
    }
  }
  if (!weights.some((weight) => weight > 0)) weights.fill(1)
  const command = (name: string): Command => ({ name, a: numberOf(random), b: numberOf(random), c: numberOf(random) })
  const beginning = BEGINNING.filter((name) => names.includes(name)).map(command)
  const rest = Array.from({ length: Math.max(0, length - beginning.length) }, () =>
    command(names[random.weighted(weights)] as string)
  )
  return [...beginning, ...rest]
}

const numberOf = (random: Random): number => random.below(2 ** 31)

export function showProgram(commands: readonly Command[]): string {
  return commands.map(({ name, a, b, c }) => `${name} ${a} ${b} ${c}`).join('; ')
}

export function parseProgram(text: string): Command[] {
  return text
    .split(/[;\n]/)
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const [name = '', a = '0', b = '0', c = '0'] = part.split(/\s+/)
      if (!(name in COMMANDS)) throw new RangeError(`no command is named "${name}"`)
      return { name, a: Number(a), b: Number(b), c: Number(c) }
    })
}
