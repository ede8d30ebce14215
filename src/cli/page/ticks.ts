/**
 * Round marks for an axis: 1, 2 or 5 times a power of ten; of bytes, powers of two in one unit; of time, what clocks have.
 *
 *     first <= from, last >= to, equal steps, at least two marks
 * @module
 */

/** What an axis counts. `time` is in milliseconds. */
export type TickKind = 'bytes' | 'time' | 'count' | 'share'

const CLOCK_STEPS = [60e3, 120e3, 300e3, 600e3, 1800e3, 3600e3, 7200e3, 21600e3, 43200e3, 86400e3] as const

/** Marks that cover `[from, to]` in about `wanted` steps. */
export function roundTicks(from: number, to: number, wanted: number, kind: TickKind = 'count'): number[] {
  const span = to - from
  if (!(span > 0) || !Number.isFinite(span))
    return from === 0 || !Number.isFinite(from) ? [0, 1] : [Math.min(0, from), Math.max(0, from)]
  const step = roundStep(span / Math.max(1, wanted), kind)
  const first = Math.floor(from / step)
  const last = Math.max(first + 1, Math.ceil(to / step - 1e-9))
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step)
}

function roundStep(rough: number, kind: TickKind): number {
  if (kind === 'time' && rough > 30e3)
    return CLOCK_STEPS.find((step) => step >= rough) ?? decimalStep(rough / 86400e3) * 86400e3
  if (kind === 'bytes') return binaryStep(rough)
  return kind === 'count' ? Math.max(1, decimalStep(rough)) : decimalStep(rough)
}

function decimalStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough))
  const factor = [1, 2, 5, 10].find((one) => one * power >= rough * (1 - 1e-9)) ?? 10
  return factor * power
}

/** 1, 2, 4, … 512 of a unit reads rounder than 100 KiB on an axis up to 1 MiB. */
function binaryStep(rough: number): number {
  return Math.max(1, 2 ** Math.ceil(Math.log2(rough) - 1e-9))
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** The mark's text. All marks of an axis have the unit of the largest one. */
export function tickText(value: number, kind: TickKind, largest: number): string {
  if (value === 0) return '0'
  if (kind === 'bytes') {
    const unit = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, Math.abs(largest))) / 10))
    return `${plain(value / 1024 ** unit)} ${UNITS[unit]}`
  }
  if (kind === 'share') return `${plain(value * 100)} %`
  if (kind === 'time') return timeTick(value, Math.abs(largest))
  return Math.abs(value) >= 1e6 ? `${plain(value / 1e6)} M` : value.toLocaleString('en-US')
}

function timeTick(value: number, largest: number): string {
  if (largest < 1) return `${plain(value * 1000)} µs`
  if (largest < 1000) return `${plain(value)} ms`
  if (largest < 120e3) return `${plain(value / 1000)} s`
  if (largest < 7200e3) return `${plain(value / 60e3)} min`
  return `${plain(value / 3600e3)} h`
}

function plain(value: number): string {
  return String(Number(value.toPrecision(6)))
}
