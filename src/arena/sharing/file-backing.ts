/**
 * Pages that are a file's, mapped so that everybody who maps it sees the same: what is given back is a hole in the file, for all.
 * Dropping the pages of the mapping would free nothing, since the file would keep them.
 *
 *                   purge                                     populate
 *     memory file   a hole, about 1 us a page                 pages
 *     named file    a hole, whose blocks may then be others'  blocks first, so that a full disk is an error; then pages
 *
 * A hole that is only read becomes a page: unlike private memory, a file has no shared page of zeros.
 * @module
 */
import type { Os } from '../../ffi/os.ts'
import type { Address } from '../../units.ts'
import { AnonymousBacking, type Backing } from '../backing.ts'
import type { Layout } from '../layout.ts'

/** Where an arena's pages are, as a number that goes from thread to thread. */
export const BackingKind = { anonymous: 0, memoryFile: 1, namedFile: 2, mappedFile: 3, fileCopy: 4 } as const
export type BackingKind = (typeof BackingKind)[keyof typeof BackingKind]

/** Pages of a sealed file in memory. */
export class MemoryFileBacking implements Backing {
  readonly #os: Os

  constructor(os: Os) {
    this.#os = os
  }

  purge(address: Address, byteLength: number): void {
    this.#os.removePages(address, byteLength)
  }

  populate(address: Address, byteLength: number): void {
    this.#os.populate(address, byteLength)
  }
}

/** Pages of the file behind `fd`, mapped at `base`: the metadata is first in the file, and last in the mapping. */
export class NamedFileBacking implements Backing {
  readonly #os: Os
  readonly #fd: number
  readonly #base: Address
  readonly #layout: Layout

  constructor(os: Os, fd: number, base: Address, layout: Layout) {
    this.#os = os
    this.#fd = fd
    this.#base = base
    this.#layout = layout
  }

  purge(address: Address, byteLength: number): void {
    this.#os.removePages(address, byteLength)
  }

  populate(address: Address, byteLength: number): void {
    // Only data is ever populated.
    this.#os.files.allocate(this.#fd, this.#layout.metadataBytes + (address - this.#base), byteLength)
    this.#os.populate(address, byteLength)
  }
}

/** The pages of a mapping of a certain kind. */
export function backingOf(kind: BackingKind, os: Os, fd: number, base: Address, layout: Layout): Backing {
  if (kind === BackingKind.namedFile) return new NamedFileBacking(os, fd, base, layout)
  return kind === BackingKind.memoryFile ? new MemoryFileBacking(os) : new AnonymousBacking(os)
}
