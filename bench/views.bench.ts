/**
 * What does a typed array cost, made and given back, against those of the runtime? One byte of each is written.
 *
 * Three questions in one run: how many times as fast as the runtime's (ratios of interleaved rounds), how much the garbage collector does
 * for it (its own pauses, by PerformanceObserver), and the times over the whole grid of sizes, orders and numbers of live views.
 * @module
 */
import { KiB } from '../src/units.ts'
import { plan, printGrid, quick } from './pairs/grid.ts'
import { type Measured, measure, ratios, timesOf } from './pairs/measure.ts'
import { viewPeers } from './pairs/peer.ts'
import type { Order } from './pairs/ring.ts'
import { countText, markdownTable, sizeText, timeText } from './report/markdown.ts'
import { Progress } from './report/progress.ts'
import { median, rangeText } from './report/statistics.ts'

const LIVE = 1000
const SIZES = quick ? [64, 4 * KiB] : [64, 256, KiB, 4 * KiB, 16 * KiB, 64 * KiB]
const ROUNDS = quick ? 1 : 7
const VIEW_PLAN = { ...plan, rounds: ROUNDS, time: quick ? 5 : 100, collectorMs: 500 }
const UNSAFE = 'Heap allocUnsafe'
const ZEROED = 'Heap alloc'
const BUFFER = 'Buffer.allocUnsafe'
const TYPED = 'new Uint8Array'
const NAMES = [UNSAFE, ZEROED, BUFFER, TYPED]

interface Cell {
  readonly byteLength: number
  readonly order: Order
  readonly measured: Measured
}

function measureCells(): Cell[] {
  const cases = (['FIFO', 'LIFO'] as const).flatMap((order) => SIZES.map((byteLength) => ({ order, byteLength })))
  const progress = new Progress(cases.length)
  const cells = cases.map((what) => {
    progress.next(`${what.order} ${sizeText(what.byteLength)}`)
    const measured = measure('view', NAMES, { ...what, liveCount: LIVE }, VIEW_PLAN)
    return { ...what, measured }
  })
  progress.stop()
  return cells
}

/** `5.2 (4.8 to 5.9)`: how many times as fast as the peer. */
function speedup(measured: Measured, subject: string, over: string): string {
  const times = ratios(measured, over, subject)
  return times.length === 0 ? '–' : `${median(times).toFixed(1)} (${rangeText(times, 1)})`
}

function printSpeedups(cells: readonly Cell[]): void {
  const head = ['order', 'size', `${UNSAFE}, ns`, `to ${BUFFER}`, `to ${TYPED}`, `${ZEROED}, ns`, `to ${TYPED}`]
  const rows = cells.map(({ order, byteLength, measured }) => [
    order,
    sizeText(byteLength),
    timeText(median(timesOf(measured, UNSAFE))),
    speedup(measured, UNSAFE, BUFFER),
    speedup(measured, UNSAFE, TYPED),
    timeText(median(timesOf(measured, ZEROED))),
    speedup(measured, ZEROED, TYPED),
  ])
  const rounds = `median of ${ROUNDS} interleaved rounds, and their range`
  console.log(`**How many times as fast**, with ${countText(LIVE)} live views; ${rounds}:\n`)
  console.log(`${markdownTable(head, rows)}\n`)
}

function printCollector(cells: readonly Cell[]): void {
  const rows = cells.map(({ order, byteLength, measured }) => [
    order,
    sizeText(byteLength),
    ...NAMES.map((name) => {
      const shares = (measured.get(name) ?? []).map(({ collectorMs }) => collectorMs)
      return shares.length === 0 ? '–' : median(shares).toFixed(1)
    }),
  ])
  console.log('**The garbage collector**, milliseconds that it stops the program for in a million pairs:\n')
  console.log(`${markdownTable(['order', 'size', ...NAMES], rows)}\n`)
}

const cells = measureCells()
printSpeedups(cells)
printCollector(cells)
printGrid('view', Object.keys(viewPeers))
