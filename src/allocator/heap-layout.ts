/**
 * Where a heap keeps its metadata: the one place that knows. All of it lies in the claim's metadata, outside every block and every
 * window, and holds offsets and indices only, so a second thread or process can read it as it is.
 *
 *     word 0          64        128        …                                                   (words of 4 bytes)
 *     | common header | counters | classes | bins, kept spans | roots | tiles   | dirty bits | span records | slab records |
 *                                                          1 w/4 KiB 1 bit/page   8 words        16 words
 *
 * Records are named by the index of their first word. Tables are as long as the claim could ever need, and touched as far as it is
 * used: a heap on 64 GiB starts with three pages of them.
 *
 *     tile word  = 0: no span starts in this tile;  < 0: minus the record of the first span that starts in it;
 *                > 0: the record of the slab that covers it, plus the tiles from the slab's start to here (records are 16 words apart)
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
/** Highest tile ever mapped, plus one: how far the tile table has been touched. */
export const TILE_TOP = 76
/** No sweep before this many pages are committed. */
export const NEXT_SWEEP = 77
/** End of the highest span ever made (a Float64: two words). */
export const HIGHEST_END = 78
/** How many spans are kept. */
export const KEPT_NOW = 80
/** Largest committed bytes, metadata included, when pages were last committed beyond the peak (a Float64: two words). */
export const PEAK_BYTES = 82
/** Sweeps made since the peak last doubled, and that peak. */
export const SWEEPS = 84
export const SWEEPS_PEAK = 85

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
/** What `INFO` of its slabs holds above the number of slots. */
export const SLOT_INFO = 7
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

/** Kept spans, by a hash of their size: a record or 0 each. */
export const KEPT_SPANS: number = BIN_HEAD + BIN_COUNT
export const KEPT_COUNT = 64
/** Longer spans are not kept when they are freed. */
export const KEPT_MOST = 131072

/** Roots: a name of up to ROOT_NAME bytes and an offset each. */
export const ROOTS: number = alignUp(KEPT_SPANS + KEPT_COUNT, 2)
export const ROOT_COUNT = 16
export const ROOT_NAME = 24
export const ROOT_WORDS: number = ROOT_NAME / 4 + 2

/** The tile table, first of all, so that its place is a constant. */
export const TILES: number = alignUp(ROOTS + ROOT_COUNT * ROOT_WORDS, 16)

// Words of a span record: see span.ts. START is within the window; KIND also holds the window, shifted.
export const SPAN_WORDS = 8
export const START = 0
export const SIZE = 1
export const KIND = 2
export const PREVIOUS = 3
export const NEXT = 4
export const BIN_NEXT = 5
export const BIN_PREVIOUS = 6
/** A huge block's whole length, in words that a live span does not need: low 30 bits, and GiB. */
export const HUGE_LOW = 5
export const HUGE_HIGH = 6

export const FREE = 1
export const LIVE = 2
export const SLAB = 3
/** The first part of a block that is longer than its window, and the parts in the windows after it. */
export const HUGE = 4
export const PART = 5
/** Freed, but kept whole for the next request of its size: see span-table.ts. */
export const KEPT = 6
export const KIND_BITS = 3
export const KIND_MASK = 7

// Words of a slab record: see slab-table.ts.
export const SLAB_RECORD_WORDS = 16
export const BASE = 0
/** Number of slots (9 bits), slot size in eighths (8 bits), its reciprocal (15 bits), from the low end. */
export const INFO = 1
/** The highest slot ever freed, or -1; above all slots once every one has been handed out. */
export const HIGHEST = 3
/** Frees until the slab must be looked at: see `settle`. */
export const COUNTDOWN = 4
export const SLAB_NEXT = 5
/** The slab's span. */
export const SLAB_SPAN = 6
export const SLAB_PREVIOUS = 7
/** First word of free bits. */
export const BITS = 8

/** The indices of a heap's tables. */
export interface HeapLayout {
  /** First page of the claim (`offset / pageSize`), and the bitmap of dirty pages. */
  readonly firstPage: number
  readonly pageCount: number
  readonly dirty: number
  /** First tile of the claim (`offset / TILE`), and their number. */
  readonly firstTile: number
  readonly tileCount: number
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
  const dirty = alignUp(TILES + tileCount, 16)
  const spans = alignUp(dirty + Math.ceil(pageCount / 32), 16)
  const spanCount = Math.min(2 ** 25, Math.ceil(byteLength / (SMALL_MAX / 2)) + tileCount + 8)
  const spansEnd = spans + spanCount * SPAN_WORDS
  const slabs = alignUp(spansEnd, 16)
  const slabsEnd = slabs + Math.min(2 ** 24, tileCount) * SLAB_RECORD_WORDS
  return { firstPage, pageCount, dirty, firstTile, tileCount, spans, spansEnd, slabs, slabsEnd }
}

/** Differs between builds that would read the tables differently. */
export const LAYOUT_HASH: number = [CLASS_COUNT, SMALL_MAX, ROOTS, TILES, SPAN_WORDS, SLAB_RECORD_WORDS].reduce(
  (hash, value) => Math.imul(hash ^ value, 0x01000193),
  0x811c9dc5 | 0
)

/**
 * Bytes of metadata that may have been written: each table as far as it was used, in whole pages. `more` span and slab records are
 * counted as if they were used.
 */
export function metadataInUse(words: Int32Array, layout: HeapLayout, pageSize: number, more = 0): number {
  const shift = 29 - Math.clz32(pageSize)
  const tiles = words[TILE_TOP] + more
  const dirty = layout.dirty + ((tiles * (TILE / pageSize)) >>> 5) + 1
  const spans = Math.max(words[SPAN_TOP], layout.spans) + more * SPAN_WORDS
  const slabs = Math.max(words[SLAB_TOP], layout.slabs) + more * SLAB_RECORD_WORDS
  // Ends of tables and beginnings of the next may share a page.
  const afterTiles = pagesBetween(0, TILES + tiles, shift, 0)
  const afterDirty = afterTiles + pagesBetween(layout.dirty, dirty, shift, (TILES + tiles - 1) >>> shift)
  const afterSpans = afterDirty + pagesBetween(layout.spans, spans, shift, (dirty - 1) >>> shift)
  return (afterSpans + pagesBetween(layout.slabs, slabs, shift, (spans - 1) >>> shift)) * pageSize
}

/** Pages of the words `from … to - 1`, less the one that has been counted already. */
function pagesBetween(from: number, to: number, shift: number, counted: number): number {
  if (to <= from) return 0
  const first = from >>> shift
  return ((to - 1) >>> shift) - first + (from > 0 && first === counted ? 0 : 1)
}

/** Upper bound of the metadata of a claim of so many bytes, wherever it lies and whatever the page size. */
export function heapMetadataBytes(byteLength: number): number {
  return heapLayout(TILE - 8, byteLength + TILE, TILE).slabsEnd * 4
}
