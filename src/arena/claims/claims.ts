/**
 * Which allocator holds which range of an arena: the claims, a tree.
 *
 *     arena      |    heap 1               |   heap 2             |      top level: never overlap
 *     in heap 1  |    [bump] [slab     ]   |                             each in one live block of heap 1
 *     in slab    |            [b]          |                             and so on
 *
 * A claim that lies wholly in another is granted when that one's holder knows a live block around it. All claims are also in the
 * directory in memory; the tree is the copy that is fast to search. Claims of others, and those that were left, are in the way as well.
 *
 *     Claims ── ClaimBooks        tree, directory, metadata: entering and taking out     claim-books.ts
 *            ── DirectoryAccess   which others can have the arena, and the lock          directory-access.ts
 *            ── ClaimEndings      release, leave, revoke                                 claim-endings.ts
 *
 * Granting and releasing cost a few microseconds at the top level and about one in a block, and 3 us more where others can have the
 * arena.
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
import { told } from '../ending.ts'
import type { Identity } from '../format/header.ts'
import { METADATA_GRANULE } from '../format/layout.ts'
import type { ThreadId } from '../format/thread-id.ts'
import type { Release } from '../pin.ts'
import { contains, type Range } from '../ranges.ts'
import { ClaimBooks, type ClaimedArena } from './claim-books.ts'
import { ClaimEndings } from './claim-endings.ts'
import type { ArenaStart } from './directory-access.ts'
import type { ClaimTree, HeldClaim } from './held-claim.ts'
import type { OtherClaim } from './other-claims.ts'

/** Anything that can be in the way of a claim. */
interface Obstacle {
  describe(): string
}

export class Claims implements ClaimTree {
  readonly arena: ClaimedArena
  readonly #books: ClaimBooks
  readonly #endings: ClaimEndings

  constructor(arena: ClaimedArena) {
    this.arena = arena
    this.#books = new ClaimBooks(arena)
    this.#endings = new ClaimEndings(this.#books)
  }

  /** Begins with what is in the memory. Throws ERR_CORRUPTED, naming field or entry, when a directory there makes no sense. */
  begin(start: ArenaStart): void {
    this.#books.access.begin(start)
  }

  /** Makes an arena that only this object has one that others can have. */
  invite(identity: Identity): void {
    const { access, own } = this.#books
    access.invite(
      identity,
      [...own].map(([index, { lasting }]) => [index, lasting])
    )
  }

  /** Which arena this is; undefined of one that no other thread or process can have. */
  identity(): Identity | undefined {
    return this.#books.access.identity()
  }

  /** Makes this thread the owner of a named arena. Gives the owner that was found dead. */
  takeOwnership(): ThreadId | undefined {
    return this.#books.access.takeOwnership()
  }

  /** Whether others can have the arena, or find it again. */
  get common(): boolean {
    return this.#books.access.common
  }

  /** Runs `run` under the lock on the directory, where there is one, with the claims of others as they are. Not to be nested. */
  locked<R>(run: () => R): R {
    return this.#books.access.locked(run)
  }

  /** Notes that others than holders may write in a range from now on. */
  expose(offset: number, byteLength: number): void {
    this.#books.maybeWritten.add(offset, byteLength)
  }

  /** The claim at the top level that has a byte in common with the range, of any holder. */
  overlapping(offset: number, byteLength: number): Obstacle | undefined {
    return (
      this.#books.top.overlapping(offset, byteLength) ??
      this.locked(() => this.#books.others.overlapping(offset, byteLength))
    )
  }

  /**
   * Pins the innermost live block around a byte, of a claim of ours or of one that we use as a peer. Undefined when there is none: only
   * its holder knows the blocks in a claim.
   */
  pinBlock(offset: number): Release | undefined {
    const around: HeldClaim[] = []
    for (
      let claim = this.#books.top.overlapping(offset, 1);
      claim !== undefined;
      claim = claim.inner.overlapping(offset, 1)
    )
      around.unshift(claim)
    for (const { holder } of around) {
      const release = holder.pin?.(offset, 1)
      if (release !== undefined) return release
    }
    return around.length === 0 ? this.#books.views.pinBlock(offset) : undefined
  }

  /** Every claim at the top level, of all holders, by offset. */
  records(): ClaimRecord[] {
    return this.locked(() => {
      const ours = this.#books.top.all().map((claim) => record(claim.holder.kind, claim, 'ours', claim.lasting))
      const others = this.#books.others
        .all()
        .map((claim) => record(claim.entry.kind, claim, claim.isLeft ? 'left' : 'theirs', claim.entry.lasting))
      return [...ours, ...others].sort((one, other) => one.offset - other.offset)
    })
  }

  /**
   * Gives a claim that is left to a new holder, without touching anything of it, or gives a read-only view of one. Undefined
   * when there is none of that kind, or at that offset. Throws ERR_ARENA_BUSY when it has a holder.
   */
  adopt(request: AdoptRequest): Claim | undefined {
    if (typeof request !== 'object' || request === null)
      throw new InvalidArgumentTypeError('request', 'an object', request)
    const { holder, offset, readOnly = false, peer = false, takeOver = false, metadataBytes } = request
    if (offset !== undefined) wholeNumber('offset', offset)
    boolean('request.readOnly', readOnly)
    const wanted = (kind: string, at: number): boolean => kind === holder.kind && (offset ?? at) === at
    return this.locked(() => {
      const ours = this.#books.top.all().filter((claim) => wanted(claim.holder.kind, claim.offset))
      const others = this.#books.others.all().filter((claim) => wanted(claim.entry.kind, claim.offset))
      if (readOnly) {
        const seen = first([...ours, ...others])
        if (seen !== undefined) this.#requireMetadata(seen, metadataBytes)
        return seen && this.#books.views.add(holder, seen, peer)
      }
      const left = others.find((claim) => claim.isLeft || (takeOver && !claim.isAlive))
      if (left !== undefined) {
        this.#requireMetadata(left, metadataBytes)
        return this.#books.take(this, holder, left)
      }
      const held = others[0] ?? ours[0]
      if (held === undefined) return undefined
      throw new ArenaBusyError(`${holder.kind} cannot adopt ${held.describe()} of ${this.arena.title}: it has a holder`)
    })
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
      return this.#books.enter(this, holder, around, { offset, byteLength, metadataOffset, metadataLength })
    })
    if (around !== undefined) told(() => around.holder.innerClaims(around.inner.count))
    return claim
  }

  release(claim: HeldClaim): void {
    this.#endings.release(claim)
  }

  leaveBehind(claim: HeldClaim): void {
    this.#endings.leaveBehind(claim)
  }

  revokeInner(claims: readonly HeldClaim[]): void {
    this.#endings.revokeInner(claims)
  }

  /** The arena is closing: stores what others must read, and leaves lasting claims to them. */
  leaveAll(): void {
    this.#endings.leaveAll()
  }

  /** The arena is not closed after all. */
  stay(): void {
    this.#endings.stay()
  }

  /** The arena is closed: every holder is told, no memory is touched. */
  revokeAll(): void {
    this.#endings.revokeAll()
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

  #range(request: ClaimRequest): { offset: number; byteLength: number } {
    const end = this.arena.layout.byteLength
    const offset = multipleOf8('options.offset', request.offset ?? 0, 0, end - 8)
    const byteLength = multipleOf8('options.byteLength', request.byteLength ?? end - offset, 8, end - offset)
    return { offset, byteLength }
  }

  /** The innermost claim that the range lies in, once its holder has agreed; undefined at the top level. */
  #claimAround(holder: ClaimHolder, offset: number, byteLength: number): HeldClaim | undefined {
    let around: HeldClaim | undefined
    let level = this.#books.top
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
    const other = this.#books.others.overlapping(offset, byteLength)
    if (other === undefined) return
    throw this.#busy(holder, offset, byteLength, other, 'and only there can an allocator be made in a block of it')
  }

  #busy(
    holder: ClaimHolder,
    offset: number,
    byteLength: number,
    other: Obstacle,
    why = 'and they are not inside one live block of it'
  ): ArenaBusyError {
    return new ArenaBusyError(
      `${holder.kind} cannot claim ${byteLength} bytes at offset ${offset} of ${this.arena.title}: ${other.describe()} holds part ` +
        `of them, ${why}. options.offset and options.byteLength choose another range`
    )
  }

  #takeMetadata(holder: ClaimHolder, byteLength: number, metadataLength: number): number {
    const taken = this.#books.space.take(metadataLength)
    if (taken >= 0) return taken
    throw new OutOfMemoryError(
      `${holder.kind} needs ${metadataLength} bytes of metadata for ${byteLength} bytes; ${this.arena.title} has ` +
        `${this.#books.space.byteLength} left`
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
