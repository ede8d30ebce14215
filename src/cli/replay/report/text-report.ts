/**
 * The report in text, and as JSON.
 * @module
 */
import { lineChart } from '../../terminal/chart.ts'
import { bytesText, countText, shareText } from '../../terminal/format.ts'
import { paint, widthOf } from '../../terminal/style.ts'
import { type Column, table } from '../../terminal/table.ts'
import type { TraceOutcome } from '../run/runner.ts'
import type { SizeFigures } from '../trace-figures.ts'
import { type Line, lineOf } from './figures.ts'

const MOST_CLASSES = 12
/** Columns of the table of sizes without, and for each, allocator. */
const LIVES_COLUMNS = 56
const WASTE_COLUMNS = 12

/** `× live`: the peak of what was held over the peak of what was live; `RSS`: by how much its peak rose; shares: where most is live. */
export const LINE_TITLES: readonly string[] = [
  'allocator',
  'ns/event',
  'M/s',
  'held',
  '× live',
  'RSS',
  'internal',
  'external',
]

const text = <T>(value: T | undefined, show: (value: T) => string): string => (value === undefined ? '–' : show(value))

/** The cells of a line. */
export function lineCells(line: Line): string[] {
  if (line.fullAt !== undefined) return [line.name, `no room at event ${countText(line.fullAt)}`]
  return [
    line.name,
    text(line.warmNs, (ns) => ns.toFixed(ns < 100 ? 1 : 0)),
    text(line.eventsPerSecond, (count) => (count / 1e6).toFixed(2)),
    text(line.peakHeldBytes, bytesText),
    text(line.peakOverLive, (ratio) => ratio.toFixed(3)),
    text(line.peakRssBytes, bytesText),
    text(line.internal, shareText),
    text(line.external, shareText),
  ]
}

export function summaryText({ trace }: TraceOutcome): string {
  const { events, blocks, peakLiveBytes, requestedBytes } = trace.trace.summary
  return `${countText(events)} events, ${countText(blocks)} blocks, ${bytesText(peakLiveBytes)} live at the peak, ${bytesText(requestedBytes)} asked for altogether`
}

/** The whole report of a trace. */
export function textReport(result: TraceOutcome): string {
  const { outcomes, figures } = result
  const lines = outcomes.map((outcome) => lineOf(result, outcome))
  const fit = lines.filter(({ fullAt }) => fullAt === undefined)
  const columns: Column[] = LINE_TITLES.map((title, index) => ({
    title,
    align: index === 0 ? 'left' : 'right',
    spare: index < 2 ? 0 : index,
  }))
  const parts = [
    `${paint(process.stdout, 'bold', result.trace.name)}: ${summaryText(result)}`,
    table(columns, fit.map(lineCells)),
    ...lines.flatMap(({ name, fullAt }) =>
      fullAt === undefined ? [] : [`${name} had no room at event ${countText(fullAt)} (--arena gives more)`]
    ),
  ]
  const series = outcomes.flatMap(({ name, measured }) =>
    measured === undefined
      ? []
      : [{ name, points: measured.observation.samples.map(({ event, heldBytes }) => [event, heldBytes] as const) }]
  )
  const live = outcomes.find(({ measured }) => measured !== undefined)?.measured?.observation.samples
  if (live !== undefined) {
    const wanted = { name: 'live', points: live.map(({ event, liveBytes }) => [event, liveBytes] as const) }
    parts.push(
      `Memory held over events\n${lineChart({ series: [wanted, ...series].slice(0, 6), x: 'count', y: 'bytes' })}`
    )
  }
  parts.push(`Sizes and lives\n${sizesTable(figures.sizes, result)}`)
  return parts.join('\n\n')
}

function sizesTable(sizes: readonly SizeFigures[], { outcomes }: TraceOutcome): string {
  const all = sizes.reduce((sum, { blocks }) => sum + blocks, 0)
  const shown = [...sizes].sort((a, b) => b.blocks - a.blocks).slice(0, MOST_CLASSES)
  const measured = outcomes
    .flatMap(({ name, measured }) => (measured === undefined ? [] : [{ name, classes: measured.observation.classes }]))
    .slice(0, Math.max(1, Math.floor((widthOf(process.stdout) - LIVES_COLUMNS) / WASTE_COLUMNS)))
  const right = (title: string): Column => ({ title, align: 'right' })
  const titles = ['from', 'blocks', 'share', 'median life', '90 %', 'left'].map(right)
  const wasted = measured.map(({ name }) => right(name))
  const rows = shown
    .sort((a, b) => a.least - b.least)
    .map((size) => [
      bytesText(size.least),
      countText(size.blocks),
      shareText(size.blocks / all),
      text(size.medianLife, countText),
      text(size.ninthLife, countText),
      countText(size.left),
      ...measured.map(({ classes }) => {
        const use = classes.find(({ least }) => least === size.least)
        return use === undefined || use.usableBytes === 0 ? '–' : shareText(1 - use.requestedBytes / use.usableBytes)
      }),
    ])
  const left = sizes.length - shown.length
  const rest = left > 0 ? `\n(${left} more classes in --json and --html)` : ''
  return `${table([...titles, ...wasted], rows)}${rest}\nA class goes up to twice its smallest size. Lives are counted in events. Under an allocator's name: the share\nof its blocks' bytes that was not asked for.`
}

/** All of it but the pictures. */
export function jsonReport(results: readonly TraceOutcome[], origin: Readonly<Record<string, unknown>>): unknown {
  return {
    ...origin,
    traces: results.map((result) => ({
      name: result.trace.name,
      format: result.trace.format,
      notes: result.trace.notes,
      summary: result.trace.trace.summary,
      ...result.figures,
      allocators: result.outcomes.map((outcome) => {
        const { map: _, ...observation } = outcome.measured?.observation ?? {}
        return {
          ...lineOf(result, outcome),
          kind: outcome.kind,
          summary: outcome.summary,
          passes: (outcome.measured ?? outcome.native)?.passes,
          processPeakBytes: outcome.measured?.processPeakBytes,
          library: outcome.native?.library,
          ...observation,
        }
      }),
    })),
  }
}
