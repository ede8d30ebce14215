/**
 * What ends a mapping: the part that the lifetime of an arena asks when the arena is closed, and when its last buffer is garbage. One thread
 * has a mapping alone until a handle is made of its arena; from then on threads/thread-owner.ts ends it.
 *
 *     leave()     an arena is closed: the memory goes back, unless others have it
 *     drained()   its last stale buffer is garbage: the addresses go back, unless others have them
 *     empty()     the memory goes back although the addresses cannot
 * @module
 */
import type { Os } from '../../ffi/os.ts'
import type { Address } from '../../units.ts'
import { closeQuietly, type OwnFile } from './own-file.ts'

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
  /** Memory of the mapping is in use by a buffer that this library does not know: it is never to be unmapped. */
  moved(): void
  /** Gives the memory back where the addresses have to stay. Throws nothing. */
  empty(): void
}

/** A mapping that one arena of one thread has. */
export class SoleOwner implements MappingOwner {
  readonly #os: Os
  readonly #base: Address
  readonly #byteLength: number
  readonly #file: OwnFile
  #moved = false

  /** `file`: its descriptor is closed with it. */
  constructor(os: Os, base: Address, byteLength: number, file: OwnFile) {
    this.#os = os
    this.#base = base
    this.#byteLength = byteLength
    this.#file = file
  }

  leave(watched: boolean): Leaving {
    const stays = watched || this.#moved
    if (stays) this.#os.replace(this.#base, this.#byteLength)
    else this.#os.release(this.#base, this.#byteLength)
    closeQuietly(this.#os, this.#file)
    return stays ? 'emptied' : 'unmapped'
  }

  drained(): void {
    if (!this.#moved) this.#os.release(this.#base, this.#byteLength)
  }

  moved(): void {
    this.#moved = true
  }

  empty(): void {
    purgeQuietly(this.#os, this.#base, this.#byteLength)
  }
}

/** Gives the memory of a mapping back whose addresses stay taken. */
export function purgeQuietly(os: Os, base: Address, byteLength: number): void {
  try {
    os.purge(base, byteLength)
  } catch {
    // The pages are locked in memory. They stay.
  }
}
