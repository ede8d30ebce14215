/**
 * What is behind the pages of a mapping of the kernel, as far as `OsMapping` must know: how pages are given back so that they read zero, and how
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
import { fillZero } from './mapping.ts'

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

/** The file behind `fd`, whose byte at `dataStart` is mapped at `base`: there the data begins. */
class NamedFileBacking extends SharedFileBacking {
  readonly #fd: number
  readonly #base: Address
  readonly #dataStart: number

  constructor(os: Os, fd: number, base: Address, dataStart: number) {
    super(os)
    this.#fd = fd
    this.#base = base
    this.#dataStart = dataStart
  }

  override populate(address: Address, byteLength: number): void {
    // Only data is ever populated.
    this.os.files.allocate(this.#fd, this.#dataStart + (address - this.#base), byteLength)
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

/** The pages of an arena of a certain kind. `dataStart`: where the data begins in its file. */
export function backingOf(kind: BackingKind, os: Os, fd: number, base: Address, dataStart: number): Backing {
  if (kind === BackingKind.namedFile) return new NamedFileBacking(os, fd, base, dataStart)
  return kind === BackingKind.memoryFile ? new SharedFileBacking(os) : new AnonymousBacking(os)
}

/** The pages of a mapped file, by whether stores reach it. */
export function fileBackingOf(os: Os, shared: boolean): Backing {
  return shared ? new MappedFileBacking(os) : new FileCopyBacking(os)
}

/** A buffer for filling is as long as this at most. */
const PART_BYTES = 64 * MiB

/** Writes zeros into the pages that do not read zero. */
function writeZeros(os: Os, address: Address, byteLength: number): void {
  for (let done = 0; done < byteLength; done += PART_BYTES) {
    const part = Math.min(PART_BYTES, byteLength - done)
    const buffer = os.view((address + done) as Address, part)
    for (let at = 0; at < part; at += os.pageSize) fillZero(new Uint8Array(buffer, at, os.pageSize))
  }
}
