/**
 * The demo's command line.
 * @module
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

export interface Options {
  /** Trace file to replay. */
  readonly trace: string
  readonly json: boolean
  readonly chart: boolean
  /** Every phase, counter and check, in tables. */
  readonly verbose: boolean
  readonly help: boolean
  /** How far RSS may stray from what the arena's pages account for, in MiB. */
  readonly tolerance: number
}

export const HELP = `Usage: npm run demo -- [options]

Does again what a real program asked of malloc, with sorites and with Buffers: time, memory
at its peak, memory back at the end, and a chart. Then the same with every block verified.

  --trace FILE       any trace in MTRC format (default: traces/git.mtrc.gz)
  --verbose          every phase, counter and check, in tables
  --json             print the measurements as JSON instead
  --no-chart         leave the chart out
  --tolerance MIB    how far RSS may stray from what the arena accounts for (default 12:
                     the views, and the garbage, of JavaScript itself)
  --help             this text

Exit status: 0 when every check holds, 1 when one does not, 2 for a bad argument.`

/** The repository's root, from the compiled file's place in it. */
const root = new URL('../../', import.meta.url)

export function parseOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      trace: { type: 'string', default: fileURLToPath(new URL('traces/git.mtrc.gz', root)) },
      json: { type: 'boolean', default: false },
      'no-chart': { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
      tolerance: { type: 'string', default: '12' },
      help: { type: 'boolean', default: false },
    },
  })
  const tolerance = Number(values.tolerance)
  if (!Number.isFinite(tolerance)) throw new Error(`--tolerance expected a number, got "${values.tolerance}"`)
  const { trace, json, verbose, help } = values
  return { trace, json, chart: !values['no-chart'], verbose, help, tolerance }
}
