/**
 * Walks all of a heap's tables and says the first thing that contradicts another: every equation that spans/records.ts, slabs.ts and
 * spans/committed.ts state. One file a table, in `proof/`; docs/tables.md says for each word which of them proves it. Reads only; takes at most
 * a step a record, whatever the tables say. Some 100 ns a span.
 * @module
 */
import type { HeapSpace } from '../space.ts'
import { proveBins } from './bins.ts'
import { proveClasses } from './classes.ts'
import { proveCounters, readCounters } from './counters.ts'
import { proveKept } from './kept.ts'
import { provePages } from './pages.ts'
import { Proof } from './proof.ts'
import { proveRoots } from './roots.ts'
import { proveSlabs } from './slabs.ts'
import { proveSpans } from './spans.ts'
import { proveTiles } from './tiles.ts'

/** The first contradiction, or undefined. */
export function checkHeap(space: HeapSpace): string | undefined {
  const counters = readCounters(space)
  const lie = proveCounters(space, counters) ?? proveRoots(space, counters)
  if (lie !== undefined) return lie
  const proof = new Proof(space, counters)
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
