/**
 * Charts as SVG: lines or stacked areas over one x axis, with round marks, a legend, and vertical marks for events.
 *
 *     svgChart    a picture that stands alone: its own style, light and dark
 *     figure      the place of a chart in a page, with a legend of buttons and its data; src/cli/browser draws it
 *
 * Points are thinned, the lowest and the highest of each group, before they are written: to about two a pixel in a picture, to a few
 * thousand in a page, where a stretch can be enlarged.
 * @module
 */
import { embedJson, escapeHtml, paletteStyle } from './page.ts'
import type { FigureData } from './page-data.ts'
import { thin } from './thin.ts'
import { roundTicks, type TickKind, tickText } from './ticks.ts'

export interface Series {
  readonly name: string
  /** Points by rising x. Of stacked charts all series have the same x. */
  readonly points: readonly (readonly [number, number])[]
  /** Of a stacked chart: drawn as a line over the areas. */
  readonly line?: boolean
}

export interface Mark {
  readonly x: number
  readonly label: string
}

export interface Chart {
  readonly title: string
  readonly x: TickKind
  readonly y: TickKind
  readonly series: readonly Series[]
  readonly stacked?: boolean
  /** Events at moments, such as garbage collections: thin vertical lines. */
  readonly marks?: readonly Mark[]
  /** Whether the labels of marks are written beside them; else they show under the mouse. */
  readonly named?: boolean
  /** A line at the foot of a picture that stands alone: where it comes from. */
  readonly origin?: string
}

/** Where a chart's frame lies in the picture, and what it spans. */
interface Frame {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
  readonly x: readonly [number, number]
  readonly y: readonly [number, number]
}

const WIDTH = 960
const HEIGHT = 360
const MOST_POINTS_OF_PICTURE = 1200
const MOST_POINTS_OF_PAGE = 4000
/** Colours of areas and lines, and then those of lines that are drawn over areas. */
const COLOURS = 8
const OVERLAYS = 4

/** The number of a series' colour. */
function colourOf({ series, stacked }: Pick<Chart, 'series' | 'stacked'>, index: number): number {
  const over = (one: Series): boolean => stacked === true && one.line === true
  const mine = over(series[index]!)
  const before = series.slice(0, index).filter((one) => over(one) === mine).length
  return mine ? COLOURS + (before % OVERLAYS) : before % COLOURS
}

/** A picture that stands alone. */
export function svgChart(chart: Chart): string {
  const { frame, inner } = draw(chart)
  const rows = legendRows(chart)
  const legendEnd = HEIGHT + 24 + 20 * rows.length
  const height = legendEnd + (chart.origin === undefined ? 0 : 20)
  const origin =
    chart.origin === undefined
      ? ''
      : `<text class="tick" x="24" y="${legendEnd + 4}">${escapeHtml(chart.origin)}</text>`
  const legend = rows.map((row, at) =>
    row.map(({ series, index, x }) => legendEntry(series, colourOf(chart, index), x, HEIGHT + 24 + 20 * at)).join('')
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -28 ${WIDTH} ${height + 28}" width="${WIDTH}" height="${height + 28}" font-family="system-ui,sans-serif" role="img" aria-label="${escapeHtml(chart.title)}">
<style>${paletteStyle('svg')}${CHART_STYLE}</style>
<rect class="paper" y="-28" width="${WIDTH}" height="${height + 28}"/>
<text class="title" x="${frame.left}" y="-10">${escapeHtml(chart.title)}</text>
${inner}${legend.join('')}${origin}
</svg>
`
}

/** The chart as a part of a page. */
export function figure(chart: Chart): string {
  const title = escapeHtml(chart.title)
  const buttons = chart.series.map(
    ({ name }, index) =>
      `<button type="button" aria-pressed="true" data-series="${index}"><i style="background:var(--c${colourOf(chart, index)})"></i>${escapeHtml(name)}</button>`
  )
  const keys =
    'Left and right arrow keys, Home and End read values; plus and minus enlarge and reduce; 0 shows the whole.'
  return `<figure class="chart">
<figcaption>${title}</figcaption>
<div class="plot" role="img" tabindex="0" aria-label="${title}. ${keys}"></div>
<output aria-live="polite">Drag to enlarge, double-click for the whole. With the chart in focus: arrow keys read, + and − enlarge and reduce, 0 for the whole.</output>
<div class="legend">${buttons.join('')}</div>
<script type="application/json">${embedJson(dataOf(chart))}</script>
</figure>`
}

/** All series over the moments of any of them. */
function dataOf(chart: Chart): FigureData {
  const series = thinAll(chart, MOST_POINTS_OF_PAGE)
  const moments = [...new Set(series.flatMap(({ points }) => points.map(([x]) => x)))].sort((one, next) => one - next)
  return {
    kinds: { x: chart.x, y: chart.y },
    stacked: chart.stacked === true,
    moments,
    series: series.map(({ name, points, line }, index) => {
      const values = new Map(points)
      return {
        name,
        colour: colourOf(chart, index),
        line: line === true,
        values: moments.map((x) => shortened(values.get(x))),
      }
    }),
    marks: chart.marks ?? [],
    named: chart.named === true,
  }
}

/** A number with as many digits as a chart can show. */
function shortened(value: number | undefined): number | null {
  if (value === undefined) return null
  return Number.isInteger(value) ? value : Number(value.toPrecision(6))
}

export const CHART_STYLE: string = `.paper{fill:var(--paper)}.title{font-size:16px;font-weight:600;fill:var(--ink)}
.grid{stroke:var(--grid);stroke-width:1}.tick{font-size:12px;fill:var(--faint)}.mark{stroke:var(--faint);stroke-width:1;stroke-dasharray:2 3}
.area{stroke-width:.5;fill-opacity:.8}.line{fill:none;stroke-width:2;stroke-linejoin:round}.key{font-size:13px;fill:var(--ink)}
${Array.from({ length: COLOURS + OVERLAYS }, (_, i) => `.a${i}{fill:var(--c${i});stroke:var(--c${i})}.l${i}{stroke:var(--c${i})}`).join('')}`

export const FIGURE_STYLE: string = `.chart{margin:1rem 0}.chart .plot{width:100%;min-height:340px}.chart figcaption{font-weight:600}
.u-cursor-x{border-right:1px solid var(--ink)}.u-select{background:color-mix(in srgb,var(--ink) 12%,transparent)}
.legend{display:flex;flex-wrap:wrap;gap:.25rem .5rem;margin:.25rem 0}
.legend button{font:inherit;font-size:.875rem;color:var(--ink);background:none;border:1px solid var(--grid);border-radius:.4rem;padding:.1rem .5rem;cursor:pointer}
.legend button[aria-pressed=false]{opacity:.45;text-decoration:line-through}
.legend i{display:inline-block;width:.8em;height:.8em;margin-right:.4em;border-radius:2px}
.chart output{display:block;min-height:3em;font-size:.875rem;font-variant-numeric:tabular-nums}
.grid{stroke:var(--grid);stroke-width:1}.tick{font-size:12px;fill:var(--faint)}.a0{fill:var(--c0)}`

function draw(chart: Chart): { frame: Frame; inner: string } {
  const thinned = thinAll(chart, MOST_POINTS_OF_PICTURE)
  const frame = frameOf(chart, thinned)
  const marks = (chart.marks ?? []).map((mark, index) => markShape(mark, index, frame, chart.named === true))
  return {
    frame,
    inner: `${axes(chart, frame)}${marks.join('')}${shapes(thinned, frame, chart.stacked === true)}`,
  }
}

/** Names take turns on three lines, so that neighbours do not cover each other. */
function markShape({ x, label }: Mark, index: number, frame: Frame, named: boolean): string {
  const at = scaleX(frame, x)
  const line = `<line class="mark" x1="${at}" x2="${at}" y1="${frame.top}" y2="${frame.top + frame.height}"><title>${escapeHtml(label)}</title></line>`
  const y = frame.top + 12 + 14 * (index % 3)
  return named ? `${line}<text class="tick" x="${at - 4}" y="${y}" text-anchor="end">${escapeHtml(label)}</text>` : line
}

function thinAll(chart: Chart, most: number): Series[] {
  if (chart.stacked !== true) return chart.series.map((one) => ({ ...one, points: thin(one.points, most) }))
  // Areas must keep the same x, so all lose the same points: every nth stays.
  const areas = chart.series.filter(({ line }) => line !== true)
  const every = Math.ceil(Math.max(...areas.map(({ points }) => points.length), 1) / most)
  const some = (points: Series['points']): Series['points'] =>
    points.filter((_, index) => index % every === 0 || index === points.length - 1)
  return chart.series.map((one) => ({
    ...one,
    points: one.line === true ? thin(one.points, most) : some(one.points),
  }))
}

function frameOf({ y, stacked }: Chart, series: readonly Series[]): Frame {
  const xs = series.flatMap(({ points }) => points.map(([at]) => at))
  const least = xs.reduce((low, at) => Math.min(low, at), Infinity)
  const most = xs.reduce((high, at) => Math.max(high, at), -Infinity)
  const ranges: [number, number] = least <= most ? [least, most === least ? least + 1 : most] : [0, 1]
  const top = Math.max(
    0,
    stacked ? stackHeight(series) : 0,
    ...series.filter(({ line }) => !stacked || line).flatMap(({ points }) => points.map(([, value]) => value))
  )
  const ticks = roundTicks(0, top, 5, y)
  const left = 16 + 7 * Math.max(...ticks.map((tick) => tickText(tick, y, ticks.at(-1)!).length))
  return { left, top: 8, width: WIDTH - left - 24, height: HEIGHT - 40, x: ranges, y: [0, ticks.at(-1)!] }
}

function stackHeight(series: readonly Series[]): number {
  const areas = series.filter(({ line }) => line !== true)
  const heights = (areas[0]?.points ?? []).map((_, at) =>
    areas.reduce((sum, { points }) => sum + (points[at]?.[1] ?? 0), 0)
  )
  return heights.reduce((most, height) => Math.max(most, height), 0)
}

function axes({ x, y }: Chart, frame: Frame): string {
  const bottom = frame.top + frame.height
  const rows = roundTicks(0, frame.y[1], 5, y).map((tick) => {
    const at = scaleY(frame, tick)
    return `<line class="grid" x1="${frame.left}" x2="${frame.left + frame.width}" y1="${at}" y2="${at}"/><text class="tick" x="${frame.left - 8}" y="${at + 4}" text-anchor="end">${tickText(tick, y, frame.y[1])}</text>`
  })
  const columns = roundTicks(frame.x[0], frame.x[1], 8, x)
    .filter((tick) => tick >= frame.x[0] && tick <= frame.x[1])
    .map((tick) => {
      const at = scaleX(frame, tick)
      return `<line class="grid" x1="${at}" x2="${at}" y1="${bottom}" y2="${bottom + 5}"/><text class="tick" x="${at}" y="${bottom + 20}" text-anchor="middle">${tickText(tick, x, frame.x[1])}</text>`
    })
  return `${rows.join('')}${columns.join('')}`
}

function shapes(series: readonly Series[], frame: Frame, stacked: boolean): string {
  const base = new Array<number>(Math.max(0, ...series.map(({ points }) => points.length))).fill(0)
  return series
    .map(({ points, line }, index) => {
      const colour = colourOf({ series, stacked }, index)
      const at = (point: readonly [number, number], value: number): string =>
        `${scaleX(frame, point[0])},${scaleY(frame, value)}`
      if (!stacked || line === true)
        return `<polyline class="line l${colour}" data-series="${index}" points="${points.map((point) => at(point, point[1])).join(' ')}"/>`
      const lower = points.map((point, place) => at(point, base[place]!))
      const upper = points.map((point, place) => at(point, (base[place] = base[place]! + point[1])))
      return `<polygon class="area a${colour}" data-series="${index}" points="${[...upper, ...lower.reverse()].join(' ')}"/>`
    })
    .join('')
}

function scaleX({ left, width, x }: Frame, value: number): number {
  return round(left + ((value - x[0]) / (x[1] - x[0])) * width)
}

function scaleY({ top, height, y }: Frame, value: number): number {
  return round(top + (1 - value / y[1]) * height)
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function legendRows({ series }: Chart): { series: Series; index: number; x: number }[][] {
  const rows: { series: Series; index: number; x: number }[][] = [[]]
  let x = 24
  series.forEach((one, index) => {
    const width = 40 + 7.5 * one.name.length
    if (x + width > WIDTH && rows.at(-1)!.length > 0) {
      rows.push([])
      x = 24
    }
    rows.at(-1)!.push({ series: one, index, x })
    x += width
  })
  return rows
}

function legendEntry({ name }: Series, colour: number, x: number, y: number): string {
  return `<rect class="a${colour}" x="${x}" y="${y - 10}" width="12" height="12"/><text class="key" x="${x + 18}" y="${y}">${escapeHtml(name)}</text>`
}
