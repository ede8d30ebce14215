/**
 * The pages of an arena's data, as its user may ask for them: made resident, given back, counted.
 *
 *     populate, resident    any range
 *     purge                 a range that no allocator has claimed: the pages of a claim are its holder's
 *
 * Each range is checked before anything is done. Cost: the kernel's, some us a call.
 * @module
 */
import { ArenaBusyError, bytes } from '../errors.ts'
import type { Claims } from './claims/claims.ts'
import { type Mapping, makeZero } from './mapping/mapping.ts'
import type { Extent } from './views/extent.ts'
import type { Windows } from './views/windows.ts'

/** What pages are asked for with. */
export interface PagedMemory {
  /** For messages. */
  readonly title: string
  readonly mapping: Mapping
  readonly extent: Extent
  readonly windows: Windows
  readonly claims: Claims
}

/** @internal */
export class ArenaPages {
  readonly #memory: PagedMemory

  constructor(memory: PagedMemory) {
    this.#memory = memory
  }

  populate(offset: number, byteLength?: number): void {
    const length = this.#memory.extent.range(offset, byteLength)
    if (length > 0) this.#memory.mapping.populate(offset, length)
  }

  resident(offset: number, byteLength?: number): number {
    const length = this.#memory.extent.range(offset, byteLength)
    return this.#memory.mapping.resident(offset, length)
  }

  /** Throws ERR_ARENA_BUSY when an allocator has claimed a part of the range. */
  purge(offset: number, byteLength?: number): void {
    const { title, mapping, extent, windows, claims } = this.#memory
    const length = extent.range(offset, byteLength)
    if (length === 0) return
    const claim = claims.overlapping(offset, length)
    if (claim !== undefined)
      throw new ArenaBusyError(
        `${title}: a purge of ${bytes(length)} at offset ${offset} overlaps ${claim.describe()}, which an allocator has claimed`
      )
    makeZero(mapping, offset, length, (at, part) => windows.bytesAt(at, part))
  }
}
