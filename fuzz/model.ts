/**
 * The live blocks as the program knows them: in address order, so that one that overlaps another is seen when it comes.
 * @module
 */
import { Finding } from './finding.ts'
import type { Random } from './random.ts'

export class Model {
  readonly #low: number
  readonly #high: number
  readonly #starts: number[] = []
  readonly #lengths: number[] = []

  /** Of the claim `[low, high)`. */
  constructor(low: number, high: number) {
    this.#low = low
    this.#high = high
  }

  get size(): number {
    return this.#starts.length
  }

  /** A block that was given. */
  add(start: number, byteLength: number): void {
    const length = Math.max(byteLength, 1)
    if (!Number.isInteger(start) || start < Math.max(8, this.#low) || start + length > this.#high)
      throw new Finding(`a block of ${length} bytes at ${start}, outside ${this.#low} to ${this.#high}`)
    const at = this.#place(start)
    const next = this.#starts[at] ?? Number.POSITIVE_INFINITY
    const previous = at === 0 ? 0 : (this.#starts[at - 1] as number) + (this.#lengths[at - 1] as number)
    if (start + length > next || start < previous)
      throw new Finding(
        `a block of ${length} bytes at ${start} overlaps one that ends at ${previous} or begins at ${next}`
      )
    this.#starts.splice(at, 0, start)
    this.#lengths.splice(at, 0, length)
  }

  delete(start: number): void {
    const at = this.#place(start)
    this.#starts.splice(at, 1)
    this.#lengths.splice(at, 1)
  }

  has(start: number): boolean {
    return this.#starts[this.#place(start)] === start
  }

  length(start: number): number {
    return this.#lengths[this.#place(start)] as number
  }

  any(random: Random): number {
    return random.pick(this.#starts)
  }

  clear(): void {
    this.#starts.length = 0
    this.#lengths.length = 0
  }

  get starts(): readonly number[] {
    return this.#starts
  }

  #place(start: number): number {
    let low = 0
    let high = this.#starts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#starts[middle] as number) < start) low = middle + 1
      else high = middle
    }
    return low
  }
}
