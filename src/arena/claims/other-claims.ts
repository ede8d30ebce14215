/**
 * The claims in an arena's directory that this arena object does not hold: those of other threads and processes, and those that
 * nobody holds any more. This is the copy that is fast to search; who calls sees to it that it is read anew when the directory has
 * been changed.
 *
 *     ours     a holder of this arena object has it: it is not in here
 *     theirs   its holder is alive, or cannot be told from one who is
 *     left     its holder has left it, or has died: another may adopt it
 *
 * A claim of a holder that has died is freed when its range is wanted, unless it is lasting: then what is in it can be taken over,
 * and until somebody does, the range is taken. What lies inside a claim is not looked at, and goes with it.
 *
 * Whether a holder has died can be told in one namespace of processes only. When somebody from another one attaches, the header
 * says so, and from then on nobody is taken for dead.
 * @module
 */
import { CorruptedError } from '../../errors.ts'
import type { Ground } from '../ground.ts'
import { HeaderWord, type Layout } from '../layout.ts'
import { describeOwner, type Fate, tokenFate, tokenNumbers } from '../owner.ts'
import type { Directory, DirectoryEntry } from './directory.ts'
import { requireEntries } from './entries.ts'
import type { MetadataSpace } from './metadata-space.ts'
import { Ranges } from './ranges.ts'

/** A claim that this arena object does not hold. */
export class OtherClaim {
  readonly entry: number
  readonly said: DirectoryEntry
  readonly offset: number
  readonly byteLength: number
  readonly metadataOffset: number
  readonly metadataLength: number
  readonly #others: OtherClaims

  constructor(others: OtherClaims, entry: number, said: DirectoryEntry) {
    this.entry = entry
    this.said = said
    this.offset = said.offset
    this.byteLength = said.byteLength
    this.metadataOffset = said.metadataOffset
    this.metadataLength = said.metadataLength
    this.#others = others
  }

  /** Whether its holder has left it, or has died. */
  get isLeft(): boolean {
    return this.said.holder === 0n || this.isOrphaned
  }

  /** Whether its holder is known to be alive. */
  get isAlive(): boolean {
    return this.said.holder !== 0n && this.#others.fateOf(this.said.holder) === 'alive'
  }

  /** Whether its holder has died. */
  get isOrphaned(): boolean {
    return this.said.holder !== 0n && this.#others.fateOf(this.said.holder) === 'dead'
  }

  /** For messages. */
  describe(): string {
    const { kind, holder, byteLength, offset } = this.said
    const who = this.isLeft ? 'left by an earlier holder' : `of ${describeOwner(tokenNumbers(holder))}`
    return `${kind} (${byteLength} bytes at offset ${offset}, ${who})`
  }
}

export interface OtherClaimsOptions {
  readonly title: string
  readonly ground: Ground
  readonly layout: Layout
  readonly directory: Directory
  readonly space: MetadataSpace
  /** Whether a claim is ours, by its entry. */
  readonly isOwn: (entry: number) => boolean
}

export class OtherClaims {
  readonly #options: OtherClaimsOptions
  /** Those at the top level. */
  #top: Ranges<OtherClaim> = new Ranges()
  #entries: Map<number, DirectoryEntry> = new Map()

  constructor(options: OtherClaimsOptions) {
    this.#options = options
  }

  /** Reads the directory. Throws ERR_CORRUPTED, naming the entry, when it makes no sense. */
  read(): void {
    const { directory, space, title, isOwn, layout, ground } = this.#options
    const entries = directory.scan()
    requireEntries(entries, layout, ground.os.maxViewBytes)
    if (!space.retake(entries.values()))
      throw new CorruptedError(`${title}: the metadata of a claim in its directory overlaps another's`)
    this.#top = new Ranges()
    for (const [entry, said] of entries)
      if (!isOwn(entry) && said.around < 0) this.#top.add(new OtherClaim(this, entry, said))
    this.#entries = entries
  }

  /** Every one at the top level, by offset. */
  all(): OtherClaim[] {
    return this.#top.all()
  }

  /** The one that has a byte in common with the range, after those that died with their holders are freed. */
  overlapping(offset: number, byteLength: number): OtherClaim | undefined {
    for (;;) {
      const claim = this.#top.overlapping(offset, byteLength)
      if (claim === undefined || claim.said.lasting || !claim.isOrphaned) return claim
      this.#bury(claim.entry, claim.said)
      this.#top.remove(claim)
    }
  }

  /** Takes one out, which is ours from now on. What lay in it died with its holder, or was left. */
  take(claim: OtherClaim): void {
    this.#buryInside(claim.entry)
    this.#top.remove(claim)
  }

  /** What has become of the holder that a token stands for. */
  fateOf(token: bigint): Fate {
    const { directory, ground } = this.#options
    if (directory.header[HeaderWord.namespace] !== ground.os.threads.place().namespace) return 'unknown'
    return tokenFate(ground.os, token)
  }

  /** Frees a claim, and those inside it. */
  #bury(entry: number, { metadataOffset, metadataLength }: DirectoryEntry): void {
    const { directory, space } = this.#options
    this.#buryInside(entry)
    const metadata = space.buffer(metadataOffset, metadataLength)
    space.clear(metadataOffset, metadata)
    space.keep(metadataOffset, metadata)
    directory.remove(entry)
    space.give(metadataOffset, metadataLength)
    this.#entries.delete(entry)
  }

  #buryInside(entry: number): void {
    for (const [inner, said] of this.#entries) if (said.around === entry) this.#bury(inner, said)
  }
}
