/**
 * What the storm writes into a range, and finds there again: a pattern by which one can tell whose bytes these are.
 *
 * Ranges up to 1 KiB are written whole; of longer ones both ends and a place in between, so that a block of 16 MiB costs no more.
 * @module
 */
import type { Arena } from '../../src/arena/arena.ts'

const DENSE = 1024
const EDGE = 64

/** The parts of a range that are written: from, to. */
export function parts(byteLength: number, seed: number): [number, number][] {
  if (byteLength <= DENSE) return byteLength === 0 ? [] : [[0, byteLength]]
  const middle = EDGE + ((seed * 7919) % (byteLength - 3 * EDGE))
  return [
    [0, EDGE],
    [middle, middle + 8],
    [byteLength - EDGE, byteLength],
  ]
}

/** Never zero; differs from place to place and from seed to seed. */
export function pattern(seed: number, index: number): number {
  return ((seed + index * 7 + (index >>> 8) * 61) & 255) | 1
}

export function fill(arena: Arena, offset: number, byteLength: number, seed: number): void {
  for (const [from, to] of parts(byteLength, seed)) {
    const bytes = arena.view(Uint8Array, offset + from, to - from)
    for (let index = from; index < to; index++) bytes[index - from] = pattern(seed, index)
  }
}

/** The first byte of what `fill` wrote, up to `most`, that is not there; or -1. */
export function firstWrong(
  arena: Arena,
  offset: number,
  byteLength: number,
  seed: number,
  most: number = byteLength
): number {
  for (const [from, end] of parts(byteLength, seed)) {
    const to = Math.min(end, most)
    if (from >= to) continue
    const bytes = arena.view(Uint8Array, offset + from, to - from)
    for (let index = from; index < to; index++) if (bytes[index - from] !== pattern(seed, index)) return index
  }
  return -1
}

/** The first byte of a range that is not zero, of long ones at their ends and every 4 KiB; or -1. */
export function firstNotZero(arena: Arena, offset: number, byteLength: number): number {
  const whole = byteLength <= 65536
  for (let at = 0; at < byteLength; at += 4096) {
    const length = Math.min(whole ? 4096 : EDGE, byteLength - at)
    const bytes = arena.view(Uint8Array, offset + at, length)
    for (let index = 0; index < length; index++) if (bytes[index] !== 0) return at + index
    if (byteLength > 2 ** 22) at += 2 ** 20
  }
  return -1
}
