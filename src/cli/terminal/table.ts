/**
 * Tables in text: numbers to the right, words to the left, no wider than the terminal.
 *
 * When a line would be too long, columns that may shrink (`flexible`) give up letters, and then those that can be spared (`spare`) are left
 * out, the highest number first.
 * @module
 */
import { columnsOf, paint, type Surface, shorten, widthOf } from './style.ts'

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** May be cut; of a path the end says more. */
  readonly flexible?: 'start' | 'end'
  /** May be left out in a narrow terminal: the higher, the sooner. */
  readonly spare?: number
}

const GAP = '  '
const LEAST_FLEXIBLE = 8

/** Rows of cells under titles. */
export function table(
  allColumns: readonly Column[],
  allRows: readonly (readonly string[])[],
  stream: Surface = process.stdout
): string {
  const { columns, rows } = fitting(allColumns, allRows, widthOf(stream))
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

/** Without the columns that there is no room for. */
function fitting(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number
): { columns: readonly Column[]; rows: readonly (readonly string[])[] } {
  const least = columns.reduce((sum, { title, flexible }, index) => {
    const natural = Math.max(columnsOf(title), ...rows.map((row) => columnsOf(row[index] ?? '')))
    return sum + GAP.length + (flexible === undefined ? natural : Math.min(natural, LEAST_FLEXIBLE))
  }, -GAP.length)
  const spare = columns.reduce((most, { spare: one = 0 }) => Math.max(most, one), 0)
  if (least <= width || spare === 0) return { columns, rows }
  const dropped = columns.findIndex((column) => column.spare === spare)
  return fitting(
    columns.filter((_, index) => index !== dropped),
    rows.map((row) => row.filter((_, index) => index !== dropped)),
    width
  )
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
