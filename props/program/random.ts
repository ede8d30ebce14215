/**
 * Draws for programs: fast-check's generator, with the few distributions that programs are made of.
 * @module
 */
import type { Random as Source } from 'fast-check'

export class Random {
  readonly #source: Source

  constructor(source: Source) {
    this.#source = source
  }

  /** A whole number from `least` to `most`, both included. */
  int(least: number, most: number): number {
    return this.#source.nextInt(least, most)
  }

  /** True `percent` times in a hundred. */
  chance(percent: number): boolean {
    return this.int(1, 100) <= percent
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.int(0, choices.length - 1)] as T
  }

  /** A whole number up to `most`, however large; each doubling is as likely as the next. */
  byDoubling(most: number): number {
    const scale = Math.min(most, 2 ** this.int(0, Math.max(0, Math.ceil(Math.log2(most)))))
    return Math.min(most, Math.floor((scale * this.int(512, 1024)) / 1024))
  }

  /** One of the keys, each as often as its weight says. */
  weighted<K extends string>(weights: readonly (readonly [K, number])[]): K {
    const total = weights.reduce((sum, [, weight]) => sum + weight, 0)
    let left = this.int(1, total)
    for (const [key, weight] of weights) if ((left -= weight) <= 0) return key
    throw new Error('weights sum up to nothing')
  }
}
