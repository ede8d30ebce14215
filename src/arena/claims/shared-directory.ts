/**
 * A directory of claims that other threads and processes change too: its lock, and reading it anew when it has changed, which one word
 * of it tells. It also keeps the owner of an arena that has a name.
 *
 *     locked(run)     lock ─▶ changed by others? read ─▶ run ─▶ unlock                     about 3 us
 *
 * @module
 */

import type { Directory } from '../format/directory.ts'
import { type Identity, writeIdentity } from '../format/header.ts'
import { HEADER_LOCK, HEADER_OWNER, HeaderWord, type Layout } from '../format/layout.ts'
import {
  currentThread,
  livenessOf,
  packThreadId,
  readThreadId,
  sameThread,
  type ThreadId,
  writeThreadId,
} from '../format/thread-id.ts'
import type { Mapping } from '../mapping/mapping.ts'
import { Lock } from './lock.ts'
import type { OtherClaims } from './other-claims.ts'

/** In the header's word for it: processes of more than one namespace have the arena. */
const SEVERAL = 0xffffffff

export interface SharedDirectoryOptions {
  readonly title: string
  readonly mapping: Mapping
  readonly layout: Layout
  readonly directory: Directory
  readonly others: OtherClaims
}

export class SharedDirectory {
  /** This thread, as the directory names it. */
  readonly self: bigint
  readonly #options: SharedDirectoryOptions
  readonly #lock: Lock
  /** Which arena this is: read once, when this thread came to it. */
  #identity: Identity = [0, 0]
  /** Whether any thread or process but its maker was ever seen to have the arena. */
  #attachedTo = false

  constructor(options: SharedDirectoryOptions) {
    const { title, mapping, layout, directory, others } = options
    this.#options = options
    this.self = packThreadId(currentThread(mapping))
    this.#lock = new Lock({
      title,
      threads: mapping.threads,
      address: mapping.word(layout.metadataStart + HEADER_LOCK),
      word: directory.lockWord,
      self: this.self,
      livenessOf: (packed) => others.livenessOf(packed),
      inherited: () => directory.noteUnfinishedChange(),
    })
  }

  /** Makes the arena one that others can have, before any of them has. Claims that there are become this thread's. */
  found(identity: Identity, own: Iterable<readonly [number, boolean]>): void {
    const { directory, mapping } = this.#options
    const [one, other] = identityIn(directory.header)
    // A named file had it before it had its name: others may be there already.
    if (one !== identity[0] || other !== identity[1])
      writeIdentity(directory.headerRange, identity, mapping.threads.place())
    this.#identity = identity
    for (const [index, lasting] of own) directory.hold(index, this.self, lasting)
  }

  /** For memory that others may have already, and may be doing the same to: the first one gives it the identity. */
  foundOrAttach(identity: Identity): void {
    const { header } = this.#options.directory
    const { boot, namespace } = this.#options.mapping.threads.place()
    // Before the lock, which looks there for whether its owner is dead.
    Atomics.compareExchange(header, HeaderWord.boot, 0, boot)
    Atomics.compareExchange(header, HeaderWord.namespace, 0, namespace)
    const first = this.#lock.run(() => {
      const [one, other] = identityIn(header)
      if (one !== 0 || other !== 0) return false
      header.set(identity, HeaderWord.identity)
      return true
    })
    if (first) this.#identity = identity
    else this.attach()
  }

  /** Counts us in. Where we are is compared with where the others are, or were. */
  attach(): void {
    this.#lock.run(() => {
      const { directory, others, mapping } = this.#options
      const { header } = directory
      const here = mapping.threads.place()
      const boot = header[HeaderWord.boot] as number
      const namespace = header[HeaderWord.namespace] as number
      if (boot !== here.boot && boot !== 0 && here.boot !== 0) {
        // All holders from before are gone with that start of the machine. The header will not say so any more, so the entries must.
        others.read()
        directory.noteDeadHolders((holder) => others.livenessOfHolder(holder) === 'dead')
        directory.invalidate()
        // The boot comes last: until then the next one that attaches does the same again.
        header[HeaderWord.namespace] = here.namespace
        Atomics.store(header, HeaderWord.boot, here.boot)
      } else if (boot !== here.boot || namespace !== here.namespace) header[HeaderWord.namespace] = SEVERAL
      Atomics.add(header, HeaderWord.attachments, 1)
      this.#identity = identityIn(header)
    })
    this.#attachedTo = true
  }

  get identity(): Identity {
    return this.#identity
  }

  /** Whether any thread or process but its maker has ever had the arena. */
  get attachedTo(): boolean {
    if (Atomics.load(this.#options.directory.header, HeaderWord.attachments) > 0) this.#attachedTo = true
    return this.#attachedTo
  }

  /** Makes this thread the arena's owner, unless there is one that may be alive. Gives the one that was found dead. */
  takeOwnership(): ThreadId | undefined {
    const { directory, mapping } = this.#options
    const { headerRange } = directory
    return this.#lock.run(() => {
      const previous = readThreadId(headerRange, HEADER_OWNER)
      if (previous !== undefined && livenessOf(mapping, previous) !== 'dead') return undefined
      writeThreadId(headerRange, HEADER_OWNER, currentThread(mapping))
      return previous
    })
  }

  /** Leaves the arena without an owner, if this thread is its owner. Under the lock. */
  leaveOwnership(): void {
    const { directory, mapping } = this.#options
    const { headerRange } = directory
    const owner = readThreadId(headerRange, HEADER_OWNER)
    if (owner !== undefined && sameThread(owner, currentThread(mapping)))
      writeThreadId(headerRange, HEADER_OWNER, undefined)
  }

  /** Runs `run` under the lock, with the claims of others as they are now. Nested use throws ERR_ARENA_BUSY. */
  locked<R>(run: () => R): R {
    const { directory, others } = this.#options
    return this.#lock.run(() => {
      if (!directory.fresh) others.read()
      try {
        // `run` changes the directory and its copy together. A change by another makes the copy stale: it is not fresh then (format/directory.ts).
        return run()
      } catch (error) {
        directory.invalidate()
        throw error
      }
    })
  }

  /** The next time everything is read anew. */
  invalidate(): void {
    this.#options.directory.invalidate()
  }
}

function identityIn(header: Uint32Array): Identity {
  return [header[HeaderWord.identity] as number, header[HeaderWord.identity + 1] as number]
}
