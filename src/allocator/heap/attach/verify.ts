/**
 * Before the first step on a heap's tables: those of a new heap are made, those of one that is there are proved or rebuilt.
 *
 *     new                      empty tables, then the writer, whose state says that a heap is there, then a seal
 *     closed by its writer     proved, and they must be what was sealed (seal.ts, report/check.ts)
 *     its writer died          rebuilt from what is true at every moment, and proved (recovery.ts)
 *     it has a writer          a reader only looks: each walk ends by itself at what it cannot be
 *
 * When the tables contradict themselves the claim is left as it was. Cost: 100 ns for each span and slab; 200 ns more for each of a heap that
 * must be rebuilt.
 * @module
 */
import type { Claim } from '../../../arena/claim.ts'
import { CorruptedError, SystemError } from '../../../errors.ts'
import type { HeapRole } from '../options.ts'
import { checkHeap } from '../report/check.ts'
import { proveCounters, readCounters } from '../report/counters.ts'
import { WHOLE_WORDS } from '../report/tiles.ts'
import type { HeapSpace } from '../space.ts'
import { At } from '../words.ts'
import { rebuildHeap } from './recovery.ts'
import { isSealed, sealTables } from './seal.ts'
import type { WriterRole } from './writer.ts'

/** Makes the tables of a new heap, and gives it its writer. When it cannot be done the claim is given back. */
export function beginHeap(space: HeapSpace, claim: Claim, writer: WriterRole): void {
  try {
    if (!claim.zeroed) claim.clear(claim.offset, claim.byteLength)
  } catch (error) {
    try {
      claim.release()
    } catch {
      // What the kernel refused once it may refuse again. `attach` sees by the header that no heap is there, and gives the range back.
      claim.leave()
    }
    throw error
  }
  space.begin()
  // This one store makes a heap of it (writer.ts): a maker that dies before it has left none, one that dies after it a heap to rebuild.
  writer.take()
  sealTables(space.tables.words, space.tables.layout)
}

/** Proves the tables that another has written; true when they had to be rebuilt. */
export function verifyHeap(space: HeapSpace, claim: Claim, role: HeapRole, writer: WriterRole): boolean {
  try {
    return role === 'reader' ? verifyForReader(space, writer) : verifyForWriter(space, claim, writer.taken)
  } catch (error) {
    claim.leave()
    throw error
  }
}

/**
 * Before a writer acts on tables that it has not written: those of a heap that was closed are proved, and must be what its last writer
 * sealed; those of a writer that died are rebuilt, which is true then. Throws ERR_CORRUPTED.
 */
function verifyForWriter(space: HeapSpace, claim: Claim, taken: boolean): boolean {
  if (taken) rebuildHeap(space)
  prove(space, !taken)
  if (!taken) clearUnused(space, claim)
  return taken
}

/**
 * Before a reader looks at tables: those of a heap without a writer are proved. While there is a writer they may change at any moment, and
 * each walk ends by itself at what it cannot be. False: a reader rebuilds nothing.
 */
function verifyForReader(space: HeapSpace, writer: WriterRole): false {
  if (writer.taken) return false
  try {
    prove(space, true)
  } catch (error) {
    // A writer may have come meanwhile.
    if (!writer.taken) throw error
  }
  return false
}

function prove(space: HeapSpace, sealed: boolean): void {
  const lie =
    proveCounters(space, readCounters(space)) ??
    (sealed && !isSealed(space.tables.words, space.tables.layout) ? UNSEALED : checkHeap(space))
  if (lie !== undefined) throw new CorruptedError(`Heap: ${lie}`)
}

const UNSEALED = 'the tables are not those that its last writer has sealed'

/**
 * Makes the words of tiles and pages read zero that were never used: code reads them without a look at how far the tables are used. Short
 * tables have been proved to be zero there. Of long ones the pages go back, which takes no memory, where reading them would.
 */
function clearUnused({ tables }: HeapSpace, claim: Claim): void {
  const { words, layout } = tables
  const pageWords = tables.pageSize / 4
  const unused = [
    [At.TILES, words[At.TILE_TOP], layout.tileCount],
    [layout.pageBits, Math.ceil(words[At.PAGE_TOP] / 32), Math.ceil(layout.pageCount / 32)],
  ] as const
  for (const [start, used, all] of unused) {
    if (all <= WHOLE_WORDS) continue
    // The last page is the next table's as well.
    words.fill(0, Math.max(start + used, start + all - pageWords), start + all)
    try {
      claim.purgeMetadata((start + used) * 4, (all - used) * 4)
    } catch (error) {
      if (!(error instanceof SystemError)) throw error
      for (let at = start + used; at < start + all; at++)
        if (words[at] !== 0) throw new CorruptedError(`Heap: a word of a table that was never used is ${words[at]}`)
    }
  }
}
