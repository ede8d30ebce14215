/**
 * Contents that give a mix-up away: each block is filled from a table of random bytes, beginning at a place that depends on the
 * block, so that no two neighbours and no two positions agree for long. Both ways run at the speed of memcpy and memcmp.
 * @module
 */
import { Buffer } from 'node:buffer'

const TABLE_BYTES = 1 << 20

/** Bytes of the table that a start may not exceed; the table is longer by this much, so every start has a full run. */
const STARTS = 1 << 16

const table = makeTable()
const zeros = new Uint8Array(TABLE_BYTES)

/** Fills `bytes[from ..]` with the contents of block `key`. */
export function writePattern(bytes: Uint8Array, key: number, from = 0): void {
  let at = from
  while (at < bytes.length) {
    const start = startOf(key, at)
    const count = Math.min(bytes.length - at, TABLE_BYTES - (at % TABLE_BYTES))
    bytes.set(table.subarray(start, start + count), at)
    at += count
  }
}

/** Index of the first of the leading `length` bytes that is not as `writePattern` left it, or -1. */
export function findPatternBreak(bytes: Uint8Array, key: number, length: number): number {
  for (let at = 0; at < length; ) {
    const start = startOf(key, at)
    const count = Math.min(length - at, TABLE_BYTES - (at % TABLE_BYTES))
    if (Buffer.compare(bytes.subarray(at, at + count), table.subarray(start, start + count)) !== 0) {
      while (bytes[at] === table[startOf(key, at)]) at++
      return at
    }
    at += count
  }
  return -1
}

/** Index of the first byte that is not zero, or -1. */
export function findNonZero(bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length; at += TABLE_BYTES) {
    const count = Math.min(bytes.length - at, TABLE_BYTES)
    if (Buffer.compare(bytes.subarray(at, at + count), zeros.subarray(0, count)) !== 0)
      return bytes.findIndex((byte, index) => index >= at && byte !== 0)
  }
  return -1
}

/** Where in the table the byte at index `at` of block `key` stands. */
function startOf(key: number, at: number): number {
  return (Math.imul(key, 0x9e3779b1) >>> 16) + (at % TABLE_BYTES)
}

/** The same bytes in every run: a failure can be run again. */
function makeTable(): Uint8Array {
  const words = new Uint32Array((TABLE_BYTES + STARTS) / 4)
  let state = 0x2545f491
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
  }
  return new Uint8Array(words.buffer)
}
