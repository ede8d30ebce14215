/**
 * What is behind the pages of a mapping, as far as `Mapping` must know: how pages are given back so that they read zero, and how
 * they are made resident. One implementation for each kind of memory.
 *
 *                    purge                                               populate
 *     private        pages go                                            pages, as if written
 *     memory file    a hole in the file, for all; about 1 us a page      the same
 *     named file     a hole, whose blocks may then be others'            blocks, so that a full disk is an error; then the same
 *     mapped file    a hole                                              as if read: written, all would go to the disk
 *     its copy       private pages go, which shows the file again;       as if read: written, all would be copied
 *                    where that is not zero, zeros are written
 *
 * Of a shared file it would free nothing to drop the pages of the mapping, since the file would keep them. Where a file system has
 * no holes, zeros are written: page by page and only where there are none, some 0.2 us a page. A hole that is only read becomes a
 * page: unlike private memory, a file has no shared page of zeros.
 *
 * All ranges are whole pages of one mapping. A call that throws has changed nothing, unless it says otherwise.
 * @module
 */
import { EOPNOTSUPP, isErrno } from '../../ffi/errno.ts'
import type { Os } from '../../ffi/os.ts'
import { type Address, MiB } from '../../units.ts'
import type { Layout } from '../format/layout.ts'

export interface Backing {
  /** Gives the pages of a range back as far as that can be done; the range reads zero afterwards. */
  purge(address: Address, byteLength: number): void
  /** Makes every page of a range resident and changes no content. What fails may leave part of the range resident. */
  populate(address: Address, byteLength: number): void
}

/** Where an arena's pages are, as a number that goes from thread to thread. */
export const BackingKind = { anonymous: 0, memoryFile: 1, namedFile: 2, mappedFile: 3, fileCopy: 4 } as const
export type BackingKind = (typeof BackingKind)[keyof typeof BackingKind]

/** Private memory with nothing behind it. */
export class AnonymousBacking implements Backing {
  protected readonly os: Os

  constructor(os: Os) {
    this.os = os
  }

  purge(address: Address, byteLength: number): void {
    this.os.purge(address, byteLength)
  }

  populate(address: Address, byteLength: number): void {
    this.os.populate(address, byteLength)
  }
}

/** A file that stores reach. */
class SharedFileBacking extends AnonymousBacking {
  override purge(address: Address, byteLength: number): void {
    try {
      this.os.removePages(address, byteLength)
    } catch (error) {
      if (!isErrno(error, EOPNOTSUPP)) throw error
      writeZeros(this.os, address, byteLength)
    }
  }
}

/** The file behind `fd`, mapped at `base`: the metadata is first in the file, and last in the mapping. */
class NamedFileBacking extends SharedFileBacking {
  readonly #fd: number
  readonly #base: Address
  readonly #layout: Layout

  constructor(os: Os, fd: number, base: Address, layout: Layout) {
    super(os)
    this.#fd = fd
    this.#base = base
    this.#layout = layout
  }

  override populate(address: Address, byteLength: number): void {
    // Only data is ever populated.
    this.os.files.allocate(this.#fd, this.#layout.metadataBytes + (address - this.#base), byteLength)
    super.populate(address, byteLength)
  }
}

/** A file that was mapped for itself, and the arena in it. */
class MappedFileBacking extends SharedFileBacking {
  override populate(address: Address, byteLength: number): void {
    this.os.populateRead(address, byteLength)
  }
}

/** A file that stores do not reach. */
class FileCopyBacking extends MappedFileBacking {
  override purge(address: Address, byteLength: number): void {
    this.os.advise(address, byteLength, 'dontneed')
    writeZeros(this.os, address, byteLength)
  }
}

/** The pages of an arena of a certain kind. */
export function backingOf(kind: BackingKind, os: Os, fd: number, base: Address, layout: Layout): Backing {
  if (kind === BackingKind.namedFile) return new NamedFileBacking(os, fd, base, layout)
  return kind === BackingKind.memoryFile ? new SharedFileBacking(os) : new AnonymousBacking(os)
}

/** The pages of a mapped file, by whether stores reach it. */
export function fileBackingOf(os: Os, shared: boolean): Backing {
  return shared ? new MappedFileBacking(os) : new FileCopyBacking(os)
}

/** A buffer for filling is as long as this at most. */
const PART_BYTES = 64 * MiB

/** As many zeros as the largest page has. */
const zeros = new Uint8Array(65536)

/** Writes zeros into the pages that do not read zero. */
function writeZeros(os: Os, address: Address, byteLength: number): void {
  for (let done = 0; done < byteLength; done += PART_BYTES) {
    const part = Math.min(PART_BYTES, byteLength - done)
    const buffer = os.view((address + done) as Address, part)
    for (let at = 0; at < part; at += os.pageSize) fillZero(new Uint8Array(buffer, at, os.pageSize))
  }
}

/** Fills bytes with zeros, of one page at most, unless they are zeros: a page never written stays as it is. */
export function fillZero(bytes: Uint8Array): void {
  if (Buffer.compare(bytes, zeros.subarray(0, bytes.length)) !== 0) bytes.fill(0)
}
