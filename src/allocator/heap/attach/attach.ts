/**
 * Finding the heap that is in an arena: which one, and whether the role of its writer can be had.
 *
 *     adopt the claim, if no writer holds it  ->  { claim, role: 'writer' }
 *     else look at the claim                  ->  { claim, role: 'reader' }
 *
 * Its header and tables are verified afterwards (base/lifecycle.ts, verify.ts). Cost: some 50 us.
 * @module
 */
import { type Arena, insideOf } from '../../../arena/arena.ts'
import type { AdoptRequest, Claim, ClaimHolder } from '../../../arena/claim.ts'
import type { ArenaInside } from '../../../arena/inside.ts'
import { wholeNumber } from '../../../arguments.ts'
import { ArenaBusyError, NotFoundError } from '../../../errors.ts'
import { heapTables } from '../layout.ts'
import type { CheckedAttachOptions, HeapRole } from '../options.ts'
import { isUnfinished, WriterRole } from './writer.ts'

/** What a directory that others can write to must say of a heap. */
const metadataBytes = (byteLength: number): number => heapTables(byteLength).byteLength

/** A heap's claim, and what can be done with it. */
export interface FoundHeap {
  readonly claim: Claim
  readonly role: HeapRole
}

/** The claim of a heap that is there already: to have, if it can be had and is not only to be read, else to look at. None is at `except`. */
export function adoptHeap(
  arena: Arena,
  holder: ClaimHolder,
  options: CheckedAttachOptions,
  except: readonly number[]
): FoundHeap {
  const inside = insideOf(arena)
  for (const offset of offsetsOf(inside, holder, options)) {
    if (except.includes(offset)) continue
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
): FoundHeap | undefined {
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
  throw new ArenaBusyError(
    `Heap: its writer is ${writer}. Attach with { role: 'reader' }, or wait until the writer closes the heap`
  )
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
