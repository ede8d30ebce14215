/**
 * A view of a claim that another holds, or that was left: range and metadata are there. A read-only view refuses what would change them.
 * That of a peer, which uses the claim at the same time as others, may purge and clear, and stores when it is left. The holder may
 * change everything meanwhile, or give the claim back: what keeps a view of it in step with its holder is for the allocator to say,
 * in its metadata.
 * @module
 */
import { wholeNumber } from '../../arguments.ts'
import { alignDown, alignUp } from '../../bits.ts'
import { ArenaClosedError, UnsupportedOperationError } from '../../errors.ts'
import type { BufferRange } from '../buffer-range.ts'
import type { Claim, ClaimHolder, LastStore } from '../claim.ts'
import { told } from '../ending.ts'
import { type Mapping, makeZero } from '../mapping/mapping.ts'
import type { Release } from '../pin.ts'
import { contains } from '../ranges.ts'
import { type MetadataPlace, residentOf } from './held-claim.ts'
import type { MetadataSpace } from './metadata-space.ts'

/** Pins a block of the claim with this number in the directory. */
type PinBlock = (index: number, offset: number, byteLength: number) => Release

/** The data of a range, at most one page. */
type BytesAt = (offset: number, byteLength: number) => Uint8Array

/** The views that there are of one arena's claims. */
export class ClaimViews {
  readonly #mapping: Mapping
  readonly #space: MetadataSpace
  readonly #pin: PinBlock
  readonly #bytesAt: BytesAt
  readonly #views: Set<ClaimView> = new Set()

  constructor(mapping: Mapping, space: MetadataSpace, pin: PinBlock, bytesAt: BytesAt) {
    this.#mapping = mapping
    this.#space = space
    this.#pin = pin
    this.#bytesAt = bytesAt
  }

  /** `peer`: one of several that use the claim at the same time. */
  add(holder: ClaimHolder, place: MetadataPlace, peer = false): ClaimView {
    const metadata = this.#space.another(place.metadataOffset, place.metadataLength)
    const view = new ClaimView({
      holder,
      place,
      metadata,
      mapping: this.#mapping,
      peer,
      bytesAt: this.#bytesAt,
      pin: (offset, byteLength) => this.#pin(place.index, offset, byteLength),
      left: () => this.#views.delete(view),
    })
    this.#views.add(view)
    return view
  }

  /** Pins the live block around a byte, where a peer has the claim there. A reader's pins hold nothing against the writer. */
  pinBlock(offset: number): Release | undefined {
    for (const view of this.#views) {
      const release = view.pinBlock(offset)
      if (release !== undefined) return release
    }
    return undefined
  }

  /** The arena is closing: peers store what others must read. */
  store(): void {
    for (const view of this.#views) view.store()
  }

  /** It is not closed after all. */
  restore(): void {
    for (const view of this.#views) view.restore()
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
  /** Whether it may purge and clear. */
  readonly peer: boolean
  readonly bytesAt: BytesAt
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
  readonly isView = true
  readonly index: number
  readonly #parts: ClaimViewParts
  #open = true
  #last: LastStore | undefined

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

  purge(offset: number, byteLength: number): void {
    this.#requirePeer('purge', offset, byteLength)
    if (byteLength > 0) this.#parts.mapping.purge(offset, byteLength)
  }

  purgeMetadata(from: number, byteLength: number): void {
    const { mapping, place } = this.#parts
    this.#requirePeer('purgeMetadata', this.offset, 0)
    wholeNumber('from', from, 0, place.metadataLength)
    wholeNumber('byteLength', byteLength, 0, place.metadataLength - from)
    const first = alignUp(place.metadataOffset + from, mapping.pageSize)
    const end = alignDown(place.metadataOffset + from + byteLength, mapping.pageSize)
    if (end > first) mapping.purge(first, end - first)
  }

  clear(offset: number, byteLength: number): void {
    this.#requirePeer('clear', offset, byteLength)
    const { mapping, bytesAt } = this.#parts
    makeZero(mapping, offset, byteLength, bytesAt)
  }

  /** None is known: claims in a block are its holder's. */
  overlapsInner(): boolean {
    return false
  }

  /** Of a peer nothing: it has no claims in a block. */
  revokeInner(): void {
    this.#requirePeer('revokeInner', this.offset, 0)
  }

  pinAround(offset: number, byteLength: number): Release {
    return this.#parts.pin(offset, byteLength)
  }

  /** Has its holder pin the live block around a byte. Undefined when there is none, or this is no peer. */
  pinBlock(offset: number): Release | undefined {
    const { peer, holder } = this.#parts
    return peer && contains(this, offset, 1) ? holder.pin?.(offset, 1) : undefined
  }

  /** Of a peer: others go on with the claim. A read-only view stores nothing. */
  storeOnLeave(last: LastStore): void {
    if (this.#parts.peer) this.#last = last
  }

  store(): void {
    this.#last?.store()
  }

  restore(): void {
    this.#last?.restore()
  }

  release(): void {
    this.leave()
  }

  leave(): void {
    if (!this.#open) return
    this.store()
    this.#end()
  }

  #end(): void {
    this.#open = false
    this.#parts.left()
  }

  /** The claim, or the arena, is gone: tells the holder. */
  revoke(): void {
    if (!this.#open) return
    this.#end()
    told(() => this.#parts.holder.revoked())
  }

  #requirePeer(call: string, offset: number, byteLength: number): void {
    if (!this.#parts.peer) this.#refuse(call)
    if (!this.#open) throw new ArenaClosedError(`${this.#parts.holder.kind} has left its claim`)
    wholeNumber('offset', offset, this.offset, this.offset + this.byteLength)
    wholeNumber('byteLength', byteLength, 0, this.offset + this.byteLength - offset)
  }

  #refuse(call: string): never {
    const { kind } = this.#parts.holder
    throw new UnsupportedOperationError(
      `${kind} (${this.byteLength} bytes at offset ${this.offset}) is only looked at here, which has no ${call}`
    )
  }
}
