/**
 * How long blocks are asked to be: tiny, small, beside the edges of size classes and of pages, large, and a good part of the claim.
 * Mixed in every program, because the errors live where one kind meets another.
 * @module
 */
import type { Random } from './random.ts'

const KIND_OF_SIZE = [
  ['tiny', 24],
  ['small', 24],
  ['class edge', 12],
  ['page edge', 14],
  ['large', 14],
  ['part of the claim', 9],
  ['most of the claim', 3],
] as const

/** A length for a block in a claim of so many bytes. */
export function anySize(random: Random, claim: number): number {
  switch (random.weighted(KIND_OF_SIZE)) {
    case 'tiny':
      return random.int(0, 64)
    case 'small':
      return random.int(0, 1040)
    case 'class edge':
      return random.pick([8, 16, 32, 64, 128]) * random.int(1, 9) + random.int(-1, 1)
    case 'page edge':
      return 4096 * random.pick([1, 1, 2, 3, 4, 8, 16]) + random.int(-9, 9)
    case 'large':
      return random.byDoubling(Math.min(262144, Math.max(2048, claim / 8)))
    case 'part of the claim':
      return Math.floor((claim / 64) * random.int(1, 12))
    case 'most of the claim':
      return Math.floor((claim / 8) * random.int(2, 9)) - random.int(0, 16)
  }
}

/** A power of two to align to, rarely more than a page. */
export function anyAlignment(random: Random): number {
  return 2 ** (random.chance(80) ? random.int(0, 12) : random.chance(80) ? random.int(12, 20) : random.int(20, 30))
}
