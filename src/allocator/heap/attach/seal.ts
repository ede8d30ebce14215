/**
 * The seal of a heap that no writer has: a sum over all words that its tables are made of, stored by the last writer when it closes.
 *
 *     header, counters, classes, bins, kept lists, tiles, page bits, span records, slab records, roots     as far as they are used
 *
 * The proofs (report/check.ts) find two words that contradict each other. Of some words there is only one: which slots of a slab are free,
 * where a root leads, how many bytes the limit allows. A heap on a disk that lost power, or one that a stray store has hit, may differ
 * in one of those alone; its sum differs then, whatever the word was and is, because each step of the sum can be undone. It is no
 * protection against a program that stores a new seal: that program could as well have changed the heap.
 *
 * Cost: 1 ns a word of the tables in use, when a writer closes a heap that stays, and when one attaches.
 * @module
 */
import { HEADER_BYTES, OWN_WORD, STATE_WORD } from '../../base/header.ts'
import type { HeapLayout } from '../layout.ts'
import { At, Root } from '../words.ts'

/** The two words of the seal in the header. The eight before it are the writer's. */
const SEAL = OWN_WORD + 8

/** Seals a heap that its writer is done with. Tables whose ends are damaged are not sealed, and so not trusted later. */
export function sealTables(words: Int32Array, layout: HeapLayout): void {
  const sum = sumOf(words, layout)
  if (sum === undefined) return
  words[SEAL] = sum.low
  words[SEAL + 1] = sum.high
}

/** Whether the tables are what they were when they were sealed. */
export function isSealed(words: Int32Array, layout: HeapLayout): boolean {
  const sum = sumOf(words, layout)
  return sum !== undefined && words[SEAL] === sum.low && words[SEAL + 1] === sum.high
}

/** Whether the seal's place was never written: the heap was never finished (verify.ts). */
export function isBlank(words: Int32Array): boolean {
  return words[SEAL] === 0 && words[SEAL + 1] === 0
}

interface Sum {
  low: number
  high: number
}

/** The sum; undefined when a table ends where it cannot. Where they end is read once: others may be able to write there. */
function sumOf(m: Int32Array, layout: HeapLayout): Sum | undefined {
  const { tileCount, pageCount, pageBits, spans, spansEnd, slabs, slabsEnd, roots, rootsEnd } = layout
  const tops = [m[At.TILE_TOP], m[At.PAGE_TOP], m[At.SPAN_TOP], m[At.SLAB_TOP]] as const
  const [tileTop, pageTop, spanTop, slabTop] = tops
  if (!(tileTop >= 0 && tileTop <= tileCount && pageTop >= 0 && pageTop <= pageCount)) return undefined
  if (!(spanTop >= spans && spanTop <= spansEnd && slabTop >= slabs && slabTop <= slabsEnd)) return undefined
  const rootsTop = roots + m[At.ROOT_TOP] * Root.WORDS
  if (!(rootsTop >= roots && rootsTop <= rootsEnd)) return undefined
  const sum = { low: 0x811c9dc5 | 0, high: 0x2545f491 }
  add(sum, m, 0, STATE_WORD)
  add(sum, m, STATE_WORD + 1, OWN_WORD)
  add(sum, m, SEAL + 2, HEADER_BYTES / 4)
  add(sum, m, HEADER_BYTES / 4, At.TILES + tileTop)
  add(sum, m, pageBits, pageBits + Math.ceil(pageTop / 32))
  add(sum, m, spans, spanTop)
  add(sum, m, slabs, slabTop)
  add(sum, m, roots, rootsTop)
  return sum
}

/** Both factors are odd, and both shifts can be undone: a word that differs makes each half differ. */
function add(sum: Sum, m: Int32Array, from: number, to: number): void {
  let { low, high } = sum
  for (let at = from; at < to; at++) {
    low = Math.imul(low ^ m[at], 0x01000193)
    low ^= low >>> 15
    high = Math.imul(high ^ m[at], 0x5bd1e995)
    high ^= high >>> 13
  }
  sum.low = low
  sum.high = high
}
