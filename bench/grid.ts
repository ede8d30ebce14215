/**
 * The grid that raw-alloc and view-alloc share: sizes by numbers of live blocks, one table an order.
 * @module
 */
import { GiB, KiB, MiB } from '../src/units.ts'
import { countText, markdownTable, sizeText, timeText } from './markdown.ts'
import { type Case, type Kind, measure, median, PLAN, type Plan, type Timings } from './measure.ts'
import { ORDERS } from './ring.ts'

/** Combinations that would need more are skipped, and the table says so by leaving them out. */
const MOST_BYTES = 2 * GiB
const SIZES = [16, 64, KiB, 4 * KiB, 64 * KiB, MiB]
const LIVE = [1000, 1_000_000]

export const quick: boolean = process.argv.includes('--quick')
const plan: Plan = quick ? { rounds: 1, time: 5, fillMs: 500, batchMs: 100 } : PLAN

export function printGrid(kind: Kind, names: readonly string[]): void {
  const sizes = quick ? [64, 4 * KiB] : SIZES
  const live = quick ? [1000] : LIVE
  for (const order of ORDERS) {
    const rows: string[][] = []
    for (const byteLength of sizes)
      for (const liveCount of live) {
        if (byteLength * liveCount > MOST_BYTES) continue
        const timings = measure(kind, names, { byteLength, liveCount, order }, plan)
        rows.push([sizeText(byteLength), countText(liveCount), ...names.map((name) => cell(timings, name))])
        progress(`${order} ${sizeText(byteLength)} ${liveCount}`)
      }
    console.log(`**${order}**, ns a pair of free and malloc:\n`)
    console.log(`${markdownTable(['size', 'live', ...names], rows, 0)}\n`)
  }
  const limits = `${plan.fillMs / 1000} s to make its first blocks or over ${plan.batchMs} µs a pair`
  console.log(`Left out: combinations above ${sizeText(MOST_BYTES)} of live blocks. A dash: the peer cannot, or takes`)
  console.log(`over ${limits}.`)
}

/** Ratios of the first peer to the others in one case, over many interleaved rounds: median, and the range. */
export function printRatios(kind: Kind, names: readonly string[], what: Case): void {
  const rounds = quick ? plan.rounds : 15
  const timings = measure(kind, names, what, { ...plan, rounds })
  const [subject] = names as [string]
  const own = timings.get(subject)!
  const rows = [...timings].flatMap(([name, times]) => {
    if (times === undefined || name === subject) return []
    const ratios = times.map((time, round) => own[round]! / time)
    const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`
    return [[name, timeText(median(times)), median(ratios).toFixed(2), range]]
  })
  const live = `${countText(what.liveCount)} live blocks of ${sizeText(what.byteLength)}, ${what.order}`
  console.log(`**${live}**: ${subject} takes ${timeText(median(own))} ns a pair. Its time over others':\n`)
  console.log(`${markdownTable(['over', 'ns a pair', 'ratio, median', `of ${rounds} rounds`], rows)}\n`)
}

function cell(timings: Timings, name: string): string {
  const times = timings.get(name)
  return times === undefined ? '–' : timeText(median(times))
}

export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}
