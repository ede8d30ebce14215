/**
 * A bitmap with summaries above it, so that the lowest word that is not zero is found in a few steps at any size.
 *
 *     level 2                     |  1  |                     1 word
 *     level 1           | 1  |   0   | …  | 1 |               1 bit for each word of level 0
 *     level 0     |0110|0000| …         |0001|                the bits themselves: the leaves
 *
 *     a leaf word is not zero      =>  its bit in level 1 is set
 *     a bit in a level is set      =>  the bit above its word is set, up to the top
 *
 * The other direction does not hold: a summary bit may be stale. Emptying a word therefore costs nothing; `lowest` clears what it
 * finds stale on its way, each at most once for each time it was set. The allocator writes leaf words itself, and calls `raise` when
 * one has become other than zero. Six levels reach 2^33 bits. The structure is the bitmap tree of van Emde Boas' simpler cousins,
 * as in the Linux kernel's `sbitmap` and mimalloc's arenas.
 * @module
 */
import { lowestBit } from '../../../bits.ts'
import { CorruptedError, counted } from '../../../errors.ts'
import { countUnused } from './bitmap.ts'

/** Words of each level for so many leaf words, leaves first. */
function levels(leafWords: number): number[] {
  const counts = [Math.max(1, leafWords)]
  while ((counts[counts.length - 1] as number) > 1) counts.push(Math.ceil((counts[counts.length - 1] as number) / 32))
  return counts
}

/** Words of a whole tree. */
export function treeWords(leafWords: number): number {
  return levels(leafWords).reduce((sum, count) => sum + count, 0)
}

const WHOLE_LEAVES = 65536

export class BitTree {
  /** First leaf word. */
  readonly leaves: number
  readonly #words: Int32Array
  readonly #starts: number[] = []
  /** Words of each level. */
  readonly #counts: readonly number[]
  /** No leaf below this one is other than zero: a cache. */
  #hint = 0

  /** The tree whose leaves begin at `words[start]`; its summaries follow them. */
  constructor(words: Int32Array, start: number, leafWords: number) {
    this.leaves = start
    this.#words = words
    this.#counts = levels(leafWords)
    for (const count of this.#counts) {
      this.#starts.push(start)
      start += count
    }
  }

  /** Sets a bit; indices are below 2^31. */
  add(bit: number): void {
    const leaf = bit >>> 5
    const word = this.#words[this.leaves + leaf]
    this.#words[this.leaves + leaf] = word | (1 << bit)
    if (word === 0) this.raise(leaf)
  }

  /** Clears a bit. */
  remove(bit: number): void {
    this.#words[this.leaves + (bit >>> 5)] &= ~(1 << bit)
  }

  has(bit: number): boolean {
    return (this.#words[this.leaves + (bit >>> 5)] & (1 << bit)) !== 0
  }

  /** The lowest bit that is set, or -1. */
  first(): number {
    const leaf = this.lowest()
    return leaf < 0 ? -1 : (leaf << 5) | lowestBit(this.#words[this.leaves + leaf])
  }

  /** Notes that a leaf word is no longer zero. */
  raise(leaf: number): void {
    if (leaf < this.#hint) this.#hint = leaf
    const words = this.#words
    const starts = this.#starts
    let child = leaf
    for (let level = 1; level < starts.length; level++) {
      const index = starts[level] + (child >>> 5)
      const summary = words[index]
      const bit = 1 << child
      if ((summary & bit) !== 0) return
      words[index] = summary | bit
      child >>>= 5
    }
  }

  /** The index of the lowest leaf word that is not zero, or -1. Each step up clears a bit, so there is an end to them. */
  lowest(): number {
    const words = this.#words
    if (words[this.leaves + this.#hint] !== 0) return this.#hint
    const starts = this.#starts
    const top = starts.length - 1
    let level = top
    let index = 0
    for (;;) {
      const word = words[starts[level] + index]
      if (word !== 0) {
        if (level === 0) return (this.#hint = index)
        index = (index << 5) | lowestBit(word)
        level--
        if (index >= this.#counts[level])
          throw new CorruptedError(`level ${level + 1} of a bitmap leads to word ${index}`)
      } else {
        if (level === top) return -1
        words[starts[++level] + (index >>> 5)] &= ~(1 << index)
        index >>>= 5
      }
    }
  }

  /** Empties the leaves `[0, leafEnd)` and every summary over them. */
  clear(leafEnd: number): void {
    let end = leafEnd
    this.#hint = 0
    for (const start of this.#starts) {
      this.#words.fill(0, start, start + end)
      end = Math.ceil(end / 32)
    }
  }

  /** Throws unless both implications hold for the leaves `[0, leafEnd)`. */
  check(leafEnd: number): void {
    // What is stale may lie beyond what is in use: a tree that is not long is looked at whole.
    let end = this.#counts[0] <= WHOLE_LEAVES ? this.#counts[0] : leafEnd
    for (let level = 0; level + 1 < this.#starts.length; level++) {
      const start = this.#starts[level]
      const above = this.#starts[level + 1]
      for (let index = 0; index < end; index++)
        if (this.#words[start + index] !== 0 && (this.#words[above + (index >>> 5)] & (1 << index)) === 0)
          throw new CorruptedError(`level ${level} of a bitmap: word ${index} is not zero, and its summary says it is`)
      end = Math.ceil(end / 32)
      const count = this.#counts[level]
      const last = this.#words[above + ((count - 1) >>> 5)]
      if (count % 32 !== 0 && (last & (-1 << count)) !== 0)
        throw new CorruptedError(`level ${level + 1} of a bitmap says that there are more than ${count} words`)
    }
    const unused = countUnused(
      this.#words,
      this.leaves * 32,
      (this.leaves + leafEnd) * 32,
      (this.leaves + this.#counts[0]) * 32
    )
    if (unused !== 0)
      throw new CorruptedError(`${counted(unused, 'bit')} set in a part of a bitmap that was never used`)
  }
}
