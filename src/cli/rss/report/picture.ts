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

/**
 * Every kind above its lowest, reading after reading at equal distance: steps differ in time by a thousandfold. A step ends where its mark
 * stands.
 */
export function chartOf({ title, readings }: Outcome): Chart {
  const points = (figure: string) => {
    const values = readings.map(({ figures }) => figures[figure] ?? 0)
    const least = Math.min(...values)
    return values.map((value, at) => [at, value - least] as const)
  }
  const areas = KINDS.map(([figure, name]) => ({ name, points: points(figure) }))
  const lines = [{ name: 'in memory by mincore', points: points('mincore'), line: true }]
  const marks = readings.flatMap(({ step }, at) =>
    step !== 'start' && readings[at + 1]?.step !== step ? [{ x: at, label: step }] : []
  )
  return {
    title: `${title}: resident memory above its lowest, by reading`,
    x: 'count',
    y: 'bytes',
    stacked: true,
    series: [...areas, ...lines],
    marks,
    named: true,
  }
}
