/**
 * The demo: a real program's trace with sorites and with Buffers, in figures and one chart; then everything verified, block by block and page
 * by page, which `--verbose` shows. `--help` says the rest.
 * @module
 */

import { MiB } from '../src/index.ts'
import { readTrace } from '../src/trace/readers/read-trace.ts'
import { checkReplay, checkTouch } from './check.ts'
import { compare } from './compare.ts'
import { HELP, type Options, parseOptions } from './options.ts'
import { runReplay } from './replay-run.ts'
import { reportChecks, reportReplay, reportTouch } from './report.ts'
import { summary, verdict } from './summary.ts'
import { runTouch } from './touch-run.ts'

function main(options: Options): number {
  const trace = readTrace(options.trace)
  const comparison = compare(options.trace, trace)
  if (!options.json) console.log(`${summary(options.trace, trace, comparison, options.chart)}\n`)
  const replay = runReplay(trace)
  const touch = runTouch()
  const checks = [...checkReplay(replay, options.tolerance * MiB), ...checkTouch(touch)]
  const passed = checks.every(({ ok }) => ok)
  if (options.json)
    console.log(JSON.stringify({ passed, comparison, checks, trace: trace.summary, replay, touch }, undefined, 2))
  else {
    if (options.verbose || !passed)
      console.log([reportReplay(replay), reportTouch(touch), reportChecks(checks), ''].join('\n'))
    console.log(verdict(checks, options.verbose))
  }
  return passed ? 0 : 1
}

function options(): Options | undefined {
  try {
    return parseOptions(process.argv.slice(2))
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`)
    return undefined
  }
}

const chosen = options()
if (chosen === undefined) process.exitCode = 2
else if (chosen.help) console.log(HELP)
else
  try {
    process.exitCode = main(chosen)
  } catch (error) {
    console.error(`The demo could not run: ${(error as Error).message}`)
    process.exitCode = 1
  }
