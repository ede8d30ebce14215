/**
 * The proof of a heap's slab records.
 *
 *     a slab's span and its record name each other;   spare records + slabs = records
 *     a record says what its span and its class say (`Slabs.check`);   no bit is set beyond its slots
 *
 * Cost: 100 ns a slab.
 * @module
 */
import { At, SlabWord, SpanTag, SpanWord } from '../words.ts'
import { Met, type Proof } from './proof.ts'

export function proveSlabs(proof: Proof): string | undefined {
  const { m, space, spans } = proof
  let slabs = 0
  for (let i = 0; i < proof.count; i++) {
    const span = spans[i]
    if ((m[span + SpanWord.TAG] & SpanTag.KIND) !== SpanTag.SLAB) continue
    const slab = m[span + SpanWord.SLAB]
    const lie = proof.meetSlab(slab, Met.NOT, Met.TABLE) ? space.slabs.check(slab, span) : `no record: ${slab}`
    if (lie !== undefined) return `slab at ${space.index.offset(span)}: ${lie}`
    slabs++
  }
  let spares = 0
  for (let slab = m[At.SLAB_SPARE]; slab !== 0; slab = m[slab + SlabWord.NEXT]) {
    if (!proof.meetSlab(slab, Met.NOT, Met.SPARE)) return `the list of spare slab records leads to ${slab}`
    spares++
  }
  return slabs + spares === proof.slabRecords
    ? undefined
    : `${slabs} slabs and ${spares} spare records of ${proof.slabRecords}`
}
