/**
 * What do the checks of every free cost? The heap as it is, against a build of it that believes every offset (unchecked.ts), which exists
 * for this bench alone: pairs of malloc and free, and whole traces.
 *
 *     npm run bench -- checks
 * @module
 */
import { fileURLToPath } from 'node:url'
import { Scratch } from '../src/cli/native/compile.ts'
import { KiB } from '../src/units.ts'
import { plan, quick } from './pairs/grid.ts'
import { measure, ratios, timesOf } from './pairs/measure.ts'
import { ORDERS } from './pairs/ring.ts'
import { tracesOf } from './replay/options.ts'
import { nodeSubjects, type Row, replayRounds } from './replay/rounds.ts'
import { countText, markdownTable, sizeText, timeText } from './report/markdown.ts'
import { Progress } from './report/progress.ts'
import { geometricMean, median, rangeText } from './report/statistics.ts'
import { makeUnchecked } from './unchecked.ts'

const ROUNDS = quick ? 1 : 7
const HEAD = ['checked, ns', 'trusting, ns', 'ratio', 'range']

function printPairs(): void {
  const sizes = quick ? [64, 4 * KiB] : [16, 64, KiB, 4 * KiB, 64 * KiB]
  const cases = ORDERS.flatMap((order) => sizes.map((byteLength) => ({ byteLength, liveCount: 1000, order })))
  const progress = new Progress(cases.length)
  const rows = cases.map((what) => {
    progress.next(`${what.order} ${sizeText(what.byteLength)}`)
    const measured = measure('variant', ['checked', 'trusting'], what, { ...plan, rounds: ROUNDS })
    return [
      what.order,
      sizeText(what.byteLength),
      ...cells(timesOf(measured, 'checked'), timesOf(measured, 'trusting'), ratios(measured, 'checked', 'trusting')),
    ]
  })
  progress.stop()
  console.log(`**Pairs** of free and malloc, 1,000 live, median of ${ROUNDS} interleaved rounds:\n`)
  console.log(`${markdownTable(['order', 'size', ...HEAD], rows)}\n`)
}

function cells(checked: readonly number[], trusting: readonly number[], found: readonly number[]): string[] {
  return [timeText(median(checked)), timeText(median(trusting)), median(found).toFixed(2), rangeText(found)]
}

function printTraces(): void {
  using scratch = new Scratch()
  const traces = tracesOf(fileURLToPath(new URL('../../traces', import.meta.url)))
  const subjects = nodeSubjects(process.execPath, { heap: 'checked', unchecked: 'trusting', floor: 'floor' })
  const progress = new Progress(traces.length * subjects.length * ROUNDS)
  const timing = { rounds: ROUNDS, moreMs: quick ? 0 : 1200 }
  const replayed = replayRounds(traces, subjects, timing, scratch, (what) => progress.next(what))
  progress.stop()
  const means: number[] = []
  const rows = traces.map(({ name, trace }) => {
    const net = (subject: string) => netTimes(replayed, name, subject)
    const [checked, trusting] = [net('checked'), net('trusting')]
    const found = checked.map((time, round) => time / trusting[round]!)
    means.push(median(found))
    return [name, countText(trace.summary.events), ...cells(checked, trusting, found)]
  })
  console.log('**Traces**, net time an event:\n')
  console.log(markdownTable(['trace', 'events', ...HEAD], rows))
  console.log(`\nGeometric mean of the ratios: ${geometricMean(means).toFixed(3)}.`)
}

/** By round: a subject's time less the floor's. */
function netTimes(rows: readonly Row[], trace: string, subject: string): number[] {
  const of = (name: string) => rows.filter((row) => row.trace === trace && row.subject === name).map(({ ns }) => ns)
  const floor = of('floor')
  return of(subject).map((ns, round) => Math.max(0.5, ns - floor[round]!))
}

makeUnchecked()
printPairs()
printTraces()
