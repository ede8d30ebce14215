/**
 * Records of 64 bytes that can be verified: eight numbers, of which the first says which record it is, six follow from it, and the
 * last is what the others add up to.
 * @module
 */

/** Numbers of a record. */
export const RECORD_LENGTH = 8
export const RECORD_BYTES: number = RECORD_LENGTH * 8

/** Writes a record from index `at` on. */
export function writeRecord(numbers: Float64Array, at: number, which: number): void {
  const a = which * 3 + 1
  const b = a + which
  const c = b * 7
  numbers[at] = which
  numbers[at + 1] = a
  numbers[at + 2] = b
  numbers[at + 3] = c
  numbers[at + 4] = -a
  numbers[at + 5] = b + 0.5
  numbers[at + 6] = c - b
  numbers[at + 7] = which + 2 * c + b + 0.5
}

/** The sum in the record from index `at` on. Throws unless it is the record that it should be, whole. */
export function verifyRecord(numbers: Float64Array, at: number, which: number): number {
  const sum =
    (numbers[at] as number) +
    (numbers[at + 1] as number) +
    (numbers[at + 2] as number) +
    (numbers[at + 3] as number) +
    (numbers[at + 4] as number) +
    (numbers[at + 5] as number) +
    (numbers[at + 6] as number)
  if (numbers[at] !== which || numbers[at + 7] !== sum)
    throw new Error(`record ${which} is damaged: it says ${numbers[at]}, and ${numbers[at + 7]} for a sum of ${sum}`)
  return sum
}

/** A number that depends on every sum so far, and on their order. */
export function digestOf(digest: number, sum: number): number {
  return (Math.imul(digest, 31) + sum) | 0
}

/** The digest of records `0 … count - 1`, without sending them. */
export function expectedDigest(count: number): number {
  const numbers = new Float64Array(RECORD_LENGTH)
  let digest = 0
  for (let which = 0; which < count; which++) {
    writeRecord(numbers, 0, which)
    digest = digestOf(digest, verifyRecord(numbers, 0, which))
  }
  return digest
}
