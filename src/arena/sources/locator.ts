/**
 * How an arena is found by other threads and processes: its identity, its handle, its name.
 *
 *     private   ──handle()──▶  header and identity are written, and the mapping gets an owner that threads share
 *
 * A private arena costs nothing of this until a handle is made. What the memory is decides the rest (`ArenaPlace`).
 * @module
 */
import type { Claims } from '../claims/claims.ts'
import { type Identity, identityText, newIdentity } from '../format/header.ts'
import type { Lifetime } from '../mapping/lifetime.ts'
import type { OpenState } from '../mapping/open-state.ts'
import type { ArenaPlace } from './arena-place.ts'
import type { ArenaHandle } from './handle.ts'
import type { OpenedArena } from './opened-arena.ts'

/** The owner of a named arena that died without closing it. */
export interface StaleOwner {
  /** The process that died. */
  readonly processId: number
  /** The kernel's number of the thread; of a main thread the process's. */
  readonly threadId: number
}

/** What a locator begins with. @internal */
export interface LocatedArena {
  /** For messages. */
  readonly title: string
  readonly opened: OpenedArena
  readonly openState: OpenState
  readonly lifetime: Lifetime
  readonly claims: Claims
}

/** @internal */
export class Locator {
  readonly #arena: LocatedArena
  /** Once it has been asked for: from then on it is the same. */
  #identity: Identity | undefined
  /** The same as text, which each reference has: it takes half a microsecond to make. */
  #identityText: string | undefined

  constructor(arena: LocatedArena) {
    this.#arena = arena
  }

  /** Begins with what is in the memory. Gives the owner of a named arena that was found dead. */
  begin(): StaleOwner | undefined {
    const { opened, claims } = this.#arena
    const { start, place } = opened
    claims.begin(start)
    const dead = place.hasOwner ? claims.takeOwnership() : undefined
    return dead && { processId: dead.processId, threadId: dead.threadId }
  }

  /** Whether other processes can have the arena. */
  get shared(): boolean {
    return this.#place.shared
  }

  get fd(): number | undefined {
    return this.#arena.openState.closed ? undefined : this.#place.fd
  }

  get path(): string | undefined {
    return this.#arena.openState.closed ? undefined : this.#place.path
  }

  /** Which arena this is, in all threads and processes that have it or will. */
  get identity(): string {
    this.#arena.openState.requireOpen()
    this.#identity ??= this.#arena.claims.identity() ?? newIdentity()
    this.#identityText ??= identityText(this.#identity)
    return this.#identityText
  }

  handle(): ArenaHandle {
    this.#arena.openState.requireOpen()
    return this.#place.handle() ?? this.#invite()
  }

  unlink(): boolean {
    this.#arena.openState.requireOpen()
    return this.#place.unlink(this.#arena.title)
  }

  /** Lets other threads in. */
  #invite(): ArenaHandle {
    const { title, claims, lifetime } = this.#arena
    const place = this.#place
    place.requireInvitable(title)
    if (!claims.common) claims.invite(this.#identity ?? newIdentity())
    lifetime.share(place.invite(claims.identity() as Identity))
    return place.handle() as ArenaHandle
  }

  get #place(): ArenaPlace {
    return this.#arena.opened.place
  }
}
