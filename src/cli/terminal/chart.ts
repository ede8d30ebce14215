/**
 * Charts in text: horizontal bars with eighths of a column, and lines drawn in Braille dots (2 by 4 a letter). Lines have colours; where there
 * are none, they carry letters.
 * @module
 */
import { roundTicks, type TickKind, tickText } from '../page/ticks.ts'
import { columnsOf, hasColours, paint, type Style, type Surface, shorten, widthOf } from './style.ts'

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
  return [...lines, axis, xLabels(fromX, toX, columns, x), ...legendLines(series, stream)].join('\n')
}

/** As many names a line as there is room for. */
function legendLines(series: readonly TextSeries[], stream: Surface): string[] {
  const [indent, gap] = [' '.repeat(LABEL + 2), '   ']
  const lines: string[] = []
  series.forEach(({ name }, index) => {
    const entry = paint(stream, styleOf(index), `${keyOf(index, stream)} ${name}`)
    const last = lines.at(-1)
    if (last === undefined || columnsOf(last + gap + entry) > widthOf(stream)) lines.push(indent + entry)
    else lines[lines.length - 1] = last + gap + entry
  })
  return lines
}

function styleOf(index: number): Style {
  return SERIES_STYLES[index % SERIES_STYLES.length]!
}

function keyOf(index: number, stream: Surface): string {
  return hasColours(stream) ? '▬' : letterOf(index)
}

function letterOf(index: number): string {
  return String.fromCodePoint(65 + (index % 26))
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
    const text = tickText(tick, kind, to)
    const place = LABEL + 2 + Math.round(to === from ? 0 : ((tick - from) / (to - from)) * (columns - 1))
    // The last one ends with the axis.
    const column = Math.min(place, LABEL + 2 + columns - text.length)
    if (column < line.length && line.trim() !== '') continue
    line = `${line.padEnd(column)}${text} `
  }
  return line.trimEnd()
}

/** Where the letters of a line without a colour stand: every so many columns, each line at its own. */
const LETTER_EVERY = 24
const LETTER_STEP = 5

/** Dots, four rows and two columns a letter; a letter has the colour of the series that drew in it last. */
class Canvas {
  readonly #columns: number
  readonly #dots: Uint8Array
  readonly #owners: Int16Array
  /** For each series the row that it passes in each column. */
  readonly #paths: Map<number, number>[] = []

  constructor(columns: number, rows: number) {
    this.#columns = columns
    this.#dots = new Uint8Array(columns * rows)
    this.#owners = new Int16Array(columns * rows).fill(-1)
  }

  line(points: readonly (readonly [number, number])[], owner: number): void {
    this.#paths[owner] = new Map()
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
    this.#paths[owner]!.set(x >> 1, y >> 2)
  }

  rows(stream: Surface): string[] {
    const lines: string[] = []
    for (let from = 0; from < this.#dots.length; from += this.#columns) lines.push(this.#row(stream, from))
    return hasColours(stream) || this.#paths.length < 2 ? lines : this.#withLetters(lines)
  }

  #withLetters(lines: readonly string[]): string[] {
    const letters = lines.map((line) => [...line])
    this.#paths.forEach((path, owner) => {
      for (let column = LETTER_STEP * (owner + 1); column < this.#columns; column += LETTER_EVERY) {
        const row = path.get(column)
        if (row !== undefined) letters[row]![column] = letterOf(owner)
      }
    })
    return letters.map((line) => line.join(''))
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
      line += owner < 0 ? run : paint(stream, styleOf(owner), run)
      run = ''
    }
    return line
  }
}
