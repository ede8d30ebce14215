/**
 * A live span given another length where it is.
 *
 *     grow    | live |  kept   | free |  ->  | live |      free      |  ->  |    live    |  free  |
 *     shrink  |        live           |  ->  | live |      free      |       a rest below SPLINTER stays with the block
 *
 * Cost: about that of a cut, or of a join; pages that are missing are asked for first (admission.ts).
 * @module
 */
import { At, SpanTag, SpanWord } from '../words.ts'
import { type Admission, Answer, type Reserves } from './admission.ts'
import { type FreeSpans, SPLINTER } from './free-spans.ts'
import type { Notices } from './notices.ts'
import { enterTile, removeTile, resizeFree, unbin } from './records.ts'
import type { SpanCache } from './span-cache.ts'
import type { SpanIndex } from './span-index.ts'
import type { SpanPages } from './span-pages.ts'

/** The parts of a heap that a resize touches. */
export interface ResizingParts {
  readonly index: SpanIndex
  readonly pages: SpanPages
  readonly free: FreeSpans
  readonly cache: SpanCache
  readonly admission: Admission
  readonly notices: Notices
}

export class SpanResizing {
  readonly #m: Int32Array
  readonly #numbers: Float64Array
  readonly #parts: ResizingParts
  readonly #reserves: Reserves

  constructor(parts: ResizingParts, reserves: Reserves) {
    const { words, numbers } = parts.index.tables
    this.#m = words
    this.#numbers = numbers
    this.#parts = parts
    this.#reserves = reserves
  }

  /** Changes a live span's length in place; false when the span behind it leaves no room. */
  resize(span: number, length: number): boolean {
    const m = this.#m
    const old = m[span + SpanWord.SIZE]
    if (length <= old) {
      if (old - length >= SPLINTER && this.#mayRecord()) this.#trim(span, length)
      return true
    }
    const { pages, admission } = this.#parts
    const next = this.#freeBehind(span, length - old)
    if (next === 0) return false
    const rest = old + m[next + SpanWord.SIZE] - length
    const whole = rest < SPLINTER ? length + rest : length
    const window = m[span + SpanWord.TAG] >> SpanTag.WINDOW_BITS
    const start = m[span + SpanWord.START]
    const missing = pages.missing(window, start + old, start + whole)
    if (missing > 0 || admission.limited) {
      if (missing > 0 && this.#reserves.releaseKept()) return this.resize(span, length)
      const answer = admission.admit(missing, window, start + old, start + whole)
      if (answer !== Answer.GRANTED) return answer === Answer.LOOK_AGAIN && this.resize(span, length)
    }
    if (missing > 0) pages.commit(window, start + old, start + whole)
    this.#grow(span, next, whole, rest)
    admission.account(window, start + whole, whole - old)
    return true
  }

  /** The free span behind a live one, when it has `more` bytes; 0 otherwise. A kept one that is long enough is joined for it. */
  #freeBehind(span: number, more: number): number {
    const m = this.#m
    const { index, free, cache } = this.#parts
    let next = m[span + SpanWord.NEXT]
    if (next !== 0 && index.kind(next) === SpanTag.KEPT && m[next + SpanWord.SIZE] >= more && cache.unkeep(next)) {
      this.#numbers[At.SPAN_BYTES >> 1] -= m[next + SpanWord.SIZE]
      free.join(next)
      next = m[span + SpanWord.NEXT]
    }
    return next !== 0 && index.kind(next) === SpanTag.FREE && m[next + SpanWord.SIZE] >= more ? next : 0
  }

  /** Moves the border between a live span and the free one behind it; a splinter of that goes as well. */
  #grow(span: number, next: number, whole: number, rest: number): void {
    const m = this.#m
    const { index, pages, free } = this.#parts
    m[At.FREE_PAGES] -= pages.whole(next)
    if (rest < SPLINTER) {
      unbin(m, next)
      free.absorb(next)
    } else {
      removeTile(m, next, index.tiles)
      m[next + SpanWord.START] = m[span + SpanWord.START] + whole
      enterTile(m, next, index.tiles, index.firstTile)
      resizeFree(m, next, rest)
      m[At.FREE_PAGES] += pages.whole(next)
    }
    m[span + SpanWord.SIZE] = whole
  }

  /** Cuts the end off a live span. */
  #trim(span: number, size: number): void {
    const { free, notices } = this.#parts
    this.#numbers[At.SPAN_BYTES >> 1] -= this.#m[span + SpanWord.SIZE] - size
    free.join(free.split(span, size))
    notices.noteRelease()
  }

  #mayRecord(): boolean {
    const { free, admission } = this.#parts
    return this.#m[At.SPAN_SPARES] > 0 || (free.roomFor(1) && admission.admitsRecord)
  }
}
