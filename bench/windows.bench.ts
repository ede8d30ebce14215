/**
 * Does it cost more when a heap's blocks lie in many windows? An arena of 64 GiB, blocks freed and made again at random in 40 windows of
 * 1 GiB, against the same blocks in one.
 *
 * A block's offset beyond the first windows is no small integer for V8 any more, and the way from it to the block's slab has one step more.
 * @module
 */
import { KiB } from '../src/units.ts'
import { plan, quick } from './pairs/grid.ts'
import { measure, ratios, timesOf } from './pairs/measure.ts'
import { WINDOWS } from './pairs/variant.ts'
import { countText, markdownTable, sizeText, timeText } from './report/markdown.ts'
import { Progress } from './report/progress.ts'
import { median, rangeText } from './report/statistics.ts'

const ONE = 'one window'
const MANY = `${WINDOWS} windows`
const ROUNDS = quick ? 1 : 7
const CASES = [
  { byteLength: 64, liveCount: 10_000 },
  { byteLength: 64, liveCount: 1_000_000 },
  { byteLength: KiB, liveCount: 400_000 },
  { byteLength: 4 * KiB, liveCount: 100_000 },
]

const progress = new Progress(CASES.length)
const rows = CASES.map(({ byteLength, liveCount }) => {
  progress.next(`${sizeText(byteLength)}, ${countText(liveCount)} live`)
  const what = { byteLength, liveCount, order: 'random' as const }
  const measured = measure('variant', [ONE, MANY], what, {
    ...plan,
    rounds: ROUNDS,
    time: quick ? 5 : 200,
    fillMs: 60_000,
  })
  const many = ratios(measured, MANY, ONE)
  return [
    sizeText(byteLength),
    countText(liveCount),
    timeText(median(timesOf(measured, ONE))),
    timeText(median(timesOf(measured, MANY))),
    median(many).toFixed(2),
    rangeText(many),
  ]
})
progress.stop()
console.log(`**random**, ns a pair of free and malloc, median of ${ROUNDS} interleaved rounds:\n`)
console.log(markdownTable(['size', 'live', ONE, MANY, 'ratio', 'range'], rows, 0))
