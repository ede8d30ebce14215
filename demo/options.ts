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
  readonly help: boolean
  /** How far RSS may stray from what the arena's pages account for, in MiB. */
  readonly tolerance: number
}

export const HELP = `Usage: npm run demo -- [options]

Replays a real program's malloc trace through a heap on a 64 GiB arena, verifies every
block, and shows what that does to the memory of this process.

  --trace FILE       any trace in MTRC format (default: traces/git.mtrc.gz)
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
      tolerance: { type: 'string', default: '12' },
      help: { type: 'boolean', default: false },
    },
  })
  const tolerance = Number(values.tolerance)
  if (!Number.isFinite(tolerance)) throw new Error(`--tolerance expected a number, got "${values.tolerance}"`)
  return { trace: values.trace, json: values.json, chart: !values['no-chart'], help: values.help, tolerance }
}
