/**
 * Repeats reduced to their median, and how far they lie apart.
 * @module
 */

export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((one, other) => one - other)
  const half = (sorted.length - 1) / 2
  const median = (sorted[Math.floor(half)]! + sorted[Math.ceil(half)]!) / 2
  return { median, low: sorted[0]!, high: sorted.at(-1)! }
}
