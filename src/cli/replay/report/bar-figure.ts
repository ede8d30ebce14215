/**
 * A histogram as SVG for a page: a bar a class, with round marks. The numbers are in the table beside it; a bar tells its own on hover.
 * @module
 */
import { escapeHtml } from '../../page/page.ts'
import { roundTicks, type TickKind, tickText } from '../../page/ticks.ts'

export interface Bars {
  readonly title: string
  readonly kind: TickKind
  readonly bars: readonly { readonly label: string; readonly value: number; readonly detail: string }[]
}

const WIDTH = 960
const HEIGHT = 260
const LEFT = 80
const BOTTOM = 40
const TOP = 12

export function barFigure({ title, kind, bars }: Bars): string {
  const ticks = roundTicks(0, Math.max(1, ...bars.map(({ value }) => value)), 4, kind)
  const top = ticks.at(-1)!
  const height = HEIGHT - TOP - BOTTOM
  const y = (value: number): number => Math.round((TOP + height * (1 - value / top)) * 10) / 10
  const step = (WIDTH - LEFT - 8) / Math.max(1, bars.length)
  const grid = ticks.map(
    (tick) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - 8}" y1="${y(tick)}" y2="${y(tick)}"/><text class="tick" x="${LEFT - 8}" y="${y(tick) + 4}" text-anchor="end">${tickText(tick, kind, top)}</text>`
  )
  const shapes = bars.map(({ label, value, detail }, index) => {
    const x = Math.round((LEFT + index * step) * 10) / 10
    const bar = `<rect class="a0" x="${x + 2}" width="${Math.max(1, step - 4).toFixed(1)}" y="${y(value)}" height="${(TOP + height - y(value)).toFixed(1)}"><title>${escapeHtml(detail)}</title></rect>`
    return `${bar}<text class="tick" x="${(x + step / 2).toFixed(1)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${escapeHtml(label)}</text>`
  })
  return `<figure class="bars"><figcaption>${escapeHtml(title)}</figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(title)}">${grid.join('')}${shapes.join('')}</svg></figure>`
}
