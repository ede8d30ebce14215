/**
 * The results of the buffers bench as rows, as they are kept in bench/figures/buffers.json, and as tables.
 *
 * Each side of a job has the medians over the rounds and, for the times, the range.
 * @module
 */
import { countText, markdownTable, mebibytes } from '../report/markdown.ts'
import { median, rangeText } from '../report/statistics.ts'
import type { Job, Kind } from './job.ts'
import type { Cost } from './measure.ts'

/** What a round found. */
export interface Row extends Cost {
  readonly job: string
  readonly side: string
  readonly round: number
}

export interface Results {
  readonly machine: string
  readonly node: string
  readonly date: string
  readonly command: string
  readonly rounds: number
  readonly rows: readonly Row[]
}

/** The median over rounds of something about a side. */
export function typical(rows: readonly Row[], job: string, side: string, of: (row: Row) => number): number {
  return median(valuesOf(rows, job, side, of))
}

function valuesOf(rows: readonly Row[], job: string, side: string, of: (row: Row) => number): number[] {
  return rows.filter((row) => row.job === job && row.side === side).map(of)
}

/** CPU time of an operation. */
export const microseconds = ({ cpuSeconds, operations }: Row): number => (cpuSeconds / operations) * 1e6

/** Throws unless all sides of a job have done the same. */
export function verify({ name, sides }: Job, rows: readonly Row[]): void {
  const sums = new Set(rows.filter(({ job }) => job === name).map(({ checksum }) => checksum))
  if (sums.size !== 1) throw new Error(`${name}: the sides differ, ${[...sums].join(', ')}`)
  for (const side of sides)
    if (!rows.some((row) => row.job === name && row.side === side.name))
      throw new Error(`${name}: ${side.name} is missing`)
}

interface Column {
  readonly head: string
  readonly of: (row: Row) => number
  readonly digits: number
  /** Whether the range over the rounds is given. */
  readonly range?: boolean
}

const CPU: Column = { head: 'CPU, s', of: ({ cpuSeconds }) => cpuSeconds, digits: 2, range: true }
const PEAK: Column = { head: 'peak RSS, MiB', of: ({ peakBytes }) => peakBytes / 2 ** 20, digits: 0 }
const PAUSES: Column = { head: 'collector’s pauses, ms', of: ({ pausesMs }) => pausesMs, digits: 0, range: true }
const LONGEST: Column = { head: 'longest, ms', of: ({ longestMs }) => longestMs, digits: 1 }
const OWN: Column = { head: 'own memory, MiB', of: ({ ownBytes }) => ownBytes / 2 ** 20, digits: 0 }
const READY: Column = { head: 'first answer after, ms', of: ({ readyMs }) => readyMs, digits: 1, range: true }

function columnsOf({ name, operation }: Job): Column[] {
  const each: Column = { head: `${operation}, µs`, of: microseconds, digits: 2, range: true }
  return name === 'lookups' ? [each, READY, OWN] : [CPU, each, PEAK, PAUSES, LONGEST]
}

/** The full table of a job. */
export function jobTable(job: Job, { rows }: Results): string {
  const columns = columnsOf(job)
  const cells = job.sides.map(({ name }) => [
    name,
    ...columns.map(({ of, digits, range }) => {
      const values = valuesOf(rows, job.name, name, of)
      const middle = median(values).toFixed(digits)
      return range === true ? `${middle} (${rangeText(values, digits)})` : middle
    }),
  ])
  const { operations } = rows.find((row) => row.job === job.name)!
  const head = [job.title, ...columns.map(({ head }) => head)]
  return `${markdownTable(head, cells)}\n\nOperations of the first side: ${countText(operations)}.`
}

/** A line of the table on the front page: one figure of a job, by each kind of memory. */
export interface FrontLine {
  readonly job: string
  readonly what: string
  readonly values: Readonly<Partial<Record<Kind, number>>>
  readonly text: (value: number) => string
}

const seconds = (value: number): string => `${value.toFixed(2)} s`
const milliseconds = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`
const memory = (value: number): string => `${Number(mebibytes(value)).toFixed(0)} MiB`
const micro = (value: number): string => `${value.toFixed(2)} µs`

type Measure = readonly [what: string, of: (row: Row) => number, text: (value: number) => string]

const USUAL: readonly Measure[] = [
  ['CPU time', ({ cpuSeconds }) => cpuSeconds, seconds],
  ['peak RSS', ({ peakBytes }) => peakBytes, memory],
  ['collector’s pauses', ({ pausesMs }) => pausesMs, milliseconds],
]
const OF_LOOKUPS: readonly Measure[] = [
  ['time of a search', microseconds, micro],
  ['first answer after', ({ readyMs }) => readyMs, milliseconds],
  ['memory of its own', ({ ownBytes }) => ownBytes, memory],
]

/** The lines of the front page, three a job. */
export function frontLines(jobs: readonly Job[], { rows }: Results): FrontLine[] {
  return jobs.flatMap(({ name, sides }) =>
    (name === 'lookups' ? OF_LOOKUPS : USUAL).map(([what, of, text]) => {
      const shown = sides.filter(({ front }) => front)
      const values = Object.fromEntries(shown.map((side) => [side.kind, typical(rows, name, side.name, of)]))
      return { job: name, what, values, text }
    })
  )
}

const SHORT: Readonly<Record<string, string>> = {
  cache: 'cache of a million values of 120 bytes',
  lookups: 'search in a sorted file of 128 MiB',
  arrays: 'a million arrays, 64 bytes to 64 KiB',
  requests: '200,000 requests of 20 buffers',
}

export const shortTitle = (job: string): string => SHORT[job] ?? job

/** The table of the front page. */
export function frontTable(lines: readonly FrontLine[]): string {
  const cell = ({ values, text }: FrontLine, kind: Kind): string => {
    const value = values[kind]
    return value === undefined ? '' : text(value)
  }
  const rows = lines.map((line, index) => [
    lines[index - 1]?.job === line.job ? '' : shortTitle(line.job),
    line.what,
    cell(line, 'sorites'),
    cell(line, 'Buffer'),
    line.job === 'lookups' ? cell(line, 'other') : cell(line, 'Uint8Array'),
  ])
  return markdownTable(['', 'measured', 'sorites', 'Buffer', 'Uint8Array'], rows, 2)
}
