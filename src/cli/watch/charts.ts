/**
 * What was watched, as charts: areas by owner, with V8's figures and collections over them.
 * @module
 */
import { OWNERS, type Owner } from '../map/owners.ts'
import type { Chart, Series } from '../page/chart.ts'
import type { TextSeries } from '../terminal/chart.ts'
import { timeText } from '../terminal/format.ts'
import { ownersOf, type Sample } from './samples.ts'
import type { Collection, V8Figures } from './v8-figures.ts'

/** With the rest in one area there are as many colours as areas. */
const MOST_OWNERS = 7
const MOST_MARKS = 200

/** Resident memory by owner, in stacked areas that add up to the resident memory of the process. */
export function ownerChart(samples: readonly Sample[], v8: V8Figures | undefined): Chart {
  const start = samples[0]!.time
  const owners = ownersOf(samples)
  const shown = owners.slice(0, MOST_OWNERS)
  const rest = owners.slice(MOST_OWNERS)
  const area = (name: string, of: readonly Owner[]): Series => ({
    name,
    points: samples.map((sample) => [
      sample.time - start,
      of.reduce((sum, owner) => sum + (sample.owners[owner] ?? 0), 0),
    ]),
  })
  const areas = shown.map((owner) => area(OWNERS[owner], [owner]))
  if (rest.length > 0) areas.push(area('the rest', rest))
  const lines = v8 === undefined ? [] : v8Lines(v8, start).map((line) => ({ ...line, line: true }))
  return {
    title: 'Resident memory by owner',
    x: 'time',
    y: 'bytes',
    stacked: true,
    series: [...areas, ...lines],
    marks: marksOf(v8?.collections ?? [], start),
  }
}

const LINES = ['heapUsed', 'heapTotal', 'external', 'arrayBuffers'] as const

export function v8Lines({ readings }: V8Figures, start: number): Series[] {
  return LINES.map((name) => ({
    name,
    points: readings.map((one) => [Math.max(0, one.time - start), one[name]] as const),
  }))
}

/** Major collections; minor ones too while there are few. */
export function marksOf(collections: readonly Collection[], start: number): { x: number; label: string }[] {
  const major = collections.filter(({ kind }) => kind === 'major')
  const chosen = collections.length <= MOST_MARKS ? collections : major
  const every = Math.ceil(chosen.length / MOST_MARKS)
  return chosen
    .filter((_, index) => index % every === 0)
    .map(({ time, kind, milliseconds }) => ({
      x: Math.max(0, time - start),
      label: `${kind} collection, ${timeText(milliseconds)}`,
    }))
}

/** For the terminal: the sum, and the three largest owners. */
export function textSeries(samples: readonly Sample[]): TextSeries[] {
  const start = samples[0]!.time
  const line = (name: string, of: (sample: Sample) => number): TextSeries => ({
    name,
    points: samples.map((sample) => [sample.time - start, of(sample)]),
  })
  const owners = ownersOf(samples).slice(0, 3)
  return [
    line('resident', ({ resident }) => resident),
    ...owners.map((owner) => line(OWNERS[owner], (one) => one.owners[owner] ?? 0)),
  ]
}
