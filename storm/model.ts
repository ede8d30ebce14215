/**
 * What there should be: memories and their holders, claims and live blocks. Plain data; the commands keep it and ask of it what must come of
 * a call.
 *
 *     Memory ── Party      an arena object on it, in some hand
 *            ── Claim      a range that an allocator has, or that was left ── Block ── Claim (inside the block) …
 *            ── Reader     a heap object that only looks
 *
 *     live blocks of a claim never overlap, lie in the claim, and hold the pattern of their seed
 * @module
 */
import type { Mapped } from '../props/file/model.ts'
import type { Asked } from './hand/elsewhere.ts'
import type { Manner } from './hand/timers.ts'

export type Kind = 'Bump' | 'Slab' | 'Buddy' | 'Heap'

export type MemoryKind = 'private' | 'shared' | 'named' | 'fileWrite' | 'fileCopy'

/** The last page of a memory that has words is the user's: sixteen words to wait on. */
export const WORDS = 16
export const WORDS_BYTES = 4096

export interface Memory {
  readonly id: number
  readonly kind: MemoryKind
  readonly byteLength: number
  /** Where the words are; 0 when the allocators may have all of it. */
  readonly wordsAt: number
  readonly words: Int32Array
  /** Of a named one its name, of one in a mapped file the file. */
  readonly path?: string
  readonly file?: FileState
  /** Whether others can have it: then heaps stay when they are closed. */
  common: boolean
  unlinked: boolean
  /** Whether a process or thread died that had it: it may have been its owner. */
  bereft: boolean
  readonly parties: Party[]
  /** At the top level. */
  readonly claims: Claim[]
  /** What the user has written into ranges without a claim. */
  raw: { offset: number; byteLength: number; seed: number }[]
}

export interface Party {
  /** Its number in its hand. */
  readonly id: number
  readonly hand: Asked
  readonly memory: Memory
  readonly pins: number[]
  readonly uses: Hold[]
  readonly blockPins: Hold[]
  /** Whether its mapping is one that other parties of the same process have as well. */
  mappingShared: boolean
  /** Whether it was opened by its name, which it can take away. */
  byName: boolean
}

export interface Wait {
  readonly name: number
  readonly party: Party
  readonly word: number
  readonly expected: number
  /** What `settled` may give. */
  readonly may: Set<string>
}

export interface Block {
  readonly offset: number
  byteLength: number
  usable: number
  seed: number
  inner: Claim[]
  /** Holds that have it. */
  pins: number
}

/** A pin or a `use` of a block, and every block that it holds: that one, and those around it. */
export interface Hold {
  readonly name: number
  readonly blocks: readonly Block[]
}

export interface Claim {
  readonly kind: Kind
  readonly memory: Memory
  readonly offset: number
  readonly byteLength: number
  readonly limited: boolean
  readonly slotSize: number
  readonly around: { readonly claim: Claim; readonly block: Block } | undefined
  /** The party that has it; undefined when it was left. */
  party: Party | undefined
  /** The allocator's number in the party's hand. */
  id: number
  manner: Manner | undefined
  /** By offset. */
  readonly blocks: Map<number, Block>
  /** Starts of blocks that were freed, the last ones. */
  freed: number[]
  marks: { mark: number; count: number }[]
  readonly roots: Map<string, number>
  /** Whether its writer died with the role. */
  died: boolean
}

export interface Reader {
  readonly claim: Claim
  readonly party: Party
  readonly id: number
}

/** An object that was closed: every call on it must be refused. */
export interface Closed {
  readonly hand: Asked
  readonly what: 'arena' | 'allocator' | 'file'
  readonly id: number
  readonly kind?: Kind
}

export interface FileState {
  readonly path: string
  /** What the file has; undefined when an arena was made in it, whose tables cannot be predicted from outside. */
  disk: Buffer | undefined
  readonly mappings: FileMapping[]
}

export interface FileMapping {
  readonly id: number
  readonly hand: Asked
  readonly state: FileState
  readonly mode: 'read' | 'copy' | 'write'
  readonly maxByteLength: number
  /** The ledger of props/file/model.ts: which pages a private mapping has for itself. */
  readonly mapped: Mapped
  readonly pins: number[]
  /** The arena in it. */
  party: Party | undefined
}

/** The claim that is in the way of a range at one level. */
export function overlapping(claims: readonly Claim[], offset: number, byteLength: number): Claim[] {
  return claims.filter((claim) => claim.offset < offset + byteLength && claim.offset + claim.byteLength > offset)
}

/** The live blocks around a place that the allocators of one party have, level by level: what a `use` of a view there holds. */
export function blocksAround(party: Party, offset: number): Block[] {
  const found: Block[] = []
  for (let level: readonly Claim[] = party.memory.claims; ; ) {
    const [claim] = overlapping(level, offset, 1)
    if (claim?.party !== party) return found
    const block = [...claim.blocks.values()].find((one) => offset >= one.offset && offset < one.offset + one.usable)
    if (block === undefined) return found
    found.push(block)
    level = block.inner
  }
}

export function hold(name: number, blocks: readonly Block[]): Hold {
  for (const block of blocks) block.pins++
  return { name, blocks }
}

export function unhold({ blocks }: Hold): void {
  for (const block of blocks) block.pins--
}

/** What a call that ends or moves one of these blocks is refused with. Where two things forbid it, either may be named. */
export function refusals(blocks: Iterable<Block>): string[] {
  const all = [...blocks]
  return [
    ...(all.some(({ pins }) => pins > 0) ? ['ERR_BLOCK_PINNED'] : []),
    ...(all.some(({ inner }) => inner.length > 0) ? ['ERR_ARENA_BUSY'] : []),
  ]
}

/** What closing an arena is refused with. */
export function heldArena({ pins, uses, blockPins }: Party): string[] {
  if (pins.length + uses.length > 0) return ['ERR_ARENA_BUSY']
  return blockPins.length > 0 ? ['ERR_BLOCK_PINNED'] : []
}

/** Every claim inside one, itself first. */
export function* withInner(claim: Claim): Generator<Claim> {
  yield claim
  for (const block of claim.blocks.values()) for (const inner of block.inner) yield* withInner(inner)
}

/** Where a block of so many bytes meets a live one; undefined when it does not. */
export function colliding(claim: Claim, offset: number, byteLength: number, except?: Block): Block | undefined {
  for (const block of claim.blocks.values()) {
    if (block === except) continue
    const end = block.offset + Math.max(block.usable, 1)
    if (block.offset < offset + Math.max(byteLength, 1) && end > offset) return block
  }
  return undefined
}
