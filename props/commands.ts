/**
 * Programs: a scenario and a list of commands. Plain data and one line of text each way, so that a shrunk program can be pasted:
 *
 *     malloc 4096; 1:free 3 0; realloc 0 100
 *
 * A command is a name, a lane (0 unless it says `1:`) and two numbers. Which block is meant is `number modulo live blocks`, counted
 * from the lowest: so every part of a program is a program, and shrinking only has to leave commands out.
 * @module
 */

import type { Random } from './program/random.ts'
import type { LaneSpec, Scenario } from './program/scenario.ts'
import { anyAlignment, anySize } from './program/sizes.ts'

export interface Command {
  readonly name: CommandName
  readonly lane: number
  readonly a: number
  readonly b: number
}

export interface Program {
  readonly scenario: Scenario
  readonly commands: readonly Command[]
}

/** How often each command comes, before a program's own taste is applied. */
const WEIGHTS = [
  ['malloc', 22],
  ['tryMalloc', 6],
  ['calloc', 10],
  ['memalign', 6],
  ['alloc', 6],
  ['allocUnsafe', 6],
  ['free', 26],
  ['freeView', 8],
  ['freeRun', 2],
  ['freeComb', 2],
  ['realloc', 12],
  ['usableSize', 2],
  ['mark', 4],
  ['release', 8],
  ['verify', 1],
  ['purge', 2],
  ['pass', 3],
  ['reset', 1],
  ['reopen', 1],
  ['badFree', 8],
  ['badArgument', 3],
  ['tooMuch', 2],
  ['nest', 3],
  ['pin', 4],
  ['fault', 0],
] as const

export type CommandName = (typeof WEIGHTS)[number][0]

/** Commands for so many steps. Each program has a taste of its own: some commands not at all, some four times as often. */
export function anyCommands(random: Random, scenario: Scenario, count: number, faults: boolean): Command[] {
  const taste = (): number => random.pick([0, 1, 1, 1, 4])
  const weights = WEIGHTS.map(([name, weight]) => [name, name === 'malloc' ? weight : weight * taste()] as const)
  const heavy = weights.map(([name, weight]) => [name, name === 'fault' && faults ? 16 : weight] as const)
  const commands: Command[] = []
  for (let step = 0; step < count; step++) {
    const lane = random.int(0, scenario.lanes.length - 1)
    commands.push(anyCommand(random, random.weighted(heavy), lane, scenario.lanes[lane] as LaneSpec))
  }
  return commands
}

function anyCommand(random: Random, name: CommandName, lane: number, spec: LaneSpec): Command {
  const size = (): number => {
    const wanted = anySize(random, spec.byteLength)
    return spec.slotSize === undefined || wanted <= spec.slotSize ? wanted : wanted % (spec.slotSize + 1)
  }
  switch (name) {
    case 'malloc':
    case 'tryMalloc':
    case 'calloc':
      return { name, lane, a: size(), b: 0 }
    case 'memalign':
      return { name, lane, a: size(), b: anyAlignment(random) }
    case 'alloc':
    case 'allocUnsafe':
      return { name, lane, a: size(), b: random.int(0, 10) }
    case 'realloc':
      return { name, lane, a: random.int(0, 999), b: size() }
    default:
      return { name, lane, a: random.int(0, 999), b: random.int(0, 999) }
  }
}

/** A program as one line. */
export function showCommands(commands: readonly Command[]): string {
  return commands.map(({ name, lane, a, b }) => `${lane === 0 ? '' : `${lane}:`}${name} ${a} ${b}`).join('; ')
}

/** The program that `showCommands` showed. */
export function parseCommands(text: string): Command[] {
  return text.split(';').map((part) => {
    const [word, a = '0', b = '0'] = part.trim().split(' ')
    const [lane, name] = (word as string).includes(':') ? (word as string).split(':') : ['0', word]
    if (!WEIGHTS.some(([known]) => known === name)) throw new RangeError(`no command is called "${name}"`)
    return { name: name as CommandName, lane: Number(lane), a: Number(a), b: Number(b) }
  })
}
