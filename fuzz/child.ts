/**
 * Runs cases, one after the other, in this process: `child.js SEED FIRST END KIND FILE`. The number of the case at hand, and what is done
 * in it, is in FILE before it is done, so that the parent knows of a signal which case it was. Results go to standard output,
 * one JSON object a line.
 * @module
 */
import { openSync, writeSync } from 'node:fs'
import { Finding, type Subject, type Verdict } from './finding.ts'
import { Random } from './random.ts'
import { makers } from './subjects.ts'

const [seed = 0, first = 0, end = 0] = process.argv.slice(2, 5).map(Number)
const kind = process.argv[5] as string
const progress = openSync(process.argv[6] as string, 'w')
const chosen = makers.filter((maker) => kind === 'all' || maker.kind === kind)
const subjects: Map<number, Subject> = new Map()
const counts: Record<Verdict | 'finding', number> = { refused: 0, harmless: 0, finding: 0 }

/** Fixed length, so that one write replaces the other. */
function note(text: string): void {
  writeSync(progress, text.slice(0, 400).padEnd(400), 0)
}

for (let index = first; index < end; index++) {
  const which = index % chosen.length
  const maker = chosen[which] as (typeof makers)[number]
  let what = maker.name
  note(`${index} ${what}`)
  try {
    const subject = subjects.get(which) ?? maker.make(new Random(seed, which))
    subjects.set(which, subject)
    counts[subject.run(new Random(seed, index), (text) => note(`${index} ${(what = `${maker.name}: ${text}`)}`))]++
  } catch (error) {
    counts.finding++
    const message = error instanceof Finding ? error.stack : `not expected: ${(error as Error).stack}`
    process.stdout.write(`${JSON.stringify({ index, what, message })}\n`)
    subjects.get(which)?.dispose()
    subjects.delete(which)
  }
}
process.stdout.write(`${JSON.stringify({ counts })}\n`)
process.exit(0)
