/**
 * Walks all of a heap's tables and says the first thing that contradicts another: every equation that span.ts, slab-table.ts and
 * page-map.ts state. One file a table, in `proof/`; docs/tables.md says for each word which of them proves it. Reads only; takes at most
 * a step a record, whatever the tables say. Some 100 ns a span.
 * @module
 */
import type { HeapParts } from './heap-parts.ts'
import { proveBins } from './proof/bins.ts'
import { proveClasses } from './proof/classes.ts'
import { proveCounters, readCounters } from './proof/counters.ts'
import { proveKept } from './proof/kept.ts'
import { provePages } from './proof/pages.ts'
import { Proof } from './proof/proof.ts'
import { proveRoots } from './proof/roots.ts'
import { proveSlabs } from './proof/slabs.ts'
import { proveSpans } from './proof/spans.ts'
import { proveTiles } from './proof/tiles.ts'

/** The first contradiction, or undefined. */
export function checkHeap(parts: HeapParts): string | undefined {
  const counters = readCounters(parts)
  const lie = proveCounters(parts, counters) ?? proveRoots(parts, counters)
  if (lie !== undefined) return lie
  const proof = new Proof(parts, counters)
  return (
    proveSpans(proof) ??
    proveSlabs(proof) ??
    proveTiles(proof) ??
    proveBins(proof) ??
    proveKept(proof) ??
    proveClasses(proof) ??
    provePages(proof)
  )
}
