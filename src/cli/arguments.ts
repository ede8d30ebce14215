/**
 * Reading a command line: `node:util` parseArgs, with errors as the tool wants them (one line, status 2, the nearest option named).
 * @module
 */
import { parseArgs } from 'node:util'
import type { Arguments, Command, CommandOption } from './command.ts'
import { UsageError } from './failure.ts'
import { nearest } from './nearest.ts'

type Values = Record<string, boolean | string | (boolean | string)[] | undefined>

/** Parses what follows the command's name. `--help` is known to every command. */
export function parseCommandLine(command: Command, words: readonly string[]): Arguments {
  const end = words.indexOf('--')
  if (end >= 0 && command.takesProgram !== true)
    throw new UsageError(`${command.name} runs no program, so nothing may follow \`--\``)
  const own = end < 0 ? words : words.slice(0, end)
  const { values, positionals } = parse(command, own)
  return argumentsFrom(values, positionals, end < 0 ? [] : words.slice(end + 1))
}

function parse(command: Command, words: readonly string[]): { values: Values; positionals: string[] } {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, option]) => [name, parserOption(option)])
  )
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true, strict: true })
  } catch (error) {
    throw new UsageError(explain(error as Error, command))
  }
}

function parserOption({ type, short, multiple }: CommandOption): {
  type: 'boolean' | 'string'
  short?: string
  multiple?: boolean
} {
  return { type, ...(short === undefined ? {} : { short }), ...(multiple === undefined ? {} : { multiple }) }
}

function explain(error: Error, command: Command): string {
  const hint = `\`sorites ${command.name} --help\` explains it`
  const unknown = /Unknown option '(-{1,2}[^']+)'/.exec(error.message)?.[1]
  if (unknown === undefined) return `${error.message.split(/\.\s/)[0]}; ${hint}`
  const near = nearest(unknown.replace(/^-+/, ''), Object.keys(command.options))
  return `${command.name} has no option ${unknown}${near === undefined ? '' : `; did you mean --${near}?`} (${hint})`
}

function argumentsFrom(values: Values, positionals: readonly string[], program: readonly string[]): Arguments {
  const texts = (name: string): string[] => [values[name] ?? []].flat().filter((value) => typeof value === 'string')
  const text = (name: string): string | undefined => texts(name).at(-1)
  return {
    positionals,
    program,
    flag: (name) => [values[name]].flat().includes(true),
    text,
    texts,
    number(name, least, most) {
      const given = text(name)
      if (given === undefined) return undefined
      const number = given.trim() === '' ? Number.NaN : Number(given)
      if (!(number >= least && number <= most))
        throw new UsageError(`--${name} expects a number from ${least} to ${most}, not "${given}"`)
      return number
    },
  }
}
