/**
 * A claim that somebody else holds, or nobody, as one sees it who only looks: range and metadata are there, and what would change
 * them is refused. The holder may change everything meanwhile, or give the claim back: what keeps a view of it in step with its
 * holder is for the allocator to say, in its metadata.
 * @module
 */
import { UnsupportedOperationError } from '../../errors.ts'
import type { Claim, ClaimHolder } from '../claim.ts'
import { told } from '../ending.ts'
import type { Mapping } from '../mapping/mapping.ts'
import { residentBytes } from '../mapping/residency.ts'
import type { Release } from '../pin.ts'
import type { MetadataSpace } from './metadata-space.ts'

/** Where a claim is that is looked at. */
export interface SeenPlace {
  readonly offset: number
  readonly byteLength: number
  readonly metadataOffset: number
  readonly metadataLength: number
  /** Its number in the directory. */
  readonly index: number
}

/** Pins a block of the claim with this number in the directory. */
type PinBlock = (index: number, offset: number, byteLength: number) => Release

/** The views that there are of one arena's claims. */
export class ClaimViews {
  readonly #mapping: Mapping
  readonly #space: MetadataSpace
  readonly #pin: PinBlock
  readonly #views: Set<ClaimView> = new Set()

  constructor(mapping: Mapping, space: MetadataSpace, pin: PinBlock) {
    this.#mapping = mapping
    this.#space = space
    this.#pin = pin
  }

  add(holder: ClaimHolder, place: SeenPlace): ClaimView {
    const metadata = this.#space.another(place.metadataOffset, place.metadataLength)
    const view = new ClaimView({
      holder,
      place,
      metadata,
      mapping: this.#mapping,
      pin: (offset, byteLength) => this.#pin(place.index, offset, byteLength),
      left: () => this.#views.delete(view),
    })
    this.#views.add(view)
    return view
  }

  /** A claim is gone, or all are: tells those who look. */
  revoke(index?: number): void {
    for (const view of this.#views) if (index === undefined || view.index === index) view.revoke()
  }
}

/** What a view is made of. */
interface ClaimViewParts {
  readonly holder: ClaimHolder
  readonly place: SeenPlace
  readonly metadata: ArrayBuffer
  readonly mapping: Mapping
  /** Pins the block for its holder, where that is one of this arena, or else the arena. */
  readonly pin: (offset: number, byteLength: number) => Release
  /** Told once, when it is not looked at any more. */
  readonly left: () => void
}

export class ClaimView implements Claim {
  readonly offset: number
  readonly byteLength: number
  readonly metadata: ArrayBuffer
  readonly zeroed = false
  readonly stays = true
  readonly index: number
  readonly #parts: ClaimViewParts
  #open = true

  constructor(parts: ClaimViewParts) {
    this.#parts = parts
    this.offset = parts.place.offset
    this.byteLength = parts.place.byteLength
    this.metadata = parts.metadata
    this.index = parts.place.index
  }

  resident(): { residentBytes: number; residentMetadataBytes: number } {
    const { mapping, place } = this.#parts
    const { os, base } = mapping
    const { byteLength } = this.metadata
    return {
      residentBytes: residentBytes(os, base, this.offset, this.byteLength),
      residentMetadataBytes: byteLength === 0 ? 0 : residentBytes(os, base, place.metadataOffset, byteLength),
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

  pinAround(offset: number, byteLength: number): Release {
    return this.#parts.pin(offset, byteLength)
  }

  /** Nothing: who only looks stores nothing. */
  storeOnLeave(): void {}

  release(): void {
    this.leave()
  }

  leave(): void {
    if (!this.#open) return
    this.#open = false
    this.#parts.left()
  }

  /** The claim, or the arena, is gone: tells the holder. */
  revoke(): void {
    if (!this.#open) return
    this.leave()
    told(() => this.#parts.holder.revoked())
  }

  #refuse(call: string): never {
    const { kind } = this.#parts.holder
    throw new UnsupportedOperationError(
      `${kind} (${this.byteLength} bytes at offset ${this.offset}) is only looked at here, which has no ${call}`
    )
  }
}
