/**
 * Arithmetic on sizes and on 32-bit words. Pure functions; sizes may exceed 2^32, words may not.
 * @module
 */

/** Facts of 32-bit words, for hot paths. */
export const enum Word {
  /** Numbers that are their own `& SMALL` can be rounded up, added and shifted with no step past 2^31. */
  SMALL = 0x3fffffff,
  /** 2^32 over the golden ratio: multiples of it spread keys with any steps evenly (Knuth, vol. 3, 6.4). */
  SPREAD = 0x9e3779b1,
}

/** The least multiple of `alignment` (a power of two) that is not below `value`. */
export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment
}

/** The greatest multiple of `alignment` (a power of two) that is not above `value`. */
export function alignDown(value: number, alignment: number): number {
  return Math.floor(value / alignment) * alignment
}

/** Whether `value` is 1, 2, 4, 8, … up to 2^52. */
export function isPowerOfTwo(value: number): boolean {
  if (value >>> 0 === value) return value !== 0 && (value & (value - 1)) === 0
  return Number.isSafeInteger(value) && value > 0 && value % 2 ** 32 === 0 && isPowerOfTwo(value / 2 ** 32)
}

/** The exponent of the least power of two that is not below `value`. */
export function log2Ceil(value: number): number {
  let exponent = value <= 1 ? 0 : Math.ceil(Math.log2(value))
  while (2 ** exponent < value) exponent++
  while (exponent > 0 && 2 ** (exponent - 1) >= value) exponent--
  return exponent
}

/** The index of the lowest set bit of a word that is not zero. */
export function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word)
}

/** How many bits of a 32-bit word are set. */
export function popCount(word: number): number {
  let w = word - ((word >>> 1) & 0x55555555)
  w = (w & 0x33333333) + ((w >>> 2) & 0x33333333)
  return Math.imul((w + (w >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
