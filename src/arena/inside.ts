/**
 * What the library's own code may do with an arena, and callers may not. `insideOf` in arena.ts gives it; nothing that is public
 * refers to it, so no caller's code comes to the tables, the kernel, or another's claim.
 * @module
 */
import type { Threads } from '../ffi/os-threads.ts'
import type { View, ViewConstructor } from '../views.ts'
import type { BufferRange } from './buffer-range.ts'
import type { AdoptRequest, Claim, ClaimRecord, ClaimRequest } from './claim.ts'
import type { Release } from './pin.ts'

export interface ArenaInside {
  /** The threads that can have it: which one is calling, and which are alive. */
  readonly threads: Threads
  /** Bytes in a page. */
  readonly pageSize: number
  /** Gives an allocator a range of its own. The contract is in claim.ts. */
  claim(request: ClaimRequest): Claim
  /** Gives an allocator a claim that was left, as it is, or a read-only view of one. The contract is in claim.ts. */
  adopt(request: AdoptRequest): Claim | undefined
  /** Every claim at the top level, of all holders, by offset. */
  claims(): ClaimRecord[]
  /** Notes that others than the arena's users may write in a range from now on. */
  expose(offset: number, byteLength: number): void
  /** Pins the live block that the byte at an offset lies in, whichever allocator has it; undefined when it lies in none. */
  pinBlock(offset: number): Release | undefined
  /** The offset of a view in this arena's windows; below 0 when it lies in none. */
  find(view: ArrayBufferView): number
  /** What an allocator holds of a range, for messages; undefined when none holds any of it. */
  claimed(offset: number, byteLength: number): string | undefined
  /**
   * Runs `run` while no other thread or process does so, or changes the directory of claims: for what allocators write into memory
   * that several may write. On an arena that no other thread or process can have it just runs. Throws ERR_ARENA_BUSY when it cannot be had for a
   * second. Not to be nested, nor to claim or adopt in.
   */
  locked<R>(run: () => R): R
  /** Bytes in the windows that views come from, except the last. */
  readonly windowBytes: number
  /** The buffer of such a window, made at first need, and again when foreign code has detached it. */
  windowBuffer(index: number): ArrayBuffer
  /** A view of elements that lie in the arena and are aligned, for the holder of the claim around them. */
  view(type: ViewConstructor, offset: number, length: number, byteLength: number): View
  /** A range for the library's own code, in a buffer that is never handed out, and which its maker keeps. */
  privateRange(offset: number, byteLength: number): BufferRange
}
