/**
 * What the proofs of a heap's tables share: the records that have been met, and the rule that none is met twice.
 *
 *     spans      the records of all spans, in address order, once spans.ts has walked them
 *     met        one byte a record:  0 not met   1 met in its table   2 met in its list as well   3 met in the list of spare ones
 *
 * Every walk marks what it meets and ends at a mark it did not expect, so a list that leads back into itself is a contradiction, and
 * each proof takes at most a step a record. An index is looked at before it is used: `isSpan` and `isSlab` say whether a record can be
 * there. Cost: 5 bytes a record while a proof runs.
 *
 *     prove…(proof)   the first contradiction, in words, or undefined
 * @module
 */

import type { HeapSpace } from '../space.ts'
import { At, SlabWord, SpanWord } from '../words.ts'

/** Marks in `met`. */
export const enum Met {
  NOT = 0,
  TABLE = 1,
  LIST = 2,
  SPARE = 3,
}

export class Proof {
  readonly space: HeapSpace
  readonly m: Int32Array
  /** The counters as they were proved: another process may store others in their place. */
  readonly counters: Int32Array
  /** The records of all spans in address order; `count` of them. */
  spans: Int32Array = new Int32Array(0)
  count = 0
  readonly #firstSpan: number
  readonly #spanTop: number
  readonly #firstSlab: number
  readonly #slabTop: number
  readonly #spansMet: Uint8Array
  readonly #slabsMet: Uint8Array

  /** `counters` must have been proved (counters.ts). */
  constructor(space: HeapSpace, counters: Int32Array) {
    const { words, layout } = space.tables
    this.counters = counters
    this.space = space
    this.m = words
    this.#firstSpan = layout.spans
    this.#spanTop = counters[At.SPAN_TOP]
    this.#firstSlab = layout.slabs
    this.#slabTop = counters[At.SLAB_TOP]
    this.#spansMet = new Uint8Array(this.spanRecords)
    this.#slabsMet = new Uint8Array(this.slabRecords)
  }

  /** How many span records there are, in use and spare. */
  get spanRecords(): number {
    return (this.#spanTop - this.#firstSpan) / SpanWord.WORDS
  }

  get slabRecords(): number {
    return (this.#slabTop - this.#firstSlab) / SlabWord.WORDS
  }

  isSpan(record: number): boolean {
    return record >= this.#firstSpan && record < this.#spanTop && (record - this.#firstSpan) % SpanWord.WORDS === 0
  }

  isSlab(record: number): boolean {
    return record >= this.#firstSlab && record < this.#slabTop && (record - this.#firstSlab) % SlabWord.WORDS === 0
  }

  /** Whether a span record has the mark `from`; it has the mark `to` then. */
  meetSpan(record: number, from: Met, to: Met): boolean {
    const at = (record - this.#firstSpan) / SpanWord.WORDS
    if (!this.isSpan(record) || this.#spansMet[at] !== from) return false
    this.#spansMet[at] = to
    return true
  }

  /** The same for slab records. */
  meetSlab(record: number, from: Met, to: Met): boolean {
    const at = (record - this.#firstSlab) / SlabWord.WORDS
    if (!this.isSlab(record) || this.#slabsMet[at] !== from) return false
    this.#slabsMet[at] = to
    return true
  }
}
