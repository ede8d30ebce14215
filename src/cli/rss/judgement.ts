/**
 * Whether the numbers bear an expectation out, and the sentence that says so.
 *
 *     held  <=>  atLeast <= median of the repeats <= atMost
 * @module
 */
import { bytesText, countText, timeText } from '../terminal/format.ts'
import type { Expectation, RunReport } from './experiment.ts'
import { type Spread, spreadOf } from './spread.ts'

export interface Verdict extends Expectation {
  readonly value: Spread
  readonly held: boolean
  readonly text: string
}

export function judge(expectation: Expectation, reports: readonly RunReport[]): Verdict {
  const value = spreadOf(reports.map((report) => measured(expectation, report)))
  const { atLeast = -Infinity, atMost = Infinity } = expectation
  const held = value.median >= atLeast && value.median <= atMost
  return { ...expectation, value, held, text: sentence(expectation, value) }
}

function measured({ step, figure, against, sinceStart }: Expectation, { steps }: RunReport): number {
  const index = steps.findIndex(({ name }) => name === step)
  const change = (at: number): number => steps[at]?.change[figure] ?? Number.NaN
  if (sinceStart === true) return steps.slice(0, index + 1).reduce((sum, _, at) => sum + change(at), 0)
  if (against === undefined) return change(index)
  const base = change(steps.findIndex(({ name }) => name === against))
  return base === 0 ? Number.NaN : change(index) / base
}

const NAMES: Readonly<Record<string, string>> = {
  reserved: 'reserved addresses',
  resident: 'resident memory',
  anonymous: 'resident anonymous memory',
  file: 'resident pages of files',
  shared: 'resident shared memory',
  hugePages: 'memory in huge pages',
  lazyFree: 'resident memory that the kernel may take',
  pageTables: 'page tables',
  mincore: 'pages in memory by mincore',
  minorFaults: 'page faults',
  majorFaults: 'page faults that read the disk',
  milliseconds: 'time',
  cpuMilliseconds: 'time on the CPU',
}

function sentence(expectation: Expectation, value: Spread): string {
  const { step, figure, against, sinceStart, atLeast, atMost } = expectation
  const text = (one: number): string => (against === undefined ? figureText(figure, one) : `${trim(one)}×`)
  const bounds =
    atLeast !== undefined && atMost !== undefined
      ? `${text(atLeast)} to ${text(atMost)}`
      : atLeast !== undefined
        ? `at least ${text(atLeast)}`
        : `at most ${text(atMost as number)}`
  const what = `${NAMES[figure] ?? figure}${against === undefined ? '' : `, against "${against}"`}`
  return `${step}${sinceStart === true ? ' (all steps so far)' : ''}: ${what} ${text(value.median)}, expected ${bounds}`
}

/** A figure in its unit. */
export function figureText(figure: string, value: number): string {
  if (Number.isNaN(value)) return 'nothing'
  if (figure.endsWith('aults') || /Count$/.test(figure)) return countText(value)
  if (/illiseconds$/.test(figure)) return value < 0 ? `−${timeText(-value)}` : timeText(value)
  if (/Share$/.test(figure)) return trim(value)
  return value < 0 ? `−${bytesText(-value)}` : bytesText(value)
}

function trim(value: number): string {
  return String(Number(value.toPrecision(3)))
}
