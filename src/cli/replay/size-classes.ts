/**
 * Requested sizes in classes, one for each power of two: class 0 holds 0, class k the sizes from 2^(k-1) to 2^k - 1.
 * @module
 */

export const CLASSES = 32

export function classOf(byteLength: number): number {
  return 32 - Math.clz32(byteLength)
}

/** The smallest and the largest size of a class. */
export function boundsOf(index: number): [number, number] {
  return index === 0 ? [0, 0] : [2 ** (index - 1), 2 ** index - 1]
}
