/**
 * What an arena's pages are made of: the calls to the kernel that are not the same for every kind.
 *
 *                   purge                        populate
 *     anonymous     pages dropped                pages taken
 *     memory file   a hole in the file, for all  pages taken
 *     named file    a hole in the file, for all  blocks first, so that a full disk is an error; then pages
 *
 * Dropping the pages of a shared mapping would free nothing: the file would keep them. A hole costs about 1 us a page.
 * @module
 */
import type { Os } from '../ffi/os.ts'
import type { Address } from '../units.ts'
import type { Layout } from './layout.ts'

/** One kind of pages. Ranges are whole pages of one mapping. */
export interface Backing {
  readonly kind: BackingKind
  /** Gives pages back to the kernel; they read zero afterwards, for everybody who maps them. */
  purge(os: Os, address: Address, byteLength: number): void
  /** Makes pages resident. */
  populate(os: Os, address: Address, byteLength: number): void
}

/** The kinds, as numbers that go from thread to thread. */
export const BackingKind = { anonymous: 0, memoryFile: 1, namedFile: 2 } as const
export type BackingKind = (typeof BackingKind)[keyof typeof BackingKind]

/** Pages of this process alone. */
export const anonymous: Backing = {
  kind: BackingKind.anonymous,
  purge: (os, address, byteLength) => os.purge(address, byteLength),
  populate: (os, address, byteLength) => os.populate(address, byteLength),
}

/** Pages of a sealed file in memory. */
export const memoryFile: Backing = {
  kind: BackingKind.memoryFile,
  purge: (os, address, byteLength) => os.removePages(address, byteLength),
  populate: (os, address, byteLength) => os.populate(address, byteLength),
}

/** Pages of the file behind `fd`, mapped at `base`: the metadata first in the file, last in the mapping. */
export function namedFile(fd: number, base: Address, layout: Layout): Backing {
  return {
    kind: BackingKind.namedFile,
    purge: (os, address, byteLength) => os.removePages(address, byteLength),
    populate(os, address, byteLength) {
      // Only data is ever populated.
      os.allocateBlocks(fd, layout.metadataBytes + (address - base), byteLength)
      os.populate(address, byteLength)
    },
  }
}

/** The pages of a mapping of a certain kind. */
export function backingOf(kind: BackingKind, fd: number, base: Address, layout: Layout): Backing {
  if (kind === BackingKind.namedFile) return namedFile(fd, base, layout)
  return kind === BackingKind.memoryFile ? memoryFile : anonymous
}
