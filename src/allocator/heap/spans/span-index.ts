/**
 * Where a heap's spans are: from an offset to the span there, from span to span, and what each is. Changes nothing but the tiles, and the
 * tags of slabs (`cover`, `uncover`).
 *
 *     offset -> window, tile -> the first span that starts in the tile -> the next, until the start is found
 *
 * Every other part of a heap's span code holds this one. Cost: a span is found in two loads
 * and as many steps as spans start before it in its 4 KiB tile.
 * @module
 */
import { CorruptedError } from '../../../errors.ts'
import type { HeapTables } from '../layout.ts'
import { Size } from '../size-classes.ts'
import { At, SlabWord, SpanTag, SpanWord, Window } from '../words.ts'
import { tileAt } from './records.ts'

export class SpanIndex {
  readonly tables: HeapTables
  /** The tables' words. */
  readonly m: Int32Array
  /** Tile table index of tile 0 of window 0. */
  readonly tiles: number
  readonly firstTile: number
  /** The first span record, and the end of their table. */
  readonly least: number
  readonly most: number
  /** The claim's first window, and how many it has a part in. */
  readonly firstWindow: number
  readonly windowCount: number
  readonly #numbers: Float64Array
  /** Where the claim ends in the last of them. */
  readonly #lastEnd: number

  constructor(tables: HeapTables) {
    const { words, numbers, layout, offset, byteLength } = tables
    this.tables = tables
    this.m = words
    this.#numbers = numbers
    this.tiles = At.TILES - layout.firstTile
    this.firstTile = layout.firstTile
    this.least = layout.spans
    this.most = layout.spansEnd
    this.firstWindow = Math.floor(offset / Window.BYTES)
    this.windowCount = Math.ceil((offset + byteLength) / Window.BYTES) - this.firstWindow
    this.#lastEnd = this.windowEnd(this.windowCount - 1)
  }

  /** Whether there can be a span record here. */
  isRecord(span: number): boolean {
    return span >= this.least && span < this.most && ((span - this.least) & (SpanWord.WORDS - 1)) === 0
  }

  /**
   * A span whose record may be acted upon: it is one, and the span lies in the claim. Another process may have stored something else
   * there; what that could lead to ends here.
   */
  sound(span: number): number {
    const { m } = this
    const w = (m[span + SpanWord.TAG] >> SpanTag.WINDOW_BITS) - this.firstWindow
    const start = m[span + SpanWord.START]
    const size = m[span + SpanWord.SIZE]
    const end = w === this.windowCount - 1 ? this.#lastEnd : Window.BYTES
    if (!this.isRecord(span) || w >>> 0 >= this.windowCount || start < 0 || size <= 0 || start > end - size)
      throw this.corrupted(span)
    if (((start | size) & 7) !== 0) throw this.corrupted(span)
    return span
  }

  /** For a record that cannot be what it has been taken for. */
  corrupted(span: number): CorruptedError {
    return new CorruptedError(`Heap: the span record ${span} contradicts what leads to it`)
  }

  kind(span: number): number {
    return this.m[span + SpanWord.TAG] & SpanTag.KIND
  }

  window(span: number): number {
    return this.m[span + SpanWord.TAG] >> SpanTag.WINDOW_BITS
  }

  /** Offset of a span's first byte in the arena. */
  offset(span: number): number {
    return (this.m[span + SpanWord.TAG] >> SpanTag.WINDOW_BITS) * Window.BYTES + this.m[span + SpanWord.START]
  }

  /** Start in its window. */
  start(span: number): number {
    return this.m[span + SpanWord.START]
  }

  /** Length of the span itself. */
  partLength(span: number): number {
    return this.m[span + SpanWord.SIZE]
  }

  next(span: number): number {
    return this.m[span + SpanWord.NEXT]
  }

  previous(span: number): number {
    return this.m[span + SpanWord.PREVIOUS]
  }

  /** Length of a live block: of all its parts when it is huge. */
  length(span: number): number {
    const m = this.m
    if ((m[span + SpanWord.TAG] & SpanTag.KIND) !== SpanTag.HUGE) return m[span + SpanWord.SIZE]
    const length = m[span + SpanWord.HUGE_HIGH] * Window.BYTES + m[span + SpanWord.HUGE_LOW]
    if (!(length > 0 && length <= this.tables.byteLength)) throw this.corrupted(span)
    return length
  }

  /** Bytes of live spans and slabs. */
  get usedBytes(): number {
    return this.#numbers[At.SPAN_BYTES >> 1]
  }

  /** The span that starts at `start` in a window, or 0. */
  find(window: number, start: number): number {
    const first = -this.tile(window, start)
    return first > 0 ? this.startingAt(first, start) : 0
  }

  /** The same, when the first span that starts in the tile is known (or 0). */
  startingAt(first: number, start: number): number {
    const { m } = this
    let span = first
    let last = -1
    while (span !== 0 && m[span + SpanWord.START] < start) {
      if (m[span + SpanWord.START] <= last) throw this.corrupted(span)
      last = m[span + SpanWord.START]
      span = m[span + SpanWord.NEXT]
    }
    return span !== 0 && m[span + SpanWord.START] === start ? this.sound(span) : 0
  }

  /** The span that `start` in `window` lies in, or 0. Looks back over tiles: for error messages and inner claims, not for speed. */
  around(window: number, start: number): number {
    const m = this.m
    let tile = this.tiles + window * Window.TILES + (start >>> Size.TILE_BITS)
    const least = Math.max(At.TILES, this.tiles + window * Window.TILES)
    for (; tile >= least; tile--) {
      let span = -m[tile]
      if (span === 0) continue
      if (span < 0) return 0
      let found = 0
      while (span > 0 && m[span + SpanWord.START] <= start) {
        if (found !== 0 && m[span + SpanWord.START] <= m[found + SpanWord.START]) throw this.corrupted(span)
        found = span
        span = m[span + SpanWord.NEXT]
      }
      if (found !== 0) return start < m[found + SpanWord.START] + m[found + SpanWord.SIZE] ? this.sound(found) : 0
    }
    return 0
  }

  /** Makes a kept span a slab: enters the slab's record in every tile, and tags the span. */
  cover(span: number, slab: number): void {
    const { m } = this
    m[span + SpanWord.SLAB] = slab
    this.mark(span)
    m[span + SpanWord.TAG] += SpanTag.SLAB - SpanTag.KEPT
  }

  /** Enters a slab's record in every tile of its span. */
  mark(span: number): void {
    const { m } = this
    const slab = m[span + SpanWord.SLAB]
    const tile = tileAt(m, span, this.tiles)
    const end = tile + (m[span + SpanWord.SIZE] >>> Size.TILE_BITS)
    const used = end - this.tiles - this.firstTile
    if (used > m[At.TILE_TOP]) m[At.TILE_TOP] = used
    for (let at = tile; at < end; at++) m[at] = slab
  }

  /** Makes a slab a kept span, the only one that starts in its tiles. */
  uncover(span: number): void {
    const { m } = this
    m[span + SpanWord.TAG] += SpanTag.KEPT - SpanTag.SLAB
    const tile = tileAt(m, span, this.tiles)
    const end = tile + (m[span + SpanWord.SIZE] >>> Size.TILE_BITS)
    // A `fill` takes 25 ns to begin.
    for (let at = tile + 1; at < end; at++) m[at] = 0
    m[tile] = -span
  }

  /** Whether a span is a slab's, and says that this is its record. */
  isSlab(span: number, slab: number): boolean {
    const { m } = this
    return (
      this.isRecord(span) &&
      (m[span + SpanWord.TAG] & SpanTag.KIND) === SpanTag.SLAB &&
      m[span + SpanWord.SLAB] === slab
    )
  }

  /** The slab record of a slab's span. */
  slabOf(span: number): number {
    return this.m[span + SpanWord.SLAB]
  }

  /** The tile word for a place. */
  tile(window: number, start: number): number {
    return this.m[this.tiles + window * Window.TILES + (start >>> Size.TILE_BITS)]
  }

  /** The live block that a span is part of: the span itself, or the first part of a huge block; 0 when it is not live. */
  headOf(span: number): number {
    let head = span
    let window = span === 0 ? 0 : this.window(span)
    while (head !== 0 && this.kind(head) === SpanTag.PART) {
      if (--window < this.firstWindow) throw this.corrupted(head)
      head = this.around(window, this.windowEnd(window - this.firstWindow) - 1)
    }
    const kind = head === 0 ? 0 : this.kind(head)
    return kind === SpanTag.LIVE || kind === SpanTag.HUGE ? head : 0
  }

  /** Whether a block may have been handed out at a place that is free now: everything beyond the highest one was never used. */
  everUsed(window: number, start: number): boolean {
    return window * Window.BYTES + start < this.#numbers[At.HIGHEST_END >> 1]
  }

  /** Whether a span may have pages that are not committed. */
  isFreeAndClean(span: number): boolean {
    return (this.m[span + SpanWord.TAG] & (SpanTag.KIND | SpanTag.CLEAN)) === (SpanTag.FREE | SpanTag.CLEAN)
  }

  /**
   * Every span in address order. The span that was given last may be released, and joined with its neighbours, before the next. Each ends
   * further on than the one before it, whatever the records say, or it is ERR_CORRUPTED.
   */
  *all(): Generator<number> {
    const m = this.m
    const windows = this.openWindows()
    for (let w = 0; w < windows; w++) {
      const window = this.firstWindow + w
      let span = this.first(window)
      for (let end = this.windowStart(w); span !== 0; ) {
        this.sound(span)
        if (this.window(span) !== window || m[span + SpanWord.START] + m[span + SpanWord.SIZE] <= end)
          throw this.corrupted(span)
        end = m[span + SpanWord.START] + m[span + SpanWord.SIZE]
        const next = m[span + SpanWord.NEXT]
        yield span
        span = next === 0 || this.#isAt(next, window, end) ? next : this.#from(window, end)
      }
    }
  }

  /** How many windows are open. */
  openWindows(): number {
    const opened = this.m[At.WINDOWS]
    if (opened >= 0 && opened <= this.windowCount) return opened
    throw new CorruptedError(`Heap: ${opened} windows of ${this.windowCount} are open`)
  }

  /** Whether a record is still that of a span that starts here. */
  #isAt(span: number, window: number, start: number): boolean {
    const m = this.m
    return (
      (m[span + SpanWord.TAG] & SpanTag.KIND) !== 0 &&
      m[span + SpanWord.TAG] >> SpanTag.WINDOW_BITS === window &&
      m[span + SpanWord.START] === start
    )
  }

  /** The first span that ends after `start`. */
  #from(window: number, start: number): number {
    if (start >= this.windowEnd(window - this.firstWindow)) return 0
    const tile = this.tile(window, start)
    return tile > 0 ? this.#spanOfTile(tile) : this.around(window, start)
  }

  /** Where the claim's window `w` ends and begins, from the window's start. */
  windowEnd(w: number): number {
    return Math.min(Window.BYTES, this.tables.offset + this.tables.byteLength - (this.firstWindow + w) * Window.BYTES)
  }

  windowStart(w: number): number {
    if (w > 0) return 0
    const start = this.tables.offset - this.firstWindow * Window.BYTES
    return start === 0 && this.firstWindow === 0 ? 8 : start
  }

  /** The first span of an open window. */
  first(window: number): number {
    const m = this.m
    const start = this.windowStart(window - this.firstWindow)
    const first = m[this.tiles + window * Window.TILES + (start >>> Size.TILE_BITS)]
    return first > 0 ? this.#spanOfTile(first) : -first
  }

  /** The span of the slab that a tile's word leads to. */
  #spanOfTile(slab: number): number {
    if (slab < this.tables.layout.slabs || slab >= this.tables.layout.slabsEnd)
      throw new CorruptedError(`Heap: a tile leads to the slab record ${slab}`)
    return this.sound(this.m[slab + SlabWord.SPAN])
  }
}
