/**
 * Lists of free chunks by length: `steps` bins for each doubling, and a word of bits that tells which have a chunk, so that empty ones cost
 * nothing.
 *
 *     bin(units) = steps * floor(log2 units) + the bits of units that follow the highest        a chunk is in the bin of its length
 * @module
 */
import type { Arena } from '../../../arena/arena.ts'
import { ChunkPolicy } from './chunks.ts'

const DOUBLINGS = 32

export abstract class BinPolicy extends ChunkPolicy {
  readonly #log2Steps: number
  readonly #first: Int32Array
  readonly #filled: Int32Array

  /** With 2^`log2Steps` bins for each doubling. */
  constructor(arena: Arena, log2Steps: number) {
    super(arena)
    this.#log2Steps = log2Steps
    this.#first = new Int32Array(DOUBLINGS << log2Steps)
    this.#filled = new Int32Array(1 << log2Steps)
  }

  protected binOf(units: number): number {
    const log2 = 31 - Math.clz32(units)
    const steps = this.#log2Steps
    const step =
      log2 >= steps ? (units >>> (log2 - steps)) & ((1 << steps) - 1) : (units << (steps - log2)) & ((1 << steps) - 1)
    return (log2 << steps) | step
  }

  /** The first chunk of a bin, or 0. */
  protected first(bin: number): number {
    return this.#first[bin]!
  }

  /** The first bin from this one on that has a chunk, or -1. */
  protected filled(bin: number): number {
    let word = bin >>> 5
    let bits = word < this.#filled.length ? this.#filled[word]! & (-1 << (bin & 31)) : 0
    while (bits === 0) {
      if (++word >= this.#filled.length) return -1
      bits = this.#filled[word]!
    }
    return (word << 5) | (31 - Math.clz32(bits & -bits))
  }

  protected insert(chunk: number): void {
    const bin = this.binOf(this.length(chunk))
    const next = this.#first[bin]!
    this.link(chunk, next, 0)
    if (next !== 0) this.link(next, this.next(next), chunk)
    this.#first[bin] = chunk
    this.#filled[bin >>> 5]! |= 1 << (bin & 31)
  }

  protected remove(chunk: number): void {
    const [next, previous] = [this.next(chunk), this.previous(chunk)]
    if (next !== 0) this.link(next, this.next(next), previous)
    if (previous !== 0) this.link(previous, next, this.previous(previous))
    else {
      const bin = this.binOf(this.length(chunk))
      this.#first[bin] = next
      if (next === 0) this.#filled[bin >>> 5]! &= ~(1 << (bin & 31))
    }
  }
}
