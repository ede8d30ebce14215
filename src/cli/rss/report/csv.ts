/**
 * Results for spreadsheets: a line for each experiment, step and figure, with its median and spread.
 * @module
 */
import type { Outcome } from '../runner.ts'

const TITLES = ['experiment', 'step', 'figure', 'median', 'low', 'high', 'repeats'] as const

export function csvOf(outcomes: readonly Outcome[]): string {
  const rows = outcomes.flatMap(({ name, steps, repeats }) =>
    steps.flatMap((step) =>
      Object.entries(step.change).map(([figure, { median, low, high }]) => [
        name,
        step.name,
        figure,
        median,
        low,
        high,
        repeats,
      ])
    )
  )
  return [TITLES, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('')
}

/** RFC 4180. */
function cell(value: string | number): string {
  const text = String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
