/**
 * The report that a server sends: any bytes that follow from a number, so that a client knows what it must get.
 * @module
 */
import { MiB } from '../../src/index.ts'

/** Bytes of a report at most. */
export const LONGEST: number = 16 * MiB
/** Numbers that a report is made of, which want memory of their own while it is written. */
export const NUMBERS = 1024

/** Writes a report, using `numbers`. */
export function writeReport(body: Uint8Array, numbers: Float64Array, seed: number): void {
  let state = seed
  for (let at = 0; at < numbers.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    numbers[at] = state / 2 ** 32
  }
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)
  for (let start = 0; start < body.length; start += bytes.length) {
    numbers[0] = start
    body.set(bytes.subarray(0, Math.min(bytes.length, body.length - start)), start)
  }
}
