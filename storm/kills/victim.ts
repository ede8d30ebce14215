/**
 * The process that is killed: started ahead, it waits for its work, says when it begins, and works until its end. As a worker it does the
 * same on a handle.
 * @module
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { failingOs } from '../failing-os.ts'
import { type Work, work } from './work.ts'

export const VICTIM = 'sorites-storm-victim'

function begin(given: Work, say: (text: string) => void): void {
  const os = failingOs()
  try {
    if (given.doom > 0) os.doom(given.doom)
    work(given, os, () => say('running'))
  } catch (error) {
    // It may end by a signal only: whatever it has to complain of is wrong.
    say(`wrong: ${(error as Error).stack ?? error}`)
  }
}

if (!isMainThread && (workerData as { victim?: Work } | null)?.victim !== undefined)
  begin((workerData as { victim: Work }).victim, (text) => parentPort?.postMessage(text))
else if (isMainThread && process.argv[2] === VICTIM) {
  process.once('disconnect', () => process.exit())
  process.on('message', (given) => begin(given as Work, (text) => process.send?.(text)))
  process.send?.('ready')
}
