/**
 * How an arena is found by other threads and processes: its identity, its handle, its name.
 *
 *     private   ──handle()──▶  header and identity are written, and the mapping gets an owner that threads share
 *
 * A private arena costs nothing of this until a handle is made. What the memory is decides the rest (`ArenaPlace`).
 * @module
 */
import { ArenaClosedError } from '../../errors.ts'
import type { Claims } from '../claims/claims.ts'
import { type Identity, identityText, newIdentity } from '../format/header.ts'
import type { Lifetime } from '../mapping/lifetime.ts'
import type { ArenaHandle } from './handle.ts'
import type { OpenedArena } from './opened-arena.ts'

/** The owner of a named arena that died without closing it. */
export interface StaleOwner {
  /** The process that died. */
  readonly processId: number
  /** The kernel's number of the thread; of a main thread the process's. */
  readonly threadId: number
}

/** @internal */
export class Locator {
  readonly #title: string
  readonly #opened: OpenedArena
  readonly #lifetime: Lifetime
  readonly #claims: Claims
  #closed = false
  /** Of an arena that no other thread or process can have yet. */
  #identity: Identity | undefined

  constructor(title: string, opened: OpenedArena, lifetime: Lifetime, claims: Claims) {
    this.#title = title
    this.#opened = opened
    this.#lifetime = lifetime
    this.#claims = claims
  }

  /** Begins with what is in the memory. Gives the owner of a named arena that was found dead. */
  begin(): StaleOwner | undefined {
    const { start, place } = this.#opened
    this.#claims.begin(start)
    const dead = place.hasOwner ? this.#claims.takeOwnership() : undefined
    return dead && { processId: dead.processId, threadId: dead.threadId }
  }

  /** Whether other processes can have the arena. */
  get shared(): boolean {
    return this.#opened.place.shared
  }

  get fd(): number | undefined {
    return this.#closed ? undefined : this.#opened.place.fd
  }

  get path(): string | undefined {
    return this.#closed ? undefined : this.#opened.place.path
  }

  /** Which arena this is, in all threads and processes that have it or will. */
  get identity(): string {
    this.#requireOpen()
    this.#identity = this.#claims.identity() ?? this.#identity ?? newIdentity()
    return identityText(this.#identity)
  }

  handle(): ArenaHandle {
    this.#requireOpen()
    const { place } = this.#opened
    return place.handle() ?? this.#invite()
  }

  unlink(): boolean {
    this.#requireOpen()
    return this.#opened.place.unlink(this.#title)
  }

  /** The arena is closed. */
  close(): void {
    this.#closed = true
  }

  /** Lets other threads in. */
  #invite(): ArenaHandle {
    const { place } = this.#opened
    place.requireInvitable(this.#title)
    const claims = this.#claims
    if (!claims.common) claims.invite(this.#identity ?? newIdentity())
    this.#lifetime.share(place.invite(claims.identity() as Identity))
    return place.handle() as ArenaHandle
  }

  #requireOpen(): void {
    if (this.#closed) throw new ArenaClosedError(`${this.#title} is closed`)
  }
}
