/**
 * Results as Markdown, so that `npm run bench -- --write` can put them into README.md as they are.
 * @module
 */
import { GiB, KiB, MiB } from '../src/units.ts'

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[], words = 1): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rule = head.map((_, index) => (index < words ? '---' : '---:'))
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}

export function sizeText(byteLength: number): string {
  if (byteLength >= GiB) return `${byteLength / GiB} GiB`
  if (byteLength >= MiB) return `${byteLength / MiB} MiB`
  return byteLength >= KiB ? `${byteLength / KiB} KiB` : `${byteLength} B`
}

/** Nanoseconds, three figures. */
export function timeText(nanoseconds: number): string {
  if (nanoseconds >= 1e4) return `${(nanoseconds / 1e3).toPrecision(3)} µs`
  return nanoseconds >= 100 ? nanoseconds.toFixed(0) : nanoseconds.toPrecision(2 + Number(nanoseconds >= 10))
}

export const countText = (count: number): string => count.toLocaleString('en')
