/**
 * The run over time: one small chart for each thing that is watched, all on the same scale, one column a sample.
 * @module
 */
import { plot } from 'asciichart'
import { MiB } from '../src/index.ts'
import { paint } from './print.ts'
import type { Sample } from './sampler.ts'

const HEIGHT = 4
const LABEL_COLUMNS = 10

export function drawCharts(samples: readonly Sample[]): string {
  const start = samples[0]!.rssBytes
  const series: [string, number[]][] = [
    ['requested: bytes of live blocks, as the program asked for them', samples.map((s) => s.liveBytes)],
    ['committed: the heap’s own books, metadata included', samples.map((s) => s.stats?.committedBytes ?? 0)],
    ['resident: pages of the arena in RAM, by mincore', samples.map((s) => s.residentBytes)],
    ['RSS: the whole process, above its start', samples.map((s) => Math.max(0, s.rssBytes - start))],
  ]
  const most = Math.max(MiB, ...series.flatMap(([, values]) => values)) / MiB
  // A column more for each settled phase, so that a flat stretch can be seen.
  const wide = samples.flatMap(({ phase }, index) =>
    phase === 'growth' || phase === 'freeing' ? [index] : [index, index]
  )
  const charts = series.map(([title, values]) => {
    const points = wide.map((index) => values[index]! / MiB)
    const lines = plot(points, { height: HEIGHT, min: 0, max: most, format: (y) => `${y.toFixed(0).padStart(5)} MiB` })
    return `${paint('bold', ` ${title}`)}\n${lines}`
  })
  return [...charts, phaseAxis(wide.map((index) => samples[index]!.phase))].join('\n\n')
}

/** The phases under their columns. */
function phaseAxis(phases: readonly string[]): string {
  const names: Record<string, string> = {
    start: 'reserve',
    growth: 'replay',
    freeing: 'free all',
    purged: 'purge, close',
  }
  let line = ' '.repeat(LABEL_COLUMNS)
  phases.forEach((phase, column) => {
    const name = names[phase]
    if (name !== undefined && phases[column - 1] !== phase) line = `${line.padEnd(LABEL_COLUMNS + column)}│${name} `
  })
  return line
}
