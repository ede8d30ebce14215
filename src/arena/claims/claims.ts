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
 * Claims in the directory that are not in the tree are in the way as well: somebody has left them, or has them elsewhere
 * (other-claims.ts). When others can have the arena (`share`), the directory is the truth: it is changed under a lock, and read anew
 * before anything is decided (shared-claims.ts). That costs about 3 us more. `locked` is where all of it comes together.
 *
 * Longer than other files: every change of the tree, and of who is in it, is here.
 * @module
 */
import { boolean, wholeNumber } from '../../arguments.ts'
import { alignUp } from '../../bits.ts'
import {
  ArenaBusyError,
  CorruptedError,
  InvalidArgumentTypeError,
  OutOfMemoryError,
  OutOfRangeError,
} from '../../errors.ts'
import type { AdoptRequest, Claim, ClaimHolder, ClaimRecord, ClaimRequest } from '../claim.ts'
import type { Ground } from '../ground.ts'
import { type Identity, newIdentity } from '../header.ts'
import { type Layout, METADATA_GRANULE } from '../layout.ts'
import type { Lifetime } from '../lifetime.ts'
import type { Owner } from '../owner.ts'
import { ClaimViews } from './claim-view.ts'
import { Directory } from './directory.ts'
import { Exposure } from './exposure.ts'
import { GrantedClaim } from './granted-claim.ts'
import { MetadataSpace } from './metadata-space.ts'
import { type OtherClaim, OtherClaims } from './other-claims.ts'
import { contains, type Range, Ranges } from './ranges.ts'
import { SharedClaims } from './shared-claims.ts'

/** What the claims need of their arena. */
export interface ClaimedArena {
  readonly title: string
  readonly ground: Ground
  readonly layout: Layout
  readonly lifetime: Lifetime
  /** Whether the directory is in memory already, with claims that others have left or have. */
  readonly recorded: boolean
  /** Whether something in a window may not read zero. */
  exposed(window: number): boolean
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
  readonly #views: ClaimViews
  readonly #directory: Directory
  readonly #space: MetadataSpace
  readonly #others: OtherClaims
  readonly #exposure: Exposure
  /** What is to be done about others; undefined while there can be none. */
  #shared: SharedClaims | undefined
  /** Whether others can have the arena, and nobody has looked whether they do. */
  #unmet = false

  constructor(arena: ClaimedArena) {
    const { layout, ground, lifetime, title } = arena
    this.arena = arena
    this.#exposure = new Exposure(layout.byteLength, (window) => arena.exposed(window))
    this.#space = new MetadataSpace(layout, ground, lifetime)
    this.#views = new ClaimViews(ground, this.#space)
    const start = ground.address(layout.metadataStart)
    this.#directory = new Directory(title, layout, ground.pageSize, (byteLength) =>
      lifetime.privateView(start, byteLength)
    )
    const isOwn = (entry: number): boolean => this.#own.has(entry)
    this.#others = new OtherClaims({ title, ground, layout, directory: this.#directory, space: this.#space, isOwn })
    if (arena.recorded) this.#directory.open()
  }

  /** Finds the claims that are there already. Throws ERR_CORRUPTED, naming the entry, when the directory makes no sense. */
  takeUp(): void {
    if (this.#shared === undefined) this.#others.read()
    else this.#shared.locked(() => undefined)
  }

  /**
   * From now on others may have claims as well. `identity`: that of a new arena, or of one that this thread has had alone;
   * undefined when it has been shared by others.
   */
  share(identity: Identity | undefined): void {
    if (this.#shared !== undefined) return
    const shared = this.#meet()
    if (identity === undefined) shared.attach()
    else
      shared.found(
        identity,
        [...this.#own].map(([entry, { lasting }]) => [entry, lasting])
      )
    this.#shared = shared
  }

  /** The same of memory in which others may be doing it too. Nothing is written before somebody asks for claims. */
  shareLater(): void {
    this.#unmet = true
  }

  #meet(): SharedClaims {
    const { title, ground, layout } = this.arena
    return new SharedClaims({ title, ground, layout, directory: this.#directory, others: this.#others })
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
    return this.#top.overlapping(offset, byteLength) ?? this.locked(() => this.#others.overlapping(offset, byteLength))
  }

  /** Every claim at the top level, whoever holds it, by offset. */
  records(): ClaimRecord[] {
    return this.locked(() => {
      const ours = this.#top.all().map((claim) => record(claim.holder.kind, claim, 'ours', claim.lasting))
      const others = this.#others
        .all()
        .map((claim) => record(claim.said.kind, claim, claim.isLeft ? 'left' : 'theirs', claim.said.lasting))
      return [...ours, ...others].sort((one, other) => one.offset - other.offset)
    })
  }

  /**
   * Gives a claim that is left to a new holder, without touching anything of it, or shows one to somebody who only looks. Undefined
   * when there is none of that kind, or there. Throws ERR_ARENA_BUSY when somebody has it.
   */
  adopt(request: AdoptRequest): Claim | undefined {
    if (typeof request !== 'object' || request === null)
      throw new InvalidArgumentTypeError('request', 'an object', request)
    const { holder, offset, shared = false, takeOver = false, metadataBytes } = request
    if (offset !== undefined) wholeNumber('offset', offset)
    boolean('request.shared', shared)
    const wanted = (kind: string, at: number): boolean => kind === holder.kind && (offset ?? at) === at
    return this.locked(() => {
      const ours = this.#top.all().filter((claim) => wanted(claim.holder.kind, claim.offset))
      const others = this.#others.all().filter((claim) => wanted(claim.said.kind, claim.offset))
      if (shared) {
        const seen = first([...ours, ...others])
        if (seen !== undefined) this.#requireMetadata(seen, metadataBytes)
        return seen && this.#views.add(holder, seen)
      }
      const left = others.find((claim) => claim.isLeft || (takeOver && !claim.isAlive))
      if (left !== undefined) {
        this.#requireMetadata(left, metadataBytes)
        return this.#take(holder, left)
      }
      const held = others[0] ?? ours[0]
      if (held === undefined) return undefined
      throw new ArenaBusyError(`${holder.kind} cannot adopt ${held.describe()} of ${this.arena.title}: it has a holder`)
    })
  }

  #take(holder: ClaimHolder, left: OtherClaim): GrantedClaim {
    const { entry, offset, byteLength, metadataOffset, metadataLength } = left
    const metadata = this.#space.buffer(metadataOffset, metadataLength)
    this.#others.take(left)
    this.#directory.hold(entry, this.#token, holder.lasting === true)
    const place = { offset, byteLength, metadata, metadataOffset, entry, zeroed: false }
    const claim = new GrantedClaim(this, holder, undefined, place)
    this.#top.add(claim)
    this.#own.set(entry, claim)
    return claim
  }

  /**
   * Throws ERR_CORRUPTED unless a claim has the metadata that its kind needs for its range: a directory that others have written may
   * say anything, and shorter tables would lie in another claim's.
   */
  #requireMetadata(claim: GrantedClaim | OtherClaim, metadataBytes: AdoptRequest['metadataBytes']): void {
    if (metadataBytes === undefined) return
    const expected = alignUp(metadataBytes(claim.byteLength), METADATA_GRANULE)
    if (claim.metadataLength !== expected)
      throw new CorruptedError(
        `${this.arena.title}: directory entry ${claim.entry}: "metadata length" expected ${expected} for ${claim.describe()}, got ` +
          `${claim.metadataLength}`
      )
  }

  /** This thread, as the directory names it: 0 where nobody else can have the arena. */
  get #token(): bigint {
    return this.#shared?.token ?? 0n
  }

  /** Notes that others than holders may write in a range from now on. */
  expose(offset: number, byteLength: number): void {
    this.#exposure.add(offset, byteLength)
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
        holder: this.#token,
      })
      const zeroed =
        around === undefined && !this.#exposure.has(offset, byteLength) && this.#shared?.attachedTo !== true
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
    this.#views.revoke(entry)
    ;(around?.inner ?? this.#top).remove(claim)
    // Whoever had a block in it may still write there.
    if (around === undefined) this.expose(offset, byteLength)
    this.locked(() => {
      this.#own.delete(entry)
      // Another may have taken it over, who could not see that we are alive: then all of it is that one's.
      if (!this.#directory.isHeldBy(entry, this.#token)) return
      this.#space.clear(metadataOffset, metadata)
      this.#directory.remove(entry)
      this.#space.give(metadataOffset, metadata.byteLength)
    })
    this.#space.keep(metadataOffset, metadata)
  }

  /** Takes a claim out of our books, not out of the directory. */
  leaveBehind(claim: GrantedClaim): void {
    const { entry, lasting, offset, byteLength } = claim
    this.locked(() => {
      if (this.#directory.isHeldBy(entry, this.#token)) this.#directory.hold(entry, 0n, lasting)
      this.#top.remove(claim)
      this.#own.delete(entry)
      this.#others.read()
    })
    this.expose(offset, byteLength)
  }

  /**
   * This thread is leaving an arena that others can have: every holder is told. Claims that are lasting stay in the directory, with
   * what is in them, for others to take over; the rest are dropped. The data is not touched, others may be reading it.
   */
  leave(): void {
    const shared = this.#shared
    if (shared === undefined) return
    try {
      for (const claim of this.#top.all()) {
        claim.end(!claim.lasting)
        if (claim.lasting) this.leaveBehind(claim)
      }
      shared.giveOwnershipUp()
    } catch {
      // The lock cannot be had, or the directory has been written over. That is no reason not to close: what is still entered
      // there is free for others when this thread has ended.
    }
    shared.invalidate()
  }

  /** The arena is closed: every holder is told, nothing is touched. */
  revokeAll(): void {
    this.#views.revoke()
    for (const claim of this.#top.all()) claim.revoke()
    this.#space.forget()
    this.#shared = undefined
    this.#unmet = false
  }

  /** Whether others can have the arena, or find it again. */
  get common(): boolean {
    return this.#shared !== undefined || this.#unmet
  }

  /** Runs `run` under the lock on the directory, where there is one, with the claims of others as they are. Not to be nested. */
  locked<R>(run: () => R): R {
    if (this.#unmet) {
      const shared = this.#meet()
      shared.foundOrAttach(newIdentity())
      this.#shared = shared
      this.#unmet = false
    }
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
      const other = this.#others.overlapping(offset, byteLength)
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
}

/** The one that starts first. */
function first<T extends Range>(claims: readonly T[]): T | undefined {
  return claims.toSorted((one, other) => one.offset - other.offset)[0]
}

function record(
  kind: string,
  { offset, byteLength }: Range,
  state: ClaimRecord['state'],
  lasting: boolean
): ClaimRecord {
  return { kind, offset, byteLength, state, lasting }
}

function multipleOf8(name: string, value: unknown, least: number, most: number): number {
  const number = wholeNumber(name, value, least, most)
  if (number % 8 !== 0) throw new OutOfRangeError(name, 'a multiple of 8', number)
  return number
}
