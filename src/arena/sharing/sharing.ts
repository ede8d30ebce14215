/**
 * How one arena is had by others too: what it has to do when it is made in a place that others can have, the handle it gives away,
 * and its file's name.
 *
 * A private arena costs nothing of this until a handle is made of it. Then its header is written, and its mapping, which one arena
 * had alone, becomes one that threads take part in.
 * @module
 */
import { ArenaClosedError, UnsupportedOperationError } from '../../errors.ts'
import { BackingKind } from '../backing.ts'
import type { Claims } from '../claims/claims.ts'
import { type Identity, newIdentity } from '../header.ts'
import type { Lifetime } from '../lifetime.ts'
import { Control } from './control.ts'
import { type ArenaHandle, generationOf, handleOf } from './handle.ts'
import { unlinkNamed } from './named-file.ts'
import type { Site } from './site.ts'
import { Tenancy } from './tenancy.ts'

/** The owner of a named arena that died without closing it. */
export interface StaleOwner {
  readonly processId: number
  /** The kernel's number of the thread; of a main thread the process's. */
  readonly threadId: number
}

/** @internal */
export class Sharing {
  readonly #title: string
  readonly #site: Site
  readonly #lifetime: Lifetime
  readonly #claims: Claims
  #tenancy: Tenancy | undefined
  #closed = false
  /** Of an arena that nobody else has yet. */
  #identity: Identity | undefined

  constructor(title: string, site: Site, lifetime: Lifetime, claims: Claims) {
    this.#title = title
    this.#site = site
    this.#lifetime = lifetime
    this.#claims = claims
    this.#tenancy = site.tenure instanceof Tenancy ? site.tenure : undefined
  }

  /** Begins with those who may be there already. Gives the owner of a named arena that was found dead. */
  begin(): StaleOwner | undefined {
    const { common, identity, recorded, kind } = this.#site
    if (common && kind === BackingKind.mappedFile && !recorded) this.#claims.shareLater()
    else if (common) this.#claims.share(identity)
    if (recorded) this.#claims.takeUp()
    // A thread that attaches by handle finds an owner in its own process.
    const dead = this.#isNamed && this.#tenancy === undefined ? this.#claims.takeOwnership() : undefined
    return dead && { processId: dead.processId, threadId: dead.threadId }
  }

  /** Whether other processes can have the arena. */
  get shared(): boolean {
    const { kind } = this.#site
    return kind !== BackingKind.anonymous && kind !== BackingKind.fileCopy
  }

  get fd(): number | undefined {
    return this.#closed || this.#site.fd < 0 ? undefined : this.#site.fd
  }

  get path(): string | undefined {
    if (this.fd === undefined) return undefined
    return (this.#isNamed ? this.#site.path : undefined) ?? `/proc/${process.pid}/fd/${this.fd}`
  }

  /** Which arena this is, in all threads and processes that have it or will. */
  get identity(): string {
    this.#requireOpen()
    const identity = this.#claims.identify()
    if (identity !== undefined) return generationOf(identity)
    this.#identity ??= newIdentity()
    return generationOf(this.#identity)
  }

  handle(): ArenaHandle {
    this.#requireOpen()
    if (this.#tenancy === undefined) this.#tenancy = this.#invite()
    return handleOf(this.#site.ground.os, this.#tenancy.control, this.path)
  }

  unlink(): boolean {
    this.#requireOpen()
    const { path, fd, ground } = this.#site
    if (path === undefined || !this.#isNamed)
      throw new UnsupportedOperationError(`${this.#title} has no name that could be taken away`)
    return unlinkNamed(ground.os, path, fd)
  }

  /** The arena is closed. */
  close(): void {
    this.#closed = true
  }

  /** Lets threads in. */
  #invite(): Tenancy {
    const { layout, kind, fd, common, ground } = this.#site
    const { os, base } = ground
    if (kind === BackingKind.mappedFile || kind === BackingKind.fileCopy)
      throw new UnsupportedOperationError(
        `${this.#title} has no handle: ${kind === BackingKind.fileCopy ? 'it is a copy of its own' : 'another thread maps the file, as another process does'}`
      )
    if (!common) this.#claims.share(this.#identity ?? newIdentity())
    const { identity } = this.#claims
    const tenancy = Tenancy.found(os, Control.create(os, { base, layout, kind, fd, identity }))
    this.#lifetime.share(tenancy)
    return tenancy
  }

  get #isNamed(): boolean {
    return this.#site.kind === BackingKind.namedFile
  }

  #requireOpen(): void {
    if (this.#closed) throw new ArenaClosedError(`${this.#title} is closed`)
  }
}
