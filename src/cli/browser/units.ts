/**
 * Values as a page says them.
 * @module
 */
import type { TickKind } from '../page/ticks.ts'

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

export function countText(value: number): string {
  return value.toLocaleString('en-US')
}

export function bytesText(value: number, digits = 4): string {
  const unit = Math.max(0, Math.min(5, Math.floor(Math.log2(Math.max(1, Math.abs(value))) / 10)))
  return `${Number((value / 1024 ** unit).toPrecision(digits))} ${UNITS[unit]}`
}

export function valueText(value: number, kind: TickKind): string {
  if (kind === 'bytes') return bytesText(value)
  if (kind === 'share') return `${Number((value * 100).toPrecision(3))} %`
  if (kind === 'count') return countText(value)
  if (value < 1) return `${Number((value * 1000).toPrecision(4))} µs`
  return value < 1000 ? `${Number(value.toPrecision(4))} ms` : `${Number((value / 1000).toPrecision(4))} s`
}

/** A colour of the page's palette, in the scheme that the reader has chosen. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}

/** Calls when the reader changes between light and dark. */
export function onSchemeChange(run: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', run)
}
