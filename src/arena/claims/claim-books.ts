/**
 * All that one arena object knows of claims, in one place: its own claims as a tree, the directory in memory, the room for tables,
 * the claims of others, and views of claims. Claims are entered and taken out here.
 *
 *     own claim     in `top`, or in `inner` of the claim around it;  in `own` by its index;  in the directory;  its metadata is taken
 *     a claim's range reads zero  <=  no other claim or view was ever over it (`maybeWritten`), and no other process had the arena
 *
 * An entry in the directory that another process has taken over is not ours any more: nothing of it is touched (`isOurs`). Entering and
 * taking out cost about a microsecond: the buffer over the metadata is kept for the next claim of the same shape.
 * @module
 */
import type { ClaimHolder } from '../claim.ts'
import { Directory } from '../format/directory.ts'
import type { Layout } from '../format/layout.ts'
import type { Lifetime } from '../mapping/lifetime.ts'
import { type Mapping, makeZero } from '../mapping/mapping.ts'
import type { Release } from '../pin.ts'
import { Ranges } from '../ranges.ts'
import { ClaimViews } from './claim-view.ts'
import { DirectoryAccess } from './directory-access.ts'
import { type ClaimTree, HeldClaim } from './held-claim.ts'
import { MaybeWritten } from './maybe-written.ts'
import { MetadataSpace } from './metadata-space.ts'
import { type OtherClaim, OtherClaims } from './other-claims.ts'

/** What the claims need of their arena. */
export interface ClaimedArena {
  readonly title: string
  readonly mapping: Mapping
  readonly layout: Layout
  readonly lifetime: Lifetime
  /** Whether something in a window may not read zero. */
  exposed(window: number): boolean
  /** Bytes of the data, at most one page of them. */
  bytesAt(offset: number, byteLength: number): Uint8Array
  /** Holds the arena open for a pinned block. */
  pinBlock(): Release
}

/** Where a new claim is. */
export interface NewPlace {
  readonly offset: number
  readonly byteLength: number
  readonly metadataOffset: number
  readonly metadataLength: number
}

export class ClaimBooks {
  readonly arena: ClaimedArena
  /** Claims at the top level. */
  readonly top: Ranges<HeldClaim> = new Ranges()
  /** All claims of this arena object, by their index in the directory. */
  readonly own: Map<number, HeldClaim> = new Map()
  readonly views: ClaimViews
  readonly directory: Directory
  readonly space: MetadataSpace
  readonly others: OtherClaims
  readonly maybeWritten: MaybeWritten
  readonly access: DirectoryAccess

  constructor(arena: ClaimedArena) {
    const { layout, mapping, lifetime, title } = arena
    const { metadataStart } = layout
    this.arena = arena
    this.maybeWritten = new MaybeWritten(layout.byteLength, (window) => arena.exposed(window))
    this.space = new MetadataSpace(layout, mapping, lifetime)
    const pin = (index: number, offset: number, byteLength: number): Release =>
      this.own.get(index)?.holder.pin?.(offset, byteLength) ?? arena.pinBlock()
    this.views = new ClaimViews(mapping, this.space, pin, (offset, byteLength) => arena.bytesAt(offset, byteLength))
    const directory = new Directory(title, layout, mapping.pageSize, (byteLength) =>
      lifetime.range(metadataStart, byteLength)
    )
    const isOwn = (index: number): boolean => this.own.has(index)
    const others = new OtherClaims({ title, mapping, layout, directory, space: this.space, isOwn })
    this.directory = directory
    this.others = others
    this.access = new DirectoryAccess({ title, mapping, layout, directory, others })
  }

  /** Enters a new claim in directory and tree, over metadata that is taken. Gives the metadata back when it throws. */
  enter(tree: ClaimTree, holder: ClaimHolder, around: HeldClaim | undefined, place: NewPlace): HeldClaim {
    const { offset, byteLength, metadataOffset, metadataLength } = place
    try {
      const metadata = this.space.buffer(metadataOffset, metadataLength)
      // Field by field: spreading an object costs microseconds on Node 20.
      const index = this.directory.add({
        kind: holder.kind,
        offset,
        byteLength,
        metadataOffset,
        metadataLength,
        around: around?.index ?? -1,
        // A claim in a block goes with the block.
        lasting: holder.lasting === true && around === undefined,
        holder: this.access.self,
      })
      const zeroed =
        around === undefined && !this.maybeWritten.has(offset, byteLength) && this.access.shared?.attachedTo !== true
      const claim = new HeldClaim(tree, holder, around, { offset, byteLength, metadataOffset, metadata, index, zeroed })
      ;(around?.inner ?? this.top).add(claim)
      this.own.set(index, claim)
      return claim
    } catch (error) {
      this.space.give(metadataOffset, metadataLength)
      throw error
    }
  }

  /** Makes a claim that was left a new holder's, with range and metadata as they are. */
  take(tree: ClaimTree, holder: ClaimHolder, left: OtherClaim): HeldClaim {
    const { index, offset, byteLength, metadataOffset, metadataLength } = left
    const metadata = this.space.buffer(metadataOffset, metadataLength)
    this.others.take(left)
    this.directory.hold(index, this.access.self, holder.lasting === true)
    const place = { offset, byteLength, metadata, metadataOffset, index, zeroed: false }
    const claim = new HeldClaim(tree, holder, undefined, place)
    this.top.add(claim)
    this.own.set(index, claim)
    return claim
  }

  /** Whether the directory still says that a claim is ours: a process that cannot see this one may have taken it over. */
  isOurs(claim: HeldClaim): boolean {
    return this.own.get(claim.index) === claim && this.directory.isHeldBy(claim.index, this.access.self)
  }

  /** Says in the directory that a claim is ours, and whether it is lasting. Where no other can look there is nothing to say. */
  hold(claim: HeldClaim, lasting: boolean): void {
    const { shared } = this.access
    if (shared !== undefined && this.isOurs(claim)) this.directory.hold(claim.index, shared.self, lasting)
  }

  /** Takes a claim at the top level out of the tree, and leaves it in the directory for others to adopt. */
  leave(claim: HeldClaim): void {
    if (this.isOurs(claim)) this.directory.hold(claim.index, 0n, claim.lasting)
    this.#disown(claim)
    this.top.remove(claim)
  }

  /** An entry that another took over, and left, may be the next claim's of this arena. */
  #disown(claim: HeldClaim): void {
    if (this.own.get(claim.index) === claim) this.own.delete(claim.index)
  }

  /** Makes a claim's range read zero. */
  clear({ offset, byteLength }: HeldClaim): void {
    makeZero(this.arena.mapping, offset, byteLength, (at, length) => this.arena.bytesAt(at, length))
  }

  /** Takes a claim out of all books and gives its metadata back, which reads zero then. Throws nothing. */
  remove(claim: HeldClaim): void {
    const { around, metadata, metadataOffset, index } = claim
    ;(around?.inner ?? this.top).remove(claim)
    const ours = this.isOurs(claim)
    this.#disown(claim)
    if (!ours) return
    this.space.clear(metadataOffset, metadata)
    this.directory.remove(index)
    this.space.give(metadataOffset, metadata.byteLength)
  }

  /** After claims have ended: keeps what the next claims can use, and ends the views of those. */
  forget(claims: readonly HeldClaim[]): void {
    for (const { around, offset, byteLength, metadata, metadataOffset } of claims) {
      // A caller that had a block in it may still write there.
      if (around === undefined) this.maybeWritten.add(offset, byteLength)
      this.space.keep(metadataOffset, metadata)
    }
    for (const claim of claims) this.views.revoke(claim.index)
  }
}
