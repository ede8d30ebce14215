/**
 * Where a heap keeps its metadata: the one place that knows. All of it lies in the claim's metadata, outside every block and every
 * window, and holds offsets and indices only, so a second thread or process can read it as it is.
 *
 *     word 0          64        128        …                                                   (words of 4 bytes)
 *     | common header | counters | classes | bins | roots | dirty bits | tiles | span records | slab records |
 *                                                          1 bit/page   1 w/4 KiB  8 words      16 words
 *
 * Records are named by the index of their first word. Tables are as long as the claim could ever need, and touched as far as it is
 * used: a heap on 64 GiB starts with three pages of them.
 *
 *     tile word  = 0: no span starts in this tile;  > 0: the slab record of the slab that covers it;
 *                < 0: minus the record of the first span that starts in it
 * @module
 */
import { alignUp } from '../bits.ts'
import { CLASS_COUNT, SMALL_MAX, TILE } from './size-class.ts'

/** Bytes of a window: no span crosses a multiple of it. */
export const WINDOW: number = 2 ** 30
/** Tiles in a window. */
export const WINDOW_TILES: number = WINDOW / TILE

// Counters. The word at ZERO is always zero: it stands for the bitmap of a class that has no slab yet.
export const ZERO = 64
/** Committed pages. */
export const COMMITTED = 65
/** Committed pages at the last high-water mark. */
export const PEAK = 66
/** Free dirty pages that the last sweep could not purge: parts of pages that live spans share. */
export const RESIDUE = 67
/** Bytes in live spans and slabs (a Float64: two words). */
export const SPAN_BYTES = 68
/** Windows opened so far, counted from the claim's first. */
export const WINDOWS = 70
/** First word never used for a span record; head and length of the list of recycled ones. */
export const SPAN_TOP = 71
export const SPAN_SPARE = 72
export const SPAN_SPARES = 73
/** The same for slab records. */
export const SLAB_TOP = 74
export const SLAB_SPARE = 75
/** No sweep before this many pages are committed. */
export const NEXT_SWEEP = 77
/** Highest tile ever mapped, plus one: how far the tile table has been touched. */
export const TILE_TOP = 76
/** End of the highest span ever made (a Float64: two words). */
export const HIGHEST_END = 78

// A class's state: CLASS_WORDS words each, from CLASSES on; named by the index of the first, found through CLASS_LOOKUP.
export const CLASSES = 128
export const CLASS_WORDS = 8
/** Index of the bitmap word that `malloc` takes slots from. */
export const WORD = 0
/** Where the first slot of that word lies in its window. */
export const ORIGIN = 1
/** Slot size. */
export const SLOT = 2
/** The current slab's record, or 0. */
export const CURRENT_SLAB = 3
/** First record in the list of slabs with free slots. */
export const PARTIAL = 4
/** How many slabs the class has. */
export const SLAB_COUNT = 5
/** As `WORD`, for a current slab outside window 0: `WORD` is `ZERO` then. */
export const FAR_WORD = 6
/** Reciprocal of the slot size. */
export const RECIPROCAL = 7
/** `(n + 7) >>> 3` leads to the class of `n`. */
export const CLASS_LOOKUP: number = CLASSES + CLASS_COUNT * CLASS_WORDS

/** Free spans are binned by length: 32 bins a doubling, from 2^BIN_LOW bytes to 2^30. */
export const BIN_LOW = 9
export const BIN_STEPS = 32
const BIN_DOUBLINGS = 31 - BIN_LOW
/** One bit for each doubling that has a non-empty bin. */
export const BIN_TOP_MAP: number = CLASS_LOOKUP + SMALL_MAX / 8 + 1
/** For each doubling: one bit for each non-empty bin. */
export const BIN_MAP: number = BIN_TOP_MAP + 1
/** For each bin: the first span record in it, or 0. */
export const BIN_HEAD: number = BIN_MAP + BIN_DOUBLINGS
export const BIN_COUNT: number = BIN_DOUBLINGS * BIN_STEPS

/** Roots: a name of up to ROOT_NAME bytes and an offset each. */
export const ROOTS: number = alignUp(BIN_HEAD + BIN_COUNT, 2)
export const ROOT_COUNT = 16
export const ROOT_NAME = 24
export const ROOT_WORDS: number = ROOT_NAME / 4 + 2

const TABLES = alignUp(ROOTS + ROOT_COUNT * ROOT_WORDS, 16)

export const SPAN_WORDS = 8
export const SLAB_RECORD_WORDS = 16
/** Word of a slab record that names its span. */
export const SLAB_SPAN = 6

/** The indices of a heap's tables. */
export interface HeapLayout {
  /** First page of the claim (`offset / pageSize`), and the bitmap of dirty pages. */
  readonly firstPage: number
  readonly pageCount: number
  readonly dirty: number
  /** First tile of the claim (`offset / TILE`), and the tile table. */
  readonly firstTile: number
  readonly tileCount: number
  readonly tiles: number
  readonly spans: number
  readonly spansEnd: number
  readonly slabs: number
  readonly slabsEnd: number
}

/** The layout for a claim. Table sizes depend on its length and place alone. */
export function heapLayout(offset: number, byteLength: number, pageSize: number): HeapLayout {
  const firstPage = Math.floor(offset / pageSize)
  const pageCount = Math.ceil((offset + byteLength) / pageSize) - firstPage
  const firstTile = Math.floor(offset / TILE)
  const tileCount = Math.ceil((offset + byteLength) / TILE) - firstTile
  const dirty = TABLES
  const tiles = alignUp(dirty + Math.ceil(pageCount / 32), 16)
  const spans = alignUp(tiles + tileCount, 16)
  const spanCount = Math.min(2 ** 25, Math.ceil(byteLength / (SMALL_MAX / 2)) + tileCount + 8)
  const spansEnd = spans + spanCount * SPAN_WORDS
  const slabs = alignUp(spansEnd, 16)
  const slabsEnd = slabs + Math.min(2 ** 24, tileCount) * SLAB_RECORD_WORDS
  return { firstPage, pageCount, dirty, firstTile, tileCount, tiles, spans, spansEnd, slabs, slabsEnd }
}

/** Differs between builds that would read the tables differently. */
export const LAYOUT_HASH: number = [CLASS_COUNT, SMALL_MAX, ROOTS, TABLES, SPAN_WORDS, SLAB_RECORD_WORDS].reduce(
  (hash, value) => Math.imul(hash ^ value, 0x01000193),
  0x811c9dc5 | 0
)

/** Bytes of metadata that may have been written: each table as far as it was used, in whole pages. */
export function metadataInUse(words: Int32Array, layout: HeapLayout, pageSize: number): number {
  const tiles = words[TILE_TOP]
  const dirty = Math.ceil(((tiles + 1) * TILE) / pageSize / 32)
  const parts = [layout.dirty + dirty, tiles, words[SPAN_TOP] - layout.spans, words[SLAB_TOP] - layout.slabs]
  return parts.reduce((sum, count) => sum + alignUp(count * 4, pageSize), 0)
}

/** Upper bound of the metadata of a claim of so many bytes, wherever it lies and whatever the page size. */
export function heapMetadataBytes(byteLength: number): number {
  return heapLayout(TILE - 8, byteLength + TILE, TILE).slabsEnd * 4
}
