/**
 * The free spans of a heap: found, cut and joined. Every byte of an open window belongs to exactly one span.
 *
 *     sum of span lengths in a window = the claim's part of that window;  no two free spans are neighbours
 *
 *     cut     |        free        |   ->   |  live  |    free    |       a rest below SPLINTER stays with the block
 *     join    | free |  live | free |  ->   |        free        |        at once, both sides
 *
 * Best fit over byte-granular spans with immediate joining, the policy that keeps glibc's heap compact, but with every tag outside
 * the blocks, in the records of records.ts. A window is opened, as one free span, when there is no room in those that are open.
 *
 * Cost: about 15 ns for a cut, 15 for a join, more where branches cannot be foreseen.
 * @module
 */

import type { HeapTables } from '../layout.ts'
import { Size } from '../size-classes.ts'
import { At, Bin, SpanTag, SpanWord } from '../words.ts'
import {
  bestIn,
  binOf,
  enterTile,
  giveRecord,
  intoBin,
  nextBin,
  removeTile,
  resizeFree,
  takeRecord,
  tileAt,
  unbin,
  unlinked,
} from './records.ts'
import type { SpanIndex } from './span-index.ts'
import type { SpanPages } from './span-pages.ts'

/** A free rest shorter than this stays with its block: a record costs half as much. */
export const SPLINTER = 64

/** How many spans of a bin are compared where there is time. */
const SEARCH = 8

/** How many spans are looked at for one whose pages are committed. */
const COMMITTED_SEARCH = 16

/** How many spans of the exact bin are compared before a request is refused; of those behind it half as many each. */
const THOROUGH_SEARCH = 64

export class FreeSpans {
  readonly #tables: HeapTables
  readonly #m: Int32Array
  readonly #index: SpanIndex
  readonly #pages: SpanPages
  readonly #tiles: number
  readonly #firstTile: number

  constructor(index: SpanIndex, pages: SpanPages) {
    this.#tables = index.tables
    this.#m = index.tables.words
    this.#index = index
    this.#pages = pages
    this.#tiles = index.tiles
    this.#firstTile = index.firstTile
  }

  /** Opens the next window of the claim as one free span; false when there is none left. */
  open(): boolean {
    const m = this.#m
    const index = this.#index
    const opened = index.openWindows()
    if (opened === index.windowCount || !this.roomFor(3)) return false
    const window = index.firstWindow + opened
    m[At.WINDOWS] = opened + 1
    const span = takeRecord(m)
    m[span + SpanWord.START] = index.windowStart(opened)
    m[span + SpanWord.SIZE] = index.windowEnd(opened) - m[span + SpanWord.START]
    m[span + SpanWord.TAG] = (window << SpanTag.WINDOW_BITS) | SpanTag.CLEAN | SpanTag.FREE
    m[span + SpanWord.PREVIOUS] = 0
    m[span + SpanWord.NEXT] = 0
    enterTile(m, span, this.#tiles, this.#firstTile)
    intoBin(m, span, m[span + SpanWord.SIZE])
    m[At.FREE_PAGES] += this.#pages.whole(span)
    m[At.CLEARING] = 0
    return true
  }

  /** The first window that is not open and has room for a length, counted from the claim's first; -1 when none has. */
  windowFor(length: number, alignment: number): number {
    const index = this.#index
    for (let w = index.openWindows(); w < index.windowCount; w++)
      if (Math.ceil(index.windowStart(w) / alignment) * alignment + length <= index.windowEnd(w)) return w
    return -1
  }

  /** Opens windows up to the one with this number; false when there is no room for their records. */
  openUpTo(w: number): boolean {
    while (this.#m[At.WINDOWS] <= w) if (!this.open()) return false
    return true
  }

  /** The best free span for a length and an alignment, or 0. */
  fit(length: number, alignment: number): number {
    const m = this.#m
    const exact = binOf(length < Bin.SHORTEST ? Bin.SHORTEST : length)
    for (let bin = nextBin(m, exact); bin >= 0; bin = nextBin(m, bin + 1)) {
      const found = bestIn(m, bin, length, alignment, SEARCH)
      if (found !== 0) return found
    }
    // What the short searches passed over: in the exact bin, and where an alignment makes it hard. A request that fails takes no longer for
    // it than some microseconds, however many free spans there are.
    let left = THOROUGH_SEARCH
    for (let bin = nextBin(m, exact); bin >= 0 && (alignment > 8 || bin === exact); bin = nextBin(m, bin + 1)) {
      const found = bestIn(m, bin, length, alignment, left)
      if (found !== 0) return found
      if (left > SEARCH) left >>>= 1
    }
    return 0
  }

  /** A free span whose beginning fits and needs no page, of the shortest that are long enough; 0 when it is not among the first few. */
  fitCommitted(length: number, alignment: number): number {
    const m = this.#m
    let left = COMMITTED_SEARCH
    let bin = nextBin(m, binOf(length < Bin.SHORTEST ? Bin.SHORTEST : length))
    for (; bin >= 0; bin = nextBin(m, bin + 1))
      for (let span = m[At.BINS + bin]; span > 0; span = m[span + SpanWord.BIN_NEXT]) {
        if (left-- === 0) return 0
        const start = (m[span + SpanWord.START] + alignment - 1) & -alignment
        if (start + length > m[span + SpanWord.START] + m[span + SpanWord.SIZE]) continue
        if (this.isCommitted(span, start, start + length)) return span
      }
    return 0
  }

  /** Whether no page of `[start, end)` of a free span is missing. */
  isCommitted(span: number, start: number, end: number): boolean {
    const tag = this.#m[this.#index.sound(span) + SpanWord.TAG]
    return (tag & SpanTag.CLEAN) === 0 || this.#pages.missing(tag >> SpanTag.WINDOW_BITS, start, end) === 0
  }

  /** Whether so many records can still be made. */
  roomFor(count: number): boolean {
    const m = this.#m
    return m[At.SPAN_SPARES] >= count || m[At.SPAN_TOP] + count * SpanWord.WORDS <= this.#tables.layout.spansEnd
  }

  /** Makes the first `size` bytes of a free span live, or another kind; the rest keeps its record and as a rule its bin. */
  cutFront(free: number, size: number, kind: number): number {
    const m = this.#m
    const tiles = this.#tiles
    const live = takeRecord(m)
    const start = m[free + SpanWord.START]
    const previous = m[free + SpanWord.PREVIOUS]
    const tag = m[free + SpanWord.TAG] & ~(SpanTag.KIND | SpanTag.CLEAN)
    const pages = this.#pages.whole(free)
    m[live + SpanWord.START] = start
    m[live + SpanWord.SIZE] = size
    m[live + SpanWord.PREVIOUS] = previous
    m[live + SpanWord.NEXT] = free
    if (previous !== 0) {
      if (m[previous + SpanWord.NEXT] !== free) throw unlinked(previous)
      m[previous + SpanWord.NEXT] = live
    }
    m[free + SpanWord.PREVIOUS] = live
    // The new span is where the free one was; the free one is the first in its tile unless it stays in the same.
    const tile = tileAt(m, free, tiles)
    const moved = tile + ((start + size) >>> Size.TILE_BITS) - (start >>> Size.TILE_BITS)
    m[free + SpanWord.START] = start + size
    if (m[tile] === -free) m[tile] = -live
    if (moved !== tile) {
      const used = moved - tiles - this.#firstTile + 1
      if (used > m[At.TILE_TOP]) m[At.TILE_TOP] = used
      m[moved] = -free
    }
    resizeFree(m, free, m[free + SpanWord.SIZE] - size)
    if (pages > 0) m[At.FREE_PAGES] += this.#pages.whole(free) - pages
    m[live + SpanWord.TAG] = tag | kind
    return live
  }

  /** Makes `[start, start + size)` of a free span live; what is left of it before and behind stays free. */
  carve(span: number, start: number, size: number, kind: number): number {
    const m = this.#m
    unbin(m, span)
    m[At.FREE_PAGES] -= this.#pages.whole(span)
    let live = span
    if (start > m[span + SpanWord.START]) {
      live = this.split(span, start - m[span + SpanWord.START])
      intoBin(m, span, m[span + SpanWord.SIZE])
      m[At.FREE_PAGES] += this.#pages.whole(span)
    }
    if (m[live + SpanWord.SIZE] > size) {
      const rest = this.split(live, size)
      intoBin(m, rest, m[rest + SpanWord.SIZE])
      m[At.FREE_PAGES] += this.#pages.whole(rest)
    }
    m[live + SpanWord.TAG] = (m[live + SpanWord.TAG] & ~(SpanTag.KIND | SpanTag.CLEAN)) | kind
    return live
  }

  /** Cuts a span in two; returns the second part, free, linked and entered but in no bin. */
  split(span: number, size: number): number {
    const m = this.#m
    const second = takeRecord(m)
    const next = m[span + SpanWord.NEXT]
    m[second + SpanWord.START] = m[span + SpanWord.START] + size
    m[second + SpanWord.SIZE] = m[span + SpanWord.SIZE] - size
    m[span + SpanWord.SIZE] = size
    m[second + SpanWord.TAG] = (m[span + SpanWord.TAG] & ~SpanTag.KIND) | SpanTag.FREE
    m[second + SpanWord.PREVIOUS] = span
    m[second + SpanWord.NEXT] = next
    m[span + SpanWord.NEXT] = second
    if (next !== 0) m[next + SpanWord.PREVIOUS] = second
    enterTile(m, second, this.#tiles, this.#firstTile)
    return second
  }

  /** Makes a span that is in no bin free, and joins it with free neighbours. */
  join(span: number): void {
    const m = this.#m
    const previous = m[span + SpanWord.PREVIOUS]
    const next = m[span + SpanWord.NEXT]
    if (next !== 0) this.#requireNeighbours(span, next, next)
    if (previous !== 0) this.#requireNeighbours(previous, span, previous)
    m[span + SpanWord.TAG] = (m[span + SpanWord.TAG] & ~SpanTag.KIND) | SpanTag.FREE
    const joinsFront = previous !== 0 && (m[previous + SpanWord.TAG] & SpanTag.KIND) === SpanTag.FREE
    if (next !== 0 && (m[next + SpanWord.TAG] & SpanTag.KIND) === SpanTag.FREE) {
      if (joinsFront) this.#joinBoth(previous, span, next)
      else this.#joinNext(span, next)
    } else if (joinsFront) this.#joinPrevious(previous, span)
    else {
      intoBin(m, span, m[span + SpanWord.SIZE])
      m[At.FREE_PAGES] += this.#pages.whole(span)
    }
  }

  /** Throws unless `second` begins where `first` ends, and each names the other. `suspect`: the record that is reported. */
  #requireNeighbours(first: number, second: number, suspect: number): void {
    const m = this.#m
    if (
      m[first + SpanWord.START] + m[first + SpanWord.SIZE] !== m[second + SpanWord.START] ||
      m[first + SpanWord.NEXT] !== second ||
      m[second + SpanWord.PREVIOUS] !== first
    )
      throw this.#index.corrupted(suspect)
  }

  /** The free span in front takes the other two. */
  #joinBoth(previous: number, span: number, next: number): void {
    const m = this.#m
    unbin(m, next)
    m[previous + SpanWord.TAG] |= m[next + SpanWord.TAG] & SpanTag.CLEAN
    const size = m[previous + SpanWord.SIZE] + m[span + SpanWord.SIZE] + m[next + SpanWord.SIZE]
    const pages = this.#pages.whole(previous) + this.#pages.whole(next)
    this.absorb(span)
    this.absorb(next)
    resizeFree(m, previous, size)
    m[At.FREE_PAGES] += this.#pages.whole(previous) - pages
  }

  /** The free span behind grows downwards. It keeps its record, and as a rule its bin. */
  #joinNext(span: number, next: number): void {
    const m = this.#m
    const previous = m[span + SpanWord.PREVIOUS]
    const size = m[next + SpanWord.SIZE] + m[span + SpanWord.SIZE]
    const pages = this.#pages.whole(next)
    removeTile(m, span, this.#tiles)
    removeTile(m, next, this.#tiles)
    m[next + SpanWord.START] = m[span + SpanWord.START]
    m[next + SpanWord.PREVIOUS] = previous
    if (previous !== 0) m[previous + SpanWord.NEXT] = next
    giveRecord(m, span)
    enterTile(m, next, this.#tiles, this.#firstTile)
    resizeFree(m, next, size)
    m[At.FREE_PAGES] += this.#pages.whole(next) - pages
  }

  /** The free span in front grows. */
  #joinPrevious(previous: number, span: number): void {
    const m = this.#m
    const size = m[previous + SpanWord.SIZE] + m[span + SpanWord.SIZE]
    const pages = this.#pages.whole(previous)
    this.absorb(span)
    resizeFree(m, previous, size)
    m[At.FREE_PAGES] += this.#pages.whole(previous) - pages
  }

  /** Takes a span that is in no bin out of the links and gives its record back: the span before it has its bytes now. */
  absorb(span: number): void {
    const m = this.#m
    const previous = m[span + SpanWord.PREVIOUS]
    const next = m[span + SpanWord.NEXT]
    removeTile(m, span, this.#tiles)
    m[previous + SpanWord.NEXT] = next
    if (next !== 0) m[next + SpanWord.PREVIOUS] = previous
    giveRecord(m, span)
  }
}
