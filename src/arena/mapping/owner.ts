/**
 * Who has a mapping, and so who may end it: what the lifetime of an arena asks when the arena is closed and when its last buffer
 * is garbage. One thread has it alone, until a handle is made of the arena; then see threads/thread-owner.ts.
 *
 *     leave()     closed: the memory goes back, unless others have it
 *     drained()   the last stale buffer is garbage: the addresses go back, unless others have them
 * @module
 */
import type { Os } from '../../ffi/os.ts'
import type { Address } from '../../units.ts'

/**
 * What leaving has come to. `unmapped`: nothing is left. `emptied`: fresh pages lie over the range, until it is drained.
 * `left`: others have it, and it is as it was.
 */
export type Leaving = 'unmapped' | 'emptied' | 'left'

export interface MappingOwner {
  /** One arena fewer. `watched`: buffers over the mapping are alive. Throws what the kernel refuses; nothing has changed then. */
  leave(watched: boolean): Leaving
  /** The buffers that `leave` was told of are garbage. Throws what the kernel refuses; the addresses stay taken then. */
  drained(): void
  /** Memory of the mapping is in use where nobody can see it: it is never to be unmapped. */
  moved(): void
}

/** A mapping that one arena of one thread has. */
export class SoleOwner implements MappingOwner {
  readonly #os: Os
  readonly #base: Address
  readonly #byteLength: number
  readonly #fd: number
  #moved = false

  /** `fd`: the descriptor of its file, which is closed with it, or -1. */
  constructor(os: Os, base: Address, byteLength: number, fd: number) {
    this.#os = os
    this.#base = base
    this.#byteLength = byteLength
    this.#fd = fd
  }

  leave(watched: boolean): Leaving {
    const stays = watched || this.#moved
    if (stays) this.#os.replace(this.#base, this.#byteLength)
    else this.#os.release(this.#base, this.#byteLength)
    closeQuietly(this.#os, this.#fd)
    return stays ? 'emptied' : 'unmapped'
  }

  drained(): void {
    if (!this.#moved) this.#os.release(this.#base, this.#byteLength)
  }

  moved(): void {
    this.#moved = true
  }
}

/** Closes the descriptor behind a mapping that has been given back. It is too late to refuse; the kernel frees it in any case. */
export function closeQuietly(os: Os, fd: number): void {
  if (fd < 0) return
  try {
    os.files.close(fd)
  } catch {
    // What could not be written out is said by `sync`.
  }
}
