/**
 * The body of a run, in a process of its own: loads one experiment, makes it, and writes the `RunReport` to descriptor 3.
 *
 *     node --expose-gc body.js MODULE-URL FOLDER
 * @module
 */
import { writeFileSync } from 'node:fs'
import { experimentOf, requireExperiment } from './experiment.ts'
import { makeExperiment } from './run.ts'

const REPORT_FD = 3

async function main(url: string, folder: string): Promise<void> {
  let answer: unknown
  try {
    answer = { report: await makeExperiment(requireExperiment(experimentOf(await import(url)), url), folder) }
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) }
  }
  writeFileSync(REPORT_FD, JSON.stringify(answer))
  // What an experiment has left behind, timers and servers, must not keep the process.
  process.exit(0)
}

await main(process.argv[2] as string, process.argv[3] as string)
