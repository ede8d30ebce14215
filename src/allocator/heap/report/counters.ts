/**
 * The proof of a heap's counters, as far as they bound what is walked or are bounds themselves; what they count is proved where it is
 * counted. No table is looked at yet: this comes first, and the rest relies on it. Cost: nothing.
 *
 *     tables   first <= top <= end, on a record                 1 <= windows <= windows of the claim
 *     pages    committed <= peak <= pages of the claim          0 <= bytes <= those of the claim; no fraction, no NaN
 * @module
 */

import type { HeapSpace } from '../space.ts'
import { At, Root, SlabWord, SpanWord } from '../words.ts'

/** The counters, read once: what is proved is what the other proofs go by. The header before them comes along. */
export function readCounters({ tables: { words } }: HeapSpace): Int32Array {
  return Int32Array.from({ length: At.CLASSES }, (_, at) => words[at])
}

export function proveCounters(space: HeapSpace, m: Int32Array): string | undefined {
  const { layout } = space.tables
  if (m[At.ZERO] !== 0) return `the word that is always 0 is ${m[At.ZERO]}`
  if (m[At.CLEARING] !== 0) return 'the tables are being emptied'
  return (
    proveTop('span records', m[At.SPAN_TOP], layout.spans, layout.spansEnd, SpanWord.WORDS) ??
    proveTop('slab records', m[At.SLAB_TOP], layout.slabs, layout.slabsEnd, SlabWord.WORDS) ??
    proveTop('tiles', m[At.TILE_TOP], 0, layout.tileCount, 1) ??
    proveTop('pages', m[At.PAGE_TOP], 0, layout.pageCount, 1) ??
    proveTop('roots', m[At.ROOT_TOP], 0, (layout.rootsEnd - layout.roots) / Root.WORDS, 1) ??
    proveTop('windows', m[At.WINDOWS], 1, space.index.windowCount, 1) ??
    proveTop('committed pages', m[At.COMMITTED], 0, layout.pageCount, 1) ??
    proveTop('pages at the peak', m[At.PEAK], m[At.COMMITTED], layout.pageCount, 1) ??
    proveTop('pages that no sweep could purge', m[At.RESIDUE], 0, layout.pageCount, 1) ??
    proveTop('pages that sweeps gave back', m[At.SWEPT], 0, 0x7fffffff, 1) ??
    proveTop('whether the use has fallen', m[At.FALLEN], 0, 1, 1) ??
    proveTop('joins of kept spans', m[At.FLUSHES], 0, 0x7fffffff, 1) ??
    proveBytes(space, m)
  )
}

function proveTop(what: string, found: number, least: number, most: number, unit: number): string | undefined {
  if (found >= least && found <= most && (found - least) % unit === 0) return undefined
  return `${what}: ${found}, expected ${least} to ${most}`
}

function proveBytes({ tables }: HeapSpace, m: Int32Array): string | undefined {
  const bytes = new Float64Array(m.buffer as ArrayBuffer)
  const used = bytes[At.SPAN_BYTES >> 1]
  const end = tables.offset + tables.byteLength
  // Whole pages of the claim, and its metadata: more was never committed.
  const most = tables.byteLength + 2 * tables.pageSize + tables.words.byteLength
  if (!(used >= 0 && used <= tables.byteLength)) return `${used} bytes in live spans`
  const highest = bytes[At.HIGHEST_END >> 1]
  if (!(highest >= 0 && highest <= end)) return `the highest span ended at ${highest}`
  const peak = bytes[At.PEAK_BYTES >> 1]
  if (!(peak >= 0 && peak <= most)) return `${peak} bytes at the peak`
  const low = bytes[At.LOW_WATER >> 1]
  return low >= 0 && low <= tables.byteLength ? undefined : `${low} bytes below which the heap is tidied`
}
