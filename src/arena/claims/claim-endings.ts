/**
 * How claims end, each in the order of ending.ts:
 *
 *     release      by its holder: range and metadata read zero, the entry is free, claims inside go with it
 *     revokeInner    by the holder of the claim around it, which takes the block away: the data is that block's
 *     leaveBehind  by its holder, for others: range, metadata and entry stay
 *     leaveAll     the arena is closing: lasting claims stay in the directory, the rest is released; no data is touched
 *     revokeAll    the arena is closed: every holder is told, no memory is touched
 *
 * A holder is told (`revoked`) after all books are in order, and never inside the lock.
 * @module
 */
import { type Ending, end, told } from '../ending.ts'
import type { ClaimBooks } from './claim-books.ts'
import type { HeldClaim } from './held-claim.ts'

export class ClaimEndings {
  readonly #books: ClaimBooks
  /** Claims that were left or released because the arena is closing, whose holders are told when it is closed. */
  #untold: HeldClaim[] = []

  constructor(books: ClaimBooks) {
    this.#books = books
  }

  /** Gives a claim's range and metadata back. Those inside it go with it, and their holders are told. */
  release(claim: HeldClaim): void {
    const books = this.#books
    const { around, lasting } = claim
    const all = claim.withInner().reverse()
    this.#end({
      // A holder that dies from here on leaves a claim that is not adopted: half of it may be gone.
      store: () => {
        if (lasting) books.hold(claim, false)
      },
      restore: () => {
        if (lasting) books.hold(claim, true)
        for (const one of all) one.resume()
      },
      giveBack: () => {
        for (const one of all) one.begin()
        // First what the kernel can refuse. Data in another's block is that block's.
        if (around === undefined && books.isOurs(claim)) books.clear(claim)
        for (const one of all) books.remove(one)
      },
      forget: () => {
        books.forget(all)
        tell(all.slice(0, -1))
        if (around?.isOpen) told(() => around.holder.innerClaims(around.inner.count))
      },
    })
  }

  /** The holder of the outer claim takes blocks away: the claims in them go, and their holders are told. */
  revokeInner(claims: readonly HeldClaim[]): void {
    const books = this.#books
    const all = claims.flatMap((claim) => claim.withInner()).reverse()
    this.#end({
      giveBack: () => {
        for (const one of all) one.begin()
        for (const one of all) books.remove(one)
      },
      forget: () => {
        books.forget(all)
        tell(all)
      },
    })
  }

  /** Takes a claim out of the tree, not out of the directory: others may adopt it. */
  leaveBehind(claim: HeldClaim): void {
    const inner = claim.withInner().slice(1).reverse()
    this.#end(this.#leaving([claim], inner))
    tell(inner)
  }

  /**
   * This thread leaves an arena that others can have. Lasting claims stay in the directory, with what is in them, for others to adopt;
   * the rest is released; every holder is told. The data is not touched, because others may be reading it.
   *
   * The arena is closed even where the lock cannot be had, or the directory has been written over: the claims stay this thread's in the
   * directory then, and are free for others when it has ended. What others must read is stored all the same, and `stay` takes that back
   * when the arena is not closed after all.
   */
  leaveAll(): void {
    const { top, access, views } = this.#books
    const { shared } = access
    if (shared === undefined) return
    views.store()
    const all = top.all()
    const staying = all.filter(({ lasting }) => lasting)
    const going = all.flatMap((claim) => claim.withInner().slice(claim.lasting ? 1 : 0)).reverse()
    try {
      end(this.#leaving(staying, going), (run) =>
        access.locked(() => {
          run()
          shared.leaveOwnership()
        })
      )
      this.#untold = [...going, ...staying]
    } catch {
      for (const claim of top.all()) claim.store()
    }
    shared.invalidate()
  }

  /** The arena is not closed after all. What was left stays left, and its holders are told. */
  stay(): void {
    for (const claim of this.#books.top.all()) claim.restore()
    this.#books.views.restore()
    tell(this.#untold.splice(0))
  }

  /** The arena is closed: every holder is told, no memory is touched. */
  revokeAll(): void {
    const { top, space, access, views } = this.#books
    const claims = top.all()
    space.forget()
    access.forget()
    views.revoke()
    tell(this.#untold.splice(0))
    for (const claim of claims) claim.revoke()
  }

  /** How claims at the top level are left: these stay in the directory, and those go. */
  #leaving(staying: readonly HeldClaim[], going: readonly HeldClaim[]): Ending {
    const books = this.#books
    return {
      store: () => {
        for (const claim of staying) claim.store()
      },
      giveBack: () => {
        for (const one of [...going, ...staying]) one.begin()
        for (const one of going) books.remove(one)
        for (const claim of staying) books.leave(claim)
        books.access.handedOver()
      },
      forget: () => {
        for (const claim of staying) books.maybeWritten.add(claim.offset, claim.byteLength)
        books.forget(going)
      },
    }
  }

  #end(ending: Ending): void {
    end(ending, (run) => this.#books.access.locked(run))
  }
}

/** Tells holders that their claims are gone. */
function tell(claims: readonly HeldClaim[]): void {
  for (const { holder } of claims) told(() => holder.revoked())
}
