/**
 * Where the blocks of a bump allocator begin: two bits for each granule of the claim.
 *
 *     claim    | block | block | pad | block     |
 *     bounds   | 1       1       1     1         |            where a block, or the padding in front of one, begins
 *     pads     |                 1               |            where the padding begins
 *                                                 top
 *
 *     blocks = bounds - pads;   no bit at or above the top
 *
 * `bounds` itself is public for `malloc`, which sets a bit of it with no call. Cost: 2 bits a granule; a search reads 32 of them at once.
 * @module
 */
import { CorruptedError } from '../../errors.ts'
import { clearBits, countBits, countUnused, firstBit, lastBit } from '../base/bits/bitmap.ts'

export class Bounds {
  bounds: Int32Array
  #pads: Int32Array
  readonly #first: number
  readonly #granule: number

  /** `first`: the offset that the first bit stands for. */
  constructor(bounds: Int32Array, pads: Int32Array, first: number, granule: number) {
    this.bounds = bounds
    this.#pads = pads
    this.#first = first
    this.#granule = granule
  }

  /** Enters a block that begins at `start`, and the padding from `bound` up to it. */
  add(bound: number, start: number): void {
    setBit(this.bounds, this.#bit(bound))
    if (start === bound) return
    setBit(this.#pads, this.#bit(bound))
    setBit(this.bounds, this.#bit(start))
  }

  /** Takes out what begins in a range; gives how many blocks those were. */
  remove(from: number, to: number): number {
    const [first, end] = [this.#bit(from), this.#bit(to)]
    const blocks = countBits(this.bounds, first, end) - countBits(this.#pads, first, end)
    clearBits(this.bounds, first, end)
    clearBits(this.#pads, first, end)
    return blocks
  }

  /** Where the last block below the top begins. */
  last(top: number): number {
    return this.#first + lastBit(this.bounds, 0, this.#bit(top)) * this.#granule
  }

  /** Whether a block begins here. */
  isBlock(offset: number): boolean {
    return this.#isBound(offset) && !this.#isPad(this.#bit(offset))
  }

  /** Whether the top was here once: a bound that no padding leads up to. */
  isMark(offset: number): boolean {
    if (!this.#isBound(offset)) return false
    const before = lastBit(this.bounds, 0, this.#bit(offset))
    return before < 0 || !this.#isPad(before)
  }

  /** The block that wholly contains a range below the top. */
  around(offset: number, byteLength: number, top: number): { offset: number; byteLength: number } | undefined {
    if (offset < this.#first || offset + byteLength > top) return undefined
    const bit = lastBit(this.bounds, 0, this.#bit(offset) + 1)
    if (this.#isPad(bit)) return undefined
    const next = firstBit(this.bounds, bit + 1, this.#bit(top))
    const start = this.#first + bit * this.#granule
    const end = next < 0 ? top : this.#first + next * this.#granule
    return end >= offset + byteLength ? { offset: start, byteLength: end - start } : undefined
  }

  /** Throws ERR_CORRUPTED unless the equations hold for so many blocks below the top. */
  check(top: number, usedCount: number): void {
    const end = this.#bit(top)
    const most = this.bounds.length * 32
    const blocks = countBits(this.bounds, 0, end) - countBits(this.#pads, 0, end)
    const above = countUnused(this.bounds, 0, end, most) + countUnused(this.#pads, 0, end, most)
    if (blocks !== usedCount || above !== 0)
      throw new CorruptedError(`${usedCount} blocks in the header, ${blocks} by the bounds, or some above the top`)
    if (top > this.#first && !this.#isBound(this.#first))
      throw new CorruptedError('bytes are in use, and no block begins at the first of them')
  }

  forget(): void {
    this.bounds = new Int32Array(0)
    this.#pads = new Int32Array(0)
  }

  #isBound(offset: number): boolean {
    const bit = (offset - this.#first) / this.#granule
    return Number.isInteger(bit) && countBits(this.bounds, bit, bit + 1) === 1
  }

  #isPad(bit: number): boolean {
    return countBits(this.#pads, bit, bit + 1) === 1
  }

  #bit(offset: number): number {
    return Math.floor((offset - this.#first) / this.#granule)
  }
}

function setBit(words: Int32Array, bit: number): void {
  words[Math.floor(bit / 32)] |= 1 << bit
}
