/**
 * How one arena is had by others too: what it has to do when it is made in a place that others can have, the handle it gives away,
 * and its file's name.
 *
 * A private arena costs nothing of this until a handle is made of it. Then its header is written, and its mapping, which one arena
 * had alone, becomes one that threads take part in.
 * @module
 */
import { ArenaClosedError, UnsupportedOperationError } from '../../errors.ts'
import type { Claims } from '../claims/claims.ts'
import { type Identity, identityText, newIdentity } from '../format/header.ts'
import { BackingKind } from '../mapping/backing.ts'
import type { Lifetime } from '../mapping/lifetime.ts'
import { ThreadOwner } from '../threads/thread-owner.ts'
import { ThreadTable } from '../threads/thread-table.ts'
import { type ArenaHandle, handleOf } from './handle.ts'
import { unlinkNamed } from './named-file.ts'
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
  #owner: ThreadOwner | undefined
  #closed = false
  /** Of an arena that nobody else has yet. */
  #identity: Identity | undefined

  constructor(title: string, opened: OpenedArena, lifetime: Lifetime, claims: Claims) {
    this.#title = title
    this.#opened = opened
    this.#lifetime = lifetime
    this.#claims = claims
    this.#owner = opened.owner instanceof ThreadOwner ? opened.owner : undefined
  }

  /** Begins with those who may be there already. Gives the owner of a named arena that was found dead. */
  begin(): StaleOwner | undefined {
    const { common, identity, recorded, kind } = this.#opened
    if (common && kind === BackingKind.mappedFile && !recorded) this.#claims.shareLater()
    else if (common) this.#claims.share(identity)
    if (recorded) this.#claims.takeUp()
    // A thread that attaches by handle finds an owner in its own process.
    const dead = this.#isNamed && this.#owner === undefined ? this.#claims.takeOwnership() : undefined
    return dead && { processId: dead.processId, threadId: dead.threadId }
  }

  /** Whether other processes can have the arena. */
  get shared(): boolean {
    const { kind } = this.#opened
    return kind !== BackingKind.anonymous && kind !== BackingKind.fileCopy
  }

  get fd(): number | undefined {
    return this.#closed || this.#opened.fd < 0 ? undefined : this.#opened.fd
  }

  get path(): string | undefined {
    if (this.fd === undefined) return undefined
    return (this.#isNamed ? this.#opened.path : undefined) ?? `/proc/${process.pid}/fd/${this.fd}`
  }

  /** Which arena this is, in all threads and processes that have it or will. */
  get identity(): string {
    this.#requireOpen()
    const identity = this.#claims.identify()
    if (identity !== undefined) return identityText(identity)
    this.#identity ??= newIdentity()
    return identityText(this.#identity)
  }

  handle(): ArenaHandle {
    this.#requireOpen()
    if (this.#owner === undefined) this.#owner = this.#invite()
    return handleOf(this.#opened.mapping.os, this.#owner.table, this.path)
  }

  unlink(): boolean {
    this.#requireOpen()
    const { path, fd, mapping } = this.#opened
    if (path === undefined || !this.#isNamed)
      throw new UnsupportedOperationError(`${this.#title} has no name that could be taken away`)
    return unlinkNamed(mapping.os, path, fd)
  }

  /** The arena is closed. */
  close(): void {
    this.#closed = true
  }

  /** Lets threads in. */
  #invite(): ThreadOwner {
    const { layout, kind, fd, common, mapping } = this.#opened
    const { os, base } = mapping
    if (kind === BackingKind.mappedFile || kind === BackingKind.fileCopy)
      throw new UnsupportedOperationError(
        `${this.#title} has no handle: ${kind === BackingKind.fileCopy ? 'it is a copy of its own' : 'another thread maps the file, as another process does'}`
      )
    if (!common) this.#claims.share(this.#identity ?? newIdentity())
    const { identity } = this.#claims
    const owner = ThreadOwner.found(os, ThreadTable.create(os, { base, layout, kind, fd, identity }))
    this.#lifetime.share(owner)
    return owner
  }

  get #isNamed(): boolean {
    return this.#opened.kind === BackingKind.namedFile
  }

  #requireOpen(): void {
    if (this.#closed) throw new ArenaClosedError(`${this.#title} is closed`)
  }
}
