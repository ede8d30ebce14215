/**
 * One claim, as its holder has it. Its place in the tree is kept by claims.ts, which also ends it:
 *
 *     open ──release, leave, revokeInner of the outer, closing the arena──▶ ending ──▶ over
 *
 * While it ends, and afterwards, every call is refused, and ending it again does nothing.
 * @module
 */
import { wholeNumber } from '../../arguments.ts'
import { alignDown, alignUp } from '../../bits.ts'
import { ArenaClosedError, CorruptedError, OutOfRangeError } from '../../errors.ts'
import type { Claim, ClaimHolder, LastStore } from '../claim.ts'
import { told } from '../ending.ts'
import type { Release } from '../pin.ts'
import { residentBytes } from '../residency.ts'
import type { Claims } from './claims.ts'
import { Ranges } from './ranges.ts'

/** Where a claim and its metadata are. */
export interface ClaimPlace {
  readonly offset: number
  readonly byteLength: number
  readonly metadata: ArrayBuffer
  readonly metadataOffset: number
  /** Its number in the directory. */
  readonly entry: number
  readonly zeroed: boolean
}

export class GrantedClaim implements Claim {
  readonly offset: number
  readonly byteLength: number
  readonly metadata: ArrayBuffer
  readonly metadataOffset: number
  readonly entry: number
  readonly zeroed: boolean
  readonly holder: ClaimHolder
  /** The claim that this one lies in. */
  readonly around: GrantedClaim | undefined
  /** The claims that lie in this one. */
  readonly inner: Ranges<GrantedClaim> = new Ranges()
  readonly #claims: Claims
  #open = true
  #last: LastStore | undefined

  constructor(claims: Claims, holder: ClaimHolder, around: GrantedClaim | undefined, place: ClaimPlace) {
    this.#claims = claims
    this.holder = holder
    this.around = around
    this.offset = place.offset
    this.byteLength = place.byteLength
    this.metadata = place.metadata
    this.metadataOffset = place.metadataOffset
    this.entry = place.entry
    this.zeroed = place.zeroed
  }

  get metadataLength(): number {
    return this.metadata.byteLength
  }

  /** Whether it outlives its holder. A claim in a block goes with the block. */
  get lasting(): boolean {
    return this.holder.lasting === true && this.around === undefined
  }

  get stays(): boolean {
    return this.lasting && this.#claims.common
  }

  /** For messages. */
  describe(): string {
    return `${this.holder.kind} (${this.byteLength} bytes at offset ${this.offset})`
  }

  purge(offset: number, byteLength: number): void {
    this.#requireRange(offset, byteLength)
    const { ground } = this.#claims.arena
    if (offset % ground.pageSize !== 0 || byteLength % ground.pageSize !== 0)
      throw new OutOfRangeError('offset', `whole pages of ${ground.pageSize} bytes`, offset)
    ground.purge(offset, byteLength)
  }

  purgeMetadata(from: number, byteLength: number): void {
    wholeNumber('from', from, 0, this.metadata.byteLength)
    wholeNumber('byteLength', byteLength, 0, this.metadata.byteLength - from)
    const { ground } = this.#claims.arena
    const first = alignUp(this.metadataOffset + from, ground.pageSize)
    const end = alignDown(this.metadataOffset + from + byteLength, ground.pageSize)
    if (end > first) ground.purge(first, end - first)
  }

  clear(offset: number, byteLength: number): void {
    this.#requireRange(offset, byteLength)
    const { arena } = this.#claims
    arena.ground.clear(offset, byteLength, (at, length) => arena.bytesAt(at, length))
  }

  resident(): { residentBytes: number; residentMetadataBytes: number } {
    const { os, base } = this.#claims.arena.ground
    const { byteLength } = this.metadata
    return {
      residentBytes: residentBytes(os, base, this.offset, this.byteLength),
      residentMetadataBytes: byteLength === 0 ? 0 : residentBytes(os, base, this.metadataOffset, byteLength),
    }
  }

  overlapsInner(offset: number, byteLength: number): boolean {
    return this.inner.overlapping(offset, byteLength) !== undefined
  }

  revokeInner(offset: number = this.offset, byteLength: number = this.byteLength): void {
    this.#requireRange(offset, byteLength)
    const inner = this.inner.allOverlapping(offset, byteLength)
    if (inner.length === 0) return
    this.#claims.dropInner(inner)
    told(() => this.holder.innerClaims(this.inner.count))
  }

  pinAround(): Release {
    const { around, offset, byteLength } = this
    if (around === undefined) return this.#claims.arena.pinBlock()
    const release = around.holder.pin?.(offset, byteLength)
    if (release === undefined)
      throw new CorruptedError(`${around.describe()} has no live block around ${this.describe()}`)
    return release
  }

  storeOnLeave(last: LastStore): void {
    this.#last = last
  }

  release(): void {
    if (this.#open) this.#claims.release(this)
  }

  leave(): void {
    if (this.around !== undefined) this.release()
    else if (this.#open) this.#claims.leaveBehind(this)
  }

  /** From here on it refuses every call, and is not ended again. Takes part in an ending (claims.ts). */
  begin(): void {
    this.#open = false
  }

  /** The ending was refused: it is as it was. */
  resume(): void {
    this.#open = true
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** Stores what others must read. */
  store(): void {
    this.#last?.store()
  }

  /** Takes that back. */
  restore(): void {
    this.#last?.restore()
  }

  /** This claim, and those inside it, at any depth. */
  withInner(): GrantedClaim[] {
    return [this, ...this.inner.all().flatMap((claim) => claim.withInner())]
  }

  /** The memory is gone: tells the holder, and those inside, without touching anything. */
  revoke(): void {
    if (!this.#open) return
    this.#open = false
    for (const claim of this.inner.all()) claim.revoke()
    told(() => this.holder.revoked())
  }

  #requireRange(offset: number, byteLength: number): void {
    if (!this.#open)
      throw new ArenaClosedError(`${this.describe()} has given its claim on ${this.#claims.arena.title} back`)
    const end = this.offset + this.byteLength
    wholeNumber('offset', offset, this.offset, end)
    wholeNumber('byteLength', byteLength, 0, end - offset)
  }
}
