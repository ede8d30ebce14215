/**
 * The space of a heap: its spans and slabs, and the one loop that makes room for more.
 *
 *     take a free span  -- none fits -->  join kept spans, open a window, give empty slabs up           then look again
 *           |
 *     commit its pages  -- clean ones, or a limit -->  join kept spans, give empty slabs up, sweep      then look again
 *           |
 *     cut it
 *
 *     index, pages, free, cache, sweeper, huge   the spans (spans/), each over the same words
 *     admission                                  the limit and the peak: what must be given up before a page is committed
 *     slabs                                      the slabs, which live in spans
 *
 *     SPAN_BYTES = sum of lengths of live, huge, kept and slab spans;  each page of those is committed
 *
 * What is given up to make room is no notice: a request that may still fail has told no listener. A block that grew and had to move goes to the
 * longest free span, where it can go on growing.
 *
 * Cost: 5 ns for a kept span; 15 for a cut, 15 for a join, more where branches cannot be foreseen.
 *
 * Longer than other files: all that changes spans and slabs together is here.
 * @module
 */
import { CorruptedError } from '../../errors.ts'
import { type HeapTables, metadataInUse } from './layout.ts'
import { Size, shorterSlab, slabLength, staysInSlot } from './size-classes.ts'
import { Slabs } from './slabs.ts'
import { Admission, Answer, type Reserves } from './spans/admission.ts'
import { FreeSpans, SPLINTER } from './spans/free-spans.ts'
import { type HugePart, HugeSpans, staysWhole } from './spans/huge.ts'
import { type HeapListener, Notices } from './spans/notices.ts'
import { binOf, nextBin, tileAt, unbin } from './spans/records.ts'
import { SpanResizing } from './spans/resizing.ts'
import { SpanCache } from './spans/span-cache.ts'
import { SpanIndex } from './spans/span-index.ts'
import { type HeapMemory, SpanPages } from './spans/span-pages.ts'
import { Sweeper } from './spans/sweep.ts'
import { At, Bin, ClassWord, SpanTag, SpanWord, Window } from './words.ts'

/** How often the loop may look again, besides once for each window: kept spans, slabs and sweeps are given up once or twice each. */
const TURNS = 64

/** A heap whose committed pages are above this share of the limit, or of its claim, is nearly full. */
const NEARLY_FULL = 7 / 8

/** A heap without blocks gives its tables back when one of so many bytes has been used. */
const SHRINK_LEAST = 65536

/** A heap whose spans in use are below this share of its committed pages has room to spare: a block may be longer than it need be. */
const ROOMY = 15 / 16

/** What the figures of a heap, and its live blocks, are read from. */
export type HeapView = Pick<HeapSpace, 'tables' | 'index' | 'pages' | 'slabs' | 'metadataBytes' | 'peakBytes'>

export class HeapSpace {
  readonly tables: HeapTables
  readonly index: SpanIndex
  readonly pages: SpanPages
  readonly free: FreeSpans
  readonly cache: SpanCache
  readonly sweeper: Sweeper
  readonly huge: HugeSpans
  readonly admission: Admission
  readonly slabs: Slabs
  readonly notices: Notices
  /**
   * Freed spans below this length are kept: `Bin.KEPT_BELOW`, or 0 while the heap is nearly full. There a request that fails would have to join
   * what is kept to find out that it fails.
   */
  keptBelow: number = Bin.KEPT_BELOW
  readonly #m: Int32Array
  readonly #numbers: Float64Array
  readonly #memory: HeapMemory
  /** Bytes in use for each committed page, below which the heap has room to spare. */
  readonly #roomyPage: number
  readonly #resizing: SpanResizing
  /** Committed pages above which the heap counts as nearly full. */
  readonly #fullPages: number
  // Functions that are handed on, made once.
  readonly #join = (span: number): void => this.#giveBack(span)
  readonly #keepTiles = (span: number): void => void this.shelve(span)

  /** `index` and `slabs`: those of a heap that others use as well (concurrent/). */
  constructor(
    tables: HeapTables,
    memory: HeapMemory,
    listener: HeapListener,
    index: SpanIndex = new SpanIndex(tables),
    slabs: Slabs = new Slabs(index)
  ) {
    this.tables = tables
    this.notices = new Notices(listener)
    this.index = index
    this.pages = new SpanPages(this.index, memory, this.notices)
    this.free = new FreeSpans(this.index, this.pages)
    this.cache = new SpanCache(this.index)
    this.sweeper = new Sweeper(this.index, this.pages)
    this.huge = new HugeSpans(this.index, this.free, this.pages)
    const reserves: Reserves = {
      releaseKept: () => this.releaseKept(),
      releaseEmpty: () => this.releaseEmpty(),
      metadataFor: (records, end) => this.metadataFor(records, end),
    }
    this.admission = new Admission(tables, this.pages, this.sweeper, reserves)
    this.#resizing = new SpanResizing(this, reserves)
    this.slabs = slabs
    slabs.whenEmptied((span) => this.#takeEmptied(span))
    this.#m = tables.words
    this.#roomyPage = tables.pageSize * ROOMY
    this.#numbers = tables.numbers
    this.#memory = memory
    this.#fullPages = Math.floor((Math.min(tables.limit, tables.byteLength) / tables.pageSize) * NEARLY_FULL)
  }

  // ---- figures ----

  get metadataBytes(): number {
    return this.metadataFor(0, 0)
  }

  /** Bytes of metadata that may have been written once so many more records are used, and a block ends at `end`: see layout.ts. */
  protected metadataFor(records: number, end: number): number {
    return metadataInUse(this.tables, records, end)
  }

  /** Committed bytes, metadata included. */
  get committedBytes(): number {
    return this.pages.committedBytes + this.metadataBytes
  }

  /** Committed bytes, metadata included, at the last high-water mark. */
  get peakBytes(): number {
    return this.#numbers[At.PEAK_BYTES >> 1]
  }

  // ---- taking spans ----

  /**
   * A live span of `length` bytes (above `Size.SMALL_MAX`, below `Bin.KEPT_BELOW`), or a little more, not made zero; 0 where it takes more than
   * taking a kept span or cutting one whose pages are committed. The common case, a third of the time of `allocate`.
   */
  take(length: number): number {
    const bin = binOf(length)
    const kept = this.cache.take(length, bin)
    return kept === 0 ? this.takeFree(length, bin) : kept
  }

  /**
   * The second half of `take`, `bin` being that of the length: where there is room to spare a kept span that is a little longer, else a cut of a
   * free span, the first of its bin or of the next.
   */
  takeFree(length: number, bin: number): number {
    const m = this.#m
    const { index } = this
    // Nearly full, only the best fit is good enough.
    if (this.keptBelow === 0) return 0
    if (this.#numbers[At.SPAN_BYTES >> 1] < m[At.COMMITTED] * this.#roomyPage) {
      const kept = this.cache.takeLonger(bin)
      if (kept !== 0) return kept
    }
    let span = m[At.BINS + bin]
    if (span !== 0 && m[span + SpanWord.SIZE] < length) span = m[span + SpanWord.BIN_NEXT]
    if (span < index.least || m[span + SpanWord.SIZE] < length) {
      const longer = nextBin(m, bin + 1)
      if (longer < 0) return 0
      span = m[At.BINS + longer]
    }
    if ((m[span + SpanWord.TAG] & SpanTag.KIND) !== SpanTag.FREE) throw index.corrupted(span)
    if (m[At.SPAN_SPARE] === 0) return 0
    if ((m[span + SpanWord.TAG] & SpanTag.CLEAN) !== 0) return this.#takeCommitted(span, length)
    // The tile table would take more memory, which counts at a limit.
    if (
      this.admission.limited &&
      tileAt(m, span, 0) + (length >>> Size.TILE_BITS) - index.firstTile + 1 >= m[At.TILE_TOP]
    )
      return 0
    const size = m[span + SpanWord.SIZE]
    if (size - length >= SPLINTER) {
      this.#numbers[At.SPAN_BYTES >> 1] += length
      return this.free.cutFront(span, length, SpanTag.LIVE)
    }
    this.#numbers[At.SPAN_BYTES >> 1] += size
    m[At.FREE_PAGES] -= this.pages.whole(span)
    unbin(m, span)
    m[span + SpanWord.TAG] += SpanTag.LIVE - SpanTag.FREE
    return span
  }

  /** The front of a free span of which some pages are clean, when those of the block are not; else 0. */
  #takeCommitted(span: number, length: number): number {
    const m = this.#m
    const start = m[span + SpanWord.START]
    const rest = m[span + SpanWord.SIZE] - length
    if (this.admission.limited || rest < SPLINTER || !this.free.isCommitted(span, start, start + length)) return 0
    this.admission.account(m[span + SpanWord.TAG] >> SpanTag.WINDOW_BITS, start + length, length)
    return this.free.cutFront(span, length, SpanTag.LIVE)
  }

  /** Cuts a block that grows from the longest free span, so that it can go on growing where it is; 0 when that is no better than any. */
  allocateRoomy(length: number): number {
    const m = this.#m
    const level = 31 - Math.clz32(m[At.BIN_TOP_MAP])
    if (level < 0) return 0
    const free = m[At.BINS + (level << 5) + 31 - Math.clz32(m[At.BIN_MAP + level])]
    if (m[free + SpanWord.SIZE] < 2 * length) return 0
    return this.allocate(length, 8, SpanTag.LIVE, false, free)
  }

  /** A live span for a block of any length, or the first part of a huge one; 0 when there is no room. */
  allocateBlock(alignment: number, byteLength: number, zero: boolean): number {
    if (byteLength > this.tables.byteLength) return 0
    const length = Math.max(8, Math.ceil(byteLength / 8) * 8)
    return length <= Window.BYTES
      ? this.allocate(length, alignment, SpanTag.LIVE, zero)
      : this.#allocateHuge(length, alignment, zero)
  }

  /**
   * Cuts a span anywhere: where pages must be committed or zeroed, aligned, or where room must be made first. `wanted` is the free span that is
   * tried first. 0 when there is no room.
   */
  allocate(length: number, alignment: number, kind: number, zero: boolean, wanted = 0): number {
    const m = this.#m
    const { free, index, pages } = this
    if (this.#noteFullness()) wanted = 0
    let next = wanted
    // Each turn gives something up, or opens a window: a heap that has no end of either contradicts itself.
    for (let turns = TURNS + index.windowCount; ; turns--) {
      if (turns === 0) throw new CorruptedError('Heap: memory is given up again and again, and none is there')
      if (!free.roomFor(2)) return 0
      const span = next === 0 ? free.fit(length, alignment) : next
      next = 0
      if (span === 0) {
        // Kept spans, and slabs that stand empty, may be what is missing.
        if (this.releaseKept() || this.#openFor(length, alignment) || this.releaseEmpty()) continue
        return 0
      }
      if (index.kind(index.sound(span)) !== SpanTag.FREE) throw index.corrupted(span)
      const window = m[span + SpanWord.TAG] >> SpanTag.WINDOW_BITS
      const start = (m[span + SpanWord.START] + alignment - 1) & -alignment
      const rest = m[span + SpanWord.START] + m[span + SpanWord.SIZE] - start - length
      if (rest < 0) throw index.corrupted(span)
      const size = rest < SPLINTER && kind === SpanTag.LIVE ? length + rest : length
      const missing = pages.missing(window, start, start + size)
      if (missing > 0) {
        if (!this.sweeper.comesBack(missing) && this.releaseKept()) {
          this.sweeper.noteFlush()
          continue
        }
        // Pages that are there already, in a longer span, rather than one more.
        if (this.sweeper.hasSlack(missing)) next = free.fitCommitted(length, alignment)
        // A splinter that goes with the block may lie on a page that is not there: then there is no better one.
        if (next === span) next = 0
        if (next !== 0) continue
      }
      if (missing > 0 || (this.admission.limited && this.#growsTables(window, start + size, kind))) {
        const answer = this.admission.admit(missing, window, start, start + size)
        if (answer === Answer.REFUSED) return 0
        if (answer === Answer.LOOK_AGAIN) continue
      }
      return this.#cut(span, start, size, kind, zero)
    }
  }

  /** Whether a span that ends at `end` of a window might need more of the tables than has been used: it has two free ones beside it at most. */
  #growsTables(window: number, end: number, kind: number): boolean {
    const m = this.#m
    const tile = window * Window.TILES + (end >>> Size.TILE_BITS) - this.index.firstTile
    return kind !== SpanTag.LIVE || m[At.SPAN_SPARES] < 2 || tile >= m[At.TILE_TOP]
  }

  /** Makes `[start, start + size)` of a free span, for whose pages there is room, a live span, or one of another kind. */
  #cut(span: number, start: number, size: number, kind: number, zero: boolean): number {
    const m = this.#m
    const { free, pages } = this
    const window = m[span + SpanWord.TAG] >> SpanTag.WINDOW_BITS
    const first = m[span + SpanWord.START]
    // First what can fail: a request that fails changes nothing.
    if (zero) pages.zeroDirty(window, start, start + size)
    pages.commit(window, start, start + size)
    const live =
      start === first && m[span + SpanWord.SIZE] - size >= SPLINTER
        ? free.cutFront(span, size, kind)
        : free.carve(span, start, size, kind)
    this.admission.account(window, start + size, size)
    return live
  }

  /** A huge block: the record of its first part, or 0. */
  #allocateHuge(length: number, alignment: number, zero: boolean): number {
    for (let turns = TURNS; turns > 0; turns--) {
      this.releaseKept()
      const parts = this.huge.find(length, alignment)
      if (parts === undefined) {
        // A slab that stands empty may be all that lies in the way.
        if (this.releaseEmpty()) continue
        return 0
      }
      if (!this.free.roomFor(3 * parts.length)) return 0
      let missing = 0
      for (const { window, start, length: bytes } of parts) missing += this.pages.missing(window, start, start + bytes)
      const [head] = parts as [HugePart]
      const end = head.start + length
      const answer =
        missing > 0 || this.admission.limited
          ? this.admission.admit(missing, head.window, head.start, end)
          : Answer.GRANTED
      if (answer === Answer.REFUSED) return 0
      if (answer === Answer.LOOK_AGAIN) continue
      this.free.openUpTo(head.window + parts.length - 1 - this.index.firstWindow)
      return this.huge.take(parts, length, zero, ({ window, start, length: bytes }) =>
        this.admission.account(window, start + bytes, bytes)
      )
    }
    throw new CorruptedError('Heap: memory is given up again and again, and none is there')
  }

  // ---- making room ----

  /** Whether the heap is nearly full now. Then spans are joined as they are freed; true when some were joined, so the best fit may be another. */
  #noteFullness(): boolean {
    const keptBelow = this.#m[At.COMMITTED] > this.#fullPages ? 0 : Bin.KEPT_BELOW
    if (keptBelow === this.keptBelow) return false
    this.keptBelow = keptBelow
    return keptBelow === 0 && this.releaseKept()
  }

  /** Opens windows up to the next one that has room; false, and nothing changed, when none has or the limit forbids it. */
  #openFor(length: number, alignment: number): boolean {
    const w = this.free.windowFor(length, alignment)
    if (w < 0) return false
    const start = Math.ceil(this.index.windowStart(w) / alignment) * alignment
    const pages = Math.ceil(length / this.tables.pageSize)
    const answer = this.admission.limited
      ? this.admission.admit(pages, this.index.firstWindow + w, start, start + length)
      : Answer.GRANTED
    if (answer !== Answer.GRANTED) return answer === Answer.LOOK_AGAIN
    return this.free.openUpTo(w)
  }

  /** Joins every kept span with what is free beside it; false when there was none. */
  releaseKept(): boolean {
    return this.cache.releaseAll(this.#join)
  }

  /** Gives up current slabs that stand empty; false when there was none. */
  releaseEmpty(): boolean {
    return this.slabs.releaseEmpty(this.#keepTiles)
  }

  // ---- giving spans back ----

  /** Frees a live span: keeps it if it is not long. */
  freeSpan(span: number): void {
    this.#m[span + SpanWord.TAG] += SpanTag.KEPT - SpanTag.LIVE
    this.freeTagged(span)
  }

  /** Frees a span that is tagged as kept and hangs in no list. */
  freeTagged(span: number): void {
    const size = this.#m[span + SpanWord.SIZE]
    // Short ones come from an alignment that no slot has.
    if (size >= this.keptBelow || size < Bin.SHORTEST_KEPT) this.release(span)
    else if (this.cache.keep(span, binOf(size))) this.notices.noteRelease()
  }

  /** Sets the bit of a list of kept spans that was empty. Only then a release is noted: while a list is not empty, some are known of. */
  noteFirstKept(list: number): void {
    this.cache.noteFirst(list)
    this.notices.noteRelease()
  }

  /** Frees every part of a huge block. */
  releaseHuge(span: number): void {
    for (const part of this.huge.spansOf(span)) this.release(part)
  }

  /** Gives a live, kept or slab span back and joins it with free neighbours. */
  release(span: number): void {
    this.#giveBack(span)
    this.notices.noteRelease()
  }

  #giveBack(span: number): void {
    const numbers = this.#numbers
    this.index.sound(span)
    const left = numbers[At.SPAN_BYTES >> 1] - this.#m[span + SpanWord.SIZE]
    numbers[At.SPAN_BYTES >> 1] = left
    this.free.join(span)
    if (left < numbers[At.LOW_WATER >> 1]) this.#tidy(left)
    else if (left > 16 * numbers[At.LOW_WATER >> 1]) numbers[At.LOW_WATER >> 1] = left / 8
  }

  /** The bytes in use have halved: what is kept, and empty slabs, are joined with what is free. */
  #tidy(left: number): void {
    this.#numbers[At.LOW_WATER >> 1] = left / 2
    this.releaseEmpty()
    this.releaseKept()
  }

  /** Keeps the span of a slab that was given up, tagged as kept. True: its list was empty, or it was joined. */
  protected shelve(span: number): boolean {
    if (this.keptBelow > 0) return this.cache.keep(span, this.#m[span + SpanWord.SIZE] >>> Size.TILE_BITS)
    this.#giveBack(span)
    return true
  }

  // ---- resizing spans ----

  /** Changes a live span's length in place; false when the span behind it leaves no room. */
  resize(span: number, length: number): boolean {
    return this.#resizing.resize(span, length)
  }

  // ---- slabs ----

  /**
   * Finds another word with free slots for a class: in its current slab, in a partial one, or in a new one. The word; 0 when there is no
   * room for a new slab.
   */
  refill(state: number): number {
    return this.slabs.nextWord(state) || this.nextSlab(state)
  }

  /** The same for a class whose current slab has no free slot: it has none any more. */
  nextSlab(state: number): number {
    const next = this.slabs.nextPartial(state) || this.newSlab(state)
    // A current slab does not notice that it stands empty: the heap has to look later.
    if (next !== 0) this.notices.noteSwitch()
    return next
  }

  /** A new current slab for a class: its first word, or 0 when there is no room. */
  protected newSlab(state: number): number {
    if (!this.slabs.hasRoom) return 0
    const sizeClass = (state - At.CLASSES) / ClassWord.WORDS
    // Where memory is short the shortest will do, and its refusal is that of all.
    const count = this.keptBelow === 0 ? 0 : this.#m[state + ClassWord.SLABS]
    let length = slabLength(sizeClass, count)
    let span = this.cache.takeTiles(length)
    while (span === 0 && length > 0) {
      span = this.allocate(length, Size.TILE, SpanTag.KEPT, false)
      if (span === 0) length = shorterSlab(sizeClass, length)
    }
    return span === 0 ? 0 : this.slabs.adopt(span, state)
  }

  /** Takes the span of a slab that stands empty after a free. */
  #takeEmptied(span: number): void {
    if (this.shelve(span)) this.notices.noteRelease()
    // The free is over.
    this.notices.tell()
  }

  /** Settles a slab whose countdown has passed zero. */
  settleAnew(slab: number): void {
    const span = this.slabs.settleAnew(slab)
    if (span !== 0 && this.shelve(span)) this.notices.noteRelease()
  }

  /** Leaves every class without a current slab, so that every free that empties a slab is noticed. */
  park(): void {
    this.slabs.parkAll(this.#keepTiles)
    // Of kept spans only the first in an empty list is noted.
    this.releaseKept()
  }

  // ---- blocks that have been found: a slab's record and an offset, or minus a span's record (find-block.ts) ----

  lengthOf(found: number): number {
    return found > 0 ? this.slabs.slotSize(found) : this.index.length(-found)
  }

  freeFound(found: number, offset: number): void {
    const { slabs, index } = this
    if (found > 0) {
      if (slabs.free(found, slabs.slotAt(found, offset - slabs.firstSlot(found)))) slabs.settle(found)
    } else if (index.kind(-found) === SpanTag.HUGE) this.releaseHuge(-found)
    else this.freeSpan(-found)
    this.notices.tell()
  }

  /** Whether a live block has at least `byteLength` bytes after this, or fewer, where it is. Slots are not cut. */
  resizeFound(found: number, byteLength: number): boolean {
    if (found > 0) return staysInSlot(this.slabs.slotSize(found), byteLength)
    const resized = this.#resizeBlock(-found, byteLength)
    this.notices.tell()
    return resized
  }

  #resizeBlock(span: number, byteLength: number): boolean {
    if (byteLength <= Size.SMALL_MAX) return false
    if (this.index.kind(span) === SpanTag.HUGE) return staysWhole(this.index.length(span), byteLength)
    return byteLength <= Window.BYTES && this.resize(span, Math.ceil(byteLength / 8) * 8)
  }

  // ---- the whole ----

  /** Bytes that a purge could give back, or a little more. */
  freeDirtyBytes(): number {
    this.releaseEmpty()
    this.releaseKept()
    return this.pages.committedBytes - this.pages.usedBytes
  }

  /** Purges free pages, of the longest spans first, until `most` bytes are given back; returns bytes. */
  purge(most: number): number {
    const before = this.committedBytes
    this.releaseEmpty()
    this.releaseKept()
    this.sweeper.sweep(Math.ceil(most / this.tables.pageSize))
    if (this.pages.usedBytes === 0 && this.pages.bits.committed === 0) this.shrink()
    return before - this.committedBytes
  }

  /** Gives back the tables of a heap without blocks: all but header and roots reads zero again. */
  protected shrink(): void {
    const m = this.#m
    const { layout } = this.tables
    const used = Math.max(m[At.SPAN_TOP] - layout.spans, m[At.SLAB_TOP] - layout.slabs, m[At.TILE_TOP])
    if (used * 4 < SHRINK_LEAST) return
    const highest = this.#numbers[At.HIGHEST_END >> 1]
    this.resetSlabs()
    this.emptyTables()
    // A free of what was handed out before is still told from one of what never was.
    this.#numbers[At.HIGHEST_END >> 1] = highest
    m[At.PAGE_TOP] = 0
    // The roots behind them stay.
    this.#memory.purgeWords(At.TILES, layout.roots)
    this.free.open()
  }

  /** The state of a heap that was never used. */
  begin(): void {
    this.resetSlabs()
    this.emptyTables()
    this.free.open()
  }

  /** The state of a heap without blocks. The windows that were open stay open: their pages may be dirty. */
  reset(): void {
    // Spans first: without a span there is no block, whatever else is left undone.
    const opened = this.index.openWindows()
    this.emptyTables()
    this.free.openUpTo(opened - 1)
    this.resetSlabs()
  }

  protected resetSlabs(): void {
    this.slabs.reset((from, to) => this.#memory.clearWords(from, to))
  }

  /** No window is open, and no record used. */
  protected emptyTables(): void {
    const m = this.#m
    const { layout } = this.tables
    const top = Math.min(Math.max(m[At.SPAN_TOP], layout.spans), layout.spansEnd)
    const tiles = Math.min(Math.max(m[At.TILE_TOP], 0), layout.tileCount)
    // From the second store on no span is live, whatever else is left undone.
    m[At.CLEARING] = 1
    m[At.SPAN_TOP] = layout.spans
    m.fill(0, At.BIN_TOP_MAP, At.KEPT_END)
    this.#memory.clearWords(At.TILES, At.TILES + tiles)
    this.#memory.clearWords(layout.spans, top)
    m[At.WINDOWS] = 0
    m[At.SPAN_SPARE] = 0
    m[At.SPAN_SPARES] = 0
    m[At.TILE_TOP] = 0
    m[At.FREE_PAGES] = 0
    this.#numbers[At.SPAN_BYTES >> 1] = 0
    this.#numbers[At.HIGHEST_END >> 1] = 0
  }

  /** Makes words of the metadata read zero. */
  clearWords(from: number, to: number): void {
    this.#memory.clearWords(from, to)
  }

  /** Counts live spans, their pages and their slabs anew, from their records: the last step of a rebuild. */
  recount(live: readonly number[]): void {
    const m = this.#m
    const numbers = this.#numbers
    const { index } = this
    const end = this.tables.offset + this.tables.byteLength
    numbers[At.SPAN_BYTES >> 1] = 0
    numbers[At.LOW_WATER >> 1] = 0
    // What only one word says is kept if it can be.
    if (!(numbers[At.HIGHEST_END >> 1] >= 0 && numbers[At.HIGHEST_END >> 1] <= end)) numbers[At.HIGHEST_END >> 1] = end
    if (!(m[At.PEAK] >= 0 && m[At.PEAK] <= this.tables.layout.pageCount)) m[At.PEAK] = 0
    if (!(numbers[At.PEAK_BYTES >> 1] >= 0 && numbers[At.PEAK_BYTES >> 1] <= end)) numbers[At.PEAK_BYTES >> 1] = 0
    this.pages.recount(live)
    for (const span of live)
      this.admission.account(index.window(span), index.start(span) + index.partLength(span), index.partLength(span))
    if (m[At.COMMITTED] > m[At.PEAK]) m[At.PEAK] = m[At.COMMITTED]
    this.slabs.rebuild(
      live.filter((span) => index.kind(span) === SpanTag.SLAB),
      this.#keepTiles
    )
  }
}
