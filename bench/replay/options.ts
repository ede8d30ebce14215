/**
 * The command line of traces.bench.ts.
 * @module
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { NATIVE_NAMES } from '../../src/cli/native/libraries.ts'
import { readTrace } from '../../src/trace/readers/read-trace.ts'
import type { NamedTrace } from './rounds.ts'

export const HELP: string = `Usage: npm run bench:traces -- [TRACE …] [options]

Replays malloc traces of real programs through Heap and through the native allocators that
are installed here, and compares time and peak memory. TRACE is a file in MTRC format
(traces/README.md), a folder of them, or the name of one in traces/. From folders, and from
traces/ when none is named, those of at least 100,000 events are taken.

  --rounds N         interleaved rounds (default 3)
  --only NAME,…      of heap, ${NATIVE_NAMES.join(', ')} (default: all that there are)
  --node PATH        a Node to run Heap under; may be given several times (default: this one)
  --json FILE        write every row, with machine, versions, date and command
  --write            put the tables into bench/README.md, rows and figure into bench/figures
  --quick            one round, few passes: shows that it works, the figures mean nothing
  --help             this text

Exit status: 0 when all has been measured, 1 when something could not be, 2 for a bad argument.`

export interface Options {
  readonly traces: readonly NamedTrace[]
  readonly rounds: number
  readonly only: readonly string[]
  readonly nodes: readonly string[]
  readonly json: string | undefined
  readonly write: boolean
  readonly quick: boolean
  readonly help: boolean
}

const LEAST_EVENTS = 100_000
const SUFFIX = /\.mtrc(\.gz)?$/
const own = fileURLToPath(new URL('../../../traces', import.meta.url))

/** Throws an error whose message is for the user. */
export function parseOptions(argv: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      only: { type: 'string' },
      node: { type: 'string', multiple: true },
      json: { type: 'string' },
      write: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3))
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds expected a whole number, got "${values.rounds}"`)
  const known = ['heap', ...NATIVE_NAMES]
  const only = values.only?.split(',') ?? known
  const unknown = only.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new Error(`--only expected names of ${known.join(', ')}, got "${unknown}"`)
  const nodes = values.node ?? [process.execPath]
  for (const node of nodes) if (!existsSync(node)) throw new Error(`--node expected a path, got "${node}"`)
  const { write, quick, help, json } = values
  if (quick && write) throw new Error('--write expected figures that mean something, which those of --quick do not')
  const given = positionals.length > 0 ? positionals : [own]
  return { traces: help ? [] : given.flatMap(tracesOf), rounds, only, nodes, json, write, quick, help }
}

/** The traces that one argument names. */
export function tracesOf(argument: string): NamedTrace[] {
  const path = [argument, ...['.mtrc.gz', '.mtrc'].map((suffix) => join(own, argument + suffix))].find(existsSync)
  if (path === undefined) throw new Error(`no trace "${argument}": neither a file nor a name in traces/`)
  if (!statSync(path).isDirectory()) return [named(path)]
  const files = readdirSync(path)
    .filter((name) => SUFFIX.test(name))
    .sort()
  const traces = files
    .map((name) => named(join(path, name)))
    .filter(({ trace }) => trace.summary.events >= LEAST_EVENTS)
  if (traces.length === 0) throw new Error(`no trace of ${LEAST_EVENTS} events or more in ${argument}`)
  return traces
}

function named(path: string): NamedTrace {
  return { name: basename(path).replace(SUFFIX, ''), trace: readTrace(path) }
}

/** The command, as it may be shown: paths shortened to what does not depend on the machine. */
export function commandText(argv: readonly string[]): string {
  const shown = argv.map((argument) => (resolve(argument) === argument ? `…/${basename(argument)}` : argument))
  return ['npm run bench:traces', ...(shown.length > 0 ? ['--', ...shown] : [])].join(' ')
}
