/**
 * Numbers as people read them.
 * @module
 */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const

/** `0 B`, `12.0 KiB`, `1.50 GiB`: three digits at least where there are any. */
export function bytesText(bytes: number): string {
  const size = Math.abs(bytes)
  const unit = size < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(size) / 10))
  if (unit === 0) return `${Math.round(bytes)} B`
  const value = bytes / 1024 ** unit
  return `${value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2)} ${UNITS[unit]}`
}

/** With a sign: `+1.50 MiB`, `−4.00 KiB`. */
export function changeText(bytes: number): string {
  return bytes < 0 ? `−${bytesText(-bytes)}` : `+${bytesText(bytes)}`
}

/** `85 µs`, `1.2 ms`, `3.4 s`, `5 min 10 s`. */
export function timeText(milliseconds: number): string {
  if (milliseconds < 1) return `${(milliseconds * 1000).toFixed(milliseconds < 0.01 ? 1 : 0)} µs`
  if (milliseconds < 1000) return `${milliseconds.toFixed(milliseconds < 10 ? 2 : milliseconds < 100 ? 1 : 0)} ms`
  if (milliseconds < 59_950) return `${(milliseconds / 1000).toFixed(milliseconds < 9995 ? 2 : 1)} s`
  const seconds = Math.round(milliseconds / 1000)
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** `1,234,567`. */
export function countText(count: number): string {
  return Math.round(count).toLocaleString('en-US')
}

/** `1 block`, `2 blocks`. */
export function countedText(count: number, noun: string): string {
  return `${countText(count)} ${noun}${Math.round(count) === 1 ? '' : 's'}`
}

/** `12 %`, `0.3 %`. */
export function shareText(share: number): string {
  const percent = share * 100
  return `${percent.toFixed(percent !== 0 && Math.abs(percent) < 9.95 ? 1 : 0)} %`
}
