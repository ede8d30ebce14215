/**
 * A read-only view of a claim that another holds, or that was left: range and metadata are there, and what would change them is
 * refused. The holder may change everything meanwhile, or give the claim back: what keeps a view of it in step with its
 * holder is for the allocator to say, in its metadata.
 * @module
 */
import { UnsupportedOperationError } from '../../errors.ts'
import type { BufferRange } from '../buffer-range.ts'
import type { Claim, ClaimHolder } from '../claim.ts'
import { told } from '../ending.ts'
import type { Mapping } from '../mapping/mapping.ts'
import type { Release } from '../pin.ts'
import { type MetadataPlace, residentOf } from './held-claim.ts'
import type { MetadataSpace } from './metadata-space.ts'

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

  add(holder: ClaimHolder, place: MetadataPlace): ClaimView {
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

  /** A claim is gone, or all are: tells the holders of views. */
  revoke(index?: number): void {
    for (const view of this.#views) if (index === undefined || view.index === index) view.revoke()
  }
}

/** What a view is made of. */
interface ClaimViewParts {
  readonly holder: ClaimHolder
  readonly place: MetadataPlace
  readonly metadata: BufferRange
  readonly mapping: Mapping
  /** Pins the block for its holder, where that is one of this arena, or else the arena. */
  readonly pin: (offset: number, byteLength: number) => Release
  /** Told once, when it is not looked at any more. */
  readonly left: () => void
}

export class ClaimView implements Claim {
  readonly offset: number
  readonly byteLength: number
  readonly metadata: BufferRange
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
    return residentOf(mapping, place)
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

  /** Nothing: a view stores nothing. */
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
