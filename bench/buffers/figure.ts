/**
 * The figure of the buffers bench: for each job three small charts of bars, one bar a kind of memory, each chart on a scale of its own from 0.
 *
 * Drawn by hand, as the others are. The colours are of middle lightness and legible on white and on black. The same rows give the same bytes.
 * @module
 */
import type { Job, Kind } from './job.ts'
import { type FrontLine, frontLines, type Results, shortTitle } from './results.ts'

const WIDTH = 860
const LEFT = 24
const TOP = 92
const ROW = 118
const COLUMN = 276
const BAR = { height: 15, step: 21, label: 82, width: 108 }
const STYLE = `
  text { font: 13px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; fill: #727d8a }
  .title { font-size: 17px; font-weight: 600 } .small { font-size: 12px } .name { font-weight: 600 }
  .line { stroke: #727d8a; stroke-opacity: .3 }
  .sorites { fill: #e0702c } .Buffer { fill: #4a8cdb } .Uint8Array { fill: #8a7bd0 } .other { fill: #4fa08b }`

const NAMES: Readonly<Record<Kind, string>> = {
  sorites: 'sorites',
  Buffer: 'Buffer',
  Uint8Array: 'Uint8Array',
  other: 'readFile',
}
const KINDS: readonly Kind[] = ['sorites', 'Buffer', 'Uint8Array', 'other']

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
const round = (value: number): string => String(Math.round(value * 10) / 10)
const text = (x: number, y: number, attributes: string, content: string): string =>
  `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escaped(content)}</text>`

/** The name of a bar. Of the searches, `Buffer` is read into at each step. */
function nameOf(line: FrontLine, kind: Kind): string {
  return line.job === 'lookups' && kind === 'Buffer' ? 'readSync' : NAMES[kind]
}

function chart(line: FrontLine, x: number, y: number): string[] {
  const kinds = KINDS.filter((kind) => line.values[kind] !== undefined)
  const most = Math.max(...kinds.map((kind) => line.values[kind] ?? 0))
  const bars = kinds.flatMap((kind, index) => {
    const value = line.values[kind] ?? 0
    const top = y + 12 + index * BAR.step
    // A bar that would not be seen is a hair.
    const width = Math.max(1.5, (value / most) * BAR.width)
    const end = x + BAR.label + width
    return [
      text(x, top + 12, 'class="small"', nameOf(line, kind)),
      `<rect class="${kind}" x="${round(x + BAR.label)}" y="${round(top)}" width="${round(width)}" height="${BAR.height}" rx="2"/>`,
      text(end + 6, top + 12, `class="small name ${kind}"`, line.text(value)),
    ]
  })
  return [text(x, y, 'class="small name"', line.what), ...bars]
}

/** The figure of the results. */
export function buffersFigure(jobs: readonly Job[], results: Results): string {
  const machine = results.machine.replaceAll(/\(\w+\)| Processor|, Linux.*/g, '')
  const subtitle = `medians of ${results.rounds} interleaved rounds; ${machine}, Node ${results.node}; ${results.date}`
  return drawBuffers(frontLines(jobs, results), subtitle)
}

function drawBuffers(lines: readonly FrontLine[], subtitle: string): string {
  const jobs = [...new Set(lines.map(({ job }) => job))]
  const height = TOP + jobs.length * ROW + 4
  const title = 'The same work with sorites and with Node’s own buffers: short bars are better'
  const rows = jobs.flatMap((job, row) => {
    const y = TOP + row * ROW
    const charts = lines.filter((line) => line.job === job)
    return [
      `<path class="line" d="M${LEFT} ${y - 22}L${WIDTH - LEFT} ${y - 22}"/>`,
      text(LEFT, y - 4, 'class="name"', shortTitle(job)),
      ...charts.flatMap((line, column) => chart(line, LEFT + column * COLUMN, y + 17)),
    ]
  })
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">`,
    `<style>${STYLE}\n</style>`,
    text(LEFT, 30, 'class="title"', title),
    text(LEFT, 52, 'class="small"', subtitle),
    ...rows,
    '</svg>',
  ].join('\n')}\n`
}
