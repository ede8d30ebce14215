/**
 * `realloc`: a block made longer or shorter where it is, or moved.
 *
 *     realloc(p, n)  ->  may p be resized?  ->  resizeAt(p, …) in place  or  a new block, a copy, and p is freed
 *
 * Refused and failed before the copy, nothing has changed: the old block is freed last. What does not fit asks for room as a whole
 * (requests.ts), so the caller is asked between two tries and never in the middle of one. Cost: the allocator's own steps, and the copy.
 * @module
 */
import { InvalidArgumentTypeError } from '../../errors.ts'
import type { BlockMemory } from './block-memory.ts'
import type { Requests } from './requests.ts'

/** Blocks that can be resized. */
export interface ResizableBlocks {
  /** Usable bytes of the block that starts here; throws unless it is live, the caller's to change, and can be resized. */
  resizableAt(offset: number): number
  /** Whether the block could be given at least `byteLength` bytes, or fewer, where it is. Checks `byteLength`. */
  resizeAt(offset: number, usable: number, byteLength: number): boolean
  /** A block, or ERR_OUT_OF_MEMORY: `malloc` of the class. */
  malloc(byteLength: number): number
  /** Frees a block that has been moved. Not of allocators that cannot free a single block: it stays until all are freed. */
  freeAt?(offset: number): void
}

export class Resizing {
  readonly #blocks: ResizableBlocks
  readonly #requests: Requests
  readonly #memory: BlockMemory

  constructor(blocks: ResizableBlocks, requests: Requests, memory: BlockMemory) {
    this.#blocks = blocks
    this.#requests = requests
    this.#memory = memory
  }

  realloc(offset: number, byteLength: number): number {
    if (typeof offset !== 'number') throw new InvalidArgumentTypeError('offset', 'a number', offset)
    const moved = this.#requests.asks ? this.#resizeAsking(offset, byteLength) : this.#resize(offset, byteLength)
    this.#requests.tellPages()
    return moved
  }

  /** Apart, since a function that makes a closure takes longer each time. */
  #resizeAsking(offset: number, byteLength: number): number {
    return this.#requests.untilFits(byteLength, () => this.#resize(offset, byteLength))
  }

  #resize(offset: number, byteLength: number): number {
    const blocks = this.#blocks
    const usable = blocks.resizableAt(offset)
    if (blocks.resizeAt(offset, usable, byteLength)) return offset
    const moved = blocks.malloc(byteLength)
    this.#memory.copyNew(moved, offset, Math.min(usable, byteLength))
    blocks.freeAt?.(offset)
    return moved
  }
}
