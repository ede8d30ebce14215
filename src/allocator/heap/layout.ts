/**
 * Where the tables of a heap begin and end, and how much of them is in use. The words in them are in words.ts.
 *
 *     | header … kept lists | tiles      | page bits   | span records | slab records | roots |
 *     0                     At.TILES     pageBits      spans          slabs          roots   rootsEnd
 *
 *     length of each table = what the claim could ever need; it depends on the claim's place and length, and on the page size, alone
 *
 * Cost: nothing until a table is touched. `metadataInUse` takes 20 ns.
 * @module
 */
import { alignUp } from '../../bits.ts'
import type { Layout } from '../base/header.ts'
import { CLASS_COUNT, Size } from './size-classes.ts'
import { At, ClassWord, Root, SlabWord, SpanTag, SpanWord } from './words.ts'

/** The indices of a heap's tables. */
export interface HeapLayout {
  /** First page of the claim (`offset / pageSize`), and the bitmap of committed pages. */
  readonly firstPage: number
  readonly pageCount: number
  readonly pageBits: number
  /** First tile of the claim, and their number. */
  readonly firstTile: number
  readonly tileCount: number
  readonly spans: number
  readonly spansEnd: number
  readonly slabs: number
  readonly slabsEnd: number
  readonly roots: number
  readonly rootsEnd: number
}

/** The tables of one heap, and what is fixed about it: what each of its parts works on. */
export interface HeapTables {
  readonly words: Int32Array
  /** The same words as 64-bit floats, as far as the counters go. */
  readonly numbers: Float64Array
  readonly layout: HeapLayout
  /** The claim. */
  readonly offset: number
  readonly byteLength: number
  readonly pageSize: number
  /** Committed bytes allowed, metadata included; Infinity when there is no limit. */
  readonly limit: number
}

/** The tables in the metadata of a claim. */
export function tablesOf(
  words: Int32Array,
  { offset, byteLength, pageSize, limit }: Omit<HeapTables, 'words' | 'numbers' | 'layout'>
): HeapTables {
  const numbers = new Float64Array(words.buffer as ArrayBuffer, words.byteOffset, At.KEPT_END / 2)
  const layout = heapLayout(offset, byteLength, pageSize)
  return { words, numbers, layout, offset, byteLength, pageSize, limit }
}

/** Records at most, however long the claim is. */
export const SPANS_MOST: number = 2 ** 25
export const SLABS_MOST: number = 2 ** 24

/** Words of the table of roots of a heap of so many bytes. */
export function rootWords(byteLength: number): number {
  return Math.min(Math.max(Math.floor(byteLength / Root.EACH), Root.LEAST), Root.MOST) * Root.WORDS
}

/** The layout for a claim. Table sizes depend on its length and place alone. */
export function heapLayout(offset: number, byteLength: number, pageSize: number): HeapLayout {
  const firstPage = Math.floor(offset / pageSize)
  const pageCount = Math.ceil((offset + byteLength) / pageSize) - firstPage
  const firstTile = Math.floor(offset / Size.TILE)
  const tileCount = Math.ceil((offset + byteLength) / Size.TILE) - firstTile
  const pageBits = alignUp(At.TILES + tileCount, 16)
  const spans = alignUp(pageBits + Math.ceil(pageCount / 32), 16)
  const spanCount = Math.min(SPANS_MOST, Math.ceil(byteLength / (Size.SMALL_MAX / 2)) + tileCount + 8)
  const spansEnd = spans + spanCount * SpanWord.WORDS
  const slabs = alignUp(spansEnd, 16)
  const slabsEnd = slabs + Math.min(SLABS_MOST, tileCount) * SlabWord.WORDS
  const roots = alignUp(slabsEnd, 16)
  const rootsEnd = roots + rootWords(byteLength)
  return { firstPage, pageCount, pageBits, firstTile, tileCount, spans, spansEnd, slabs, slabsEnd, roots, rootsEnd }
}

/** Differs between builds that would read the tables differently. */
export const LAYOUT_HASH: number = [
  CLASS_COUNT,
  Size.SMALL_MAX,
  Size.TILE,
  At.CLASSES,
  At.BINS,
  At.KEPT,
  At.FLUSHES,
  Root.MOST,
  Root.EACH,
  Root.NAME,
  At.TILES,
  At.FREE_PAGES,
  SpanWord.WORDS,
  SlabWord.WORDS,
  SlabWord.INVERSE,
  SlabWord.COUNTS,
  SlabWord.COUNTDOWN_BITS,
  SlabWord.FIRST_BIT,
  ClassWord.SIZE,
  SpanTag.WINDOW_BITS,
].reduce((hash, value) => Math.imul(hash ^ value, 0x01000193), 0x811c9dc5 | 0)

/**
 * Bytes of metadata that may have been written: each table as far as it was used, in whole pages. `records` span and slab records are
 * counted as if they were used, and the tables of tiles and pages as if a block ended at `end` of the arena.
 */
export function metadataInUse({ words, layout, pageSize }: HeapTables, records = 0, end = 0): number {
  const shift = 29 - Math.clz32(pageSize)
  const tiles = At.TILES + Math.max(words[At.TILE_TOP], Math.floor(end / Size.TILE) + 1 - layout.firstTile)
  const pages = Math.max(words[At.PAGE_TOP], Math.ceil(end / pageSize) - layout.firstPage)
  const pageBits = layout.pageBits + Math.ceil(pages / 32)
  const spans = Math.max(words[At.SPAN_TOP], layout.spans) + records * SpanWord.WORDS
  const slabs = Math.max(words[At.SLAB_TOP], layout.slabs) + records * SlabWord.WORDS
  // Ends of tables and beginnings of the next may share a page.
  const afterTiles = pagesBetween(0, tiles, shift, 0)
  const afterPageBits = afterTiles + pagesBetween(layout.pageBits, pageBits, shift, (tiles - 1) >>> shift)
  const afterSpans = afterPageBits + pagesBetween(layout.spans, spans, shift, (Math.max(pageBits, tiles) - 1) >>> shift)
  const afterSlabs = afterSpans + pagesBetween(layout.slabs, slabs, shift, (spans - 1) >>> shift)
  const roots = layout.roots + words[At.ROOT_TOP] * Root.WORDS
  const last = (slabs > layout.slabs ? slabs : spans) - 1
  return (afterSlabs + pagesBetween(layout.roots, roots, shift, last >>> shift)) * pageSize
}

/** Pages of the words `from … to - 1`, less the one that has been counted already. */
function pagesBetween(from: number, to: number, shift: number, counted: number): number {
  if (to <= from) return 0
  const first = from >>> shift
  return ((to - 1) >>> shift) - first + (from > 0 && first === counted ? 0 : 1)
}

/** Upper bound of the metadata of a claim of so many bytes, wherever it lies and whatever the page size. */
export function heapMetadataBytes(byteLength: number): number {
  return heapLayout(Size.TILE - 8, byteLength + Size.TILE, Size.TILE).rootsEnd * 4
}

/** What a heap's metadata is for a claim of so many bytes. */
export function heapTables(byteLength: number): Layout<never> {
  return { byteLength: heapMetadataBytes(byteLength), at: {}, hash: LAYOUT_HASH }
}
