/**
 * The proof of a heap's tile table: every span is found from its start, and no word says anything else.
 *
 *     a tile's word = minus the first span that starts in it   |   a slab's record   |   0
 *
 * Words beyond TILE_TOP were never written. They are looked at as far as that costs no memory to speak of; `attach` makes the rest of
 * them zero instead (attach/attach.ts). Cost: 5 ns a tile.
 * @module
 */

import { Size } from '../size-classes.ts'
import { tileAt } from '../spans/records.ts'
import { At, SpanTag, SpanWord } from '../words.ts'
import type { Proof } from './proof.ts'

/** Tables up to this length are looked at whole: reading memory that was never touched may take some. 64 Ki tiles are 256 MiB. */
export const WHOLE_WORDS = 65536

export function proveTiles(proof: Proof): string | undefined {
  const { m, space, spans, count } = proof
  const { layout } = space.tables
  const tiles = At.TILES - layout.firstTile
  let named = 0
  let last = -1
  for (let i = 0; i < count; i++) {
    const span = spans[i]
    const tile = tileAt(m, span, tiles)
    if ((m[span + SpanWord.TAG] & SpanTag.KIND) === SpanTag.SLAB) {
      const slab = m[span + SpanWord.SLAB]
      const length = m[span + SpanWord.SIZE] / Size.TILE
      for (let t = 0; t < length; t++)
        if (m[tile + t] !== slab) return `tile ${t} of the slab at ${space.index.offset(span)} is not named`
      named += length
    } else if (tile !== last) {
      if (m[tile] !== -span) return `the span at ${space.index.offset(span)} is not found by its tile`
      named++
    }
    last = tile
  }
  const top = At.TILES + proof.counters[At.TILE_TOP]
  let entries = 0
  for (let at: number = At.TILES; at < top; at++) if (m[at] !== 0) entries++
  if (entries !== named) return `${entries} tile words are set, ${named} should be`
  return proveZero(proof, 'tile', At.TILES, top, At.TILES + layout.tileCount)
}

/** The words of the table `start … end - 1` from `from` on, which were never used, read zero: all of a short table, else those of a page. */
export function proveZero(
  { m, space }: Proof,
  what: string,
  start: number,
  from: number,
  end: number
): string | undefined {
  const last = end - start <= WHOLE_WORDS ? end : Math.min(end, from + space.tables.pageSize / 4)
  for (let at = from; at < last; at++) if (m[at] !== 0) return `a ${what} word that was never used is ${m[at]}`
  return undefined
}
