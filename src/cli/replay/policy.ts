/**
 * What an allocation policy is: a module with a `create` that is given an arena and returns two or more calls. docs/policies.md teaches
 * writing one.
 *
 *     export const summary = 'cuts blocks one after the other, never gives one out again'
 *     export function create(arena) {
 *       let top = 8
 *       return {
 *         malloc(byteLength) {
 *           const offset = top
 *           if (offset + byteLength > arena.byteLength) return 0
 *           top += Math.ceil(Math.max(1, byteLength) / 8) * 8
 *           return offset
 *         },
 *         free() {},
 *       }
 *     }
 *
 * The whole arena is the policy's, all its bytes read zero at first, and memory is taken by touching it. Tables may be in the arena, where
 * they count as memory that the policy holds, or in JavaScript, where they do not. What a policy does not implement is made from what it
 * does (policy-allocator.ts).
 * @module
 */
import type { Arena } from '../../arena/arena.ts'
import type { Target } from './run/passes.ts'

export interface Policy {
  /**
   * A block of at least `byteLength` bytes, which may be 0: its offset in the arena, a multiple of 8 above 0. Gives 0 when there is no
   * room. Blocks that live at the same time never overlap.
   */
  malloc(byteLength: number): number
  /** Takes a block back. The offset is of a block that lives. */
  free(offset: number): void
  /** Bytes that a live block really has. @defaultValue what was asked for */
  usableSize?(offset: number): number
  /**
   * Changes the length of a block; gives its new offset, with the contents kept up to the smaller length, or 0 when there is no room.
   * @defaultValue a new block, a copy, a free
   */
  realloc?(offset: number, byteLength: number): number
  /** As `malloc`, and the bytes read zero. @defaultValue `malloc`, and a fill */
  calloc?(byteLength: number): number
  /** As `malloc`, on a multiple of a power of two. @defaultValue a longer block, and an offset inside */
  memalign?(alignment: number, byteLength: number): number
  /** Bytes of the arena that the policy holds now: blocks, what is between them, and tables. @defaultValue what is resident */
  heldBytes?(): number
  /** Largest value that `heldBytes` has had. @defaultValue the largest that was seen between the frames of a replay */
  peakHeldBytes?(): number
  /**
   * What a page of the arena is used for now, in a word that the heap map shows: `'small blocks'`, `'header'`. Undefined where there is
   * nothing to say. The page's number counts from the arena's start.
   */
  pageState?(page: number): string | undefined
  /** A whole allocator behind the policy, whose calls throw when it is full: timed as it is, without a look at what it returns. */
  readonly allocator?: Target
  /** Throws when the policy's tables contradict themselves. Called at the end of a verified replay. */
  check?(): void
}

export interface PolicyModule {
  /** @defaultValue the file's name */
  readonly name?: string
  /** One line for `sorites replay --list` and the page. */
  readonly summary?: string
  /** Bytes of addresses that the policy wants. @defaultValue 1 GiB, or what `--arena` says */
  readonly arenaBytes?: number
  /** Called for each replay, with an arena of its own. */
  create(arena: Arena): Policy
}
