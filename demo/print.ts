/**
 * How the demo writes numbers and tables. Colour only where there is a terminal that wants it.
 * @module
 */
import Table from 'cli-table3'
import { GiB, KiB, MiB } from '../src/index.ts'

const coloured = process.stdout.isTTY === true && process.env.NO_COLOR === undefined

/** A length as people read it: `25.1 MiB`; whole KiB as such, other short lengths to the byte. */
export function bytes(length: number): string {
  if (length < 0) return `−${bytes(-length)}`
  if (length < 10 * KiB && (length % KiB !== 0 || length === 0)) return `${length} B`
  if (length < MiB) return `${(length / KiB).toFixed(0)} KiB`
  if (length < GiB) return `${(length / MiB).toFixed(1)} MiB`
  return `${(length / GiB).toFixed(1)} GiB`
}

/** A change of a length, with its sign. */
export function change(length: number): string {
  return length === 0 ? '·' : `${length > 0 ? '+' : ''}${bytes(length)}`
}

export function paint(colour: 'green' | 'red' | 'dim' | 'bold', text: string): string {
  if (!coloured) return text
  const code = { green: 32, red: 31, dim: 2, bold: 1 }[colour]
  return `\u001b[${code}m${text}\u001b[0m`
}

/** A table without walls: a line under the head, columns right-aligned but for the first `words`. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], words = 1): string {
  const blank = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '' }
  const sides = { 'bottom-left': '', 'bottom-right': '', left: ' ', 'left-mid': '', mid: '', 'mid-mid': '' }
  const result = new Table({
    head: [...head],
    chars: { ...blank, ...sides, right: '', 'right-mid': '', middle: ' ' },
    colAligns: head.map((_, index) => (index < words ? 'left' : 'right')),
    style: { head: coloured ? ['bold'] : [], border: [], 'padding-left': 0, 'padding-right': 1, compact: true },
  })
  result.push(...rows.map((row) => [...row]))
  return result.toString()
}
