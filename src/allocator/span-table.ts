/**
 * The spans of a heap that are not free: taken, kept, given back, resized.
 *
 *     free -- take, allocate --> live -- free --> kept -- take --> live
 *       ^                         |                |
 *       +-------- release --------+---- dropKept --+
 *
 *     SPAN_BYTES = sum of lengths of live, huge, kept and slab spans;  each page of those is committed
 *
 * A span that is freed is kept whole, in a list for its bin (32 a doubling), and the next request of that bin takes the one that was freed
 * last: no cut, no join, and memory that is still in the processor's cache. Such a block may be a 32nd longer than was asked for. The idea
 * is dlmalloc's fast bins. Kept spans are joined before the heap grows by a page, by every purge, and when a block in front of one grows, so
 * they never raise the peak by themselves. A block that grew and had to move goes to the longest free span, where it can go on growing.
 *
 * Cost: 5 ns for a kept span; cuts and joins as in free-spans.ts.
 * @module
 */
import { CorruptedError } from '../errors.ts'
import { FreeSpans, SPLINTER } from './free-spans.ts'
import { At, Bin, Span, Tag } from './heap-layout.ts'
import { Size } from './size-class.ts'
import { binOf, enter, leave, nextBin, resizeFree, tileAt, unbin } from './span.ts'

/** How often `cut` may look again, besides once for each window: kept spans, slabs and sweeps are given up once or twice each. */
const TURNS = 64

/** A heap whose committed pages are above this share of the limit, or of its claim, is nearly full. */
const NEARLY_FULL = 7 / 8

/** How far down its list a kept span is looked for that a block in front of it would grow into. */
const UNKEEP_SEARCH = 32

/** What a step has done that the source wants to know. */
const enum News {
  NONE,
  RELEASED = 1,
  STIRRED = 2,
  PAGES = 4,
}

export class SpanTable extends FreeSpans {
  /** Whether the source wants to be told of the next release. */
  watch = false
  /** What the source is still to be told of. */
  news: number = News.NONE
  /**
   * Freed spans below this length are kept: `Bin.KEPT_BELOW`, or 0 while the heap is nearly full. There a request that fails would have to join
   * what is kept to find out that it fails.
   */
  keptBelow: number = Bin.KEPT_BELOW
  /** Committed pages above which the heap counts as nearly full. */
  private readonly fullPages: number = Math.floor(
    (Math.min(this.source.limit, this.source.byteLength) / this.source.pageSize) * NEARLY_FULL
  )

  /**
   * A live span of `length` bytes (above `Size.SMALL_MAX`, below `Bin.KEPT_BELOW`), or a little more, dirty; 0 where it takes more than
   * taking a kept span or cutting one whose pages are committed. The common case, a third of the time of `allocate`.
   */
  take(length: number): number {
    const { m } = this
    const bin = binOf(length)
    const span = m[At.KEPT + bin]
    if (span === 0 || m[span + Span.SIZE] < length) return this.takeFree(length, bin)
    m[At.KEPT + bin] = m[span + Span.BIN_NEXT]
    m[span + Span.TAG] += Tag.LIVE - Tag.KEPT
    return span
  }

  /** The second half of `take`: a cut of a free span, the first of its bin or of the next, `bin` being that of the length. */
  takeFree(length: number, bin: number): number {
    const { m } = this
    // Nearly full, only the best fit is good enough.
    if (this.keptBelow === 0) return 0
    let span = m[At.BINS + bin]
    if (span !== 0 && m[span + Span.SIZE] < length) span = m[span + Span.BIN_NEXT]
    if (span < this.least || m[span + Span.SIZE] < length) {
      const longer = nextBin(m, bin + 1)
      if (longer < 0) return 0
      span = m[At.BINS + longer]
    }
    if ((m[span + Span.TAG] & Tag.KIND) !== Tag.FREE) throw this.corrupted(span)
    if ((m[span + Span.TAG] & Tag.CLEAN) !== 0 || m[At.SPAN_SPARE] === 0) return 0
    // The tile table would take more memory, which counts at a limit.
    if (this.limited && tileAt(m, span, 0) + (length >>> Size.TILE_BITS) - this.firstTile + 1 >= m[At.TILE_TOP])
      return 0
    const size = m[span + Span.SIZE]
    if (size - length >= SPLINTER) {
      this.bytes[At.SPAN_BYTES >> 1] += length
      return this.cutFront(span, length, Tag.LIVE)
    }
    this.bytes[At.SPAN_BYTES >> 1] += size
    m[At.FREE_PAGES] -= this.wholePages(span)
    unbin(m, span)
    m[span + Span.TAG] += Tag.LIVE - Tag.FREE
    return span
  }

  /** Cuts a block that grows from the longest free span, so that it can go on growing where it is; 0 when that is no better than any. */
  allocateRoomy(length: number): number {
    const { m } = this
    const level = 31 - Math.clz32(m[At.BIN_TOP_MAP])
    if (level < 0) return 0
    const free = m[At.BINS + (level << 5) + 31 - Math.clz32(m[At.BIN_MAP + level])]
    if (m[free + Span.SIZE] < 2 * length) return 0
    return this.allocate(length, 8, Tag.LIVE, false, free)
  }

  /** Cuts a span anywhere: where pages must be committed or zeroed, aligned, or where room must be made first. 0 when there is none. */
  allocate(length: number, alignment: number, kind: number, zero: boolean, wanted = 0): number {
    // What is given up to make room is no news to the source, which may purge when it hears of a release: not in a request that may fail.
    const { watch } = this
    this.watch = false
    try {
      return this.cut(length, alignment, kind, zero, wanted)
    } finally {
      this.watch = watch
    }
  }

  private cut(length: number, alignment: number, kind: number, zero: boolean, wanted: number): number {
    const { m } = this
    const keptBelow = m[At.COMMITTED] > this.fullPages ? 0 : Bin.KEPT_BELOW
    if (keptBelow !== this.keptBelow) {
      this.keptBelow = keptBelow
      // Spans are joined from now on as they are freed; the best fit may be another then.
      if (keptBelow === 0 && this.dropKept()) wanted = 0
    }
    // Each turn gives something up, or opens a window: a heap that has no end of either contradicts itself.
    for (let free = wanted, turns = TURNS + this.windowCount; ; free = 0, turns--) {
      if (turns === 0) throw new CorruptedError('Heap: memory is given up again and again, and none is there')
      if (!this.roomFor(2)) return 0
      if (free === 0) free = this.fit(length, alignment)
      if (free === 0) {
        // Kept spans, and slabs that stand empty, may be what is missing.
        if (this.dropKept() || this.openFor(length, alignment) || this.source.retire()) continue
        return 0
      }
      if (this.kind(this.sound(free)) !== Tag.FREE) throw this.corrupted(free)
      const window = m[free + Span.TAG] >> Tag.WINDOW_BITS
      const start = (m[free + Span.START] + alignment - 1) & -alignment
      const rest = m[free + Span.START] + m[free + Span.SIZE] - start - length
      if (rest < 0) throw this.corrupted(free)
      const size = rest < SPLINTER && kind === Tag.LIVE ? length + rest : length
      const missing = this.missing(window, start, start + size)
      if (missing > 0 && this.dropKept()) continue
      if (missing > 0 || this.limited) {
        const answer = this.admit(missing, window, start, start + size)
        if (answer < 0) return 0
        if (answer > 0) continue
      }
      // First what can fail: a request that fails changes nothing.
      if (zero) this.zeroDirty(window, start, start + size)
      this.commit(window, start, start + size)
      const live =
        start === m[free + Span.START] && rest >= SPLINTER
          ? this.cutFront(free, length, kind)
          : this.carve(free, start, size, kind)
      this.account(window, start + size, size)
      return live
    }
  }

  /** Frees a live span: keeps it if it is not long. */
  free(span: number): void {
    const { m } = this
    const size = m[span + Span.SIZE]
    // Short ones come from an alignment that no slot has.
    if (size >= this.keptBelow || size < Bin.SHORTEST_KEPT) {
      this.release(span)
      return
    }
    m[span + Span.TAG] += Tag.KEPT - Tag.LIVE
    this.keep(span, binOf(size))
  }

  /** Frees a span that is tagged as kept and hangs in no list. */
  freeTagged(span: number): void {
    const size = this.m[span + Span.SIZE]
    if (size >= this.keptBelow || size < Bin.SHORTEST_KEPT) this.release(span)
    else this.keep(span, binOf(size))
  }

  /** Frees the span of a slab that has been given up. */
  freeSlab(span: number): void {
    if (this.keptBelow === 0) this.release(span)
    else this.keep(span, this.m[span + Span.SIZE] >>> Size.TILE_BITS)
  }

  /** A kept span of so many whole tiles that was a slab, or 0. */
  takeSlab(length: number): number {
    const { m } = this
    const at = At.KEPT + (length >>> Size.TILE_BITS)
    const span = m[at]
    if (span === 0) return 0
    if (m[this.sound(span) + Span.SIZE] !== length || (m[span + Span.START] & (Size.TILE - 1)) !== 0)
      throw this.corrupted(span)
    if ((m[span + Span.TAG] & Tag.KIND) !== Tag.KEPT) throw this.corrupted(span)
    m[at] = m[span + Span.BIN_NEXT]
    return span
  }

  private keep(span: number, bin: number): void {
    const { m } = this
    const head = m[At.KEPT + bin]
    m[span + Span.BIN_NEXT] = head
    m[At.KEPT + bin] = span
    if (head === 0) this.noteFirstKept(bin)
  }

  /** Sets the bit of a list of kept spans that was empty. Only then the source is told: while a list is not empty, it knows of some. */
  noteFirstKept(bin: number): void {
    this.m[At.KEPT_MAP + (bin >>> 5)] |= 1 << bin
    if (this.watch) this.noteRelease()
  }

  /** Takes a kept span out of its list, if it is not far from its head; whether it was done. */
  private unkeep(span: number): boolean {
    const size = this.m[span + Span.SIZE]
    // The span of a slab hangs in the list for its tiles.
    return (
      this.unkeepFrom(At.KEPT + binOf(size), span) ||
      (size % Size.TILE === 0 && size <= Size.SLAB_MAX && this.unkeepFrom(At.KEPT + (size >>> Size.TILE_BITS), span))
    )
  }

  private unkeepFrom(list: number, span: number): boolean {
    const { m } = this
    let at = list
    for (let left = UNKEEP_SEARCH; left > 0; left--) {
      const next = m[at]
      if (next === span) {
        m[at] = m[span + Span.BIN_NEXT]
        return true
      }
      if (next === 0) return false
      at = next + Span.BIN_NEXT
    }
    return false
  }

  /** Releases every kept span; false when there was none. */
  dropKept(): boolean {
    const { m } = this
    let any = false
    for (let word = 0; word < Bin.KEPT_COUNT / 32; word++) {
      let bits = m[At.KEPT_MAP + word]
      m[At.KEPT_MAP + word] = 0
      for (; bits !== 0; bits &= bits - 1) {
        const at = At.KEPT + (word << 5) + 31 - Math.clz32(bits & -bits)
        let span = m[at]
        m[at] = 0
        while (span !== 0) {
          any = true
          const next = m[span + Span.BIN_NEXT]
          // What has been released is not kept any more, so a list that leads back into itself ends here.
          if ((m[span + Span.TAG] & Tag.KIND) !== Tag.KEPT) throw this.corrupted(span)
          this.release(span)
          span = next
        }
      }
    }
    return any
  }

  /** Gives a live, kept or slab span back and joins it with free neighbours. */
  release(span: number): void {
    const { bytes } = this
    this.sound(span)
    const left = bytes[At.SPAN_BYTES >> 1] - this.m[span + Span.SIZE]
    bytes[At.SPAN_BYTES >> 1] = left
    this.join(span)
    this.noteRelease()
    if (left < bytes[At.LOW_WATER >> 1]) this.tidy(left)
    else if (left > 16 * bytes[At.LOW_WATER >> 1]) bytes[At.LOW_WATER >> 1] = left / 8
  }

  private tidy(left: number): void {
    this.bytes[At.LOW_WATER >> 1] = left / 2
    this.source.retire()
    this.dropKept()
  }

  /** Something was released: the source is told, if it wants to know, when the step is over. */
  noteRelease(): void {
    if (!this.watch) return
    this.watch = false
    this.news |= News.RELEASED
  }

  /** Something may fall free unnoticed: the same. */
  noteStir(): void {
    this.watch = false
    this.news |= News.STIRRED
  }

  /** Pages have come or gone, and somebody wants to know: the same. */
  notePages(): void {
    this.news |= News.PAGES
  }

  /**
   * Tells the source what there is to tell. The last thing that a step does: the source may purge, and runs its owner's callback, which
   * may do anything with the heap.
   */
  tell(): void {
    const { news } = this
    this.news = News.NONE
    if (news & News.RELEASED) this.source.freed()
    else if (news & News.STIRRED) this.source.stirred()
    if (news & News.PAGES) this.source.tellPages()
  }

  /** Changes a live span's length in place; false when the span behind it leaves no room. */
  resize(span: number, length: number): boolean {
    const { m } = this
    const old = m[span + Span.SIZE]
    if (length <= old) {
      if (old - length >= SPLINTER && this.mayRecord()) this.trim(span, length)
      return true
    }
    let next = m[span + Span.NEXT]
    if (
      next !== 0 &&
      (m[next + Span.TAG] & Tag.KIND) === Tag.KEPT &&
      old + m[next + Span.SIZE] >= length &&
      this.unkeep(next)
    ) {
      this.bytes[At.SPAN_BYTES >> 1] -= m[next + Span.SIZE]
      this.join(next)
      next = m[span + Span.NEXT]
    }
    if (next === 0 || (m[next + Span.TAG] & Tag.KIND) !== Tag.FREE) return false
    const rest = old + m[next + Span.SIZE] - length
    if (rest < 0) return false
    const whole = rest < SPLINTER ? length + rest : length
    const window = m[span + Span.TAG] >> Tag.WINDOW_BITS
    const start = m[span + Span.START]
    const missing = this.missing(window, start + old, start + whole)
    if (missing > 0 || this.limited) {
      if (missing > 0 && this.dropKept()) return this.resize(span, length)
      const answer = this.admit(missing, window, start + old, start + whole)
      if (answer !== 0) return answer > 0 && this.resize(span, length)
    }
    if (missing > 0) this.commit(window, start + old, start + whole)
    this.grow(span, next, whole, rest)
    this.account(window, start + whole, whole - old)
    return true
  }

  /** Moves the border between a live span and the free one behind it; a splinter of that goes as well. */
  private grow(span: number, next: number, whole: number, rest: number): void {
    const { m, tiles } = this
    m[At.FREE_PAGES] -= this.wholePages(next)
    if (rest < SPLINTER) {
      unbin(m, next)
      this.absorb(next)
    } else {
      leave(m, next, tiles)
      m[next + Span.START] = m[span + Span.START] + whole
      enter(m, next, tiles, this.firstTile)
      resizeFree(m, next, rest)
      m[At.FREE_PAGES] += this.wholePages(next)
    }
    m[span + Span.SIZE] = whole
  }

  /** Cuts the end off a live span. */
  private trim(span: number, size: number): void {
    const { m } = this
    this.bytes[At.SPAN_BYTES >> 1] -= m[span + Span.SIZE] - size
    this.join(this.split(span, size))
    this.noteRelease()
  }

  /** Whether a record can be made without passing the limit. */
  private mayRecord(): boolean {
    if (this.m[At.SPAN_SPARES] > 0) return true
    if (!this.roomFor(1)) return false
    return !this.limited || this.committedBytes + this.source.metadataBytes(1, 0) <= this.source.limit
  }
}
