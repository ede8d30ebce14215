/**
 * How other threads and processes come to an arena whose memory is the kernel's: by the handle, by a descriptor, by a name.
 *
 *     kind            threads by handle     processes by                     name to unlink
 *     anonymous       yes                   ·                                ·
 *     memory file     yes                   descriptor, /proc/<pid>/fd/<n>   ·
 *     named file      yes                   path                             yes
 *     mapped file     ·                     mapping the same file            ·
 *     its copy        ·                     ·                                ·
 *
 * Addresses go into the table of threads (threads/thread-table.ts) and nowhere else.
 * @module
 */
import { UnsupportedOperationError } from '../../errors.ts'
import type { Os } from '../../ffi/os.ts'
import { PROCESS_ID } from '../../runtime.ts'
import type { Address } from '../../units.ts'
import type { Identity } from '../format/header.ts'
import type { Layout } from '../format/layout.ts'
import { BackingKind } from '../mapping/backing.ts'
import { type OwnFile, requireOurs } from '../mapping/own-file.ts'
import type { MappingOwner } from '../mapping/owner.ts'
import { ThreadOwner } from '../threads/thread-owner.ts'
import { ThreadTable } from '../threads/thread-table.ts'
import type { ArenaPlace } from './arena-place.ts'
import { type ArenaHandle, handleOf } from './handle.ts'
import { unlinkNamed } from './unlink.ts'

/** What is known of a mapping of the kernel. */
export interface OsPlaceFacts {
  readonly os: Os
  readonly base: Address
  readonly layout: Layout
  readonly kind: BackingKind
  readonly file: OwnFile
  /** The file's name; undefined when it has none. */
  readonly path: string | undefined
}

export class OsPlace implements ArenaPlace {
  readonly #facts: OsPlaceFacts
  /** This thread's part in the mapping, once other threads can have it. */
  #threads: ThreadOwner | undefined

  constructor(facts: OsPlaceFacts, threads?: ThreadOwner) {
    this.#facts = facts
    this.#threads = threads
  }

  get shared(): boolean {
    const { kind } = this.#facts
    return kind !== BackingKind.anonymous && kind !== BackingKind.fileCopy
  }

  get fd(): number | undefined {
    const { fd } = this.#facts.file
    return fd < 0 ? undefined : fd
  }

  get path(): string | undefined {
    const { kind, path } = this.#facts
    if (this.fd === undefined) return undefined
    return (kind === BackingKind.namedFile ? path : undefined) ?? `/proc/${PROCESS_ID}/fd/${this.fd}`
  }

  get hasOwner(): boolean {
    // A thread that attaches by handle finds an owner in its own process.
    return this.#facts.kind === BackingKind.namedFile && this.#threads === undefined
  }

  handle(): ArenaHandle | undefined {
    return this.#threads && handleOf(this.#facts.os, this.#threads.table, this.path)
  }

  requireInvitable(title: string): void {
    const { kind } = this.#facts
    if (kind === BackingKind.mappedFile || kind === BackingKind.fileCopy)
      throw new UnsupportedOperationError(
        `${title} has no handle: ${kind === BackingKind.fileCopy ? 'it is a copy of its own' : 'another thread maps the file, as another process does'}`
      )
  }

  invite(identity: Identity): MappingOwner {
    const { os, base, layout, kind, file } = this.#facts
    this.#threads = ThreadOwner.found(os, ThreadTable.create(os, { base, layout, kind, file, identity }))
    return this.#threads
  }

  unlink(title: string): boolean {
    const { os, kind, file, path } = this.#facts
    if (path === undefined || kind !== BackingKind.namedFile)
      throw new UnsupportedOperationError(`${title} has no name to unlink`)
    requireOurs(os, file, 'unlink')
    return unlinkNamed(os, path, file.fd)
  }
}
