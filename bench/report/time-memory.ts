/**
 * The figure of time against memory, as SVG: one point an allocator, both axes relative to one of them, which lies at (1, 1).
 *
 * Drawn by hand: a chart library that needs no browser would be the largest dependency of the project. Colours are of middle lightness, legible
 * on white and on black, since the image does not know what it stands on. The same input gives the same bytes.
 * @module
 */

export interface Point {
  readonly name: string
  readonly time: number
  readonly memory: number
  /** Ours are drawn larger, in the other colour. */
  readonly ours: boolean
}

export interface Captions {
  readonly title: string
  readonly subtitle: string
  readonly time: string
  readonly memory: string
}

interface Axis {
  readonly ticks: readonly number[]
  readonly place: (value: number) => number
}

interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

const WIDTH = 760
const HEIGHT = 460
const PLOT = { left: 76, right: 736, top: 78, bottom: 396 }
const STYLE = `
  text { font: 13px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; fill: #727d8a }
  .title { font-size: 17px; font-weight: 600 } .small { font-size: 12px } .name { font-weight: 600 }
  .grid { stroke: #727d8a; stroke-opacity: .22 } .base { stroke: #727d8a; stroke-opacity: .8; stroke-dasharray: 5 4 }
  .ours { fill: #e0702c } .other { fill: #4a8cdb }`

/** An axis from round number to round number, so that every value has room around it. */
function axis(values: readonly number[], step: number, from: number, to: number): Axis {
  const first = Math.floor((Math.min(...values) - step / 4) / step)
  const last = Math.ceil((Math.max(...values) + step / 4) / step)
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step)
  return { ticks, place: (value) => from + ((value - first * step) / ((last - first) * step)) * (to - from) }
}

/** A step that gives some five to nine ticks. */
function stepFor(values: readonly number[]): number {
  const spread = Math.max(...values) - Math.min(...values)
  return [0.05, 0.1, 0.25, 0.5].find((step) => spread / step <= 6) ?? 1
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
const round = (value: number): string => String(Math.round(value * 10) / 10)
const text = (x: number, y: number, attributes: string, content: string): string =>
  `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escaped(content)}</text>`
const line = (kind: string, x1: number, y1: number, x2: number, y2: number): string =>
  `<path class="${kind}" d="M${round(x1)} ${round(y1)}L${round(x2)} ${round(y2)}"/>`

function grid({ ticks, place }: Axis, vertical: boolean): string[] {
  return ticks.flatMap((value) => {
    const at = place(value)
    const kind = Math.abs(value - 1) < 1e-9 ? 'base' : 'grid'
    return vertical
      ? [
          line(kind, at, PLOT.top, at, PLOT.bottom),
          text(at, PLOT.bottom + 20, 'text-anchor="middle"', value.toFixed(2)),
        ]
      : [line(kind, PLOT.left, at, PLOT.right, at), text(PLOT.left - 10, at + 4, 'text-anchor="end"', value.toFixed(2))]
  })
}

const apart = (a: Box, b: Box): boolean =>
  a.x + a.width < b.x || b.x + b.width < a.x || a.y + a.height < b.y || b.y + b.height < a.y

interface Place {
  readonly box: Box
  readonly anchor: 'start' | 'end'
}

/** Where a name stands beside its point: the first of six places that meets nothing. */
function placeOf(x: number, y: number, name: string, taken: readonly Box[]): Place {
  const width = name.length * 8.2
  const places = [0, -13, 13].flatMap((up): Place[] => [
    { anchor: 'start', box: { x: x + (up === 0 ? 13 : 8), y: y - 7 + up * 1.2, width, height: 14 } },
    { anchor: 'end', box: { x: x - (up === 0 ? 13 : 8) - width, y: y - 7 + up * 1.2, width, height: 14 } },
  ])
  const inside = ({ box }: Place) => box.x > PLOT.left && box.x + width < PLOT.right
  return places.find((place) => inside(place) && taken.every((other) => apart(place.box, other))) ?? places[0]!
}

export function drawTimeMemory(points: readonly Point[], captions: Captions): string {
  const [times, memories] = [points.map(({ time }) => time), points.map(({ memory }) => memory)]
  const across = axis([...times, 1], stepFor(times), PLOT.left, PLOT.right)
  const up = axis([...memories, 1], stepFor(memories), PLOT.bottom, PLOT.top)
  const placed = points.map((point) => ({ ...point, x: across.place(point.time), y: up.place(point.memory) }))
  const taken: Box[] = placed.map(({ x, y }) => ({ x: x - 8, y: y - 8, width: 16, height: 16 }))
  taken.push({ x: across.place(1), y: 0, width: 0, height: HEIGHT }, { x: 0, y: up.place(1), width: WIDTH, height: 0 })
  const marks = placed.flatMap(({ name, ours, x, y }) => {
    const { box, anchor } = placeOf(x, y, name, taken)
    taken.push(box)
    const kind = ours ? 'ours' : 'other'
    const dot = `<circle class="${kind}" cx="${round(x)}" cy="${round(y)}" r="${ours ? 7.5 : 6}"/>`
    const attributes = `class="name ${kind}" text-anchor="${anchor}"`
    return [dot, text(anchor === 'start' ? box.x : box.x + box.width, box.y + 11.5, attributes, name)]
  })
  const [centre, side] = [(PLOT.left + PLOT.right) / 2, (PLOT.top + PLOT.bottom) / 2]
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(captions.title)}">`,
    `<style>${STYLE}\n</style>`,
    text(PLOT.left, 30, 'class="title"', captions.title),
    text(PLOT.left, 52, 'class="small"', captions.subtitle),
    ...grid(across, true),
    ...grid(up, false),
    ...marks,
    text(centre, HEIGHT - 18, 'text-anchor="middle"', captions.time),
    text(22, side, `text-anchor="middle" transform="rotate(-90 22 ${side})"`, captions.memory),
    '</svg>',
  ].join('\n')}\n`
}
