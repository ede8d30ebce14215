/**
 * The proof of a heap's span records: one walk in address order, and one over the spare records.
 *
 *     each open window = its spans, side by side, linked both ways;   no two free ones meet
 *     a span says its own window, a kind, and CLEAN only if it is free;   a slab's lies on tiles
 *     a huge block = the end of a window and parts from the beginnings of the next ones, as long as it says
 *     spans + spare records = records;   sum of lengths but the free ones' = SPAN_BYTES
 *
 * Cost: 10 ns a span.
 * @module
 */

import { Size } from '../size-classes.ts'
import { At, SlabWord, SpanTag, SpanWord, Window } from '../words.ts'
import { Met, type Proof } from './proof.ts'

export function proveSpans(proof: Proof): string | undefined {
  const { counters } = proof
  const bytes = new Float64Array(counters.buffer as ArrayBuffer)
  proof.spans = new Int32Array(proof.spanRecords)
  const walk = new Walk(proof)
  for (let w = 0; w < counters[At.WINDOWS]; w++) {
    const lie = walk.window(w)
    if (lie !== undefined) return lie
  }
  if (walk.left !== 0) return `a huge block lacks ${walk.left} bytes`
  const used = bytes[At.SPAN_BYTES >> 1]
  if (walk.used !== used) return `live spans have ${walk.used} bytes, the count says ${used}`
  const highest = bytes[At.HIGHEST_END >> 1]
  if (walk.highest > highest) return `a span ends at ${walk.highest}, the highest is said to have ended at ${highest}`
  return proveSpares(proof)
}

/** What is carried on from span to span. */
class Walk {
  /** Bytes of spans that are not free. */
  used = 0
  /** End of the highest of them. */
  highest = 0
  /** Bytes of a huge block that are still to come. */
  left = 0
  readonly #proof: Proof

  constructor(proof: Proof) {
    this.#proof = proof
  }

  window(w: number): string | undefined {
    const { m, space } = this.#proof
    const { index } = space
    const start = index.windowStart(w)
    const end = index.windowEnd(w)
    const first = index.tile(index.firstWindow + w, start)
    let span = first > 0 ? this.#spanOfSlab(first) : -first
    let previous = 0
    for (let at = start; at < end; ) {
      const lie = this.#span(w, span, at, previous)
      if (lie !== undefined) return `span at ${(index.firstWindow + w) * Window.BYTES + at}: ${lie}`
      at += m[span + SpanWord.SIZE]
      previous = span
      span = m[span + SpanWord.NEXT]
    }
    return span === 0 ? undefined : `the last span of window ${w} has one behind it: ${span}`
  }

  #spanOfSlab(slab: number): number {
    const proof = this.#proof
    return proof.isSlab(slab) ? proof.m[slab + SlabWord.SPAN] : 0
  }

  /** The span that should begin at `at` of the claim's window `w`. */
  #span(w: number, span: number, at: number, previous: number): string | undefined {
    const proof = this.#proof
    const { m } = proof
    const { index } = proof.space
    if (!proof.meetSpan(span, Met.NOT, Met.TABLE)) return `no record, or one that another has: ${span}`
    const size = m[span + SpanWord.SIZE]
    const tag = m[span + SpanWord.TAG]
    const kind = tag & SpanTag.KIND
    if (m[span + SpanWord.START] !== at) return `its record says ${m[span + SpanWord.START]}`
    if (size <= 0 || size % 8 !== 0 || at + size > index.windowEnd(w)) return `has length ${size}`
    if (tag >> SpanTag.WINDOW_BITS !== index.firstWindow + w) return `says window ${tag >> SpanTag.WINDOW_BITS}`
    if (m[span + SpanWord.PREVIOUS] !== previous) return 'is not linked both ways'
    if (kind < SpanTag.FREE || kind > SpanTag.KEPT) return `has kind ${kind}`
    if (kind !== SpanTag.FREE && (tag & SpanTag.CLEAN) !== 0) return 'is not free, and said to have clean pages'
    proof.spans[proof.count++] = span
    if (kind === SpanTag.FREE) {
      if (previous !== 0 && (m[previous + SpanWord.TAG] & SpanTag.KIND) === SpanTag.FREE) return 'two free spans meet'
    } else this.#count((index.firstWindow + w) * Window.BYTES + at, size)
    if (kind === SpanTag.SLAB && (at % Size.TILE !== 0 || size % Size.TILE !== 0 || size > Size.SLAB_MAX))
      return `is a slab's of ${size} bytes`
    return this.#huge(w, span, at, kind)
  }

  #count(offset: number, size: number): void {
    this.used += size
    this.highest = offset + size
  }

  #huge(w: number, span: number, at: number, kind: number): string | undefined {
    const { m, space } = this.#proof
    const { index } = space
    const size = m[span + SpanWord.SIZE]
    const toEnd = at + size === index.windowEnd(w)
    if (kind === SpanTag.HUGE) {
      const low = m[span + SpanWord.HUGE_LOW]
      const high = m[span + SpanWord.HUGE_HIGH]
      this.left = high * Window.BYTES + low - size
      if (low < 0 || low % 8 !== 0 || low >= Window.BYTES || high < 0 || this.left <= 0 || !toEnd)
        return `is huge, of ${high * Window.BYTES + low} bytes`
    } else if ((kind === SpanTag.PART) !== (at === index.windowStart(w) && this.left > 0))
      return 'is no part of a huge block'
    else if (kind === SpanTag.PART) {
      this.left -= size
      if (this.left < 0 || (this.left > 0 && !toEnd)) return `is ${size} bytes of a huge block that has fewer`
    }
    return undefined
  }
}

/** Every record that is no span's hangs in the list of spare ones, and nothing else does. */
function proveSpares(proof: Proof): string | undefined {
  const { m } = proof
  let spares = 0
  for (let span = m[At.SPAN_SPARE]; span !== 0; span = m[span + SpanWord.NEXT]) {
    if (!proof.meetSpan(span, Met.NOT, Met.SPARE)) return `the list of spare span records leads to ${span}`
    if (m[span + SpanWord.TAG] !== 0) return `the spare span record ${span} has a tag`
    spares++
  }
  return spares === m[At.SPAN_SPARES] && spares + proof.count === proof.spanRecords
    ? undefined
    : `${proof.count} spans and ${spares} spare records, ${m[At.SPAN_SPARES]} by the count, of ${proof.spanRecords}`
}
