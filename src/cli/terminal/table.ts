/**
 * Tables in text: numbers to the right, words to the left, no wider than the terminal.
 *
 * A column that may shrink (`flexible`) gives up columns when the line would be too long.
 * @module
 */
import { columnsOf, paint, type Surface, shorten, widthOf } from './style.ts'

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** May be cut; of a path the end says more. */
  readonly flexible?: 'start' | 'end'
}

const GAP = '  '
const LEAST_FLEXIBLE = 8

/** Rows of cells under titles. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  stream: Surface = process.stdout
): string {
  const widths = columns.map(({ title }, index) =>
    Math.max(columnsOf(title), ...rows.map((row) => columnsOf(row[index] ?? '')))
  )
  shrink(columns, widths, widthOf(stream))
  const line = (cells: readonly string[]): string =>
    columns
      .map((column, index) => cell(column, cells[index] ?? '', widths[index]!))
      .join(GAP)
      .trimEnd()
  const titles = line(columns.map(({ title }) => title))
  return [paint(stream, 'bold', titles), ...rows.map(line)].join('\n')
}

function shrink(columns: readonly Column[], widths: number[], width: number): void {
  const total = (): number => widths.reduce((sum, columns) => sum + columns, GAP.length * (widths.length - 1))
  columns.forEach(({ flexible }, index) => {
    const over = total() - width
    if (flexible !== undefined && over > 0) widths[index] = Math.max(LEAST_FLEXIBLE, widths[index]! - over)
  })
}

function cell({ align = 'left', flexible }: Column, text: string, width: number): string {
  const shown = columnsOf(text) > width ? shorten(text, width, flexible ?? 'start') : text
  const blank = ' '.repeat(Math.max(0, width - columnsOf(shown)))
  return align === 'left' ? shown + blank : blank + shown
}
