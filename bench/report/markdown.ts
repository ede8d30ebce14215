/**
 * Results as Markdown, padded, so that they read well on a terminal and go into README.md as they are.
 * @module
 */
import { GiB, KiB, MiB } from '../../src/units.ts'

/** A table; the first `words` columns hold words, the others numbers. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[], words = 1): string {
  const widths = head.map((name, index) => Math.max(3, name.length, ...rows.map((row) => row[index]!.length)))
  const cell = (text: string, index: number) =>
    index < words ? text.padEnd(widths[index]!) : text.padStart(widths[index]!)
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`
  const rule = widths.map((width, index) => (index < words ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n')
}

export function sizeText(byteLength: number): string {
  if (byteLength >= GiB) return `${byteLength / GiB} GiB`
  if (byteLength >= MiB) return `${byteLength / MiB} MiB`
  return byteLength >= KiB ? `${byteLength / KiB} KiB` : `${byteLength} B`
}

/** MiB, one figure behind the point. */
export const mebibytes = (byteLength: number): string => (byteLength / MiB).toFixed(1)

/** Nanoseconds, three figures. */
export function timeText(nanoseconds: number): string {
  if (nanoseconds >= 1e4) return `${(nanoseconds / 1e3).toPrecision(3)} µs`
  return nanoseconds >= 100 ? nanoseconds.toFixed(0) : nanoseconds.toPrecision(2 + Number(nanoseconds >= 10))
}

export const countText = (count: number): string => count.toLocaleString('en')
