/**
 * The heap that is in an arena, or a new one: `Heap.open`.
 *
 *     attach  ->  none there  ->  make  ->  another is making one: its claim is there, and no heap yet  ->  attach again
 *
 * Of several that do this at the same time, in whatever thread or process, one makes the heap, since a range is claimed once; the others find
 * it. A heap takes some 100 us to make. Where the maker is stopped meanwhile the others give up after a second; where it has died, the next
 * one makes the heap. Cost: that of `Heap.attach`, or of a search and `new Heap`.
 * @module
 */
import { type Arena, insideOf } from '../arena/arena.ts'
import { ArenaBusyError, NotFoundError } from '../errors.ts'
import { type CheckedHeapOptions, checkOpen, type HeapOpenOptions } from './heap-options.ts'

/** How long one sleep is, in milliseconds, and how many there are before giving up. */
const SLEEP_MS = 5
const SLEEPS = 200

const { wait } = Atomics
const nothing = new Int32Array(new SharedArrayBuffer(4))

/** How a heap is had. */
export interface Ways<H> {
  attach(options: Omit<CheckedHeapOptions, 'byteLength' | 'limit'>): H
  make(options: CheckedHeapOptions): H
}

export function openHeap<H>(arena: Arena, options: HeapOpenOptions | undefined, { attach, make }: Ways<H>): H {
  const { create, byteLength, limit, ...rest } = checkOpen(options)
  for (let sleeps = 0; ; sleeps++) {
    try {
      return attach(rest)
    } catch (error) {
      if (!(error instanceof NotFoundError && create)) throw error
    }
    try {
      return make({ byteLength, limit, ...rest })
    } catch (error) {
      if (!(error instanceof ArenaBusyError) || sleeps === SLEEPS) throw error
      // Something else has the range. A heap that was there may have gone in between: so one look more, at least.
      if (sleeps > 0 && !isBeingMade(arena, rest.offset)) throw error
    }
    if (sleeps > 0) wait(nothing, 0, 0, SLEEP_MS)
  }
}

function isBeingMade(arena: Arena, offset: number | undefined): boolean {
  return insideOf(arena)
    .claims()
    .some((claim) => claim.kind === 'Heap' && (offset ?? claim.offset) === claim.offset)
}
