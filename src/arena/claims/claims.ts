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
 *
 * When an arena is shared (`share`), the directory is the truth. It is changed under a lock, and before anything is decided the
 * claims of others are read from it (shared-claims.ts). That costs about 3 us more.
 * @module
 */
import { wholeNumber } from '../../arguments.ts'
import { alignUp } from '../../bits.ts'
import { ArenaBusyError, InvalidArgumentTypeError, OutOfMemoryError, OutOfRangeError } from '../../errors.ts'
import type { ClaimHolder, ClaimRequest } from '../claim.ts'
import type { Ground } from '../ground.ts'
import type { Identity } from '../header.ts'
import { type Layout, METADATA_GRANULE } from '../layout.ts'
import type { Lifetime } from '../lifetime.ts'
import type { Owner } from '../owner.ts'
import { WINDOW_BYTES } from '../window.ts'
import { Directory, type DirectoryEntry } from './directory.ts'
import { GrantedClaim } from './granted-claim.ts'
import { MetadataSpace } from './metadata-space.ts'
import { contains, Ranges } from './ranges.ts'
import { SharedClaims } from './shared-claims.ts'

/** What the claims need of their arena. */
export interface ClaimedArena {
  readonly title: string
  readonly ground: Ground
  readonly layout: Layout
  readonly lifetime: Lifetime
  /** Bytes of the data, at most one page of them. */
  bytesAt(offset: number, byteLength: number): Uint8Array
}

/** Anything that can be in the way of a claim. */
interface Obstacle {
  describe(): string
}

export class Claims {
  readonly arena: ClaimedArena
  readonly #top: Ranges<GrantedClaim> = new Ranges()
  readonly #own: Map<number, GrantedClaim> = new Map()
  readonly #directory: Directory
  readonly #space: MetadataSpace
  /** One byte a window: 1 once something in it may have been written by others than a claim's holder. */
  readonly #exposed: Uint8Array
  /** What is to be done about others; undefined while there can be none. */
  #shared: SharedClaims | undefined

  constructor(arena: ClaimedArena) {
    const { layout, ground, lifetime } = arena
    this.arena = arena
    this.#exposed = new Uint8Array(Math.ceil(layout.byteLength / WINDOW_BYTES))
    this.#space = new MetadataSpace(layout, ground, lifetime)
    const start = ground.address(layout.metadataStart)
    this.#directory = new Directory(layout, ground.pageSize, (byteLength) => lifetime.privateView(start, byteLength))
  }

  /**
   * From now on others may have claims as well. `identity`: that of a new arena, or of one that this thread has had alone;
   * undefined when it has been shared by others.
   */
  share(identity: Identity | undefined): void {
    if (this.#shared !== undefined) return
    const { title, ground, layout } = this.arena
    const shared = new SharedClaims({
      title,
      ground,
      layout,
      directory: this.#directory,
      space: this.#space,
      isOwn: (entry) => this.#own.has(entry),
    })
    if (identity === undefined) shared.attach()
    else shared.found(identity, this.#own.keys())
    this.#shared = shared
  }

  /** Which arena this is, by its header. Only of one that is shared. */
  get identity(): Identity {
    return (this.#shared as SharedClaims).identity
  }

  /** The other side of sharing: ownership of a named arena, and who died having it. Only of one that is shared. */
  takeOwnership(): Owner | undefined {
    return (this.#shared as SharedClaims).takeOwnership()
  }

  /** The claim at the top level that has a byte in common with the range, whoever holds it. */
  overlapping(offset: number, byteLength: number): Obstacle | undefined {
    const own = this.#top.overlapping(offset, byteLength)
    if (own !== undefined || this.#shared === undefined) return own
    const shared = this.#shared
    return shared.locked(() => shared.overlapping(offset, byteLength))
  }

  /** Every open claim by its number in the directory, those of others included. Of a shared arena. */
  entries(): ReadonlyMap<number, DirectoryEntry> {
    return this.locked(() => this.#directory.scan())
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
    const wanted = wholeNumber('metadataBytes', request.metadataBytes(byteLength))
    const metadataLength = alignUp(wanted, METADATA_GRANULE)
    const claim = this.locked(() => {
      const around = this.#claimAround(holder, offset, byteLength)
      const metadataOffset = this.#takeMetadata(holder, byteLength, metadataLength)
      return this.#book(holder, around, { offset, byteLength, metadataOffset }, metadataLength)
    })
    claim.around?.holder.innerClaims(claim.around.inner.count)
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
      const metadata = this.#space.buffer(metadataOffset, metadataLength)
      // Field by field: spreading an object costs microseconds on Node 20.
      const entry = this.#directory.add({
        kind: holder.kind,
        offset,
        byteLength,
        metadataOffset,
        metadataLength,
        around: around?.entry ?? -1,
        // A claim in a block goes with the block.
        lasting: holder.lasting === true && around === undefined,
        holder: this.#shared?.token ?? 0n,
      })
      const zeroed = around === undefined && !this.#isExposed(offset, byteLength) && this.#shared?.attachedTo !== true
      const claim = new GrantedClaim(this, holder, around, {
        offset,
        byteLength,
        metadataOffset,
        metadata,
        entry,
        zeroed,
      })
      ;(around?.inner ?? this.#top).add(claim)
      this.#own.set(entry, claim)
      return claim
    } catch (error) {
      this.#space.give(place.metadataOffset, metadataLength)
      throw error
    }
  }

  /** Takes a claim out of the books; its metadata reads zero afterwards. Its inner claims are gone already. */
  drop(claim: GrantedClaim): void {
    const { offset, byteLength, around, metadata, metadataOffset, entry } = claim
    ;(around?.inner ?? this.#top).remove(claim)
    // Whoever had a block in it may still write there.
    if (around === undefined) this.expose(offset, byteLength)
    this.#space.clear(metadataOffset, metadata)
    this.locked(() => {
      this.#own.delete(entry)
      this.#directory.remove(entry)
      this.#space.give(metadataOffset, metadata.byteLength)
    })
    this.#space.keep(metadataOffset, metadata)
  }

  /**
   * This thread is leaving a shared arena: every holder is told. Claims that are lasting stay in the directory, with what is in
   * them, for others to take over; the rest are dropped. The data is not touched, others may be reading it.
   */
  leave(): void {
    const shared = this.#shared
    if (shared === undefined) return
    try {
      for (const claim of this.#top.all()) {
        const lasting = claim.holder.lasting === true
        claim.leave(!lasting)
        if (lasting) this.#leaveBehind(claim)
      }
      shared.giveOwnershipUp()
    } catch {
      // The lock cannot be had, or the directory has been written over. That is no reason not to close: what is still entered
      // there is free for others when this thread has ended.
    }
    shared.invalidate()
  }

  /** Takes a claim out of our books, not out of the directory. */
  #leaveBehind(claim: GrantedClaim): void {
    this.locked(() => this.#directory.hold(claim.entry, 0n))
    this.#top.remove(claim)
    this.#own.delete(claim.entry)
  }

  /** The arena is closed: every holder is told, nothing is touched. */
  revokeAll(): void {
    for (const claim of this.#top.all()) claim.revoke()
    this.#space.forget()
    this.#shared = undefined
  }

  /** Runs `run` under the lock on the directory, where there is one. Not to be nested. */
  locked<R>(run: () => R): R {
    return this.#shared === undefined ? run() : this.#shared.locked(run)
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
    if (around === undefined) {
      const other = this.#shared?.overlapping(offset, byteLength)
      if (other !== undefined) throw this.#busy(holder, offset, byteLength, other)
      return undefined
    }
    const block = around.holder.blockAround(offset, byteLength)
    if (block === undefined || !contains(block, offset, byteLength))
      throw this.#busy(holder, offset, byteLength, around)
    return around
  }

  #busy(holder: ClaimHolder, offset: number, byteLength: number, other: Obstacle): ArenaBusyError {
    return new ArenaBusyError(
      `${holder.kind} cannot claim ${byteLength} bytes at offset ${offset} of ${this.arena.title}: ${other.describe()} holds part ` +
        'of them, and they are not inside one live block of it'
    )
  }

  #takeMetadata(holder: ClaimHolder, byteLength: number, metadataLength: number): number {
    const taken = this.#space.take(metadataLength)
    if (taken >= 0) return taken
    throw new OutOfMemoryError(
      `${holder.kind} needs ${metadataLength} bytes of metadata for ${byteLength} bytes; ${this.arena.title} has ` +
        `${this.#space.byteLength} left`
    )
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
