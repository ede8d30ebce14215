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
import { SpanTable } from './span-cache.ts'

export class HugeSpanTable extends SpanTable {
  allocateHuge(length: number, alignment: number, zero: boolean): number {
    this.dropKept()
    for (let w = 0; w < this.windowCount; w++) {
      const start = this.#runFrom(w, length, alignment)
      if (start < 0) continue
      const parts = this.#parts(w, start, length)
      if (!this.roomFor(3 * parts.length)) return 0
      let missing = 0
      for (const part of parts) missing += this.missing(part.window, part.start, part.start + part.length)
      const tail = parts[parts.length - 1] as (typeof parts)[0]
      const end = (tail.window - parts[0].window) * Window.BYTES + tail.start + tail.length
      const answer = missing > 0 || this.limited ? this.admit(missing, parts[0].window, start, end) : 0
      if (answer < 0) return 0
      if (answer > 0) return this.allocateHuge(length, alignment, zero)
      while (this.openWindows() < w + parts.length && this.open());
      return this.#takeParts(parts, length, zero)
    }
    // A slab that stands empty may be all that lies in the way.
    return this.source.retire() ? this.allocateHuge(length, alignment, zero) : 0
  }

  /** Gives a huge block's parts back. */
  releaseHuge(span: number): void {
    let window = this.window(span)
    let left = this.length(span) - this.m[span + SpanWord.SIZE]
    this.release(span)
    while (left > 0) {
      const part = this.find(++window, 0)
      if (part === 0 || this.kind(part) !== SpanTag.PART) throw this.corrupted(part)
      left -= this.m[part + SpanWord.SIZE]
      this.release(part)
    }
  }

  /** Where in the claim's window `w` a run of free bytes of this length begins, or -1. */
  #runFrom(w: number, length: number, alignment: number): number {
    const tail = this.#freeTail(w)
    if (tail < 0) return -1
    const start = alignUp(tail, alignment)
    let left = length - (this.windowEnd(w) - start)
    if (start >= this.windowEnd(w) || left <= 0) return left <= 0 && start < this.windowEnd(w) ? start : -1
    for (let next = w + 1; left > 0; next++) {
      if (next >= this.windowCount) return -1
      const room = this.#freeHead(next)
      if (room < left && room < Window.BYTES) return -1
      left -= room
    }
    return start
  }

  /** Start of the free span that ends where the window ends, or -1. */
  #freeTail(w: number): number {
    if (w >= this.openWindows()) return this.windowStart(w)
    const window = this.firstWindow + w
    const last = this.around(window, this.windowEnd(w) - 1)
    return last !== 0 && this.kind(last) === SpanTag.FREE ? this.m[last + SpanWord.START] : -1
  }

  /** Length of the free span that begins where the window begins, or 0. */
  #freeHead(w: number): number {
    if (w >= this.openWindows()) return this.windowEnd(w)
    const first = this.first(this.firstWindow + w)
    return first !== 0 && this.kind(this.sound(first)) === SpanTag.FREE ? this.m[first + SpanWord.SIZE] : 0
  }

  #parts(w: number, start: number, length: number): { window: number; start: number; length: number }[] {
    const parts = []
    let at = start
    for (let left = length, i = w; left > 0; i++, at = 0) {
      const part = Math.min(left, this.windowEnd(i) - at)
      parts.push({ window: this.firstWindow + i, start: at, length: part })
      left -= part
    }
    return parts
  }

  /** Makes the parts live, the first one last: it is what makes them a block. */
  #takeParts(parts: { window: number; start: number; length: number }[], length: number, zero: boolean): number {
    const { m } = this
    let head = 0
    if (zero) for (const part of parts) this.zeroDirty(part.window, part.start, part.start + part.length)
    for (const part of parts.reverse()) {
      const first = part === parts[parts.length - 1]
      this.commit(part.window, part.start, part.start + part.length)
      head = this.carve(
        this.around(part.window, part.start),
        part.start,
        part.length,
        first ? SpanTag.KEPT : SpanTag.PART
      )
      this.account(part.window, part.start + part.length, part.length)
    }
    m[head + SpanWord.HUGE_LOW] = length % Window.BYTES
    m[head + SpanWord.HUGE_HIGH] = Math.floor(length / Window.BYTES)
    m[head + SpanWord.TAG] += (parts.length === 1 ? SpanTag.LIVE : SpanTag.HUGE) - SpanTag.KEPT
    return head
  }
}
