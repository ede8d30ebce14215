/**
 * The grid that raw-alloc and views share: sizes by numbers of live blocks, one table an order.
 * @module
 */
import { GiB, KiB, MiB } from '../../src/units.ts'
import { countText, markdownTable, sizeText, timeText } from '../report/markdown.ts'
import { Progress } from '../report/progress.ts'
import { median } from '../report/statistics.ts'
import { type Kind, measure, PLAN, type Plan, timesOf } from './measure.ts'
import { ORDERS } from './ring.ts'

/** Combinations that would need more are skipped, and the table says so by leaving them out. */
const MOST_BYTES = 2 * GiB
const SIZES = [16, 64, KiB, 4 * KiB, 64 * KiB, MiB]
const LIVE = [1000, 1_000_000]

export const quick: boolean = process.argv.includes('--quick')
export const plan: Plan = quick ? { ...PLAN, rounds: 1, time: 5, fillMs: 500, batchMs: 100 } : PLAN

export function printGrid(kind: Kind, names: readonly string[]): void {
  const cases = (quick ? [64, 4 * KiB] : SIZES).flatMap((byteLength) =>
    (quick ? [1000] : LIVE)
      .filter((liveCount) => byteLength * liveCount <= MOST_BYTES)
      .map((liveCount) => ({ byteLength, liveCount }))
  )
  const progress = new Progress(ORDERS.length * cases.length)
  for (const order of ORDERS) {
    const rows = cases.map(({ byteLength, liveCount }) => {
      progress.next(`${order} ${sizeText(byteLength)} ${countText(liveCount)}`)
      const measured = measure(kind, names, { byteLength, liveCount, order }, plan)
      return [sizeText(byteLength), countText(liveCount), ...names.map((name) => cell(timesOf(measured, name)))]
    })
    console.log(`**${order}**, ns a pair of free and malloc:\n`)
    console.log(`${markdownTable(['size', 'live', ...names], rows, 0)}\n`)
  }
  progress.stop()
  const limits = `${plan.fillMs / 1000} s to make its first blocks or over ${plan.batchMs} µs a pair`
  console.log(`Left out: combinations above ${sizeText(MOST_BYTES)} of live blocks. A dash: the peer cannot, or takes`)
  console.log(`over ${limits}.`)
}

const cell = (times: readonly number[]): string => (times.length === 0 ? '–' : timeText(median(times)))
