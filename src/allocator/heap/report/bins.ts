/**
 * The proof of a heap's bins and their bitmaps.
 *
 *     a free span of 512 bytes or more hangs in the bin of its length, once;   a shorter one says that it hangs in none
 *     a bin's bit is set if and only if it holds one;   a doubling's bit if and only if one of its bins does
 *
 * Cost: 10 ns a free span, and 1 us for the bins.
 * @module
 */

import { binOf } from '../spans/records.ts'
import { At, Bin, SpanTag, SpanWord } from '../words.ts'
import { Met, type Proof } from './proof.ts'

export function proveBins(proof: Proof): string | undefined {
  const { m, space, spans } = proof
  let binned = 0
  let top = 0
  for (let level = 0; level < Bin.COUNT / 32; level++) {
    let bits = 0
    for (let bin = level * 32; bin < level * 32 + 32; bin++) {
      if (m[At.BINS + bin] === 0) continue
      bits |= 1 << bin
      const length = proveBin(proof, bin)
      if (typeof length === 'string') return length
      binned += length
    }
    if (m[At.BIN_MAP + level] !== bits) return `the bitmap of bins ${level * 32} to ${level * 32 + 31} is not theirs`
    if (bits !== 0) top |= 1 << level
  }
  if (m[At.BIN_TOP_MAP] !== top) return 'the bitmap of doublings is not that of the bins'
  let free = 0
  for (let i = 0; i < proof.count; i++) {
    const span = spans[i]
    if ((m[span + SpanWord.TAG] & SpanTag.KIND) !== SpanTag.FREE) continue
    if (m[span + SpanWord.SIZE] >= Bin.SHORTEST) free++
    else if (m[span + SpanWord.BIN_PREVIOUS] >= 0)
      return `the free span at ${space.index.offset(span)} is too short for a bin`
  }
  return free === binned ? undefined : `${free} free spans belong in bins, ${binned} are`
}

/** The number of spans in a bin, or what is wrong with it. */
function proveBin(proof: Proof, bin: number): number | string {
  const { m, space } = proof
  let length = 0
  let previous = 0
  for (let span = m[At.BINS + bin]; span !== 0; span = m[span + SpanWord.BIN_NEXT]) {
    if (!proof.meetSpan(span, Met.TABLE, Met.LIST)) return `bin ${bin} leads to ${span}`
    const where = `the span at ${space.index.offset(span)} in bin ${bin}`
    if ((m[span + SpanWord.TAG] & SpanTag.KIND) !== SpanTag.FREE) return `${where} is not free`
    if (m[span + SpanWord.SIZE] < Bin.SHORTEST || binOf(m[span + SpanWord.SIZE]) !== bin)
      return `${where} belongs elsewhere`
    if (m[span + SpanWord.BIN_PREVIOUS] !== previous) return `${where} is not linked both ways`
    previous = span
    length++
  }
  return length
}
