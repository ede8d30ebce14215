/**
 * What an arena's claims have to do with others, once there can be any: the lock on the directory, and the claims in it that are
 * not ours. They are read anew when the directory has changed; a look at one word tells whether it has.
 *
 * A claim of a holder that has died is freed when its range is wanted, unless it is lasting: then what is in it can be taken over,
 * and until somebody does, the range is taken.
 *
 * Whether a holder has died can be told in one namespace of processes only. When somebody from another one attaches, the header
 * says so, and from then on nobody is taken for dead.
 * @module
 */
import { CorruptedError } from '../../errors.ts'
import type { Ground } from '../ground.ts'
import { type Identity, writeIdentity } from '../header.ts'
import { HEADER_LOCK, HEADER_OWNER, HeaderWord, type Layout } from '../layout.ts'
import {
  currentOwner,
  type Fate,
  fateOf,
  type Owner,
  readOwner,
  sameOwner,
  tokenFate,
  tokenOf,
  writeOwner,
} from '../owner.ts'
import { Lock } from '../sharing/lock.ts'
import type { Directory, DirectoryEntry } from './directory.ts'
import type { MetadataSpace } from './metadata-space.ts'
import { Ranges } from './ranges.ts'

/** In the header's word for it: processes of more than one namespace have the arena. */
const SEVERAL = 0xffffffff

/** A claim that this arena object does not hold. */
export interface ForeignClaim extends DirectoryEntry {
  readonly entry: number
  /** For messages. */
  describe(): string
}

export interface SharedClaimsOptions {
  readonly title: string
  readonly ground: Ground
  readonly layout: Layout
  readonly directory: Directory
  readonly space: MetadataSpace
  /** Whether a claim is ours, by its entry. */
  readonly isOwn: (entry: number) => boolean
}

export class SharedClaims {
  /** This thread, as the directory names it. */
  readonly token: bigint
  readonly #options: SharedClaimsOptions
  readonly #lock: Lock
  /** Of those that overlap none but claims inside them. */
  #foreign: Ranges<ForeignClaim> = new Ranges()
  #entries: Map<number, DirectoryEntry> = new Map()
  /** The directory's generation that both are true for. */
  #seen = -1

  constructor(options: SharedClaimsOptions) {
    const { title, ground, layout, directory } = options
    const { os } = ground
    this.#options = options
    this.token = tokenOf(currentOwner(os))
    this.#lock = new Lock({
      title,
      os,
      address: ground.address(layout.metadataStart + HEADER_LOCK),
      word: directory.lockWord,
      token: this.token,
      fateOf: (token) => this.#fateOf(token),
    })
  }

  /** Makes the arena one that others can have, before any of them has. Claims that there are become this thread's. */
  found(identity: Identity, own: Iterable<number>): void {
    const { directory, ground } = this.#options
    // A named file had it before it had its name: others may be there already.
    if (this.identity[0] !== identity[0] || this.identity[1] !== identity[1])
      writeIdentity(directory.header.buffer, identity, ground.os.place())
    for (const entry of own) directory.hold(entry, this.token)
  }

  /** Counts us in. Where we are is compared with where the others are, or were. */
  attach(): void {
    this.#lock.run(() => {
      const { header } = this.#options.directory
      const here = this.#options.ground.os.place()
      const boot = header[HeaderWord.boot] as number
      if (boot !== here.boot && boot !== 0 && here.boot !== 0) {
        // Everybody from before is gone with that start of the machine.
        header[HeaderWord.boot] = here.boot
        header[HeaderWord.namespace] = here.namespace
      } else if (boot !== here.boot || header[HeaderWord.namespace] !== here.namespace)
        header[HeaderWord.namespace] = SEVERAL
      Atomics.add(header, HeaderWord.attachments, 1)
    })
  }

  get identity(): Identity {
    const { header } = this.#options.directory
    return [header[HeaderWord.identity] as number, header[HeaderWord.identity + 1] as number]
  }

  /** Whether anybody but its maker has ever had the arena. */
  get attachedTo(): boolean {
    return Atomics.load(this.#options.directory.header, HeaderWord.attachments) > 0
  }

  /** Makes this thread the arena's owner, unless there is one that may be alive. Gives the one that was found dead. */
  takeOwnership(): Owner | undefined {
    const { directory, ground } = this.#options
    const { buffer } = directory.header
    return this.#lock.run(() => {
      const previous = readOwner(buffer, HEADER_OWNER)
      if (previous !== undefined && fateOf(ground.os, previous) !== 'dead') return undefined
      writeOwner(buffer, HEADER_OWNER, currentOwner(ground.os))
      return previous
    })
  }

  /** Makes nobody the arena's owner, if this thread is. */
  giveOwnershipUp(): void {
    const { directory, ground } = this.#options
    const { buffer } = directory.header
    this.#lock.run(() => {
      const owner = readOwner(buffer, HEADER_OWNER)
      if (owner !== undefined && sameOwner(owner, currentOwner(ground.os))) writeOwner(buffer, HEADER_OWNER, undefined)
    })
  }

  /** Runs `run` under the lock, with the claims of others as they are now. Not to be nested. */
  locked<R>(run: () => R): R {
    return this.#lock.run(() => {
      this.#refresh()
      const result = run()
      // What was changed meanwhile was our own doing.
      this.#seen = this.#options.directory.generation
      return result
    })
  }

  /** The next time everything is read anew. */
  invalidate(): void {
    this.#seen = -1
  }

  /** The claim of another that has a byte in common with the range, after those of the dead are freed. Under the lock. */
  overlapping(offset: number, byteLength: number): ForeignClaim | undefined {
    for (;;) {
      const claim = this.#foreign.overlapping(offset, byteLength)
      if (claim === undefined || claim.lasting || claim.holder === 0n) return claim
      if (this.#fateOf(claim.holder) !== 'dead') return claim
      this.#bury(claim)
      this.#foreign.remove(claim)
    }
  }

  /** Reads the directory if others have changed it. Throws ERR_CORRUPTED, naming the entry, when it makes no sense. */
  #refresh(): void {
    const { directory, space, title, isOwn } = this.#options
    if (directory.generation === this.#seen) return
    const entries = directory.scan()
    const foreign = new Ranges<ForeignClaim>()
    for (const [entry, claim] of entries) {
      this.#require(entry, claim)
      if (!isOwn(entry) && !entries.has(claim.around)) foreign.add(described(entry, claim))
    }
    if (!space.retake(entries.values()))
      throw new CorruptedError(`${title}: the metadata of a claim in its directory overlaps another's`)
    this.#foreign = foreign
    this.#entries = entries
  }

  /** Frees a claim of the dead, and those inside it. */
  #bury(claim: ForeignClaim): void {
    const { directory, space } = this.#options
    for (const [entry, inner] of this.#entries) if (inner.around === claim.entry) this.#bury(described(entry, inner))
    const { entry, metadataOffset, metadataLength } = claim
    const metadata = space.buffer(metadataOffset, metadataLength)
    space.clear(metadataOffset, metadata)
    space.keep(metadataOffset, metadata)
    directory.remove(entry)
    space.give(metadataOffset, metadataLength)
    this.#entries.delete(entry)
  }

  #fateOf(token: bigint): Fate {
    const { directory, ground } = this.#options
    if (directory.header[HeaderWord.namespace] !== ground.os.place().namespace) return 'unknown'
    return tokenFate(ground.os, token)
  }

  #require(entry: number, claim: DirectoryEntry): void {
    const { layout, title } = this.#options
    const { offset, byteLength } = claim
    const inside = offset >= 0 && byteLength > 0 && offset + byteLength <= layout.byteLength
    if (!inside || offset % 8 !== 0 || byteLength % 8 !== 0)
      throw new CorruptedError(
        `${title}: entry ${entry} of its directory: a claim of ${byteLength} bytes at offset ${offset}`
      )
  }
}

function described(entry: number, claim: DirectoryEntry): ForeignClaim {
  return { ...claim, entry, describe: () => `${claim.kind} (${claim.byteLength} bytes at offset ${claim.offset})` }
}
