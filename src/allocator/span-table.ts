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
import { binOf, enter, leave, nextBin, resizeFree, unbin, unlinked } from './span.ts'

/** How often `cut` may look again, besides once for each window: kept spans, slabs and sweeps are given up once or twice each. */
const TURNS = 64

/** What a step has done that the source wants to know. */
const enum News {
  NONE,
  RELEASED,
  STIRRED,
}

export class SpanTable extends FreeSpans {
  /** Whether the source wants to be told of the next release. */
  watch = false
  /** What the source is still to be told of. */
  news: News = News.NONE

  /**
   * A live span of `length` bytes (above `Size.SMALL_MAX`, below `Bin.KEPT_BELOW`), or a little more, dirty; 0 where it takes more than
   * taking a kept span or cutting one whose pages are committed. The common case, a third of the time of `allocate`.
   */
  take(length: number): number {
    const { m } = this
    let bin = binOf(length)
    let span = m[At.KEPT + bin]
    if (span !== 0 && m[span + Span.SIZE] >= length) {
      this.unkeepFirst(At.KEPT + bin, span)
      m[span + Span.TAG] += Tag.LIVE - Tag.KEPT
      return span
    }
    span = m[At.BINS + bin]
    if (span !== 0 && m[span + Span.SIZE] < length) span = m[span + Span.BIN_NEXT]
    if (span < this.least || m[span + Span.SIZE] < length) {
      bin = nextBin(m, bin + 1)
      if (bin < 0) return 0
      span = m[At.BINS + bin]
    }
    if ((m[span + Span.TAG] & Tag.KIND) !== Tag.FREE) throw this.corrupted(span)
    if (this.limited || (m[span + Span.TAG] & Tag.CLEAN) !== 0 || m[At.SPAN_SPARE] === 0) return 0
    const size = m[span + Span.SIZE]
    if (size - length >= SPLINTER) {
      this.bytes[At.SPAN_BYTES >> 1] += length
      return this.cutFront(span, length, Tag.LIVE)
    }
    this.bytes[At.SPAN_BYTES >> 1] += size
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
    if (size >= Bin.KEPT_BELOW || size < Bin.SHORTEST_KEPT) {
      this.release(span)
      return
    }
    m[span + Span.TAG] += Tag.KEPT - Tag.LIVE
    this.keep(span, binOf(size))
  }

  /** Frees the span of a slab that has been given up. */
  freeSlab(span: number): void {
    this.keep(span, this.m[span + Span.SIZE] >>> Size.TILE_BITS)
  }

  /** A kept span of so many whole tiles that was a slab, or 0. */
  takeSlab(length: number): number {
    const { m } = this
    const at = At.KEPT + (length >>> Size.TILE_BITS)
    const span = m[at]
    if (span === 0) return 0
    if (m[this.sound(span) + Span.SIZE] !== length || (m[span + Span.START] & (Size.TILE - 1)) !== 0)
      throw this.corrupted(span)
    this.unkeepFirst(at, span)
    return span
  }

  private keep(span: number, bin: number): void {
    const { m } = this
    const head = m[At.KEPT + bin]
    m[span + Span.BIN_NEXT] = head
    m[span + Span.BIN_PREVIOUS] = 0
    if (head !== 0) m[head + Span.BIN_PREVIOUS] = span
    m[At.KEPT + bin] = span
    m[At.KEPT_MAP + (bin >>> 5)] |= 1 << bin
    m[At.KEPT_NOW]++
    this.noteRelease()
  }

  /** Takes the first span of a list of kept ones, which begins at the word `at`, out of it. */
  private unkeepFirst(at: number, span: number): void {
    const { m } = this
    if ((m[span + Span.TAG] & Tag.KIND) !== Tag.KEPT) throw this.corrupted(span)
    const next = m[span + Span.BIN_NEXT]
    m[at] = next
    if (next !== 0) {
      if (m[next + Span.BIN_PREVIOUS] !== span) throw unlinked(next)
      m[next + Span.BIN_PREVIOUS] = 0
    }
    m[At.KEPT_NOW]--
  }

  /** Takes a kept span out of its list, wherever it is in it. */
  private unkeep(span: number): void {
    const { m } = this
    const previous = m[span + Span.BIN_PREVIOUS]
    if (previous === 0) {
      const size = m[span + Span.SIZE]
      const at = At.KEPT + binOf(size)
      // The span of a slab hangs in the list for its tiles.
      this.unkeepFirst(m[at] === span ? at : At.KEPT + (size >>> Size.TILE_BITS), span)
      return
    }
    const next = m[span + Span.BIN_NEXT]
    if (m[previous + Span.BIN_NEXT] !== span) throw unlinked(previous)
    m[previous + Span.BIN_NEXT] = next
    if (next !== 0) {
      if (m[next + Span.BIN_PREVIOUS] !== span) throw unlinked(next)
      m[next + Span.BIN_PREVIOUS] = previous
    }
    m[At.KEPT_NOW]--
  }

  /** Releases every kept span; false when there was none. */
  dropKept(): boolean {
    const { m } = this
    if (m[At.KEPT_NOW] === 0) return false
    m[At.KEPT_NOW] = 0
    for (let word = 0; word < Bin.KEPT_COUNT / 32; word++) {
      let bits = m[At.KEPT_MAP + word]
      m[At.KEPT_MAP + word] = 0
      for (; bits !== 0; bits &= bits - 1) {
        const at = At.KEPT + (word << 5) + 31 - Math.clz32(bits & -bits)
        let span = m[at]
        m[at] = 0
        while (span !== 0) {
          const next = m[span + Span.BIN_NEXT]
          // What has been released is not kept any more, so a list that leads back into itself ends here.
          if ((m[span + Span.TAG] & Tag.KIND) !== Tag.KEPT) throw this.corrupted(span)
          this.release(span)
          span = next
        }
      }
    }
    return true
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
    this.news = News.RELEASED
  }

  /** Something may fall free unnoticed: the same. */
  noteStir(): void {
    this.watch = false
    this.news = News.STIRRED
  }

  /**
   * Tells the source what there is to tell. The last thing that a step does: the source may purge, and runs its owner's callback, which
   * may do anything with the heap.
   */
  tell(): void {
    const { news } = this
    this.news = News.NONE
    if (news === News.RELEASED) this.source.freed()
    else if (news === News.STIRRED) this.source.stirred()
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
    if (next !== 0 && (m[next + Span.TAG] & Tag.KIND) === Tag.KEPT && old + m[next + Span.SIZE] >= length) {
      this.unkeep(next)
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
    if (rest < SPLINTER) {
      unbin(m, next)
      this.absorb(next)
    } else {
      leave(m, next, tiles)
      m[next + Span.START] = m[span + Span.START] + whole
      enter(m, next, tiles, this.firstTile)
      resizeFree(m, next, rest)
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
