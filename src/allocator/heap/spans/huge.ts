/**
 * Blocks that are longer than a window: the end of one window, whole windows, and the beginning of the last, as one span each.
 *
 *     windows   | …live…|      part 1      |      part 2      | part 3 |  free …  |
 *
 * First fit over the windows. Only such a block crosses a window's end. Cost: some look-ups for each window; such blocks are few.
 * @module
 */
import { alignUp } from '../../../bits.ts'
import { SpanTag, SpanWord, Window } from '../words.ts'
import type { FreeSpans } from './free-spans.ts'
import type { SpanIndex } from './span-index.ts'
import type { SpanPages } from './span-pages.ts'

/** A part of a huge block: a range of one window. */
export interface HugePart {
  readonly window: number
  readonly start: number
  readonly length: number
}

/** Whether a block of several spans stays when its length changes. It is not cut: it moves when it would keep less than half. */
export function staysWhole(usable: number, byteLength: number): boolean {
  return byteLength <= usable && byteLength > usable / 2
}

export class HugeSpans {
  readonly #m: Int32Array
  readonly #index: SpanIndex
  readonly #free: FreeSpans
  readonly #pages: SpanPages

  constructor(index: SpanIndex, free: FreeSpans, pages: SpanPages) {
    this.#m = index.tables.words
    this.#index = index
    this.#free = free
    this.#pages = pages
  }

  /** The parts of the first run of free bytes that is long enough, or undefined. Its windows may still have to be opened. */
  find(length: number, alignment: number): readonly HugePart[] | undefined {
    for (let w = 0; w < this.#index.windowCount; w++) {
      const start = this.#runFrom(w, length, alignment)
      if (start >= 0) return this.#partsOf(w, start, length)
    }
    return undefined
  }

  /** Where in the claim's window `w` a run of free bytes of this length begins, or -1. */
  #runFrom(w: number, length: number, alignment: number): number {
    const index = this.#index
    const tail = this.#freeTail(w)
    if (tail < 0) return -1
    const start = alignUp(tail, alignment)
    let left = length - (index.windowEnd(w) - start)
    if (start >= index.windowEnd(w)) return -1
    for (let next = w + 1; left > 0; next++) {
      if (next >= index.windowCount) return -1
      const room = this.#freeHead(next)
      if (room < left && room < Window.BYTES) return -1
      left -= room
    }
    return start
  }

  /** Start of the free span that ends where the window ends, or -1. */
  #freeTail(w: number): number {
    const index = this.#index
    if (w >= index.openWindows()) return index.windowStart(w)
    const last = index.around(index.firstWindow + w, index.windowEnd(w) - 1)
    return last !== 0 && index.kind(last) === SpanTag.FREE ? this.#m[last + SpanWord.START] : -1
  }

  /** Length of the free span that begins where the window begins, or 0. */
  #freeHead(w: number): number {
    const index = this.#index
    if (w >= index.openWindows()) return index.windowEnd(w)
    const first = index.first(index.firstWindow + w)
    return first !== 0 && index.kind(index.sound(first)) === SpanTag.FREE ? this.#m[first + SpanWord.SIZE] : 0
  }

  #partsOf(w: number, start: number, length: number): HugePart[] {
    const index = this.#index
    const parts: HugePart[] = []
    let at = start
    for (let left = length, i = w; left > 0; i++, at = 0) {
      const part = Math.min(left, index.windowEnd(i) - at)
      parts.push({ window: index.firstWindow + i, start: at, length: part })
      left -= part
    }
    return parts
  }

  /**
   * Makes the parts spans, the first one last: it is what makes them a block. `account` counts each part. The record of the first.
   */
  take(parts: readonly HugePart[], length: number, zero: boolean, account: (part: HugePart) => void): number {
    const m = this.#m
    let head = 0
    if (zero) for (const { window, start, length: bytes } of parts) this.#pages.zeroDirty(window, start, start + bytes)
    for (const part of parts.toReversed()) {
      const { window, start } = part
      this.#pages.commit(window, start, start + part.length)
      const kind = part === parts[0] ? SpanTag.KEPT : SpanTag.PART
      head = this.#free.carve(this.#index.around(window, start), start, part.length, kind)
      account(part)
    }
    m[head + SpanWord.HUGE_LOW] = length % Window.BYTES
    m[head + SpanWord.HUGE_HIGH] = Math.floor(length / Window.BYTES)
    m[head + SpanWord.TAG] += (parts.length === 1 ? SpanTag.LIVE : SpanTag.HUGE) - SpanTag.KEPT
    return head
  }

  /** The spans of a huge block's parts, in order; each is looked up after the one before it was dealt with. */
  *spansOf(span: number): Generator<number> {
    const m = this.#m
    const index = this.#index
    let window = index.window(span)
    let left = index.length(span) - m[span + SpanWord.SIZE]
    yield span
    while (left > 0) {
      const part = index.find(++window, 0)
      if (part === 0 || index.kind(part) !== SpanTag.PART) throw index.corrupted(part)
      left -= m[part + SpanWord.SIZE]
      yield part
    }
  }
}
