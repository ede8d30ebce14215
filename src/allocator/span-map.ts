/**
 * Where a heap's spans are: from an offset to the span there, from span to span, and what each is. Reads only, but for `cover`.
 *
 *     offset -> window, tile -> the first span that starts in the tile -> the next, until the start is found
 *
 * The base of span-table.ts: it holds what all of a heap's span code needs to know of the claim. Cost: a span is found in two loads
 * and as many steps as spans start before it in its 4 KiB tile.
 * @module
 */
import * as layout from './heap-layout.ts'
import { binOf } from './span.ts'

// Local for speed, as in span.ts.
// biome-ignore format: a table of names.
const {
  BIN_HEAD, BIN_MAP, BIN_NEXT, BIN_TOP_MAP, HIGHEST_END, HUGE, HUGE_HIGH, HUGE_LOW, KIND, KIND_BITS, KIND_MASK,
  LIVE, NEXT, PART, PREVIOUS, SIZE, SLAB_SPAN, SPAN_BYTES, START, TILE_TOP, TILES, WINDOW, WINDOW_TILES, WINDOWS,
} = layout

/** The shortest free span that hangs in a bin. */
const BINNED = 2 ** layout.BIN_LOW

/** What the spans of a heap ask of the heap. */
export interface SpanSource {
  readonly offset: number
  readonly byteLength: number
  readonly pageSize: number
  /** Committed bytes allowed, metadata included. */
  limit: number
  /** Gives whole pages back. */
  purge(offset: number, byteLength: number): void
  /** Fills with zeros. */
  zero(offset: number, byteLength: number): void
  /** Releases slabs that stand empty; true if any was. */
  retire(): boolean
  /** Bytes of metadata in use, if so many more records were. */
  metadataBytes(more: number): number
  /** Makes the words `from … to - 1` of the metadata read zero. */
  clearWords(from: number, to: number): void
  /** Told of the first release after `watch` was set. */
  freed(): void
}

export class SpanMap {
  protected readonly m: Int32Array
  /** The same words as 64-bit floats, as far as the counters go. */
  protected readonly bytes: Float64Array
  protected readonly layout: layout.HeapLayout
  protected readonly source: SpanSource
  /** Tile table index of tile 0 of window 0. */
  protected readonly tiles: number
  protected readonly firstTile: number
  protected readonly firstPage: number
  protected readonly pageShift: number
  protected readonly firstWindow: number
  protected readonly windowCount: number

  constructor(words: Int32Array, bytes: Float64Array, table: layout.HeapLayout, source: SpanSource) {
    this.m = words
    this.bytes = bytes
    this.layout = table
    this.source = source
    this.tiles = TILES - table.firstTile
    this.firstTile = table.firstTile
    this.firstPage = table.firstPage
    this.pageShift = 31 - Math.clz32(source.pageSize)
    this.firstWindow = Math.floor(source.offset / WINDOW)
    this.windowCount = Math.ceil((source.offset + source.byteLength) / WINDOW) - this.firstWindow
  }

  kind(span: number): number {
    return this.m[span + KIND] & KIND_MASK
  }

  window(span: number): number {
    return this.m[span + KIND] >> KIND_BITS
  }

  /** Offset of a span's first byte in the arena. */
  offset(span: number): number {
    return (this.m[span + KIND] >> KIND_BITS) * WINDOW + this.m[span + START]
  }

  /** Start in its window. */
  start(span: number): number {
    return this.m[span + START]
  }

  /** Length of the span itself. */
  partLength(span: number): number {
    return this.m[span + SIZE]
  }

  next(span: number): number {
    return this.m[span + NEXT]
  }

  previous(span: number): number {
    return this.m[span + PREVIOUS]
  }

  /** Length of a live block: of all its parts when it is huge. */
  length(span: number): number {
    const m = this.m
    return (m[span + KIND] & KIND_MASK) === HUGE ? m[span + HUGE_HIGH] * WINDOW + m[span + HUGE_LOW] : m[span + SIZE]
  }

  /** Bytes of live spans and slabs. */
  get usedBytes(): number {
    return this.bytes[SPAN_BYTES >> 1]
  }

  find(window: number, start: number): number {
    const m = this.m
    let span = -m[this.tiles + window * WINDOW_TILES + (start >>> 12)]
    while (span > 0) {
      const at = m[span + START]
      if (at === start) return span
      if (at > start) return 0
      span = m[span + NEXT]
    }
    return 0
  }

  /** The span that `start` in `window` lies in, or 0. Looks back over tiles: for error messages and inner claims, not for speed. */
  around(window: number, start: number): number {
    const m = this.m
    let tile = this.tiles + window * WINDOW_TILES + (start >>> 12)
    const least = Math.max(TILES, this.tiles + window * WINDOW_TILES)
    for (; tile >= least; tile--) {
      let span = -m[tile]
      if (span === 0) continue
      if (span < 0) return 0
      let found = 0
      while (span > 0 && m[span + START] <= start) {
        found = span
        span = m[span + NEXT]
      }
      if (found !== 0) return start < m[found + START] + m[found + SIZE] ? found : 0
    }
    return 0
  }

  /** Enters a slab's record in every tile of its span; 0 takes it out again. */
  cover(span: number, slab: number): void {
    const m = this.m
    const tile = (m[span + KIND] >> KIND_BITS) * WINDOW_TILES + (m[span + START] >>> 12)
    const end = tile + (m[span + SIZE] >>> 12)
    for (let at = tile; at < end; at++) m[this.tiles + at] = slab === 0 ? 0 : slab + at - tile
    const used = end - this.layout.firstTile
    if (used > m[TILE_TOP]) m[TILE_TOP] = used
  }

  /** The slab record of a slab's span. */
  slabOf(span: number): number {
    return this.tile(this.window(span), this.m[span + START]) & -16
  }

  /** The tile word for a place. */
  tile(window: number, start: number): number {
    return this.m[this.tiles + window * WINDOW_TILES + (start >>> 12)]
  }

  /** The live block that a span is part of: the span itself, or the first part of a huge block; 0 when it is not live. */
  headOf(span: number): number {
    let head = span
    while (head !== 0 && this.kind(head) === PART) {
      const window = this.window(head) - 1
      head = this.around(window, this.windowEnd(window - this.firstWindow) - 1)
    }
    const kind = head === 0 ? 0 : this.kind(head)
    return kind === LIVE || kind === HUGE ? head : 0
  }

  /** Whether a block may have been handed out at a place that is free now: everything beyond the highest one was never used. */
  everUsed(window: number, start: number): boolean {
    return window * WINDOW + start < this.bytes[HIGHEST_END >> 1]
  }

  isFirst(span: number): boolean {
    return this.m[span + PREVIOUS] === 0
  }

  /** Whether a span ends where its window, or the claim, ends. */
  endsWindow(span: number): boolean {
    return this.m[span + START] + this.m[span + SIZE] === this.windowEnd(this.window(span) - this.firstWindow)
  }

  /** The bin for a length of at least `BINNED` bytes. */
  binOf(length: number): number {
    return binOf(length)
  }

  isBinned(span: number): boolean {
    return this.m[span + SIZE] >= BINNED
  }

  /** What the bitmaps say of a bin. */
  binBit(bin: number): boolean {
    const word = this.m[BIN_MAP + (bin >>> 5)]
    const top = (this.m[BIN_TOP_MAP] >>> (bin >>> 5)) & 1
    return (word !== 0) === (top !== 0) && (word & (1 << (bin & 31))) !== 0
  }

  *inBin(bin: number): Generator<number> {
    for (let span = this.m[BIN_HEAD + bin]; span > 0; span = this.m[span + BIN_NEXT]) yield span
  }

  /** Every span in address order. The span that was given last may be released, and joined with its neighbours, before the next. */
  *all(): Generator<number> {
    const m = this.m
    for (let w = 0; w < m[WINDOWS]; w++) {
      const window = this.firstWindow + w
      let span = this.first(window)
      while (span > 0) {
        const end = m[span + START] + m[span + SIZE]
        const next = m[span + NEXT]
        yield span
        span = next === 0 || this.isAt(next, window, end) ? next : this.from(window, end)
      }
    }
  }

  /** Whether a record is still that of a span that starts here. */
  protected isAt(span: number, window: number, start: number): boolean {
    const m = this.m
    return (m[span + KIND] & KIND_MASK) !== 0 && m[span + KIND] >> KIND_BITS === window && m[span + START] === start
  }

  /** The first span that ends after `start`. */
  protected from(window: number, start: number): number {
    if (start >= this.windowEnd(window - this.firstWindow)) return 0
    const tile = this.tile(window, start)
    return tile > 0 ? this.m[(tile & -16) + SLAB_SPAN] : this.around(window, start)
  }

  protected windowEnd(w: number): number {
    return Math.min(WINDOW, this.source.offset + this.source.byteLength - (this.firstWindow + w) * WINDOW)
  }

  protected windowStart(w: number): number {
    if (w > 0) return 0
    const start = this.source.offset - this.firstWindow * WINDOW
    return start === 0 && this.firstWindow === 0 ? 8 : start
  }

  /** The first span of an open window. */
  protected first(window: number): number {
    const m = this.m
    const start = this.windowStart(window - this.firstWindow)
    const first = m[this.tiles + window * WINDOW_TILES + (start >>> 12)]
    return first > 0 ? m[(first & -16) + SLAB_SPAN] : -first
  }

  protected page(window: number, at: number): number {
    return (window << (30 - this.pageShift)) + (at >>> this.pageShift) - this.layout.firstPage
  }
}
