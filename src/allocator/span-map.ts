/**
 * Where a heap's spans are: from an offset to the span there, from span to span, and what each is. Reads only, but for `cover`.
 *
 *     offset -> window, tile -> the first span that starts in the tile -> the next, until the start is found
 *
 * The base of span-table.ts: it holds what all of a heap's span code needs to know of the claim. Cost: a span is found in two loads
 * and as many steps as spans start before it in its 4 KiB tile.
 * @module
 */
import { CorruptedError } from '../errors.ts'
import { At, type HeapLayout, Slab, Span, Tag, Window } from './heap-layout.ts'
import { Size } from './size-class.ts'
import { enter, tileAt } from './span.ts'

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
  /** Bytes of metadata in use, if so many more records were, and a block up to `end`. */
  metadataBytes(records: number, end: number): number
  /** Makes the words `from … to - 1` of the metadata read zero. */
  clearWords(from: number, to: number): void
  /** Told of the first release after `watch` was set, or of the first slab that became current, when the step is over (`tell`). */
  freed(): void
  stirred(): void
  /** Told of bytes that are committed; of those that are given back `purge` is. */
  grew(byteLength: number): void
  /** Told, when the step is over, that pages have come or gone, after `notePages`. */
  tellPages(): void
}

export class SpanMap {
  protected readonly m: Int32Array
  /** The same words as 64-bit floats, as far as the counters go. */
  protected readonly bytes: Float64Array
  protected readonly layout: HeapLayout
  protected readonly source: SpanSource
  /** Tile table index of tile 0 of window 0. */
  protected readonly tiles: number
  protected readonly firstTile: number
  protected readonly firstPage: number
  protected readonly pageShift: number
  /** The first span record, and the end of their table. */
  protected readonly least: number
  protected readonly most: number
  /** The claim's first window, and how many it has a part in. */
  readonly firstWindow: number
  readonly windowCount: number
  /** Where the claim ends in the last of them. */
  private readonly lastEnd: number

  constructor(words: Int32Array, bytes: Float64Array, table: HeapLayout, source: SpanSource) {
    this.m = words
    this.bytes = bytes
    this.layout = table
    this.source = source
    this.tiles = At.TILES - table.firstTile
    this.firstTile = table.firstTile
    this.firstPage = table.firstPage
    this.least = table.spans
    this.most = table.spansEnd
    this.pageShift = 31 - Math.clz32(source.pageSize)
    this.firstWindow = Math.floor(source.offset / Window.BYTES)
    this.windowCount = Math.ceil((source.offset + source.byteLength) / Window.BYTES) - this.firstWindow
    this.lastEnd = this.windowEnd(this.windowCount - 1)
  }

  /** Whether there can be a span record here. */
  isRecord(span: number): boolean {
    return span >= this.least && span < this.most && ((span - this.least) & (Span.WORDS - 1)) === 0
  }

  /**
   * A span whose record may be acted upon: it is one, and the span lies in the claim. Another process may have stored something else
   * there; what that could lead to ends here.
   */
  sound(span: number): number {
    const { m } = this
    const w = (m[span + Span.TAG] >> Tag.WINDOW_BITS) - this.firstWindow
    const start = m[span + Span.START]
    const size = m[span + Span.SIZE]
    const end = w === this.windowCount - 1 ? this.lastEnd : Window.BYTES
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
    return this.m[span + Span.TAG] & Tag.KIND
  }

  window(span: number): number {
    return this.m[span + Span.TAG] >> Tag.WINDOW_BITS
  }

  /** Offset of a span's first byte in the arena. */
  offset(span: number): number {
    return (this.m[span + Span.TAG] >> Tag.WINDOW_BITS) * Window.BYTES + this.m[span + Span.START]
  }

  /** Start in its window. */
  start(span: number): number {
    return this.m[span + Span.START]
  }

  /** Length of the span itself. */
  partLength(span: number): number {
    return this.m[span + Span.SIZE]
  }

  next(span: number): number {
    return this.m[span + Span.NEXT]
  }

  previous(span: number): number {
    return this.m[span + Span.PREVIOUS]
  }

  /** Length of a live block: of all its parts when it is huge. */
  length(span: number): number {
    const m = this.m
    if ((m[span + Span.TAG] & Tag.KIND) !== Tag.HUGE) return m[span + Span.SIZE]
    const length = m[span + Span.HUGE_HIGH] * Window.BYTES + m[span + Span.HUGE_LOW]
    if (!(length > 0 && length <= this.source.byteLength)) throw this.corrupted(span)
    return length
  }

  /** Bytes of live spans and slabs. */
  get usedBytes(): number {
    return this.bytes[At.SPAN_BYTES >> 1]
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
    while (span !== 0 && m[span + Span.START] < start) {
      if (m[span + Span.START] <= last) throw this.corrupted(span)
      last = m[span + Span.START]
      span = m[span + Span.NEXT]
    }
    return span !== 0 && m[span + Span.START] === start ? this.sound(span) : 0
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
      while (span > 0 && m[span + Span.START] <= start) {
        if (found !== 0 && m[span + Span.START] <= m[found + Span.START]) throw this.corrupted(span)
        found = span
        span = m[span + Span.NEXT]
      }
      if (found !== 0) return start < m[found + Span.START] + m[found + Span.SIZE] ? this.sound(found) : 0
    }
    return 0
  }

  /** Makes a kept span a slab: enters the slab's record in every tile, and tags the span. */
  cover(span: number, slab: number): void {
    const { m } = this
    m[span + Span.SLAB] = slab
    this.mark(span)
    m[span + Span.TAG] += Tag.SLAB - Tag.KEPT
  }

  /** Enters a slab's record in every tile of its span. */
  mark(span: number): void {
    const { m } = this
    const slab = m[span + Span.SLAB]
    const tile = tileAt(m, span, this.tiles)
    const end = tile + (m[span + Span.SIZE] >>> Size.TILE_BITS)
    const used = end - this.tiles - this.firstTile
    if (used > m[At.TILE_TOP]) m[At.TILE_TOP] = used
    for (let at = tile; at < end; at++) m[at] = slab
  }

  /** Makes a slab a kept span. */
  uncover(span: number): void {
    const { m } = this
    m[span + Span.TAG] += Tag.KEPT - Tag.SLAB
    const tile = tileAt(m, span, this.tiles)
    m.fill(0, tile, tile + (m[span + Span.SIZE] >>> Size.TILE_BITS))
    enter(m, span, this.tiles, this.firstTile)
  }

  /** Whether a span is a slab's, and says that this is its record. */
  isSlab(span: number, slab: number): boolean {
    const { m } = this
    return this.isRecord(span) && (m[span + Span.TAG] & Tag.KIND) === Tag.SLAB && m[span + Span.SLAB] === slab
  }

  /** The slab record of a slab's span. */
  slabOf(span: number): number {
    return this.m[span + Span.SLAB]
  }

  /** The tile word for a place. */
  tile(window: number, start: number): number {
    return this.m[this.tiles + window * Window.TILES + (start >>> Size.TILE_BITS)]
  }

  /** The live block that a span is part of: the span itself, or the first part of a huge block; 0 when it is not live. */
  headOf(span: number): number {
    let head = span
    let window = span === 0 ? 0 : this.window(span)
    while (head !== 0 && this.kind(head) === Tag.PART) {
      if (--window < this.firstWindow) throw this.corrupted(head)
      head = this.around(window, this.windowEnd(window - this.firstWindow) - 1)
    }
    const kind = head === 0 ? 0 : this.kind(head)
    return kind === Tag.LIVE || kind === Tag.HUGE ? head : 0
  }

  /** Whether a block may have been handed out at a place that is free now: everything beyond the highest one was never used. */
  everUsed(window: number, start: number): boolean {
    return window * Window.BYTES + start < this.bytes[At.HIGHEST_END >> 1]
  }

  /** Whether a span may have pages that are not committed. */
  isFreeAndClean(span: number): boolean {
    return (this.m[span + Span.TAG] & (Tag.KIND | Tag.CLEAN)) === (Tag.FREE | Tag.CLEAN)
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
        if (this.window(span) !== window || m[span + Span.START] + m[span + Span.SIZE] <= end)
          throw this.corrupted(span)
        end = m[span + Span.START] + m[span + Span.SIZE]
        const next = m[span + Span.NEXT]
        yield span
        span = next === 0 || this.isAt(next, window, end) ? next : this.from(window, end)
      }
    }
  }

  /** How many windows are open. */
  protected openWindows(): number {
    const opened = this.m[At.WINDOWS]
    if (opened >= 0 && opened <= this.windowCount) return opened
    throw new CorruptedError(`Heap: ${opened} windows of ${this.windowCount} are open`)
  }

  /** Whether a record is still that of a span that starts here. */
  protected isAt(span: number, window: number, start: number): boolean {
    const m = this.m
    return (
      (m[span + Span.TAG] & Tag.KIND) !== 0 &&
      m[span + Span.TAG] >> Tag.WINDOW_BITS === window &&
      m[span + Span.START] === start
    )
  }

  /** The first span that ends after `start`. */
  protected from(window: number, start: number): number {
    if (start >= this.windowEnd(window - this.firstWindow)) return 0
    const tile = this.tile(window, start)
    return tile > 0 ? this.spanOfTile(tile) : this.around(window, start)
  }

  /** Where the claim's window `w` ends and begins, from the window's start. */
  windowEnd(w: number): number {
    return Math.min(Window.BYTES, this.source.offset + this.source.byteLength - (this.firstWindow + w) * Window.BYTES)
  }

  windowStart(w: number): number {
    if (w > 0) return 0
    const start = this.source.offset - this.firstWindow * Window.BYTES
    return start === 0 && this.firstWindow === 0 ? 8 : start
  }

  /** The first span of an open window. */
  protected first(window: number): number {
    const m = this.m
    const start = this.windowStart(window - this.firstWindow)
    const first = m[this.tiles + window * Window.TILES + (start >>> Size.TILE_BITS)]
    return first > 0 ? this.spanOfTile(first) : -first
  }

  /** The span of the slab that a tile's word leads to. */
  private spanOfTile(slab: number): number {
    if (slab < this.layout.slabs || slab >= this.layout.slabsEnd)
      throw new CorruptedError(`Heap: a tile leads to the slab record ${slab}`)
    return this.sound(this.m[slab + Slab.SPAN])
  }

  protected page(window: number, at: number): number {
    return (window << (30 - this.pageShift)) + (at >>> this.pageShift) - this.layout.firstPage
  }
}
