/**
 * The command line of a recipe: whole numbers within bounds, and text. Prints the help, or one line about what is wrong.
 * @module
 */
import { parseArgs } from 'node:util'

export interface WholeNumber {
  readonly default: number
  readonly least: number
  readonly most: number
}

export interface Text {
  readonly default: string
}

export type Settings<S> = { readonly [Name in keyof S]: S[Name] extends WholeNumber ? number : string }

/** The settings of this process, or undefined after the help or an error was printed; then the exit status is set. */
export function settings<const S extends Record<string, WholeNumber | Text>>(
  help: string,
  specification: S
): Settings<S> | undefined {
  try {
    const values = parse(Object.keys(specification))
    if (values.help !== true) return read(specification, values)
    console.log(help)
  } catch (error) {
    console.error(`${(error as Error).message.split('\n')[0]} (--help tells what there is)`)
    process.exitCode = 2
  }
  return undefined
}

function parse(names: readonly string[]): Record<string, string | boolean | undefined> {
  const args: string[] = []
  for (const argument of process.argv.slice(2)) {
    // `--count -1` is a wrong number, and not two options.
    const name = /^-\d/.test(argument) ? args.at(-1) : undefined
    if (name?.startsWith('--') && !name.includes('=')) args[args.length - 1] = `${name}=${argument}`
    else args.push(argument)
  }
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]))
  return parseArgs({ args, options: { ...options, help: { type: 'boolean' } } }).values
}

function read<S extends Record<string, WholeNumber | Text>>(
  specification: S,
  values: Record<string, string | boolean | undefined>
): Settings<S> {
  const all = Object.entries(specification).map(([name, setting]) => {
    const text = values[name]
    if (text === undefined) return [name, setting.default]
    if (!('least' in setting)) return [name, text]
    const { least, most } = setting
    const value = /^-?\d+$/.test(String(text)) ? Number(text) : Number.NaN
    if (value >= least && value <= most) return [name, value]
    throw new RangeError(`--${name} expected a whole number from ${least} to ${most}, got "${text}"`)
  })
  return Object.fromEntries(all)
}
