/**
 * Who holds which range of an arena: the claims, a tree.
 *
 *     arena      |    heap 1               |   heap 2             |      top level: never overlap
 *     in heap 1  |    [bump] [slab     ]   |                             each in one live block of heap 1
 *     in slab    |            [b]          |                             and so on
 *
 * A claim that lies wholly in another is granted when that one's holder knows a live block around it. All claims are also in
 * the directory in memory; the tree here is the copy that is fast to search. Granting and releasing cost a few microseconds
 * at the top level and about one in a block: the buffer over the metadata is kept for the next claim of the same shape.
 * @module
 */
import { wholeNumber } from '../../arguments.ts'
import { alignUp } from '../../bits.ts'
import { ArenaBusyError, InvalidArgumentTypeError, OutOfMemoryError, OutOfRangeError } from '../../errors.ts'
import type { AdoptRequest, ClaimHolder, ClaimRequest, LeftClaim } from '../claim.ts'
import type { Ground } from '../ground.ts'
import { type Layout, METADATA_GRANULE } from '../layout.ts'
import type { Lifetime } from '../lifetime.ts'
import { WINDOW_BYTES, windowCount } from '../window.ts'
import { Directory } from './directory.ts'
import { FreeRanges } from './free-ranges.ts'
import { GrantedClaim } from './granted-claim.ts'
import { takeUpLeftClaims } from './left-claims.ts'
import { contains, Ranges } from './ranges.ts'

/** Buffers over released metadata that are kept for the next claim at the same place. */
const KEPT_BUFFERS = 64

/** What the claims need of their arena. */
export interface ClaimedArena {
  readonly title: string
  readonly ground: Ground
  readonly layout: Layout
  readonly lifetime: Lifetime
  /** Whether the directory is in memory already, with claims that others have left. */
  readonly recorded: boolean
  /** Whether something in a window may not read zero. */
  exposed(window: number): boolean
  /** Bytes of the data, at most one page of them. */
  bytesAt(offset: number, byteLength: number): Uint8Array
}

export class Claims {
  readonly arena: ClaimedArena
  readonly #top: Ranges<GrantedClaim> = new Ranges()
  readonly #directory: Directory
  readonly #space: FreeRanges
  readonly #kept: Map<number, ArrayBuffer> = new Map()
  /** One byte a window: 1 once something in it may have been written by others than a claim's holder. */
  readonly #exposed: Uint8Array

  constructor(arena: ClaimedArena) {
    const { layout, ground, lifetime } = arena
    this.arena = arena
    this.#exposed = Uint8Array.from({ length: windowCount(layout.byteLength) }, (_, window) =>
      arena.exposed(window) ? 1 : 0
    )
    const { metadataStart, directoryBytes, metadataBytes } = layout
    this.#space = new FreeRanges(metadataStart + directoryBytes, metadataBytes - directoryBytes)
    const start = ground.address(metadataStart)
    this.#directory = new Directory(layout, ground.pageSize, (byteLength) => lifetime.privateView(start, byteLength))
    if (arena.recorded) this.#takeUp()
  }

  /** Enters the claims that others have left in the tree, and takes their metadata. */
  #takeUp(): void {
    const { layout, lifetime, ground } = this.arena
    const left = takeUpLeftClaims(this.#directory.load(), layout, ground.os.maxViewBytes)
    const claims: Map<number, GrantedClaim> = new Map()
    for (const { index, entry, holder } of left) {
      const { offset, byteLength, metadataOffset, metadataLength } = entry
      this.#space.takeAt(metadataOffset, metadataLength)
      const metadata =
        metadataLength === 0 ? new ArrayBuffer(0) : lifetime.privateView(ground.address(metadataOffset), metadataLength)
      const around = claims.get(entry.around)
      const place = { offset, byteLength, metadata, metadataOffset, entry: index, zeroed: false }
      const claim = new GrantedClaim(this, holder, around, place)
      ;(around?.inner ?? this.#top).add(claim)
      claims.set(index, claim)
    }
  }

  /** The claims that others have left and nobody has adopted. */
  left(): LeftClaim[] {
    return this.#allLeft().map(({ holder, offset, byteLength }) => ({ kind: holder.kind, offset, byteLength }))
  }

  /** Gives a left claim to a new holder, without touching anything of it. Undefined when there is none of that kind, or there. */
  adopt(request: AdoptRequest): GrantedClaim | undefined {
    if (typeof request !== 'object' || request === null)
      throw new InvalidArgumentTypeError('request', 'an object', request)
    const { holder, offset } = request
    if (offset !== undefined) wholeNumber('offset', offset)
    const claim = this.#allLeft().find(
      (left) => left.holder.kind === holder.kind && (offset === undefined || left.offset === offset)
    )
    claim?.adoptedBy(holder)
    return claim
  }

  /** Left claims by level and offset, the outermost first. */
  #allLeft(): GrantedClaim[] {
    const all: GrantedClaim[] = this.#top.all()
    for (let index = 0; index < all.length; index++) all.push(...(all[index] as GrantedClaim).inner.all())
    return all.filter((claim) => claim.isLeft)
  }

  /** The claim at the top level that has a byte in common with the range. */
  overlapping(offset: number, byteLength: number): GrantedClaim | undefined {
    return this.#top.overlapping(offset, byteLength)
  }

  /** Notes that others than holders may write in a range from now on. */
  expose(offset: number, byteLength: number): void {
    const last = Math.floor((offset + Math.max(byteLength, 1) - 1) / WINDOW_BYTES)
    for (let window = Math.floor(offset / WINDOW_BYTES); window <= last; window++) this.#exposed[window] = 1
  }

  /** Grants a claim. Changes nothing when it throws. */
  grant(request: ClaimRequest): GrantedClaim {
    if (typeof request !== 'object' || request === null)
      throw new InvalidArgumentTypeError('request', 'an object', request)
    const { holder } = request
    const { offset, byteLength } = this.#range(request)
    const around = this.#claimAround(holder, offset, byteLength)
    const wanted = wholeNumber('metadataBytes', request.metadataBytes(byteLength))
    const metadataLength = alignUp(wanted, METADATA_GRANULE)
    const metadataOffset = this.#takeMetadata(holder, byteLength, metadataLength)
    const claim = this.#book(holder, around, { offset, byteLength, metadataOffset }, metadataLength)
    around?.holder.innerClaims(around.inner.count)
    return claim
  }

  /** Makes the metadata's buffer and enters the claim in directory and tree; gives the metadata back when it cannot. */
  #book(
    holder: ClaimHolder,
    around: GrantedClaim | undefined,
    place: { offset: number; byteLength: number; metadataOffset: number },
    metadataLength: number
  ): GrantedClaim {
    try {
      const { offset, byteLength, metadataOffset } = place
      const metadata = this.#metadataBuffer(metadataOffset, metadataLength)
      // Field by field: spreading an object costs microseconds on Node 20.
      const entry = this.#directory.add({
        kind: holder.kind,
        offset,
        byteLength,
        metadataOffset,
        metadataLength,
        around: around?.entry ?? -1,
      })
      const zeroed = around === undefined && !this.#isExposed(offset, byteLength)
      const claim = new GrantedClaim(this, holder, around, {
        offset,
        byteLength,
        metadataOffset,
        metadata,
        entry,
        zeroed,
      })
      ;(around?.inner ?? this.#top).add(claim)
      return claim
    } catch (error) {
      this.#space.give(place.metadataOffset, metadataLength)
      throw error
    }
  }

  /** Takes a claim out of the books; its metadata reads zero afterwards. Its inner claims are gone already. */
  drop(claim: GrantedClaim): void {
    const { offset, byteLength, around, metadata, metadataOffset } = claim
    ;(around?.inner ?? this.#top).remove(claim)
    this.#directory.remove(claim.entry)
    // Whoever had a block in it may still write there.
    if (around === undefined) this.expose(offset, byteLength)
    this.#clearMetadata(metadata, metadataOffset)
    this.#space.give(metadataOffset, metadata.byteLength)
    this.#keep(metadataOffset, metadata)
  }

  /** The arena is closed: every holder is told, nothing is touched. */
  revokeAll(): void {
    for (const claim of this.#top.all()) claim.revoke()
    this.#kept.clear()
  }

  #range(request: ClaimRequest): { offset: number; byteLength: number } {
    const end = this.arena.layout.byteLength
    const offset = multipleOf8('offset', request.offset ?? 0, 0, end - 8)
    const byteLength = multipleOf8('byteLength', request.byteLength ?? end - offset, 8, end - offset)
    return { offset, byteLength }
  }

  /** The innermost claim that the range lies in, once its holder has agreed; undefined at the top level. */
  #claimAround(holder: ClaimHolder, offset: number, byteLength: number): GrantedClaim | undefined {
    let around: GrantedClaim | undefined
    let level = this.#top
    for (;;) {
      const other = level.overlapping(offset, byteLength)
      if (other === undefined) break
      if (!contains(other, offset, byteLength)) throw this.#busy(holder, offset, byteLength, other)
      around = other
      level = other.inner
    }
    if (around === undefined) return undefined
    const block = around.holder.blockAround(offset, byteLength)
    if (block === undefined || !contains(block, offset, byteLength))
      throw this.#busy(holder, offset, byteLength, around)
    return around
  }

  #busy(holder: ClaimHolder, offset: number, byteLength: number, other: GrantedClaim): ArenaBusyError {
    return new ArenaBusyError(
      `${holder.kind} cannot claim ${byteLength} bytes at offset ${offset} of ${this.arena.title}: ${other.describe()} holds part ` +
        'of them, and they are not inside one live block of it'
    )
  }

  #takeMetadata(holder: ClaimHolder, byteLength: number, metadataLength: number): number {
    const { pageSize, os } = this.arena.ground
    const alignment = metadataLength >= pageSize ? pageSize : METADATA_GRANULE
    const taken = metadataLength > os.maxViewBytes ? -1 : this.#space.take(metadataLength, alignment)
    if (taken >= 0) return taken
    throw new OutOfMemoryError(
      `${holder.kind} needs ${metadataLength} bytes of metadata for ${byteLength} bytes; ${this.arena.title} has ` +
        `${this.#space.byteLength} left`
    )
  }

  #metadataBuffer(offset: number, byteLength: number): ArrayBuffer {
    if (byteLength === 0) return new ArrayBuffer(0)
    const kept = this.#kept.get(offset)
    this.#kept.delete(offset)
    if (kept?.byteLength === byteLength) return kept
    return this.arena.lifetime.privateView(this.arena.ground.address(offset), byteLength)
  }

  #keep(offset: number, metadata: ArrayBuffer): void {
    if (metadata.byteLength === 0) return
    if (this.#kept.size >= KEPT_BUFFERS)
      for (const oldest of this.#kept.keys()) {
        this.#kept.delete(oldest)
        break
      }
    this.#kept.set(offset, metadata)
  }

  #clearMetadata(metadata: ArrayBuffer, offset: number): void {
    try {
      this.arena.ground.clear(
        offset,
        metadata.byteLength,
        (at, length) => new Uint8Array(metadata, at - offset, length)
      )
    } catch {
      // The kernel keeps the pages (they may be locked). Zero they must be all the same.
      new Uint8Array(metadata).fill(0)
    }
  }

  #isExposed(offset: number, byteLength: number): boolean {
    const last = Math.floor((offset + byteLength - 1) / WINDOW_BYTES)
    for (let window = Math.floor(offset / WINDOW_BYTES); window <= last; window++)
      if (this.#exposed[window] !== 0) return true
    return false
  }
}

function multipleOf8(name: string, value: unknown, least: number, most: number): number {
  const number = wholeNumber(name, value, least, most)
  if (number % 8 !== 0) throw new OutOfRangeError(name, 'a multiple of 8', number)
  return number
}
