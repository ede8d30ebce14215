/**
 * What an allocator does in its own way, as functions that the parts which all allocators share call.
 *
 *     part (Lifecycle, Requests, Views, Freeing …) ── Hooks ──▶ the class's private methods
 *
 * The parts hold them, and no caller can reach them. Cost: a call.
 * @module
 */
import type { Release } from '../../arena/pin.ts'
import type { Range } from '../../arena/ranges.ts'
import type { AllocatorStats, SizeClassStats } from '../contract.ts'

/** What an allocator does in its own way. Called by the shared parts, and reachable from nowhere else. */
export interface Hooks {
  /** As `tryMalloc`, and the block reads zero. */
  tryCalloc(byteLength: number): number
  /** As `tryMalloc`, on a multiple of `alignment`, which has been checked. With `zero` the block reads zero. */
  tryMemalign(alignment: number, byteLength: number, zero: boolean): number
  /** Takes back a block that was just handed out and that no caller has seen. */
  undo(offset: number): void
  /** Drops what refers to the metadata, without touching it: called once, when the claim is gone. */
  forget(): void
  /** Frees every block: called when no claim lies in one. Throws nothing. */
  freeAll(): void
  /** The live block that wholly contains the range, or undefined. */
  blockAround(offset: number, byteLength: number): Range | undefined
  /** Usable bytes of the live block that starts here; throws when there is none. Only of allocators that free single blocks. */
  sizeAt?(offset: number): number
  /** The figures without options. */
  totals(): AllocatorStats
  /** The live blocks by size. */
  sizeClasses(): SizeClassStats[]
  /** Figures that need no walk. Bytes of slabs and slots count as used. */
  glance(): { usedBytes: number; committedBytes: number }
  /** `guard` has changed. */
  guarded?(): void
  /** Pins a live block against others that have the blocks as well. The answer is to be called once. */
  hold?(block: Range): Release
  /** Throws when one of them has pinned the block that starts here. */
  assertUnpinned?(offset: number): void
  /** Says which thread or process is the writer, for a reader's errors. */
  describeWriter?(): string
}

/** A part that refers to memory of the claim. */
export interface Forgetful {
  /** Drops those references. Touches nothing, throws nothing. */
  forget(): void
}
