/**
 * The memory of a heap's tables: how much is asked for, and how it is given back.
 *
 *     | header … kept | tiles        ·····| bits ·| span records ·····| slab records ·····| roots ···|        used, and · never touched
 *
 * Tables are as long as the claim could ever need. Long parts are made zero by giving their pages back, which takes less than filling them
 * and takes no memory afterwards.
 * @module
 */
import type { Claim } from '../arena/claim.ts'
import type { Layout } from './header.ts'
import { At, heapMetadataBytes, LAYOUT_HASH } from './heap-layout.ts'
import type { HeapParts } from './heap-parts.ts'

/** A heap without blocks gives its metadata back when a table of so many bytes has been used. */
const SHRINK_LEAST = 65536

/** What a heap needs for a claim of so many bytes. Where its tables are is told by heap-layout.ts. */
export function heapTables(byteLength: number): Layout<never> {
  return { byteLength: heapMetadataBytes(byteLength), at: {}, hash: LAYOUT_HASH }
}

/** Makes metadata read zero: long tables by giving their pages back, the rest by filling. */
export function clearWords(claim: Claim, m: Int32Array, pageWords: number, from: number, to: number): void {
  const first = Math.ceil(from / pageWords) * pageWords
  const last = Math.floor(to / pageWords) * pageWords
  if (to - from < SHRINK_LEAST / 4 || claim.metadata.byteLength < SHRINK_LEAST) {
    m.fill(0, from, to)
    return
  }
  try {
    claim.purgeMetadata(first * 4, (last - first) * 4)
  } catch {
    // What the kernel will not take back is filled: a reset must not stop halfway.
    m.fill(0, first, last)
  }
  m.fill(0, from, first)
  m.fill(0, last, to)
}

/** Gives back the metadata of a heap without blocks: all of it but header and roots reads zero again. */
export function shrinkTables({ words: m, layout, slabs, spans }: HeapParts, claim: Claim): void {
  const used = Math.max(m[At.SPAN_TOP] - layout.spans, m[At.SLAB_TOP] - layout.slabs, m[At.TILE_TOP])
  if (used * 4 < SHRINK_LEAST) return
  slabs.reset()
  spans.forgetAll()
  m[At.PAGE_TOP] = 0
  // The roots behind them stay.
  claim.purgeMetadata(At.TILES * 4, (layout.roots - At.TILES) * 4)
  spans.open()
}
