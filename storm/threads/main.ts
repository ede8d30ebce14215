/**
 * The storm of threads: a concurrent heap under workers that hand blocks round, and die.
 *
 *     npm run storm:threads                                     a round of threads, one of processes
 *     npm run storm:threads -- --ops 50000000 --deaths 2000     so much in all, in rounds of both kinds
 *     npm run storm:threads -- --kind processes --seed 7        one kind; the same again for the same seed, as far as threads can be
 *
 * Each round is a process of its own (round.ts). Ends with status 1 when anything was wrong. A worker that is terminated while koffi makes an
 * object ends its whole process (docs/sharing.md): such a round is counted, and does not count.
 * @module
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { threadStorm } from './campaign.ts'

const { values } = parseArgs({
  options: {
    ops: { type: 'string', default: '400000' },
    deaths: { type: 'string', default: '20' },
    'round-ops': { type: 'string', default: '2000000' },
    kind: { type: 'string', default: '' },
    seed: { type: 'string' },
    workers: { type: 'string', default: '4' },
  },
})

const { ops, deaths, byRuntime, wrong } = await threadStorm({
  ops: Number(values.ops),
  deaths: Number(values.deaths),
  roundOps: Number(values['round-ops']),
  kinds: values.kind === '' ? ['threads', 'processes'] : [values.kind as 'threads'],
  seed: values.seed === undefined ? randomInt(2 ** 30) : Number(values.seed),
  workers: Number(values.workers),
  log: (text) => console.log(text),
})
console.log(`${ops} operations, ${deaths} deaths, ${byRuntime} rounds ended by the runtime, ${wrong.length} wrong`)
if (wrong.length > 0) process.exitCode = 1
