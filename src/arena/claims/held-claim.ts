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
import type { BufferRange } from '../buffer-range.ts'
import type { Claim, ClaimHolder, LastStore } from '../claim.ts'
import { told } from '../ending.ts'
import { type Mapping, makeZero } from '../mapping/mapping.ts'
import type { Release } from '../pin.ts'
import { Ranges } from '../ranges.ts'

/** What a claim needs of the tree that it is in: its arena's memory, and its endings. */
export interface ClaimTree {
  readonly arena: {
    readonly title: string
    readonly mapping: Mapping
    bytesAt(offset: number, byteLength: number): Uint8Array
    pinBlock(): Release
  }
  /** Whether others can have the arena, or find it again. */
  readonly common: boolean
  release(claim: HeldClaim): void
  leaveBehind(claim: HeldClaim): void
  revokeInner(claims: readonly HeldClaim[]): void
}

/** Where a claim and its metadata are. */
export interface MetadataPlace {
  readonly offset: number
  readonly byteLength: number
  readonly metadataOffset: number
  readonly metadataLength: number
  /** Its number in the directory. */
  readonly index: number
}

/** What a claim is made of. */
export interface ClaimPlace {
  readonly offset: number
  readonly byteLength: number
  readonly metadata: BufferRange
  readonly metadataOffset: number
  /** Its number in the directory. */
  readonly index: number
  readonly zeroed: boolean
}

export class HeldClaim implements Claim {
  readonly offset: number
  readonly byteLength: number
  readonly metadata: BufferRange
  readonly metadataOffset: number
  readonly index: number
  readonly zeroed: boolean
  readonly holder: ClaimHolder
  /** The claim that this one lies in. */
  readonly around: HeldClaim | undefined
  /** The claims that lie in this one. */
  readonly inner: Ranges<HeldClaim> = new Ranges()
  readonly #claims: ClaimTree
  #open = true
  #last: LastStore | undefined

  constructor(claims: ClaimTree, holder: ClaimHolder, around: HeldClaim | undefined, place: ClaimPlace) {
    this.#claims = claims
    this.holder = holder
    this.around = around
    this.offset = place.offset
    this.byteLength = place.byteLength
    this.metadata = place.metadata
    this.metadataOffset = place.metadataOffset
    this.index = place.index
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
    const { mapping } = this.#claims.arena
    if (offset % mapping.pageSize !== 0 || byteLength % mapping.pageSize !== 0)
      throw new OutOfRangeError('offset', `whole pages of ${mapping.pageSize} bytes`, offset)
    if (byteLength > 0) mapping.purge(offset, byteLength)
  }

  purgeMetadata(from: number, byteLength: number): void {
    wholeNumber('from', from, 0, this.metadata.byteLength)
    wholeNumber('byteLength', byteLength, 0, this.metadata.byteLength - from)
    const { mapping } = this.#claims.arena
    const first = alignUp(this.metadataOffset + from, mapping.pageSize)
    const end = alignDown(this.metadataOffset + from + byteLength, mapping.pageSize)
    if (end > first) mapping.purge(first, end - first)
  }

  clear(offset: number, byteLength: number): void {
    this.#requireRange(offset, byteLength)
    const { arena } = this.#claims
    makeZero(arena.mapping, offset, byteLength, (at, length) => arena.bytesAt(at, length))
  }

  resident(): { residentBytes: number; residentMetadataBytes: number } {
    return residentOf(this.#claims.arena.mapping, this)
  }

  overlapsInner(offset: number, byteLength: number): boolean {
    return this.inner.overlapping(offset, byteLength) !== undefined
  }

  revokeInner(offset: number = this.offset, byteLength: number = this.byteLength): void {
    this.#requireRange(offset, byteLength)
    const inner = this.inner.allOverlapping(offset, byteLength)
    if (inner.length === 0) return
    this.#claims.revokeInner(inner)
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
  withInner(): HeldClaim[] {
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

/** Bytes of a claim's range, and of its metadata, that are in memory. */
export function residentOf(
  mapping: Mapping,
  { offset, byteLength, metadataOffset, metadataLength }: Omit<MetadataPlace, 'index'>
): { residentBytes: number; residentMetadataBytes: number } {
  return {
    residentBytes: mapping.resident(offset, byteLength),
    residentMetadataBytes: metadataLength === 0 ? 0 : mapping.resident(metadataOffset, metadataLength),
  }
}
