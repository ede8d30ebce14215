/**
 * Span records: what a heap knows of each run of bytes, and how runs are linked, binned and found. Plain functions over the heap's
 * words; span-table.ts cuts and joins with them.
 *
 *     record  | start | size | kind, window | previous | next | bin next | bin previous | – |        8 words
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
import * as layout from './heap-layout.ts'

// Local, so that the compiler takes them for constants. An imported binding is read and checked anew at each use: a malloc and
// free of 64 bytes cost 13.8 ns with imports and 11.5 with these.
const {
  BIN_COUNT,
  BIN_HEAD,
  BIN_LOW,
  BIN_MAP,
  BIN_NEXT,
  BIN_PREVIOUS,
  BIN_TOP_MAP,
  KIND,
  KIND_BITS,
  NEXT,
  SIZE,
  SPAN_SPARE,
  SPAN_SPARES,
  SPAN_TOP,
  SPAN_WORDS,
  START,
  TILE_TOP,
  WINDOW_TILES,
} = layout

/** Puts a free span into the bin of its size, if it is long enough for one. */
export function intoBin(m: Int32Array, span: number): void {
  const size = m[span + SIZE]
  if (size < 1 << BIN_LOW) {
    m[span + BIN_PREVIOUS] = -1
    return
  }
  const doubling = 31 - Math.clz32(size)
  const step = (size >>> (doubling - 5)) & 31
  const level = doubling - BIN_LOW
  const bin = BIN_HEAD + (level << 5) + step
  const head = m[bin]
  m[span + BIN_NEXT] = head
  m[span + BIN_PREVIOUS] = 0
  m[bin] = span
  if (head !== 0) m[head + BIN_PREVIOUS] = span
  else {
    m[BIN_MAP + level] |= 1 << step
    m[BIN_TOP_MAP] |= 1 << level
  }
}

/** Takes a free span out of its bin. */
export function unbin(m: Int32Array, span: number): void {
  const previous = m[span + BIN_PREVIOUS]
  if (previous < 0) return
  const next = m[span + BIN_NEXT]
  if (next !== 0) m[next + BIN_PREVIOUS] = previous
  if (previous !== 0) {
    m[previous + BIN_NEXT] = next
    return
  }
  const size = m[span + SIZE]
  const doubling = 31 - Math.clz32(size)
  const step = (size >>> (doubling - 5)) & 31
  const level = doubling - BIN_LOW
  m[BIN_HEAD + (level << 5) + step] = next
  if (next === 0) {
    const left = m[BIN_MAP + level] & ~(1 << step)
    m[BIN_MAP + level] = left
    if (left === 0) m[BIN_TOP_MAP] &= ~(1 << level)
  }
}

/** The bin of a size, counted from 0. */
export function binOf(size: number): number {
  const doubling = 31 - Math.clz32(size)
  return ((doubling - BIN_LOW) << 5) + ((size >>> (doubling - 5)) & 31)
}

/** Gives a free span another size; it changes its bin only if it must. */
export function resizeFree(m: Int32Array, span: number, size: number): void {
  const old = m[span + SIZE]
  // Sizes of one bin agree in their highest six bits.
  if (old >= 1 << BIN_LOW && (old ^ size) >>> (26 - Math.clz32(old)) === 0) m[span + SIZE] = size
  else {
    unbin(m, span)
    m[span + SIZE] = size
    intoBin(m, span)
  }
}

/** The first non-empty bin from `bin` on, or -1. */
export function nextBin(m: Int32Array, bin: number): number {
  if (bin >= BIN_COUNT) return -1
  let level = bin >>> 5
  const steps = m[BIN_MAP + level] & (-1 << (bin & 31))
  if (steps !== 0) return (level << 5) + 31 - Math.clz32(steps & -steps)
  const above = m[BIN_TOP_MAP] & ~((2 << level) - 1)
  if (above === 0) return -1
  level = 31 - Math.clz32(above & -above)
  const bits = m[BIN_MAP + level]
  return (level << 5) + 31 - Math.clz32(bits & -bits)
}

/** The shortest span that fits among the first `search` of a bin; of equals the lowest. 0 when none fits. */
export function bestIn(m: Int32Array, bin: number, length: number, alignment: number, search: number): number {
  let best = 0
  let bestSize = 0x7fffffff
  let left = search
  for (let span = m[BIN_HEAD + bin]; span > 0 && left > 0; span = m[span + BIN_NEXT], left--) {
    const size = m[span + SIZE]
    if (size > bestSize || size < length) continue
    const start = m[span + START]
    if (alignment > 8 && ((start + alignment - 1) & -alignment) - start + length > size) continue
    if (size === bestSize && start > m[best + START]) continue
    best = span
    bestSize = size
  }
  return best
}

/** A record, recycled or new. Whoever asks has made sure that there is one. */
export function takeRecord(m: Int32Array): number {
  const spare = m[SPAN_SPARE]
  if (spare !== 0) {
    m[SPAN_SPARE] = m[spare + NEXT]
    m[SPAN_SPARES]--
    return spare
  }
  const span = m[SPAN_TOP]
  m[SPAN_TOP] = span + SPAN_WORDS
  return span
}

export function giveRecord(m: Int32Array, span: number): void {
  m[span + KIND] = 0
  m[span + NEXT] = m[SPAN_SPARE]
  m[SPAN_SPARE] = span
  m[SPAN_SPARES]++
}

/** Enters a span's start in the tile table, whose word for tile 0 of window 0 is `tiles`; `firstTile` is the claim's. */
export function enter(m: Int32Array, span: number, tiles: number, firstTile: number): void {
  const tile = (m[span + KIND] >> KIND_BITS) * WINDOW_TILES + (m[span + START] >>> 12)
  const first = m[tiles + tile]
  if (first === 0 || m[-first + START] > m[span + START]) m[tiles + tile] = -span
  const used = tile - firstTile + 1
  if (used > m[TILE_TOP]) m[TILE_TOP] = used
}

/** Removes it. Called while the span is still linked to the next one. */
export function leave(m: Int32Array, span: number, tiles: number): void {
  const start = m[span + START]
  const at = tiles + (m[span + KIND] >> KIND_BITS) * WINDOW_TILES + (start >>> 12)
  if (m[at] !== -span) return
  const next = m[span + NEXT]
  m[at] = next !== 0 && m[next + START] >>> 12 === start >>> 12 ? -next : 0
}
