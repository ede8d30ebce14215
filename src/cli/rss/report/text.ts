/**
 * An experiment in text: hypothesis, a bar a step, the changes of each step with their spread, and the verdict.
 * @module
 */
import { type Bar, bars, lineChart } from '../../terminal/chart.ts'
import { bytesText, changeText, timeText } from '../../terminal/format.ts'
import { paint, type Style, widthOf } from '../../terminal/style.ts'
import { type Column, table } from '../../terminal/table.ts'
import { figureText } from '../judgement.ts'
import type { Outcome, StepSummary } from '../runner.ts'
import type { Spread } from '../spread.ts'

const out = process.stdout
/** With more readings than this in a run, its course is worth a curve. */
const FEW_READINGS = 12

export function outcomeText(outcome: Outcome): string {
  const { name, title, hypothesis, skipped } = outcome
  const head = [paint(out, 'bold', `${name}: ${title}`), wrap(`Hypothesis: ${hypothesis}`)]
  if (skipped !== undefined) return [...head, paint(out, 'yellow', `not made: ${skipped}`)].join('\n')
  return [...head, '', picture(outcome), '', changes(outcome.steps), '', ...verdictLines(outcome)].join('\n')
}

export function summaryText(outcomes: readonly Outcome[]): string {
  const made = outcomes.filter(({ skipped }) => skipped === undefined)
  const held = made.filter((one) => one.held).length
  const not = made.filter((one) => !one.held).map(({ name }) => name)
  const text = `${held} of ${made.length} hypotheses held${not.length > 0 ? `; not: ${not.join(', ')}` : ''}`
  const skipped = outcomes.length - made.length
  return (
    paint(out, not.length > 0 ? 'red' : 'green', text) + (skipped > 0 ? `; ${skipped} not made on this machine` : '')
  )
}

/** Resident memory above the start after each step; over time where there are many readings. */
function picture({ readings, steps }: Outcome): string {
  const start = readings[0]?.figures ?? {}
  if (readings.length > FEW_READINGS) {
    const series = (['resident', 'mincore'] as const).map((figure) => ({
      name: figure === 'resident' ? 'resident memory above the start' : 'of it in arenas, by mincore',
      points: readings.map((one) => [one.milliseconds, (one.figures[figure] ?? 0) - (start[figure] ?? 0)] as const),
    }))
    return lineChart({ series, x: 'time', y: 'bytes' })
  }
  return `Resident memory after each step, above its lowest:\n${bars(levels(steps))}`
}

function levels(steps: readonly StepSummary[]): Bar[] {
  let level = 0
  const reached = [{ name: '(start)', level }]
  for (const { name, change } of steps) reached.push({ name, level: (level += change.resident?.median ?? 0) })
  const least = Math.min(...reached.map((one) => one.level))
  return reached.map((one) => ({ label: one.name, value: one.level - least, text: bytesText(one.level - least) }))
}

const COLUMNS: readonly (readonly [title: string, figure: string])[] = [
  ['reserved', 'reserved'],
  ['anonymous', 'anonymous'],
  ['file', 'file'],
  ['shared', 'shared'],
  ['mincore', 'mincore'],
  ['huge', 'hugePages'],
  ['lazy', 'lazyFree'],
  ['faults', 'minorFaults'],
]

function changes(steps: readonly StepSummary[]): string {
  const shown = COLUMNS.filter(([, figure]) => steps.some(({ change }) => middle(change[figure]) !== 0))
  const columns: Column[] = [
    { title: 'change in the step', flexible: 'start' },
    ...shown.map(([title]) => ({ title, align: 'right' }) as const),
    { title: 'time', align: 'right' },
  ]
  const rows = steps.map(({ name, change }) => [
    name,
    ...shown.map(([, figure]) => cell(figure, middle(change[figure]))),
    timeWithSpread(change.milliseconds),
  ])
  return table(columns, rows)
}

function cell(figure: string, value: number): string {
  if (figure === 'minorFaults') return figureText(figure, value)
  return value === 0 ? '·' : changeText(value)
}

function timeWithSpread(value: Spread | undefined): string {
  const { median, low, high } = value ?? { median: 0, low: 0, high: 0 }
  return high > low ? `${timeText(median)} ± ${timeText((high - low) / 2)}` : timeText(median)
}

function middle(value: Spread | undefined): number {
  return value?.median ?? 0
}

function verdictLines({ verdicts, held, repeats }: Outcome): string[] {
  const lines = verdicts.map((verdict) =>
    paint(out, style(verdict.held), `${verdict.held ? '✓' : '✗'} ${verdict.text}`)
  )
  const verdict = held ? 'The numbers bear the hypothesis out' : 'The numbers do not bear the hypothesis out'
  return [...lines, paint(out, style(held), `${verdict} (median of ${repeats}).`)]
}

function style(held: boolean): Style {
  return held ? 'green' : 'red'
}

/** Breaks a paragraph at blanks. */
export function wrap(text: string, width: number = widthOf(out)): string {
  const lines = ['']
  for (const word of text.split(' '))
    if (lines.at(-1) === '' || lines.at(-1)!.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${lines.at(-1)} ${word}`.trim()
    else lines.push(word)
  return lines.join('\n')
}
