/**
 * Bump allocators for requests: each request takes one, allocates without freeing, and gives it back; `reset` drops all of it at once.
 *
 *     arena   | bump 0 | bump 1 | bump 2 | …         a part of the arena each
 *
 * Calls: `new Bump(arena, { offset, byteLength })`, `bump.reset`. Making a bump and closing it takes 50 to 100 us, resetting one a few: so
 * they are made once. Memory is bounded by the parts; resident is what requests have touched.
 * @module
 */
import { Arena, Bump } from '../../src/index.ts'

export class BumpPool {
  readonly #arena: Arena
  readonly #count: number
  readonly #free: Bump[]

  /** `byteLength`: what a request may take at most, a multiple of 8. */
  constructor(count: number, byteLength: number) {
    this.#arena = Arena.reserve(count * byteLength, { name: 'requests' })
    this.#count = count
    this.#free = Array.from(
      { length: count },
      (_, part) => new Bump(this.#arena, { offset: part * byteLength, byteLength })
    )
  }

  /** Bumps that requests have. */
  get taken(): number {
    return this.#count - this.#free.length
  }

  /** A bump without blocks, or undefined when all are taken. */
  take(): Bump | undefined {
    return this.#free.pop()
  }

  /** Takes a bump back. Throws ERR_BLOCK_PINNED while native code uses a block of it. */
  give(bump: Bump): void {
    // Closing does not wait for bumps whose blocks are done with.
    if (!this.#arena.closed) bump.reset()
    this.#free.push(bump)
  }

  /** Waits until native code uses no block any more, and gives all memory back. */
  close(): Promise<void> {
    return this.#arena.closeWhenIdle()
  }
}
