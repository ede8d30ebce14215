/**
 * What was watched, as one self-contained page.
 * @module
 */
import { OWNERS } from '../map/owners.ts'
import { FIGURE_STYLE, figure } from '../page/chart.ts'
import { escapeHtml, htmlPage, htmlTable } from '../page/page.ts'
import { bytesText } from '../terminal/format.ts'
import { ownerChart, v8Lines } from './charts.ts'
import { type Finding, findings, type Observed } from './findings.ts'
import { ownersOf } from './samples.ts'

export interface PageOptions extends Observed {
  readonly title: string
  /** Machine, date, command. */
  readonly origin: string
}

export function watchPage(options: PageOptions): string {
  const { title, origin, samples, v8 } = options
  const figures = [figure(ownerChart(samples, v8))]
  if (v8 !== undefined && v8.readings.length > 0)
    figures.push(figure({ title: "V8's own figures", x: 'time', y: 'bytes', series: v8Lines(v8, samples[0]!.time) }))
  const body = `<h1>${escapeHtml(title)}</h1>
<p class="origin">${escapeHtml(origin)}</p>
<h2>Findings</h2><ul>${findings(options).map(item).join('')}</ul>
${figures.join('\n')}
<h2>By owner</h2>${ownerTable(options)}`
  return htmlPage({ title, body, style: FIGURE_STYLE })
}

function item({ text, advice }: Finding): string {
  return `<li>${escapeHtml(text)}${advice === undefined ? '' : `<br><small>${escapeHtml(advice)}</small>`}</li>`
}

function ownerTable({ samples }: Observed): string {
  const rows = ownersOf(samples).map((owner) => {
    const values = samples.map(({ owners }) => owners[owner] ?? 0)
    return [OWNERS[owner], ...[values[0]!, Math.max(...values), values.at(-1)!].map(bytesText)]
  })
  return htmlTable(['resident', 'at first', 'at most', 'at last'], rows)
}
