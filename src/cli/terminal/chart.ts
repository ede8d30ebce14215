/**
 * Charts in text: horizontal bars with eighths of a column, and lines drawn in Braille dots (2 by 4 a letter).
 * @module
 */
import { roundTicks, type TickKind, tickText } from '../page/ticks.ts'
import { columnsOf, paint, type Style, type Surface, shorten, widthOf } from './style.ts'

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const

/** A bar of so many columns, to an eighth. What is not nothing shows at least as a hair. */
export function bar(share: number, columns: number): string {
  if (!(share > 0)) return ''
  const eighths = Math.max(1, Math.round(Math.min(1, share) * columns * 8))
  return '█'.repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8]
}

export interface Bar {
  readonly label: string
  readonly value: number
  readonly text: string
  readonly style?: Style
}

/** One bar a line, all on the scale of the longest. */
export function bars(items: readonly Bar[], stream: Surface = process.stdout): string {
  const most = Math.max(...items.map(({ value }) => value), 0)
  const left = Math.min(32, Math.max(...items.map(({ label }) => columnsOf(label)), 0))
  const right = Math.max(...items.map(({ text }) => columnsOf(text)), 0)
  const columns = Math.max(8, widthOf(stream) - left - right - 4)
  return items
    .map(({ label, value, text, style = 'cyan' }) => {
      const shape = bar(most === 0 ? 0 : value / most, columns)
      const name = shorten(label, left)
      return `${name}${' '.repeat(left - columnsOf(name))}  ${text.padStart(right)}  ${paint(stream, style, shape)}`
    })
    .join('\n')
}

export interface TextSeries {
  readonly name: string
  /** Points by rising x. */
  readonly points: readonly (readonly [number, number])[]
}

export interface TextChart {
  readonly series: readonly TextSeries[]
  readonly rows?: number
  readonly x: TickKind
  readonly y: TickKind
}

const SERIES_STYLES: readonly Style[] = ['cyan', 'yellow', 'magenta', 'green', 'red', 'blue']
/** Where the dots of a letter are in its code, by column and row. */
const DOTS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const
const LABEL = 9

/** Lines over a common x axis, which begins at 0 on the y axis. */
export function lineChart({ series, rows = 10, x, y }: TextChart, stream: Surface = process.stdout): string {
  const points = series.flatMap((one) => one.points)
  if (points.length === 0) return '(nothing to draw)'
  const [fromX, toX] = extent(points.map(([at]) => at))
  const ticks = roundTicks(0, Math.max(...points.map(([, value]) => value), 0), 4, y)
  const top = ticks.at(-1)! || 1
  const columns = widthOf(stream) - LABEL - 2
  const canvas = new Canvas(columns, rows)
  series.forEach((one, index) => {
    canvas.line(
      one.points.map(([at, value]) => [
        toX === fromX ? 0 : ((at - fromX) / (toX - fromX)) * (2 * columns - 1),
        (1 - Math.max(0, value) / top) * (4 * rows - 1),
      ]),
      index
    )
  })
  const labels = new Map(ticks.map((tick) => [Math.round((1 - tick / top) * (rows - 1)), tickText(tick, y, top)]))
  const lines = canvas
    .rows(stream)
    .map((line, row) => `${(labels.get(row) ?? '').padStart(LABEL)} ${labels.has(row) ? '┤' : '│'}${line}`)
  const axis = `${' '.repeat(LABEL + 1)}└${'─'.repeat(columns)}`
  const legend = series.map(({ name }, index) =>
    paint(stream, SERIES_STYLES[index % SERIES_STYLES.length]!, `▬ ${name}`)
  )
  return [...lines, axis, xLabels(fromX, toX, columns, x), `${' '.repeat(LABEL + 2)}${legend.join('   ')}`].join('\n')
}

function extent(values: readonly number[]): [number, number] {
  return values.reduce<[number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Infinity, -Infinity]
  )
}

function xLabels(from: number, to: number, columns: number, kind: TickKind): string {
  let line = ' '.repeat(LABEL + 2)
  for (const tick of roundTicks(from, to, Math.max(2, Math.floor(columns / 14)), kind).filter(
    (at) => at >= from && at <= to
  )) {
    const column = LABEL + 2 + Math.round(to === from ? 0 : ((tick - from) / (to - from)) * (columns - 1))
    const text = tickText(tick, kind, to)
    if (column < line.length && line.trim() !== '') continue
    if (column + text.length <= LABEL + 2 + columns + 4) line = `${line.padEnd(column)}${text} `
  }
  return line.trimEnd()
}

/** Dots, four rows and two columns a letter; a letter has the colour of the series that drew in it last. */
class Canvas {
  readonly #columns: number
  readonly #dots: Uint8Array
  readonly #owners: Int16Array

  constructor(columns: number, rows: number) {
    this.#columns = columns
    this.#dots = new Uint8Array(columns * rows)
    this.#owners = new Int16Array(columns * rows).fill(-1)
  }

  line(points: readonly (readonly [number, number])[], owner: number): void {
    points.forEach(([x, y], index) => {
      const [lastX, lastY] = points[Math.max(0, index - 1)]!
      const steps = Math.max(1, Math.ceil(Math.max(Math.abs(x - lastX), Math.abs(y - lastY))))
      for (let step = 0; step <= steps; step++)
        this.#dot(
          Math.round(lastX + ((x - lastX) * step) / steps),
          Math.round(lastY + ((y - lastY) * step) / steps),
          owner
        )
    })
  }

  #dot(x: number, y: number, owner: number): void {
    const at = (y >> 2) * this.#columns + (x >> 1)
    this.#dots[at]! |= DOTS[(x & 1) as 0 | 1][(y & 3) as 0 | 1 | 2 | 3]
    this.#owners[at] = owner
  }

  rows(stream: Surface): string[] {
    const lines: string[] = []
    for (let from = 0; from < this.#dots.length; from += this.#columns) lines.push(this.#row(stream, from))
    return lines
  }

  /** Neighbours of one colour are painted together. */
  #row(stream: Surface, from: number): string {
    let line = ''
    let run = ''
    const end = from + this.#columns
    for (let at = from; at < end; at++) {
      run += this.#dots[at] === 0 ? ' ' : String.fromCodePoint(0x2800 + this.#dots[at]!)
      const owner = this.#owners[at]!
      if (at + 1 < end && this.#owners[at + 1] === owner) continue
      line += owner < 0 ? run : paint(stream, SERIES_STYLES[owner % SERIES_STYLES.length]!, run)
      run = ''
    }
    return line
  }
}
