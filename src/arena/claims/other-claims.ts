/**
 * The claims in an arena's directory that this arena object does not hold: those of other threads and processes, and those that
 * were left. This is the copy that is fast to search; the caller sees to it that it is read anew when the directory has been
 * changed.
 *
 *     ours     a holder of this arena object has the claim: it is not in here
 *     theirs   its holder is alive, or may be alive: this process cannot tell
 *     left     its holder has left it, or has died: another may adopt it
 *
 * A claim whose holder has died is freed when its range is wanted. A lasting one is not: it keeps its range until an allocator adopts it.
 * Claims inside a claim are not adopted by themselves; they go with it.
 *
 * A process can tell whether a holder has died only inside one namespace of processes. When a process from another namespace attaches,
 * it notes so in the header; from then on no holder of this boot is taken for dead. Holders of an earlier boot are dead.
 *
 * A directory that others have written may hold 65,532 claims, nested to any depth. Work on many of them takes time in proportion to
 * their number, without recursion, and asks about each thread once.
 * @module
 */
import { CorruptedError } from '../../errors.ts'
import type { Directory } from '../format/directory.ts'
import type { DirectoryEntry } from '../format/entry-format.ts'
import { HeaderWord, type Layout } from '../format/layout.ts'
import {
  describeThread,
  type Liveness,
  packedLivenessIn,
  type ThreadsSeen,
  unpackNumbers,
} from '../format/thread-id.ts'
import { type Numbered, requireEntries } from '../format/verify-entries.ts'
import type { Mapping } from '../mapping/mapping.ts'
import { Ranges } from '../ranges.ts'
import type { MetadataSpace } from './metadata-space.ts'

/** A claim that this arena object does not hold. */
export class OtherClaim {
  readonly index: number
  readonly entry: DirectoryEntry
  readonly offset: number
  readonly byteLength: number
  readonly metadataOffset: number
  readonly metadataLength: number
  readonly #others: OtherClaims

  constructor(others: OtherClaims, index: number, entry: DirectoryEntry) {
    this.index = index
    this.entry = entry
    this.offset = entry.offset
    this.byteLength = entry.byteLength
    this.metadataOffset = entry.metadataOffset
    this.metadataLength = entry.metadataLength
    this.#others = others
  }

  /** Whether its holder has left it, or has died. */
  get isLeft(): boolean {
    return this.entry.holder === 0n || this.isOrphaned
  }

  /** Whether its holder is known to be alive. */
  get isAlive(): boolean {
    return this.entry.holder !== 0n && this.#others.livenessOfHolder(this.entry.holder) === 'alive'
  }

  /** Whether its holder has died. */
  get isOrphaned(): boolean {
    return this.entry.holder !== 0n && this.#others.livenessOfHolder(this.entry.holder) === 'dead'
  }

  /** For messages. */
  describe(): string {
    const { kind, holder, byteLength, offset } = this.entry
    const state = this.isLeft ? 'left by an earlier holder' : `of ${describeThread(unpackNumbers(holder))}`
    return `${kind} (${byteLength} bytes at offset ${offset}, ${state})`
  }
}

export interface OtherClaimsOptions {
  readonly title: string
  readonly mapping: Mapping
  readonly layout: Layout
  readonly directory: Directory
  readonly space: MetadataSpace
  /** Whether a claim is ours, by its entry. */
  readonly isOwn: (index: number) => boolean
}

export class OtherClaims {
  readonly #options: OtherClaimsOptions
  /** Those at the top level. */
  #top: Ranges<OtherClaim> = new Ranges()
  /** The claims in blocks of others', by the entry of the claim around them. */
  #inside: Map<number, Numbered[]> = new Map()
  /** Threads that have been looked at in this call. */
  #threads: ThreadsSeen = new Map()

  constructor(options: OtherClaimsOptions) {
    this.#options = options
  }

  /** Reads the directory. Throws ERR_CORRUPTED, naming the entry, when it makes no sense. */
  read(): void {
    const { directory, space, title, isOwn, layout, mapping } = this.#options
    directory.scan(isOwn, (entries) => {
      const { top, metadata } = requireEntries(entries, layout, mapping.maxViewBytes)
      if (!space.retake(metadata))
        throw new CorruptedError(`${title}: the metadata of a claim in its directory overlaps another's`)
      const others = top.filter(([index]) => !isOwn(index))
      this.#top = new Ranges(others.map(([index, entry]) => new OtherClaim(this, index, entry)))
      this.#inside = new Map()
      for (const [index, entry] of entries) {
        if (entry.around < 0) continue
        const siblings = this.#inside.get(entry.around)
        if (siblings === undefined) this.#inside.set(entry.around, [[index, entry]])
        else siblings.push([index, entry])
      }
    })
  }

  /** Every one at the top level, by offset. */
  all(): OtherClaim[] {
    this.#threads.clear()
    return this.#top.all()
  }

  /** The first that has a byte in common with the range, after those below it that died with their holders are freed. */
  overlapping(offset: number, byteLength: number): OtherClaim | undefined {
    this.#threads.clear()
    const all = this.#top.allOverlapping(offset, byteLength)
    const found = all.findIndex((claim) => claim.entry.lasting || !claim.isOrphaned)
    const dead = found < 0 ? all : all.slice(0, found)
    if (dead.length > 0) {
      this.#release(dead.map(({ index, entry }) => [index, entry]))
      this.#top.removeAll(new Set(dead))
    }
    return all[found]
  }

  /** Takes one out, which is ours from now on. What lay in it died with its holder, or was left. */
  take(claim: OtherClaim): void {
    this.#release(this.#inside.get(claim.index) ?? [])
    this.#inside.delete(claim.index)
    this.#top.remove(claim)
  }

  /** The liveness of a holder. */
  livenessOf(packed: bigint): Liveness {
    return packedLivenessIn(this.#options.mapping, packed, this.#place())
  }

  /** The same of a claim's holder; a thread that was looked at in the same call is not looked at again. */
  livenessOfHolder(packed: bigint): Liveness {
    return packedLivenessIn(this.#options.mapping, packed, this.#place(), this.#threads)
  }

  /** In which boot and namespace the arena's processes are, by its header. */
  #place(): { boot: number; namespace: number } {
    const { header } = this.#options.directory
    return { boot: header[HeaderWord.boot] as number, namespace: header[HeaderWord.namespace] as number }
  }

  /** Frees claims, and all that is inside them. */
  #release(claims: readonly Numbered[]): void {
    if (claims.length === 0) return
    const { directory, space } = this.#options
    const buried: Numbered[] = [...claims]
    // The array grows while it is walked.
    for (const [index] of buried) {
      for (const inner of this.#inside.get(index) ?? []) buried.push(inner)
      this.#inside.delete(index)
    }
    space.giveAll(
      buried.map(([, { metadataOffset, metadataLength }]) => ({ offset: metadataOffset, byteLength: metadataLength }))
    )
    // Inner ones first: an entry without the one around it would make no sense to the next reader.
    for (const [index] of buried.reverse()) directory.remove(index)
  }
}
