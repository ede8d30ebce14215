/**
 * What is behind the pages of a mapped file, for the arena in it.
 *
 *     shared ('write')     purge: a hole in the file. Where the file system has none, zeros are written.
 *     private ('copy')     purge: the private pages go, which shows the file again; where that is not zero, zeros are written.
 *                          So memory comes back for what the file does not have, and no more.
 *
 * To populate is to read: as if written, every page would be copied, or written back to the disk without need. Zeros are written
 * page by page and only where there are none, some 0.2 us a page.
 * @module
 */
import { SystemError } from '../../errors.ts'
import { EOPNOTSUPP } from '../../ffi/errno.ts'
import type { Os } from '../../ffi/os.ts'
import { type Address, MiB } from '../../units.ts'
import type { Backing } from '../backing.ts'
import { fillZero } from '../ground.ts'
import type { FileMode } from './file-options.ts'

/** The backing of a file that is mapped in a mode. */
export function backingFor(mode: FileMode, os: Os): Backing {
  return mode === 'write' ? new SharedFileBacking(os) : new PrivateFileBacking(os)
}

/** A buffer for filling is as long as this at most. */
const PART_BYTES = 64 * MiB

abstract class FileBacking implements Backing {
  protected readonly os: Os

  constructor(os: Os) {
    this.os = os
  }

  abstract purge(address: Address, byteLength: number): void

  populate(address: Address, byteLength: number): void {
    this.os.populateRead(address, byteLength)
  }

  /** Writes zeros into the pages that do not read zero. */
  protected fill(address: Address, byteLength: number): void {
    const { pageSize } = this.os
    for (let done = 0; done < byteLength; done += PART_BYTES) {
      const part = Math.min(PART_BYTES, byteLength - done)
      const buffer = this.os.view((address + done) as Address, part)
      for (let at = 0; at < part; at += pageSize) fillZero(new Uint8Array(buffer, at, pageSize))
    }
  }
}

/** A file that stores reach. */
class SharedFileBacking extends FileBacking {
  purge(address: Address, byteLength: number): void {
    try {
      this.os.removePages(address, byteLength)
    } catch (error) {
      if (!(error instanceof SystemError) || error.errno !== -EOPNOTSUPP) throw error
      this.fill(address, byteLength)
    }
  }
}

/** A file that stores do not reach. */
class PrivateFileBacking extends FileBacking {
  purge(address: Address, byteLength: number): void {
    this.os.advise(address, byteLength, 'dontneed')
    this.fill(address, byteLength)
  }
}
