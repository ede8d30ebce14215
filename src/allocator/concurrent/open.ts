/**
 * Coming to a concurrent heap that is there already, and telling one from a plain heap.
 *
 *     the claim's header has the concurrent layout  ->  take the claim, if it has no holder; else a peer's view of it  ->  join
 *     no other peer is there                        ->  the common part is proved, every shard in use rebuilt from its live spans and proved
 *
 * A peer that joins others at work relies on them, as they rely on each other. Cost: some 100 us; for the first peer, which looks
 * at the tables of each shard, 5 to 10 ms, and 200 ns for each span and slab where shards are rebuilt.
 * @module
 */
import { type Arena, insideOf } from '../../arena/arena.ts'
import { int32sIn } from '../../arena/buffer-range.ts'
import type { Claim, ClaimHolder } from '../../arena/claim.ts'
import { METADATA_GRANULE } from '../../arena/format/layout.ts'
import type { ArenaInside } from '../../arena/inside.ts'
import { alignUp } from '../../bits.ts'
import { ArenaBusyError, CorruptedError, NotFoundError, UnsupportedOperationError } from '../../errors.ts'
import type { Layout } from '../base/header.ts'
import { Holder, insideOfArena } from '../base/lifecycle.ts'
import { type Claimed, claimRange } from '../facade.ts'
import { isUnfinished } from '../heap/attach/writer.ts'
import type { CheckedAttachOptions, CheckedHeapOptions } from '../heap/options.ts'
import { checkHeap } from '../heap/report/check.ts'
import { proveCommon } from './check.ts'
import type { Shard } from './shard/shard.ts'
import type { Space } from './space/space.ts'
import { CONCURRENT_HASH, concurrentMetadataBytes, ShardState, ShardWord } from './words.ts'

/** What a peer is made from: its claim, and whether the heap was there already. */
export interface OpenedPeer {
  readonly claimed: Claimed
  readonly found: boolean
  readonly takeOver: boolean
  readonly decayMs: number
  readonly schedule: CheckedHeapOptions['schedule']
}

/** The claim of a new concurrent heap. */
export function makeConcurrent(arena: Arena, options: CheckedHeapOptions): OpenedPeer {
  const { decayMs, schedule } = options
  const claimed = claimRange(arena, 'Heap', options, (byteLength) => concurrentTables(byteLength, arena.pageSize))
  return { claimed, found: false, takeOver: false, decayMs, schedule }
}

/** What is in an arena, of the heaps that `options` may mean. */
export interface FoundConcurrent {
  /** The claim of the concurrent heap that is meant; undefined when that is a plain one, or there is none. */
  readonly peer?: OpenedPeer
  /** Where concurrent heaps are being made: there is none yet, and no plain one. */
  readonly unfinished: readonly number[]
}

export function findConcurrent(arena: Arena, options: CheckedAttachOptions): FoundConcurrent {
  const { role, onFull, takeOver, decayMs, schedule } = options
  const { at, plain, unfinished } = look(arena, options.offset)
  if (at === undefined) {
    if (role !== 'peer') return { unfinished }
    if (plain) throw new UnsupportedOperationError('the heap is no concurrent one: it has a writer, and readers')
    throw new NotFoundError('the arena has no heap: new Heap, or Heap.open with create, makes one')
  }
  if (role !== undefined && role !== 'peer')
    throw new UnsupportedOperationError(`the heap is a concurrent one: it is attached to as a peer, not as a ${role}`)
  const holder = new Holder('Heap')
  const claim = adoptConcurrent(arena, holder, at)
  const layout = concurrentTables(claim.byteLength, arena.pageSize)
  const claimed = { arena, holder, claim, layout, limit: undefined, onFull }
  return { peer: { claimed, found: true, takeOver, decayMs, schedule }, unfinished }
}

const HASH_WORD = 3

/** What a concurrent heap needs for a claim of so many bytes. */
function concurrentTables(byteLength: number, pageSize: number): Layout<never> {
  return { byteLength: concurrentMetadataBytes(byteLength, pageSize), at: {}, hash: CONCURRENT_HASH }
}

/** Looks at claims, and has none. */
const onlooker: ClaimHolder = {
  kind: 'Heap',
  blockAround: () => undefined,
  innerClaims: () => undefined,
  revoked: () => undefined,
}

/** Looks for the first heap at an offset, or anywhere. A concurrent one whose maker died before it was finished is none, and makes room. */
function look(arena: Arena, offset: number | undefined): { at?: number; plain: boolean; unfinished: number[] } {
  const inside = insideOfArena(arena)
  const unfinished: number[] = []
  for (const claim of inside.claims()) {
    if (claim.kind !== 'Heap' || (offset ?? claim.offset) !== claim.offset) continue
    const seen = inside.adopt({ holder: onlooker, offset: claim.offset, readOnly: true })
    if (seen === undefined) continue
    const { metadata } = seen
    const finished = !isUnfinished(metadata)
    const concurrent = finished && int32sIn(metadata, 0, 8)[HASH_WORD] === CONCURRENT_HASH
    seen.leave()
    // The first heap that is there is the one that is meant.
    if (finished) return concurrent ? { at: claim.offset, plain: false, unfinished } : { plain: true, unfinished }
    const wanted = concurrentTables(claim.byteLength, arena.pageSize).byteLength
    if (metadata.byteLength !== alignUp(wanted, METADATA_GRANULE)) continue
    if (claim.state !== 'left' || !makeRoom(inside, claim.offset, wanted)) unfinished.push(claim.offset)
  }
  return { plain: false, unfinished }
}

/** Gives the claim of a heap back whose maker died before it was finished; false when another has it now. */
function makeRoom(inside: ArenaInside, offset: number, metadataBytes: number): boolean {
  try {
    const claim = inside.adopt({ holder: onlooker, offset, metadataBytes: () => metadataBytes })
    if (claim === undefined) return true
    if (isUnfinished(claim.metadata)) claim.release()
    else claim.leave()
    return true
  } catch (error) {
    if (error instanceof ArenaBusyError) return false
    throw error
  }
}

/** The claim of the concurrent heap at an offset: to hold, or as a peer of its holder. */
function adoptConcurrent(arena: Arena, holder: ClaimHolder, offset: number): Claim {
  const inside = insideOf(arena)
  const { pageSize } = arena
  const metadataBytes = (byteLength: number): number => concurrentTables(byteLength, pageSize).byteLength
  let claim: Claim | undefined
  try {
    claim = inside.adopt({ holder, offset, metadataBytes })
  } catch (error) {
    if (!(error instanceof ArenaBusyError)) throw error
  }
  claim ??= inside.adopt({ holder, offset, readOnly: true, peer: true, metadataBytes })
  if (claim !== undefined) return claim
  throw new NotFoundError(`the arena has no heap at options.offset, ${offset}`)
}

/**
 * Before the first peer relies on tables that it has not written, under the heap's lock, with no other peer there: proves the common part, makes
 * each shard in use anew from what is live, and the tables of all others read zero. Whether a peer before it had died.
 */
export function verifyFound(space: Space): boolean {
  const lie = proveCommon(space)
  if (lie !== undefined) throw new CorruptedError(`Heap: ${lie}`)
  space.big.freeLostParts()
  const { entries, shards } = space
  let recovered = false
  for (let index = 0; index < entries.count; index++) {
    const shard = shards.at(index)
    if (entries.state(index) === ShardState.USED) recovered = verifyShard(shard) || recovered
    else if (!shard.isUnused)
      throw new CorruptedError(`Heap: the shard at ${shard.layout.offset} is free, and has blocks`)
    else shards.clearTables(shard.layout)
  }
  // No peer is there, so none has pinned anything.
  space.pins.clear()
  return recovered
}

/** Whether a peer that had the shard has died. */
function verifyShard(shard: Shard): boolean {
  const { m, owner } = shard
  const recovered = owner !== 0 || m[ShardWord.REBUILD] !== 0 || m[ShardWord.LOCK] !== 0
  Atomics.store(m, ShardWord.REBUILD, 1)
  Atomics.store(m, ShardWord.OWNER, 0)
  Atomics.store(m, ShardWord.LOCK, 0)
  const found = shard.within(() => checkHeap(shard.space))
  if (found !== undefined) throw new CorruptedError(`Heap: the shard at ${shard.layout.offset}: ${found}`)
  return recovered
}

/** Gives the heap's claim back, whichever peer made it. */
export function destroyClaim(inside: ArenaInside, claim: Claim, pageSize: number): void {
  const { offset } = claim
  if (claim.isView !== true) {
    claim.release()
    return
  }
  const metadataBytes = (byteLength: number): number => concurrentTables(byteLength, pageSize).byteLength
  const real = inside.adopt({ holder: { ...onlooker, lasting: true }, offset, metadataBytes })
  if (real === undefined) throw new NotFoundError(`the arena has no heap at ${offset}`)
  claim.leave()
  real.release()
}
