/**
 * What is behind the pages of a mapping of the kernel, as far as `OsMapping` must know: how pages are given back so that they read zero,
 * and how they are made resident. Each kind of memory combines one way of each.
 *
 *                    purge                                               populate
 *     private        pages go                                            pages, as if written
 *     memory file    a hole in the file, for all; about 1 us a page      the same
 *     named file     a hole, whose blocks may then be others'            blocks, so that a full disk is an error; then the same
 *     mapped file    a hole                                              as if read: written, all would go to the disk
 *     its copy       private pages go, which shows the file again;       as if read: written, all would be copied
 *                    where that is not zero, zeros are written
 *
 * Dropping the pages of a shared file's mapping would free nothing, since the file would keep them. Where a file system has
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
import { type OwnFile, requireOurs } from './own-file.ts'

export interface Backing {
  /** Gives the pages of a range back as far as that can be done; the range reads zero afterwards. */
  purge(address: Address, byteLength: number): void
  /** Makes every page of a range resident and changes no content. What fails may leave part of the range resident. */
  populate(address: Address, byteLength: number): void
}

/** Where an arena's pages are, as a number that goes from thread to thread. */
export const BackingKind = { anonymous: 0, memoryFile: 1, namedFile: 2, mappedFile: 3, fileCopy: 4 } as const
export type BackingKind = (typeof BackingKind)[keyof typeof BackingKind]

/** One way to give pages back, or to make them resident. */
type PageCall = (address: Address, byteLength: number) => void

/** Private memory with nothing behind it. */
export function anonymousBacking(os: Os): Backing {
  return { purge: (address, byteLength) => os.purge(address, byteLength), populate: populateAsWritten(os) }
}

/** The pages of an arena of a certain kind, mapped at `base`. `dataStart`: where the data begins in the file. */
export function backingOf(kind: BackingKind, os: Os, file: OwnFile, base: Address, dataStart: number): Backing {
  if (kind === BackingKind.anonymous) return anonymousBacking(os)
  const populate = populateAsWritten(os)
  if (kind !== BackingKind.namedFile) return { purge: punchHole(os), populate }
  return {
    purge: punchHole(os),
    populate: (address, byteLength) => {
      // Only data is ever populated.
      requireOurs(os, file, 'fallocate')
      os.files.allocate(file.fd, dataStart + (address - base), byteLength)
      populate(address, byteLength)
    },
  }
}

/** The pages of a mapped file, by whether stores reach it. */
export function fileBackingOf(os: Os, shared: boolean): Backing {
  const populate: PageCall = (address, byteLength) => os.populateRead(address, byteLength)
  return { purge: shared ? punchHole(os) : showFileAndClear(os), populate }
}

function populateAsWritten(os: Os): PageCall {
  return (address, byteLength) => os.populate(address, byteLength)
}

/** For files that stores reach. Where the file system has no holes, zeros are written. */
function punchHole(os: Os): PageCall {
  return (address, byteLength) => {
    try {
      os.removePages(address, byteLength)
    } catch (error) {
      if (!isErrno(error, EOPNOTSUPP)) throw error
      writeZeros(os, address, byteLength)
    }
  }
}

/** For files that stores do not reach. */
function showFileAndClear(os: Os): PageCall {
  return (address, byteLength) => {
    os.advise(address, byteLength, 'dontneed')
    writeZeros(os, address, byteLength)
  }
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
