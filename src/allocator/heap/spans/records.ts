/**
 * Span records: what a heap knows of each run of bytes, and how runs are linked, binned and found. Plain functions over the heap's
 * words; free-spans.ts cuts and joins with them.
 *
 *     record  | start | size | tag | previous | next | bin next | bin previous | – |        8 words;  tag: window, CLEAN, kind
 *
 *     tiles   |  -a  |   0   |  -c  | slab | slab |        in address order:  a <-> b <-> c <-> d (slab)
 *     spans   |aaaabbbbbbbbbbbbbbbbb|ccccc.|dddddddd|
 *
 *     `start` and `size` are bytes within one window;  previous and next are 0 at a window's ends
 *     a tile's word names the first span that starts in it, unless a slab covers it
 *     a free span of 512 bytes or more hangs in the bin of its size; a shorter one has -1 for `bin previous`
 *
 * Bins: 32 a doubling, two levels of bitmaps over them (TLSF, Masmano 2004). Cost: 32 bytes a span, 4 a tile.
 * @module
 */
import { CorruptedError } from '../../../errors.ts'
import { Size } from '../size-classes.ts'
import { At, Bin, SpanTag, SpanWord, Window } from '../words.ts'

/** The bin of a length of at least `Bin.SHORTEST`: all lengths in it agree in their highest six bits. */
export function binOf(size: number): number {
  const shift = 26 - Math.clz32(size)
  // 32 * (doublings above 2^9) + (the five bits after the highest)
  return (shift << 5) + (size >>> shift) - 160
}

/** Puts a free span into the bin of its size, if it is long enough for one. */
export function intoBin(m: Int32Array, span: number, size: number): void {
  if (size < Bin.SHORTEST) {
    m[span + SpanWord.BIN_PREVIOUS] = -1
    return
  }
  const bin = binOf(size)
  const head = m[At.BINS + bin]
  m[At.BINS + bin] = span
  m[span + SpanWord.BIN_NEXT] = head
  m[span + SpanWord.BIN_PREVIOUS] = 0
  if (head !== 0) m[head + SpanWord.BIN_PREVIOUS] = span
  else {
    m[At.BIN_MAP + (bin >>> 5)] |= 1 << bin
    m[At.BIN_TOP_MAP] |= 1 << (bin >>> 5)
  }
}

/** Takes a free span out of its bin. */
export function unbin(m: Int32Array, span: number): void {
  const previous = m[span + SpanWord.BIN_PREVIOUS]
  if (previous < 0) return
  const next = m[span + SpanWord.BIN_NEXT]
  if (next !== 0) {
    if (m[next + SpanWord.BIN_PREVIOUS] !== span) throw unlinked(next)
    m[next + SpanWord.BIN_PREVIOUS] = previous
  }
  if (previous !== 0) {
    if (m[previous + SpanWord.BIN_NEXT] !== span) throw unlinked(previous)
    m[previous + SpanWord.BIN_NEXT] = next
    return
  }
  const bin = binOf(m[span + SpanWord.SIZE])
  m[At.BINS + bin] = next
  if (next === 0) {
    const left = m[At.BIN_MAP + (bin >>> 5)] & ~(1 << bin)
    m[At.BIN_MAP + (bin >>> 5)] = left
    if (left === 0) m[At.BIN_TOP_MAP] &= ~(1 << (bin >>> 5))
  }
}

/** For a record that a list leads to and that does not lead back: nothing is taken out of such a list. */
export function unlinked(span: number): CorruptedError {
  return new CorruptedError(`Heap: the span record ${span} is not linked both ways`)
}

/** Gives a free span another size; it changes its bin only if it must. */
export function resizeFree(m: Int32Array, span: number, size: number): void {
  const old = m[span + SpanWord.SIZE]
  // Sizes of one bin agree in their highest six bits.
  if (old >= Bin.SHORTEST && (old ^ size) >>> (26 - Math.clz32(old)) === 0) m[span + SpanWord.SIZE] = size
  else {
    unbin(m, span)
    m[span + SpanWord.SIZE] = size
    intoBin(m, span, size)
  }
}

/** The first non-empty bin from `bin` on, or -1. */
export function nextBin(m: Int32Array, bin: number): number {
  if (bin >= Bin.COUNT) return -1
  let level = bin >>> 5
  let bits = m[At.BIN_MAP + level] & (-1 << bin)
  if (bits === 0) {
    const above = m[At.BIN_TOP_MAP] & (-2 << level)
    if (above === 0) return -1
    level = 31 - Math.clz32(above & -above)
    bits = m[At.BIN_MAP + level]
  }
  return (level << 5) + 31 - Math.clz32(bits & -bits)
}

/**
 * The shortest span that fits among the first `search` of a bin; of equals the lowest. 0 when none fits. No bin holds more spans than
 * there are records: a longer one leads back into itself.
 */
export function bestIn(m: Int32Array, bin: number, length: number, alignment: number, search: number): number {
  let best = 0
  let bestSize = 0x7fffffff
  let left = search
  for (let span = m[At.BINS + bin]; span > 0 && left > 0; span = m[span + SpanWord.BIN_NEXT], left--) {
    const size = m[span + SpanWord.SIZE]
    const start = m[span + SpanWord.START]
    if (size > bestSize || ((start + alignment - 1) & -alignment) - start + length > size) continue
    if (size === bestSize && start > m[best + SpanWord.START]) continue
    best = span
    bestSize = size
  }
  if (left === 0 && search > SEARCH_MOST) throw new CorruptedError(`Heap: bin ${bin} leads back into itself`)
  return best
}

/** Where more spans of a bin are looked at, all of them are. */
const SEARCH_MOST = 64

/** A record, recycled or new. The caller has made sure that there is one. */
export function takeRecord(m: Int32Array): number {
  const spare = m[At.SPAN_SPARE]
  if (spare !== 0) {
    if (m[spare + SpanWord.TAG] !== 0) throw unlinked(spare)
    m[At.SPAN_SPARE] = m[spare + SpanWord.NEXT]
    m[At.SPAN_SPARES]--
    return spare
  }
  const span = m[At.SPAN_TOP]
  // A reset that was cut short may have left something there.
  m[span + SpanWord.TAG] = 0
  m[At.SPAN_TOP] = span + SpanWord.WORDS
  return span
}

export function giveRecord(m: Int32Array, span: number): void {
  m[span + SpanWord.TAG] = 0
  m[span + SpanWord.NEXT] = m[At.SPAN_SPARE]
  m[At.SPAN_SPARE] = span
  m[At.SPAN_SPARES]++
}

/** The index of the tile word for a span's start; `tiles` is that of tile 0 of window 0. */
export function tileAt(m: Int32Array, span: number, tiles: number): number {
  return (
    tiles +
    (m[span + SpanWord.TAG] >> SpanTag.WINDOW_BITS) * Window.TILES +
    (m[span + SpanWord.START] >>> Size.TILE_BITS)
  )
}

/** Enters a span's start in the tile table; `firstTile` is the claim's. */
export function enterTile(m: Int32Array, span: number, tiles: number, firstTile: number): void {
  const tile = tileAt(m, span, tiles)
  const used = tile - tiles - firstTile + 1
  if (used > m[At.TILE_TOP]) m[At.TILE_TOP] = used
  const first = m[tile]
  if (first === 0 || m[-first + SpanWord.START] > m[span + SpanWord.START]) m[tile] = -span
}

/** Removes it. Called while the span is still linked to the next one. */
export function removeTile(m: Int32Array, span: number, tiles: number): void {
  const tile = tileAt(m, span, tiles)
  if (m[tile] !== -span) return
  const next = m[span + SpanWord.NEXT]
  const here = m[span + SpanWord.START] >>> Size.TILE_BITS
  m[tile] = next !== 0 && m[next + SpanWord.START] >>> Size.TILE_BITS === here ? -next : 0
}
