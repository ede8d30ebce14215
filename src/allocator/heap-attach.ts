/**
 * Coming to a heap that is there already: what may be asked for, which heap it is, and whether the role of its writer can be had.
 *
 *     adopt the claim, if nobody has it -> verify the header (blocks.ts) -> open?  prove (heap-seal.ts, heap-check.ts)  -> take the role
 *                                                                    -> dirty? rebuild, prove (heap-recovery.ts)
 *     else look at the claim            -> verify the header         -> open?  prove  -> read
 *
 * Cost: some 50 us, and 100 ns for each span and slab; 200 ns more for each of a heap that must be rebuilt.
 * @module
 */
import { type Arena, insideOf } from '../arena/arena.ts'
import type { AdoptRequest, Claim, ClaimHolder } from '../arena/claim.ts'
import type { ArenaInside } from '../arena/inside.ts'
import { wholeNumber } from '../arguments.ts'
import { ArenaBusyError, CorruptedError, NotFoundError, SystemError } from '../errors.ts'
import { checkHeap } from './heap-check.ts'
import { At } from './heap-layout.ts'
import type { CheckedAttachOptions, HeapRole } from './heap-options.ts'
import type { HeapParts } from './heap-parts.ts'
import { rebuildHeap } from './heap-recovery.ts'
import { isSealed } from './heap-seal.ts'
import { heapTables } from './heap-tables.ts'
import { proveCounters, readCounters } from './proof/counters.ts'
import { WHOLE_WORDS } from './proof/tiles.ts'
import { isUnfinished, WriterRole } from './writer-role.ts'

/** Tells the constructor that a heap is there already: see `Heap.attach`. */
export const ATTACH: unique symbol = Symbol('attach')

/** What a directory that others can write to must say of a heap. */
const metadataBytes = (byteLength: number): number => heapTables(byteLength).byteLength

/** A heap's claim, and what can be done with it. */
interface Found {
  readonly claim: Claim
  readonly role: HeapRole
}

/** The claim of a heap that is there already: to have, if it can be had and is not only to be read, else to look at. */
export function adoptHeap(arena: Arena, holder: ClaimHolder, options: CheckedAttachOptions): Found {
  const inside = insideOf(arena)
  for (const offset of offsetsOf(inside, holder, options)) {
    const found = heapAt(inside, holder, offset, options)
    if (found !== undefined) return found
  }
  const { offset } = options
  if (offset === undefined)
    throw new NotFoundError('the arena has no heap: new Heap, or Heap.open with create, makes one')
  wholeNumber('options.offset', offset, 0, arena.byteLength - 1)
  throw new NotFoundError(`the arena has no heap at options.offset, ${offset}`)
}

/** Where to look, settled first: else a later heap that no writer has would be taken for the first. One that was never finished is passed by. */
function offsetsOf(inside: ArenaInside, { kind }: ClaimHolder, { offset }: CheckedAttachOptions): number[] {
  if (offset !== undefined) return [offset]
  return inside
    .claims()
    .filter((claim) => claim.kind === kind)
    .map((claim) => claim.offset)
}

function heapAt(
  inside: ArenaInside,
  holder: ClaimHolder,
  offset: number,
  options: CheckedAttachOptions
): Found | undefined {
  const { role, takeOver } = options
  if (role !== 'reader') {
    const claim = haveHeap(inside, { holder, offset, takeOver, metadataBytes })
    if (claim !== undefined) return { claim, role: 'writer' }
  }
  const claim = inside.adopt({ holder, offset, readOnly: true, metadataBytes })
  if (claim === undefined || isUnfinished(claim.metadata)) {
    claim?.leave()
    return undefined
  }
  if (role !== 'writer') return { claim, role: 'reader' }
  const writer = new WriterRole(inside, claim.metadata).describe()
  claim.leave()
  throw new ArenaBusyError(`Heap: its writer is ${writer}; others can attach as readers`)
}

/** The claim of a heap whose writer has gone; undefined when another has it. A heap that was never finished is none, and makes room. */
function haveHeap(arena: ArenaInside, request: AdoptRequest): Claim | undefined {
  try {
    const claim = arena.adopt(request)
    if (claim === undefined || !isUnfinished(claim.metadata)) return claim
    claim.release()
    return undefined
  } catch (error) {
    if (error instanceof ArenaBusyError) return undefined
    throw error
  }
}

/**
 * Before a writer acts on tables that it has not written: those of a heap that was closed are proved, and must be what its last writer
 * sealed; those of a writer that died are rebuilt, which is true then. Throws ERR_CORRUPTED.
 */
export function verifyForWriter(parts: HeapParts, claim: Claim, dirty: boolean): boolean {
  if (dirty) rebuildHeap(parts)
  prove(parts, !dirty)
  if (!dirty) clearUnused(parts, claim)
  return dirty
}

/**
 * Before a reader looks at tables: those of a heap without a writer are proved. While there is a writer they may change at any moment, and
 * each walk ends by itself at what it cannot be. False: a reader rebuilds nothing.
 */
export function verifyForReader(parts: HeapParts, dirty: () => boolean): false {
  if (dirty()) return false
  try {
    prove(parts, true)
  } catch (error) {
    // A writer may have come meanwhile.
    if (!dirty()) throw error
  }
  return false
}

function prove(parts: HeapParts, sealed: boolean): void {
  const lie =
    proveCounters(parts, readCounters(parts)) ??
    (sealed && !isSealed(parts.words, parts.layout) ? UNSEALED : checkHeap(parts))
  if (lie !== undefined) throw new CorruptedError(`Heap: ${lie}`)
}

const UNSEALED = 'the tables are not those that its last writer has sealed'

/**
 * Makes the words of tiles and pages read zero that were never used: code reads them without a look at how far the tables are used. Short
 * tables have been proved to be zero there. Of long ones the pages go back, which takes no memory, where reading them would.
 */
function clearUnused({ words, layout, source }: HeapParts, claim: Claim): void {
  const pageWords = source.pageSize / 4
  const tables = [
    [At.TILES, words[At.TILE_TOP], layout.tileCount],
    [layout.dirty, Math.ceil(words[At.PAGE_TOP] / 32), Math.ceil(layout.pageCount / 32)],
  ] as const
  for (const [start, used, all] of tables) {
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
