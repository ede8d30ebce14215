/**
 * The proof of the lists of kept spans.
 *
 *     a kept span hangs in the list for its bin, or for its tiles if it was a slab's, once
 *     the bit of a list that is not empty is set
 *
 * Cost: 10 ns a kept span.
 * @module
 */

import { Size } from '../size-classes.ts'
import { binOf } from '../spans/records.ts'
import { At, Bin, SpanTag, SpanWord } from '../words.ts'
import { Met, type Proof } from './proof.ts'

export function proveKept(proof: Proof): string | undefined {
  const { m, spans } = proof
  let listed = 0
  for (let bin = 0; bin < Bin.KEPT_COUNT; bin++) {
    if (m[At.KEPT + bin] === 0) continue
    if ((m[At.KEPT_MAP + (bin >>> 5)] & (1 << bin)) === 0) return `bin ${bin} of kept spans has no bit`
    for (let span = m[At.KEPT + bin]; span !== 0; span = m[span + SpanWord.BIN_NEXT]) {
      if (!proof.meetSpan(span, Met.TABLE, Met.LIST)) return `bin ${bin} of kept spans leads to ${span}`
      const lie = proveMember(proof, bin, span)
      if (lie !== undefined) return `the kept span at ${proof.space.index.offset(span)} ${lie}`
      listed++
    }
  }
  let kept = 0
  for (let i = 0; i < proof.count; i++) if ((m[spans[i] + SpanWord.TAG] & SpanTag.KIND) === SpanTag.KEPT) kept++
  return kept === listed ? undefined : `${kept} spans are kept, ${listed} hang in lists`
}

function proveMember({ m }: Proof, bin: number, span: number): string | undefined {
  const size = m[span + SpanWord.SIZE]
  if ((m[span + SpanWord.TAG] & SpanTag.KIND) !== SpanTag.KEPT) return 'is not'
  const belongs =
    bin < 32
      ? size === bin * Size.TILE && size <= Size.SLAB_MAX && m[span + SpanWord.START] % Size.TILE === 0
      : size >= Bin.SHORTEST_KEPT && size < Bin.KEPT_BELOW && binOf(size) === bin
  return belongs ? undefined : `is in bin ${bin}`
}
