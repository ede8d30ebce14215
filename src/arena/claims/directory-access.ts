/**
 * How this arena object comes to the directory of claims, by which others can have the arena. One value says it:
 *
 *     start                                       state                            identity
 *     new, reach 'process'                   ─▶   alone ──invite──▶ shared         given when a handle is made
 *     new, reach 'processes', an identity    ─▶   shared                           the new one
 *     new, reach 'processes', none yet       ─▶   unmet ──locked──▶ shared         the first process that claims gives it
 *     existing, reach 'process'              ─▶   alone, claims are read           none: a private copy
 *     existing, 'threads' or 'processes'     ─▶   shared                           read from the header
 *                                                  all ──forget──▶ alone
 *
 *     alone     no other thread or process can have the arena: no lock, and the directory is read only when claims were left
 *     unmet     others may have it, and nothing has been written: that waits until a claim is asked for
 *     shared    the directory is the truth. It is changed under its lock, and read anew before anything is decided
 *
 * `locked` is the way to everything that depends on claims of others. It costs nothing alone, and about 3 us when shared.
 * @module
 */
import { type Identity, newIdentity } from '../format/header.ts'
import type { ThreadId } from '../format/thread-id.ts'
import { SharedDirectory, type SharedDirectoryOptions } from './shared-directory.ts'

/** What an arena object finds when it is made: whether there is an arena in the memory already, and how far its memory reaches. */
export type ArenaStart =
  | { readonly origin: 'new'; readonly reach: 'process' }
  /** `identity`: undefined where others may be making the same arena in the same memory. */
  | { readonly origin: 'new'; readonly reach: 'processes'; readonly identity: Identity | undefined }
  | { readonly origin: 'existing'; readonly reach: 'process' }
  /** `proof`: whether the claims in the directory are verified at once, or when they are first needed. */
  | { readonly origin: 'existing'; readonly reach: 'threads' | 'processes'; readonly proof: 'at once' | 'when needed' }

type State =
  | { readonly is: 'alone' }
  | { readonly is: 'unmet' }
  | { readonly is: 'shared'; readonly shared: SharedDirectory }

/** A claim of this arena object: its index in the directory, and whether it is lasting. */
export type OwnEntry = readonly [index: number, lasting: boolean]

const ALONE: State = { is: 'alone' }

export class DirectoryAccess {
  readonly #options: SharedDirectoryOptions
  #state: State = ALONE
  /** Whether claims of ours have become others', so that the directory is to be read anew. */
  #stale = false

  constructor(options: SharedDirectoryOptions) {
    this.#options = options
  }

  /** Begins with what is there. Throws ERR_CORRUPTED, naming field or entry, when a directory is there that makes no sense. */
  begin(start: ArenaStart): void {
    const { directory, others } = this.#options
    if (start.origin === 'new') {
      if (start.reach === 'processes') this.#beginNew(start.identity)
      return
    }
    if (start.reach === 'process') {
      directory.open()
      others.read()
      return
    }
    const proof = start.proof === 'at once'
    if (proof) directory.open()
    const shared = new SharedDirectory(this.#options)
    shared.attach()
    this.#state = { is: 'shared', shared }
    if (proof) this.locked(() => undefined)
  }

  #beginNew(identity: Identity | undefined): void {
    if (identity === undefined) this.#state = { is: 'unmet' }
    else this.invite(identity, [])
  }

  /** Makes an arena that only this object has one that others can have. Claims that there are become this thread's. */
  invite(identity: Identity, own: Iterable<OwnEntry>): void {
    if (this.#state.is !== 'alone') return
    const shared = new SharedDirectory(this.#options)
    shared.found(identity, own)
    this.#state = { is: 'shared', shared }
  }

  /** Whether others can have the arena, or find it again. */
  get common(): boolean {
    return this.#state.is !== 'alone'
  }

  /** The directory that others have too; undefined as long as there is no need of one. */
  get shared(): SharedDirectory | undefined {
    return this.#state.is === 'shared' ? this.#state.shared : undefined
  }

  /** Which arena this is; undefined of one that no other thread or process can have. */
  identity(): Identity | undefined {
    if (this.#state.is === 'unmet') this.locked(() => undefined)
    return this.shared?.identity
  }

  /** This thread, as the directory names it: 0 where no other can have the arena. */
  get self(): bigint {
    return this.shared?.self ?? 0n
  }

  /** Makes this thread the owner of a named arena. Gives the owner that was found dead. */
  takeOwnership(): ThreadId | undefined {
    return this.shared?.takeOwnership()
  }

  /** Claims of ours have become others'. */
  handedOver(): void {
    this.#stale = true
  }

  /** Runs `run` under the lock on the directory, where there is one, with the claims of others as they are. Not to be nested. */
  locked<R>(run: () => R): R {
    if (this.#state.is === 'unmet') this.#meet()
    const stale = this.#stale
    this.#stale = false
    const { shared } = this
    if (shared === undefined) {
      if (stale) this.#options.others.read()
      return run()
    }
    if (stale) shared.invalidate()
    return shared.locked(run)
  }

  #meet(): void {
    const shared = new SharedDirectory(this.#options)
    shared.foundOrAttach(newIdentity())
    this.#state = { is: 'shared', shared }
  }

  /** The arena is closed: nothing is touched any more. */
  forget(): void {
    this.#state = ALONE
  }
}
