/**
 * The memory of a heap, data and tables, as its parts ask for it: pages given back, bytes and words made zero, by way of the claim.
 *
 *     | header … kept | tiles        ·····| bits ·| span records ·····| slab records ·····| roots ···|        used, and · never touched
 *
 * Tables are as long as the claim could ever need. Long parts are made zero by giving their pages back, which takes less time than filling
 * them and takes no memory afterwards. Cost: that of the kernel.
 * @module
 */
import { int32sIn } from '../../arena/buffer-range.ts'
import type { Claim } from '../../arena/claim.ts'
import type { BlockMemory } from '../base/block-memory.ts'
import type { PageNews } from '../base/channels.ts'
import type { HeapMemory } from './spans/span-pages.ts'

/** So many words are long. */
const LONG_WORDS = 16384

/**
 * Makes the words `[from, to)` of a table read zero, that begins on a page: where they are many by giving their whole pages back, the rest by
 * filling. `purge` gives back the words of whole pages.
 */
export function clearWords(
  words: Int32Array,
  from: number,
  to: number,
  pageWords: number,
  purge: (from: number, to: number) => void
): void {
  const first = Math.ceil(from / pageWords) * pageWords
  const last = Math.floor(to / pageWords) * pageWords
  if (to - from < LONG_WORDS || last <= first) {
    words.fill(0, from, to)
    return
  }
  try {
    purge(first, last)
  } catch {
    // What the kernel will not take back is filled: a reset must not stop halfway.
    words.fill(0, first, last)
  }
  words.fill(0, from, first)
  words.fill(0, last, to)
}

export class ClaimMemory implements HeapMemory {
  readonly #claim: Claim
  readonly #memory: BlockMemory
  readonly #news: PageNews
  readonly #words: Int32Array
  readonly #pageWords: number

  constructor(claim: Claim, memory: BlockMemory, news: PageNews, pageSize: number) {
    this.#claim = claim
    this.#memory = memory
    this.#news = news
    this.#words = int32sIn(claim.metadata)
    this.#pageWords = pageSize / 4
  }

  purge(offset: number, byteLength: number): boolean {
    this.#claim.purge(offset, byteLength)
    this.#news.gave(byteLength)
    return this.#news.pending
  }

  grew(byteLength: number): boolean {
    this.#news.grew(byteLength)
    return this.#news.pending
  }

  zero(offset: number, byteLength: number): void {
    this.#memory.zero(offset, byteLength)
  }

  clearWords(from: number, to: number): void {
    clearWords(this.#words, from, to, this.#pageWords, (first, last) => this.purgeWords(first, last))
  }

  purgeWords(from: number, to: number): void {
    this.#claim.purgeMetadata(from * 4, (to - from) * 4)
  }
}
