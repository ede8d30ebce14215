/**
 * Kept spans: freed, and left whole for the next request of their length.
 *
 *     free -- cut --> live -- free --> kept -- take --> live
 *       ^                               |
 *       +---------- releaseAll ----------+
 *
 *     KEPT + bin      the span of that bin that was freed last; bins as for free spans, from 1 KiB to 128 KiB       linked one way
 *     KEPT + tiles    the same for the spans of slabs, 1 to 8 tiles
 *     KEPT_MAP        a list that is not empty has its bit set; the bit of an empty one may be set
 *
 * The next request of a bin takes the span that was freed last: no cut, no join, and memory that is still in the processor's cache. Such a
 * block may be a 32nd longer than was asked for. The idea is dlmalloc's fast bins. Kept spans are joined before the heap grows by a page, by
 * every purge, and when a block in front of one grows, so they never raise the peak by themselves.
 *
 * Cost: 5 ns for a kept span.
 * @module
 */
import { Size } from '../size-classes.ts'
import { At, Bin, SpanTag, SpanWord } from '../words.ts'
import { binOf } from './records.ts'
import type { SpanIndex } from './span-index.ts'

/** How many bins further on `takeLonger` looks. */
const LONGER = 2

/** How far down its list a kept span is looked for that a block in front of it would grow into. */
const UNKEEP_SEARCH = 32

export class SpanCache {
  readonly #m: Int32Array
  readonly #index: SpanIndex

  constructor(index: SpanIndex) {
    this.#m = index.tables.words
    this.#index = index
  }

  /** The kept span of a bin that was freed last, made live, if it has `length` bytes; else 0. */
  take(length: number, bin: number): number {
    const m = this.#m
    const span = m[At.KEPT + bin]
    if (span === 0 || m[span + SpanWord.SIZE] < length) return 0
    m[At.KEPT + bin] = m[span + SpanWord.BIN_NEXT]
    m[span + SpanWord.TAG] += SpanTag.LIVE - SpanTag.KEPT
    return span
  }

  /** A kept span of one of the next bins, made live, or 0: up to three 32nds longer than it need be. */
  takeLonger(bin: number): number {
    const m = this.#m
    const end = At.KEPT + (bin + LONGER < Bin.KEPT_COUNT ? bin + LONGER : Bin.KEPT_COUNT - 1)
    for (let at = At.KEPT + bin + 1; at <= end; at++) {
      const span = m[at]
      if (span === 0) continue
      if ((m[span + SpanWord.TAG] & SpanTag.KIND) !== SpanTag.KEPT) throw this.#index.corrupted(span)
      m[at] = m[span + SpanWord.BIN_NEXT]
      m[span + SpanWord.TAG] += SpanTag.LIVE - SpanTag.KEPT
      return span
    }
    return 0
  }

  /** A kept span of so many whole tiles that was a slab's, or 0. It stays tagged as kept. */
  takeTiles(length: number): number {
    const m = this.#m
    const index = this.#index
    const at = At.KEPT + (length >>> Size.TILE_BITS)
    const span = m[at]
    if (span === 0) return 0
    const sound = m[index.sound(span) + SpanWord.SIZE] === length && (m[span + SpanWord.START] & (Size.TILE - 1)) === 0
    if (!sound || index.kind(span) !== SpanTag.KEPT) throw index.corrupted(span)
    m[at] = m[span + SpanWord.BIN_NEXT]
    return span
  }

  /** Hangs a span that is tagged as kept in a list. True: the list was empty. */
  keep(span: number, list: number): boolean {
    const m = this.#m
    const head = m[At.KEPT + list]
    m[span + SpanWord.BIN_NEXT] = head
    m[At.KEPT + list] = span
    if (head !== 0) return false
    this.noteFirst(list)
    return true
  }

  /** Sets the bit of a list that was empty. */
  noteFirst(list: number): void {
    this.#m[At.KEPT_MAP + (list >>> 5)] |= 1 << list
  }

  /** Takes a kept span out of its list, if it is not far from its head; whether it was done. */
  unkeep(span: number): boolean {
    const size = this.#m[span + SpanWord.SIZE]
    // The span of a slab hangs in the list for its tiles.
    return (
      this.#unkeepFrom(At.KEPT + binOf(size), span) ||
      (size % Size.TILE === 0 && size <= Size.SLAB_MAX && this.#unkeepFrom(At.KEPT + (size >>> Size.TILE_BITS), span))
    )
  }

  #unkeepFrom(list: number, span: number): boolean {
    const m = this.#m
    let at = list
    for (let left = UNKEEP_SEARCH; left > 0; left--) {
      const next = m[at]
      if (next === span) {
        m[at] = m[span + SpanWord.BIN_NEXT]
        return true
      }
      if (next === 0) return false
      at = next + SpanWord.BIN_NEXT
    }
    return false
  }

  /** Gives every kept span to `release`, which makes it free; false when there was none. */
  releaseAll(release: (span: number) => void): boolean {
    const m = this.#m
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
          const next = m[span + SpanWord.BIN_NEXT]
          // What has been released is not kept any more, so a list that leads back into itself ends here.
          if ((m[span + SpanWord.TAG] & SpanTag.KIND) !== SpanTag.KEPT) throw this.#index.corrupted(span)
          release(span)
          span = next
        }
      }
    }
    return any
  }
}
