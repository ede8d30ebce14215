/**
 * Which pages of a claim may hold something: one bit a page, set when any of its bytes is handed out, cleared by a purge.
 *
 * A page whose bit is clear has not been written since the kernel gave it: it costs no memory and it reads zero, so it is neither
 * purged nor zeroed again. The bitmap lies in the allocator's metadata; it is touched as far as the claim is used.
 *
 *     committed pages = number of set bits
 *
 * Cost: one bit a page (64 GiB: 2 MiB of addresses); marking a block costs a load and a test for each 32 pages.
 * @module
 */
import { popCount } from '../../../bits.ts'

export class CommittedPages {
  readonly #words: Int32Array
  /** Where the bitmap starts in `words`. */
  readonly #base: number
  /** Where the count of set bits is kept in `words`. */
  readonly #count: number

  constructor(words: Int32Array, base: number, count: number) {
    this.#words = words
    this.#base = base
    this.#count = count
  }

  /** How many pages are committed. */
  get committed(): number {
    return this.#words[this.#count]
  }

  /** How many of the pages `first … last` are clean. */
  clean(first: number, last: number): number {
    const words = this.#words
    const base = this.#base
    let word = first >>> 5
    const end = last >>> 5
    let mask = -1 << (first & 31)
    if (word === end) {
      mask &= -1 >>> (31 - (last & 31))
      const missing = mask & ~words[base + word]
      return missing === 0 ? 0 : popCount(missing)
    }
    let count = 0
    for (; word <= end; word++) {
      if (word === end) mask &= -1 >>> (31 - (last & 31))
      const missing = mask & ~words[base + word]
      if (missing !== 0) count += popCount(missing)
      mask = -1
    }
    return count
  }

  /** How many of the pages `first … last` are committed; none when the range is empty. */
  committedAmong(first: number, last: number): number {
    return last < first ? 0 : last - first + 1 - this.clean(first, last)
  }

  /** Marks the pages `first … last` as committed. */
  mark(first: number, last: number): void {
    this.#set(first, last, true)
  }

  /** Marks the pages `first … last` as clean: they have been purged. */
  unmark(first: number, last: number): void {
    this.#set(first, last, false)
  }

  #set(first: number, last: number, committed: boolean): void {
    const words = this.#words
    const base = this.#base
    const end = last >>> 5
    let mask = -1 << (first & 31)
    let changed = 0
    for (let word = first >>> 5; word <= end; word++) {
      if (word === end) mask &= -1 >>> (31 - (last & 31))
      const old = words[base + word]
      const now = committed ? old | mask : old & ~mask
      if (now !== old) {
        changed += popCount(now ^ old)
        words[base + word] = now
      }
      mask = -1
    }
    words[this.#count] += committed ? changed : -changed
  }

  /** The first page from `first` to `last` whose bit is `committed`, or `last + 1`. */
  next(first: number, last: number, committed: boolean): number {
    const words = this.#words
    const base = this.#base
    let page = first
    while (page <= last) {
      const word = words[base + (page >>> 5)]
      const bits = (committed ? word : ~word) & (-1 << (page & 31))
      if (bits !== 0) {
        const found = (page & ~31) + 31 - Math.clz32(bits & -bits)
        return found <= last ? found : last + 1
      }
      page = (page & ~31) + 32
    }
    return last + 1
  }

  /** The last page from `first` to `last` whose bit is `committed`, or `first - 1`. */
  previous(first: number, last: number, committed: boolean): number {
    const words = this.#words
    const base = this.#base
    let page = last
    while (page >= first) {
      const word = words[base + (page >>> 5)]
      const bits = (committed ? word : ~word) & (-1 >>> (31 - (page & 31)))
      if (bits !== 0) return Math.max((page & ~31) + 31 - Math.clz32(bits), first - 1)
      page = (page & ~31) - 1
    }
    return first - 1
  }

  /** How many bits are set among the pages `0 … last`, counted anew. */
  recount(last: number): number {
    return last < 0 ? 0 : last + 1 - this.clean(0, last)
  }
}
