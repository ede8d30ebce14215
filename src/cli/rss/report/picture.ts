/**
 * The chart of an experiment: resident memory by kind over the course of a run, with the steps as marks.
 * @module
 */
import type { Chart } from '../../page/chart.ts'
import type { Outcome } from '../runner.ts'

/** Memory that counts as resident, by kind. They add up to the resident memory. */
const KINDS = [
  ['anonymous', 'anonymous'],
  ['file', 'pages of files'],
  ['shared', 'shared memory'],
] as const

/** The readings at the end of each step, above the start, one after the other at equal distance: steps differ in time by a thousandfold. */
export function chartOf({ title, readings }: Outcome): Chart {
  const start = readings[0]?.figures ?? {}
  const points = (figure: string) =>
    readings.map(({ figures }, at) => [at, Math.max(0, (figures[figure] ?? 0) - (start[figure] ?? 0))] as const)
  const areas = KINDS.map(([figure, name]) => ({ name, points: points(figure) }))
  const lines = [{ name: 'in memory by mincore', points: points('mincore'), line: true }]
  const marks = readings.flatMap(({ step }, at) =>
    step !== 'start' && readings[at - 1]?.step !== step ? [{ x: at, label: step }] : []
  )
  return {
    title: `${title}: resident memory above the start, by reading`,
    x: 'count',
    y: 'bytes',
    stacked: true,
    series: [...areas, ...lines],
    marks,
  }
}
