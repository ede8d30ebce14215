/**
 * Where a buddy allocator's units, orders and tables lie. Pure arithmetic.
 *
 *     origin                                                  a multiple of the largest block, up to a window
 *     |  unit 0  |  …  | first unit of the claim … last |     a unit is minBlock bytes; indices stay below 2^30 or so
 *
 * A block of order `k` is 2^k units and starts at a unit that is a multiple of 2^k: so it is aligned to its size, in offset and in
 * address, up to a window, and crosses no window's end unless it is longer than one.
 * @module
 */
import { WINDOW_BYTES } from '../../arena/format/layout.ts'
import { alignDown, alignUp, log2Ceil } from '../../bits.ts'
import { OutOfRangeError } from '../../errors.ts'
import { treeWords } from '../base/bits/bit-tree.ts'
import { wordsFor } from '../base/bits/bitmap.ts'
import { pageBytes } from '../base/bits/page-accounts.ts'
import { HEADER_BYTES, type Layout, layOut, OWN_WORD } from '../base/header.ts'

/** The smallest blocks unless asked otherwise: a cache line. */
const USUAL_MIN_BLOCK = 64
/** Units of a claim at most: sums of two unit indices stay below 2^31, and 64 GiB can have blocks of 64 bytes. */
const MOST_UNITS = 2 ** 30

/** Word of the header: units from here on are no block: never used, or merged back. */
export const TOP: number = OWN_WORD
/** Highest top since the last reset: offsets above it were never allocated. */
export const HIGH: number = OWN_WORD + 1
/** One bit for each order: clear when no block of it is free. It may be stale when set. */
export const ORDERS: number = OWN_WORD + 2

/** States: order + 1 of the block, and this bit when it is free. */
export const FREE = 64
export const ORDER = 63

export interface BuddyLayout {
  readonly minBlock: number
  /** minBlock = 2 ** shift. */
  readonly shift: number
  /** Largest order a block of the claim can have. */
  readonly mostOrder: number
  /** Offset of unit 0. */
  readonly origin: number
  /** First unit that can be a block, and the unit after the last. */
  readonly first: number
  readonly end: number
  /** Leaf words of each order's tree. */
  readonly leafWords: readonly number[]
  /** Metadata written at first, and for each byte committed at most. */
  readonly fixed: number
  readonly rate: number
}

/** The smallest block for a claim: what was asked for, if the claim is not too long for it. */
function minBlockFor(byteLength: number, wanted: number | undefined): number {
  const least = 2 ** log2Ceil(byteLength / MOST_UNITS)
  if (wanted === undefined) return Math.max(USUAL_MIN_BLOCK, least)
  if (wanted < least)
    throw new OutOfRangeError('options.minBlock', `at least ${least} for a claim of ${byteLength} bytes`, wanted)
  return wanted
}

export function buddyLayout(
  offset: number,
  byteLength: number,
  wanted: number | undefined,
  pageSize: number
): BuddyLayout {
  const minBlock = minBlockFor(byteLength, wanted)
  const unitsInClaim = Math.floor(byteLength / minBlock)
  const mostOrder = unitsInClaim < 1 ? 0 : Math.floor(Math.log2(unitsInClaim))
  const origin = alignDown(offset, Math.min(WINDOW_BYTES, minBlock * 2 ** mostOrder))
  // Offset 0 is never a block.
  const first = (alignUp(Math.max(offset, 8), minBlock) - origin) / minBlock
  const end = Math.max(first, Math.floor((offset + byteLength - origin) / minBlock))
  const leafWords: number[] = []
  for (let order = 0; order <= mostOrder; order++) leafWords.push(wordsFor(Math.floor(end / 2 ** order) + 1))
  const rate = 1 / minBlock + (33 / 32) * (2 / 8 / minBlock) + 1 / (8 * pageSize)
  return {
    minBlock,
    shift: log2Ceil(minBlock),
    mostOrder,
    origin,
    first,
    end,
    leafWords,
    fixed: HEADER_BYTES + 32 * (mostOrder + 1),
    rate,
  }
}

/** The tables: page bits, a state byte for each unit, and the trees of free blocks, order by order. */
export function buddyTables(
  layout: BuddyLayout,
  byteLength: number,
  pageSize: number
): Layout<'pages' | 'states' | 'trees'> {
  return layOut({
    pages: pageBytes(byteLength, pageSize),
    states: layout.end + 1,
    trees: layout.leafWords.reduce((sum, words) => sum + treeWords(words), 0) * 4,
  })
}
