/**
 * Numbers for one case: the same for the same seed and case, so that any case can be run alone. The generator is Marsaglia's xorshift
 * with Weyl's sequence (xorwow's small brother); it has no bad seeds.
 * @module
 */
export class Random {
  #state: number
  #weyl = 0

  constructor(seed: number, index: number) {
    this.#state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35)) | 1
    for (let i = 0; i < 8; i++) this.word()
  }

  /** Any 32-bit number. */
  word(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    this.#weyl = (this.#weyl + 0x6d2b79f5) | 0
    return Math.imul((x + this.#weyl) ^ ((x + this.#weyl) >>> 15), 0x2c1b3c6d) | 0
  }

  /** A whole number from 0 up to, not including, a bound. */
  below(bound: number): number {
    return Math.floor(((this.word() >>> 0) / 2 ** 32) * bound)
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }
}
