/**
 * A claim that somebody else holds, or nobody, as one sees it who only looks: range and metadata are there, and what would change
 * them is refused. The holder may change everything meanwhile, or give the claim back: what keeps a view of it in step with its
 * holder is for the allocator to say, in its metadata.
 * @module
 */
import { UnsupportedOperationError } from '../../errors.ts'
import type { Claim, ClaimHolder } from '../claim.ts'
import type { Ground } from '../ground.ts'
import { residentBytes } from '../residency.ts'

/** What a view is made of. */
export interface ClaimViewParts {
  readonly holder: ClaimHolder
  readonly offset: number
  readonly byteLength: number
  readonly metadata: ArrayBuffer
  readonly metadataOffset: number
  /** The number of the claim in the directory. */
  readonly entry: number
  readonly ground: Ground
  /** Told once, when it is not looked at any more. */
  readonly left: (view: ClaimView) => void
}

export class ClaimView implements Claim {
  readonly offset: number
  readonly byteLength: number
  readonly metadata: ArrayBuffer
  readonly zeroed = false
  readonly stays = true
  readonly entry: number
  readonly #parts: ClaimViewParts
  #open = true

  constructor(parts: ClaimViewParts) {
    this.#parts = parts
    this.offset = parts.offset
    this.byteLength = parts.byteLength
    this.metadata = parts.metadata
    this.entry = parts.entry
  }

  resident(): { residentBytes: number; residentMetadataBytes: number } {
    const { ground, metadataOffset } = this.#parts
    const { os, base } = ground
    const { byteLength } = this.metadata
    return {
      residentBytes: residentBytes(os, base, this.offset, this.byteLength),
      residentMetadataBytes: byteLength === 0 ? 0 : residentBytes(os, base, metadataOffset, byteLength),
    }
  }

  purge(): never {
    return this.#refuse('purge')
  }

  purgeMetadata(): never {
    return this.#refuse('purgeMetadata')
  }

  clear(): never {
    return this.#refuse('clear')
  }

  /** None is known: claims in a block are its holder's. */
  overlapsInner(): boolean {
    return false
  }

  revokeInner(): never {
    return this.#refuse('revokeInner')
  }

  release(): void {
    this.leave()
  }

  leave(): void {
    if (!this.#open) return
    this.#open = false
    this.#parts.left(this)
  }

  /** The claim, or the arena, is gone: tells the holder. */
  revoke(): void {
    if (!this.#open) return
    this.leave()
    this.#parts.holder.revoked()
  }

  #refuse(call: string): never {
    const { kind } = this.#parts.holder
    throw new UnsupportedOperationError(
      `${kind} (${this.byteLength} bytes at offset ${this.offset}) is only looked at here, which has no ${call}`
    )
  }
}
