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
 * before anything is decided (shared-directory.ts). That costs about 3 us more. `locked` is where all of it comes together.
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
import { type Ending, end, told } from '../ending.ts'
import { Directory } from '../format/directory.ts'
import { type Identity, newIdentity } from '../format/header.ts'
import { type Layout, METADATA_GRANULE } from '../format/layout.ts'
import type { ThreadId } from '../format/thread-id.ts'
import type { Lifetime } from '../mapping/lifetime.ts'
import type { Mapping } from '../mapping/mapping.ts'
import type { Release } from '../pin.ts'
import { contains, type Range, Ranges } from '../ranges.ts'
import { ClaimViews } from './claim-view.ts'
import { type ClaimTree, HeldClaim } from './held-claim.ts'
import { MaybeWritten } from './maybe-written.ts'
import { MetadataSpace } from './metadata-space.ts'
import { type OtherClaim, OtherClaims } from './other-claims.ts'
import { SharedDirectory } from './shared-directory.ts'

/** What the claims need of their arena. */
export interface ClaimedArena {
  readonly title: string
  readonly mapping: Mapping
  readonly layout: Layout
  readonly lifetime: Lifetime
  /** Whether the directory is in memory already, with claims that others have left or have. */
  readonly recorded: boolean
  /** Whether something in a window may not read zero. */
  exposed(window: number): boolean
  /** Bytes of the data, at most one page of them. */
  bytesAt(offset: number, byteLength: number): Uint8Array
  /** Holds the arena open for a pinned block. */
  pinBlock(): Release
}

/** Anything that can be in the way of a claim. */
interface Obstacle {
  describe(): string
}

export class Claims implements ClaimTree {
  readonly arena: ClaimedArena
  readonly #top: Ranges<HeldClaim> = new Ranges()
  readonly #own: Map<number, HeldClaim> = new Map()
  readonly #views: ClaimViews
  readonly #directory: Directory
  readonly #space: MetadataSpace
  readonly #others: OtherClaims
  readonly #exposure: MaybeWritten
  /** What is to be done about others; undefined while there can be none. */
  #shared: SharedDirectory | undefined
  /** Whether others can have the arena, and nobody has looked whether they do. */
  #unmet = false
  /** Claims that were left or dropped because the arena is closing, whose holders are told when it is closed. */
  #untold: HeldClaim[] = []
  /** Whether claims of ours have become others', so that the directory is to be read anew. */
  #stale = false

  constructor(arena: ClaimedArena) {
    const { layout, mapping, lifetime, title } = arena
    this.arena = arena
    this.#exposure = new MaybeWritten(layout.byteLength, (window) => arena.exposed(window))
    this.#space = new MetadataSpace(layout, mapping, lifetime)
    this.#views = new ClaimViews(
      mapping,
      this.#space,
      (index, offset, byteLength) => this.#own.get(index)?.holder.pin?.(offset, byteLength) ?? arena.pinBlock()
    )
    const start = mapping.address(layout.metadataStart)
    this.#directory = new Directory(title, layout, mapping.pageSize, (byteLength) =>
      lifetime.privateView(start, byteLength)
    )
    const isOwn = (index: number): boolean => this.#own.has(index)
    this.#others = new OtherClaims({ title, mapping, layout, directory: this.#directory, space: this.#space, isOwn })
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
        [...this.#own].map(([index, { lasting }]) => [index, lasting])
      )
    this.#shared = shared
  }

  /** The same of memory in which others may be doing it too. Nothing is written before somebody asks for claims. */
  shareLater(): void {
    this.#unmet = true
  }

  #meet(): SharedDirectory {
    const { title, mapping, layout } = this.arena
    return new SharedDirectory({ title, mapping, layout, directory: this.#directory, others: this.#others })
  }

  /** Which arena this is, by its header; undefined of one that nobody else can have. */
  identify(): Identity | undefined {
    if (this.#unmet) this.locked(() => undefined)
    return this.#shared?.identity
  }

  /** Which arena this is, by its header. Only of one that is shared. */
  get identity(): Identity {
    return (this.#shared as SharedDirectory).identity
  }

  /** The other side of sharing: ownership of a named arena, and who died having it. Only of one that is shared. */
  takeOwnership(): ThreadId | undefined {
    return (this.#shared as SharedDirectory).takeOwnership()
  }

  /** The claim at the top level that has a byte in common with the range, whoever holds it. */
  overlapping(offset: number, byteLength: number): Obstacle | undefined {
    return this.#top.overlapping(offset, byteLength) ?? this.locked(() => this.#others.overlapping(offset, byteLength))
  }

  /** Pins the innermost live block of ours around a byte. Undefined when there is none: nobody but its holder knows another's blocks. */
  pinBlock(offset: number): Release | undefined {
    const around: HeldClaim[] = []
    for (let claim = this.#top.overlapping(offset, 1); claim !== undefined; claim = claim.inner.overlapping(offset, 1))
      around.unshift(claim)
    for (const { holder } of around) {
      const release = holder.pin?.(offset, 1)
      if (release !== undefined) return release
    }
    return undefined
  }

  /** Every claim at the top level, whoever holds it, by offset. */
  records(): ClaimRecord[] {
    return this.locked(() => {
      const ours = this.#top.all().map((claim) => record(claim.holder.kind, claim, 'ours', claim.lasting))
      const others = this.#others
        .all()
        .map((claim) => record(claim.entry.kind, claim, claim.isLeft ? 'left' : 'theirs', claim.entry.lasting))
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
    const { holder, offset, readOnly = false, takeOver = false, metadataBytes } = request
    if (offset !== undefined) wholeNumber('offset', offset)
    boolean('request.readOnly', readOnly)
    const wanted = (kind: string, at: number): boolean => kind === holder.kind && (offset ?? at) === at
    return this.locked(() => {
      const ours = this.#top.all().filter((claim) => wanted(claim.holder.kind, claim.offset))
      const others = this.#others.all().filter((claim) => wanted(claim.entry.kind, claim.offset))
      if (readOnly) {
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

  #take(holder: ClaimHolder, left: OtherClaim): HeldClaim {
    const { index, offset, byteLength, metadataOffset, metadataLength } = left
    const metadata = this.#space.buffer(metadataOffset, metadataLength)
    this.#others.take(left)
    this.#directory.hold(index, this.#self, holder.lasting === true)
    const place = { offset, byteLength, metadata, metadataOffset, index, zeroed: false }
    const claim = new HeldClaim(this, holder, undefined, place)
    this.#top.add(claim)
    this.#own.set(index, claim)
    return claim
  }

  /**
   * Throws ERR_CORRUPTED unless a claim has the metadata that its kind needs for its range: a directory that others have written may
   * say anything, and shorter tables would lie in another claim's.
   */
  #requireMetadata(claim: HeldClaim | OtherClaim, metadataBytes: AdoptRequest['metadataBytes']): void {
    if (metadataBytes === undefined) return
    const expected = alignUp(metadataBytes(claim.byteLength), METADATA_GRANULE)
    if (claim.metadataLength !== expected)
      throw new CorruptedError(
        `${this.arena.title}: directory entry ${claim.index}: "metadata length" expected ${expected} for ${claim.describe()}, got ` +
          `${claim.metadataLength}`
      )
  }

  /** This thread, as the directory names it: 0 where nobody else can have the arena. */
  get #self(): bigint {
    return this.#shared?.self ?? 0n
  }

  /** Notes that others than holders may write in a range from now on. */
  expose(offset: number, byteLength: number): void {
    this.#exposure.add(offset, byteLength)
  }

  /** Grants a claim. Changes nothing when it throws. */
  grant(request: ClaimRequest): HeldClaim {
    if (typeof request !== 'object' || request === null)
      throw new InvalidArgumentTypeError('request', 'an object', request)
    const { holder } = request
    const { offset, byteLength } = this.#range(request)
    const wanted = wholeNumber('metadataBytes', request.metadataBytes(byteLength))
    const metadataLength = alignUp(wanted, METADATA_GRANULE)
    // What is asked of an outer holder is asked before the lock is taken.
    const around = this.#claimAround(holder, offset, byteLength)
    const claim = this.locked(() => {
      if (around === undefined) this.#requireNoOther(holder, offset, byteLength)
      const metadataOffset = this.#takeMetadata(holder, byteLength, metadataLength)
      return this.#book(holder, around, { offset, byteLength, metadataOffset }, metadataLength)
    })
    if (around !== undefined) told(() => around.holder.innerClaims(around.inner.count))
    return claim
  }

  /** Makes the metadata's buffer and enters the claim in directory and tree; gives the metadata back when it cannot. */
  #book(
    holder: ClaimHolder,
    around: HeldClaim | undefined,
    place: { offset: number; byteLength: number; metadataOffset: number },
    metadataLength: number
  ): HeldClaim {
    try {
      const { offset, byteLength, metadataOffset } = place
      const metadata = this.#space.buffer(metadataOffset, metadataLength)
      // Field by field: spreading an object costs microseconds on Node 20.
      const index = this.#directory.add({
        kind: holder.kind,
        offset,
        byteLength,
        metadataOffset,
        metadataLength,
        around: around?.index ?? -1,
        // A claim in a block goes with the block.
        lasting: holder.lasting === true && around === undefined,
        holder: this.#self,
      })
      const zeroed =
        around === undefined && !this.#exposure.has(offset, byteLength) && this.#shared?.attachedTo !== true
      const claim = new HeldClaim(this, holder, around, {
        offset,
        byteLength,
        metadataOffset,
        metadata,
        index,
        zeroed,
      })
      ;(around?.inner ?? this.#top).add(claim)
      this.#own.set(index, claim)
      return claim
    } catch (error) {
      this.#space.give(place.metadataOffset, metadataLength)
      throw error
    }
  }

  /** Gives a claim's range and metadata back. Those inside it go with it, and their holders are told. */
  release(claim: HeldClaim): void {
    const { around, lasting } = claim
    const all = claim.withInner().reverse()
    const ending: Ending = {
      // A holder that dies from here on leaves a claim that nobody adopts: half of it may be gone.
      store: () => {
        if (lasting) this.#hold(claim, false)
      },
      restore: () => {
        if (lasting) this.#hold(claim, true)
        for (const one of all) one.resume()
      },
      giveBack: () => {
        for (const one of all) one.begin()
        // First what the kernel can refuse. Data in another's block is that block's.
        if (around === undefined && this.#isOurs(claim)) this.#clear(claim)
        for (const one of all) this.#drop(one)
      },
      forget: () => {
        this.#forget(all)
        tell(all.slice(0, -1))
        if (around?.isOpen) told(() => around.holder.innerClaims(around.inner.count))
      },
    }
    end(ending, (run) => this.locked(run))
  }

  /** The holder of the outer claim takes blocks away: the claims in them go, and their holders are told. */
  dropInner(claims: readonly HeldClaim[]): void {
    const all = claims.flatMap((claim) => claim.withInner()).reverse()
    const ending: Ending = {
      giveBack: () => {
        for (const one of all) one.begin()
        for (const one of all) this.#drop(one)
      },
      forget: () => {
        this.#forget(all)
        tell(all)
      },
    }
    end(ending, (run) => this.locked(run))
  }

  /** Takes a claim out of our books, not out of the directory: others may adopt it. */
  leaveBehind(claim: HeldClaim): void {
    const inner = claim.withInner().slice(1).reverse()
    end(this.#leaving([claim], inner), (run) => this.locked(run))
    tell(inner)
  }

  /**
   * This thread is leaving an arena that others can have. Claims that are lasting stay in the directory, with what is in them, for
   * others to take over; the rest are dropped; every holder is told. The data is not touched, others may be reading it.
   *
   * Where the lock cannot be had, or the directory has been written over, that is no reason not to close: the claims stay this
   * thread's in the directory, and are free for others when it has ended. What others must read is stored all the same, and `stay`
   * takes that back when the arena is not closed after all.
   */
  leave(): void {
    const shared = this.#shared
    if (shared === undefined) return
    const top = this.#top.all()
    const staying = top.filter(({ lasting }) => lasting)
    const going = top.flatMap((claim) => claim.withInner().slice(claim.lasting ? 1 : 0)).reverse()
    try {
      end(this.#leaving(staying, going), (run) =>
        this.locked(() => {
          run()
          shared.giveOwnershipUp()
        })
      )
      this.#untold = [...going, ...staying]
    } catch {
      for (const claim of this.#top.all()) claim.store()
    }
    shared.invalidate()
  }

  /** The arena is not closed after all: what is left is left, and told of. */
  stay(): void {
    for (const claim of this.#top.all()) claim.restore()
    tell(this.#untold.splice(0))
  }

  /** How claims at the top level are left: these stay in the directory, and those go. */
  #leaving(staying: readonly HeldClaim[], going: readonly HeldClaim[]): Ending {
    return {
      store: () => {
        for (const claim of staying) claim.store()
      },
      giveBack: () => {
        for (const one of [...going, ...staying]) one.begin()
        for (const one of going) this.#drop(one)
        for (const claim of staying) {
          if (this.#isOurs(claim)) this.#directory.hold(claim.index, 0n, claim.lasting)
          this.#own.delete(claim.index)
          this.#top.remove(claim)
        }
        this.#stale = true
      },
      forget: () => {
        for (const claim of staying) this.expose(claim.offset, claim.byteLength)
        this.#forget(going)
      },
    }
  }

  /** Says in the directory that a claim is ours, and whether it outlives us. Where nobody else can be there is nothing to say. */
  #hold(claim: HeldClaim, lasting: boolean): void {
    if (this.#shared !== undefined && this.#isOurs(claim)) this.#directory.hold(claim.index, this.#shared.self, lasting)
  }

  /** Whether the directory still says so: another that could not see that we are alive may have taken it over, and all of it with it. */
  #isOurs({ index }: HeldClaim): boolean {
    return this.#directory.isHeldBy(index, this.#self)
  }

  /** Makes a claim's range read zero. */
  #clear({ offset, byteLength }: HeldClaim): void {
    this.arena.mapping.clear(offset, byteLength, (at, length) => this.arena.bytesAt(at, length))
  }

  /** Gives a claim's metadata back, which reads zero then, and takes it out of the books. Throws nothing. */
  #drop(claim: HeldClaim): void {
    const { around, metadata, metadataOffset, index } = claim
    ;(around?.inner ?? this.#top).remove(claim)
    this.#own.delete(index)
    if (!this.#isOurs(claim)) return
    this.#space.clear(metadataOffset, metadata)
    this.#directory.remove(index)
    this.#space.give(metadataOffset, metadata.byteLength)
  }

  /** After claims were dropped: keeps what the next ones can use, and ends the looking at them. */
  #forget(claims: readonly HeldClaim[]): void {
    for (const { around, offset, byteLength, metadata, metadataOffset } of claims) {
      // Whoever had a block in it may still write there.
      if (around === undefined) this.expose(offset, byteLength)
      this.#space.keep(metadataOffset, metadata)
    }
    for (const claim of claims) this.#views.revoke(claim.index)
  }

  /** The arena is closed: every holder is told, nothing is touched. */
  revokeAll(): void {
    const claims = this.#top.all()
    this.#space.forget()
    this.#shared = undefined
    this.#unmet = false
    this.#views.revoke()
    tell(this.#untold.splice(0))
    for (const claim of claims) claim.revoke()
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
    const stale = this.#stale
    this.#stale = false
    if (this.#shared === undefined) {
      if (stale) this.#others.read()
      return run()
    }
    if (stale) this.#shared.invalidate()
    return this.#shared.locked(run)
  }

  #range(request: ClaimRequest): { offset: number; byteLength: number } {
    const end = this.arena.layout.byteLength
    const offset = multipleOf8('offset', request.offset ?? 0, 0, end - 8)
    const byteLength = multipleOf8('byteLength', request.byteLength ?? end - offset, 8, end - offset)
    return { offset, byteLength }
  }

  /** The innermost claim that the range lies in, once its holder has agreed; undefined at the top level. */
  #claimAround(holder: ClaimHolder, offset: number, byteLength: number): HeldClaim | undefined {
    let around: HeldClaim | undefined
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
    const inside = block !== undefined && contains(block, offset, byteLength)
    // The holder may have ended its claim, or granted another there, when it was asked.
    if (!inside || !around.isOpen || around.inner.overlapping(offset, byteLength) !== undefined)
      throw this.#busy(holder, offset, byteLength, around)
    return around
  }

  /** Throws when a claim of another, at the top level, is in the way. */
  #requireNoOther(holder: ClaimHolder, offset: number, byteLength: number): void {
    const other = this.#others.overlapping(offset, byteLength)
    if (other !== undefined) throw this.#busy(holder, offset, byteLength, other)
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

/** Tells holders that their claims are gone. */
function tell(claims: readonly HeldClaim[]): void {
  for (const { holder } of claims) told(() => holder.revoked())
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
