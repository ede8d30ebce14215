/**
 * What an allocator holds of an arena: a range of bytes to cut blocks from, and a range of metadata that no view can reach.
 *
 *      arena's mapping   | bytes 0 … byteLength            | metadata, seen by no window            |
 *      a claim           |      [ offset, +byteLength )    |   [ its header | its tables )          |
 *
 * Claims at the same level never overlap. A claim may lie inside one live block of another allocator (a bump allocator in a block
 * of a heap); that allocator then refuses to free the block until the inner claim is released.
 *
 * A claim is *left* when its holder leaves it, when it is lasting and its arena is closed, or when its process dies. A left claim still
 * counts as held, so its range cannot be claimed. An allocator of its kind can adopt it, and finds range and metadata unchanged. While it has a holder, others may look at it *read-only*: they see range and metadata, and change neither.
 *
 *     claim ──▶ held ──release──▶ free           left ──adopt──▶ held           held or left ──adopt, readOnly──▶ seen
 *               held ──leave────▶ left
 * @module
 */

import type { BufferRange } from './buffer-range.ts'
import type { Release } from './pin.ts'

/** What the arena asks of the allocator that holds a claim. Implemented by every allocator. */
export interface ClaimHolder {
  /** 'Bump', 'Slab', 'Buddy', 'Heap': for messages. */
  readonly kind: string
  /**
   * Whether its claims stay when the arena is closed, or its process dies, so that another holder can adopt them. Other claims are
   * released then. A claim in a block always goes with the block.
   * @defaultValue false
   */
  readonly lasting?: boolean
  /**
   * Called before an inner claim is granted. Gives the range of the live block that wholly contains `[offset, offset + byteLength)`,
   * or undefined when no single live block does.
   */
  blockAround(offset: number, byteLength: number): { offset: number; byteLength: number } | undefined
  /**
   * Pins the live block that wholly contains the range, and what lies around it; undefined when no single live block does. The caller
   * calls the answer once.
   * @defaultValue the holder has no blocks that can be pinned
   */
  pin?(offset: number, byteLength: number): Release | undefined
  /** Called after an inner claim was granted or released, with the number of claims that are open inside this one. */
  innerClaims(count: number): void
  /** Called when the claim was revoked: the arena is closed, or the block around the claim is gone. The holder touches no memory. */
  revoked(): void
}

/** What a holder writes into its metadata before others may have the claim. It writes there and nowhere else, and throws nothing. */
export interface LastStore {
  store(): void
  /** The claim was not left after all. */
  restore(): void
}

/** A granted claim. */
export interface Claim {
  /** First byte of the claimed range, from the arena's start. */
  readonly offset: number
  /** Length of the claimed range in bytes. */
  readonly byteLength: number
  /** The claim's metadata, zero when granted, on a 64-byte boundary, in a buffer that is never handed out. */
  readonly metadata: BufferRange
  /**
   * True when the claimed range is known to read zero: no window and no claim was over it since it was reserved, or since
   * its file was a hole there. Never of an adopted claim.
   */
  readonly zeroed: boolean
  /** Whether it is a view of a claim that another has, or may have. @defaultValue false */
  readonly isView?: boolean
  /** Whether it is there for others when it has been left: a lasting holder's, in memory that others can have, or find again. */
  readonly stays: boolean
  /** Gives whole pages back to the kernel; they read zero afterwards. Both arguments are multiples of the page size. */
  purge(offset: number, byteLength: number): void
  /** Gives the whole pages inside a range of the metadata back; they read zero afterwards. `from` counts from the metadata's start. */
  purgeMetadata(from: number, byteLength: number): void
  /** Makes any range of the claim read zero: purges whole pages, fills the partial ones at its edges. */
  clear(offset: number, byteLength: number): void
  /** Bytes of the claimed range, and of its metadata, that are in memory now, by asking the kernel about each page. */
  resident(): { residentBytes: number; residentMetadataBytes: number }
  /** Whether an inner claim lies in the range. */
  overlapsInner(offset: number, byteLength: number): boolean
  /** Revokes the inner claims in the range (default: all of them). */
  revokeInner(offset?: number, byteLength?: number): void
  /**
   * Pins what a pinned block of the claim lies in: the outer allocator's block, or the arena. The answer is to be called once. Throws
   * ERR_ARENA_CLOSED when one of them is closing.
   */
  pinAround(offset: number, byteLength: number): Release
  /** What is to be stored when the claim is left, by `leave` or by closing the arena. Not when it is released or revoked. */
  storeOnLeave(last: LastStore): void
  /**
   * Gives the range and the metadata back; the metadata reads zero when it is granted again. Does nothing the second time. Throws what
   * the kernel refuses, or ERR_ARENA_BUSY where others keep the directory locked; nothing has changed then.
   */
  release(): void
  /**
   * Lets go of the claim and leaves range and metadata as they are, for others to adopt. Inner claims are revoked. A claim in
   * another's block is released. Does nothing the second time. Throws ERR_ARENA_BUSY as `release` does.
   */
  leave(): void
}

/** What is asked of `ArenaInside.claim` (inside.ts). */
export interface ClaimRequest {
  readonly holder: ClaimHolder
  /** Default 0. A multiple of 8. */
  readonly offset?: number | undefined
  /** Default: up to the arena's end. A multiple of 8, at least 8. */
  readonly byteLength?: number | undefined
  /** Bytes of metadata wanted for a range of so many bytes. */
  readonly metadataBytes: (byteLength: number) => number
}

/** What is asked of `ArenaInside.adopt`. */
export interface AdoptRequest {
  /** The new holder. A claim of its kind is adopted. */
  readonly holder: ClaimHolder
  /** Where the claim starts. @defaultValue the first of that kind */
  readonly offset?: number | undefined
  /**
   * Only to look: the claim may be one that has a holder, here or in another thread or process, which keeps it. What is given can be
   * left or released, which ends the view, and refuses to change anything.
   * @defaultValue false
   */
  readonly readOnly?: boolean | undefined
  /**
   * With `readOnly`: the view is that of a peer, one of several that use the claim at the same time. It may purge and clear as well, and
   * stores what it has to when it is left. @defaultValue false
   */
  readonly peer?: boolean | undefined
  /**
   * Also one whose holder may be alive, because it ran where this process cannot see (another container). The caller knows that it is
   * gone.
   * @defaultValue false
   */
  readonly takeOver?: boolean | undefined
  /**
   * Bytes of metadata that the kind has for a range of so many bytes, as in `ClaimRequest`. A claim with more or less is refused as
   * ERR_CORRUPTED, before anything of it is touched. @defaultValue any length will do
   */
  readonly metadataBytes?: ((byteLength: number) => number) | undefined
}

/** What an arena's directory says of a claim. */
export interface ClaimRecord {
  readonly kind: string
  readonly offset: number
  readonly byteLength: number
  /** `'ours'`: of this arena object. `'theirs'`: of another, which is alive as far as can be told. `'left'`: can be adopted. */
  readonly state: 'ours' | 'theirs' | 'left'
  /** Whether it outlives its holder. */
  readonly lasting: boolean
}
