/**
 * Coming to a heap that is there already: what may be asked for, which heap it is, and whether the role of its writer can be had.
 *
 *     adopt the claim, if nobody has it -> verify the header (blocks.ts) -> dirty? rebuild (heap-recovery.ts) -> take the role
 *     else look at the claim            -> verify the header             -> read
 *
 * Cost: some 50 us; 200 ns more for each span and slab of a heap that must be rebuilt.
 * @module
 */
import type { Arena } from '../arena/arena.ts'
import type { AdoptRequest, Claim, ClaimHolder } from '../arena/claim.ts'
import { ArenaBusyError, CorruptedError, OutOfRangeError } from '../errors.ts'
import { checkHeap } from './heap-check.ts'
import type { HeapAttachOptions, HeapRole } from './heap-options.ts'
import type { HeapParts } from './heap-parts.ts'
import { rebuildHeap } from './heap-recovery.ts'
import { isUnfinished, WriterRole } from './writer-role.ts'

/** Tells the constructor that a heap is there already: see `Heap.attach`. */
export const ATTACH: unique symbol = Symbol('attach')

/** A heap's claim, and what can be done with it. */
interface Found {
  readonly claim: Claim
  readonly role: HeapRole
}

/** The claim of a heap that is there already: to have, if it can be had and is not only to be read, else to look at. */
export function adoptHeap(arena: Arena, holder: ClaimHolder, options: HeapAttachOptions = {}): Found {
  for (const offset of offsetsOf(arena, holder, options)) {
    const found = heapAt(arena, holder, offset, options)
    if (found !== undefined) return found
  }
  if (options.offset === undefined) throw new OutOfRangeError('arena', 'an arena with a heap', arena)
  throw new OutOfRangeError('options.offset', 'the offset of a heap in the arena', options.offset)
}

/** Where to look, settled first: else a later heap that nobody has would be taken for the first. One that was never finished is passed by. */
function offsetsOf(arena: Arena, { kind }: ClaimHolder, { offset }: HeapAttachOptions): number[] {
  if (offset !== undefined) return [offset]
  return arena
    .claims()
    .filter((claim) => claim.kind === kind)
    .map((claim) => claim.offset)
}

function heapAt(arena: Arena, holder: ClaimHolder, offset: number, options: HeapAttachOptions): Found | undefined {
  const { role, takeOver } = options
  if (role !== 'reader') {
    const claim = haveHeap(arena, { holder, offset, takeOver })
    if (claim !== undefined) return { claim, role: 'writer' }
  }
  const claim = arena.adopt({ holder, offset, shared: true })
  if (claim === undefined || isUnfinished(claim.metadata)) {
    claim?.leave()
    return undefined
  }
  if (role !== 'writer') return { claim, role: 'reader' }
  const writer = new WriterRole(arena, claim.metadata).describe()
  claim.leave()
  throw new ArenaBusyError(`Heap: its writer is ${writer}; others can attach as readers`)
}

/** The claim of a heap whose writer has gone; undefined when another has it. A heap that was never finished is none, and makes room. */
function haveHeap(arena: Arena, request: AdoptRequest): Claim | undefined {
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

/** Puts right what a writer left that died. */
export function recover(parts: HeapParts): void {
  rebuildHeap(parts)
  const lie = checkHeap(parts)
  if (lie !== undefined) throw new CorruptedError(`Heap: ${lie}`)
}
