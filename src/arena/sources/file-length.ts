/**
 * Making a file longer, with room for it on the disk: a store to a page that has none would end the process (SIGBUS) when the disk
 * is full, so what is added is allocated first, and a full disk is ENOSPC.
 *
 *     page      |                    |                    |
 *     file      |=========|          |                    |
 *               |         └ old end  |                    └ new end
 *               |         |  cleared |
 *
 * First all that can be refused (is it a file that can be mapped, and written?), then the blocks, beyond the end, where no reader sees
 * them; the length comes last, and in one step that never makes a file shorter. So nothing has to be taken back, which could cut
 * what another process has added and mapped meanwhile. What is refused on the way leaves the length as it was. Blocks that were
 * given by then stay, until the file is made longer or truncated: no call of the kernel gives them back without a risk for others.
 * It happens only when the disk fills up within the same moment, or by a quota: what is free is asked for first.
 *
 * The kernel keeps whole pages in memory, and a stray store behind the old end is in there. Disk file systems clear those bytes
 * when a file grows; tmpfs does not, so it is done here.
 * @module
 */
import { alignDown, alignUp } from '../../bits.ts'
import { UnsupportedOperationError } from '../../errors.ts'
import { EOPNOTSUPP, isErrno } from '../../ffi/errno.ts'
import type { Os } from '../../ffi/os.ts'
import type { Address } from '../../units.ts'

/** A file that is to be longer. */
export interface Growth {
  readonly os: Os
  /** For messages. */
  readonly title: string
  readonly fd: number
  /** Its length as it was found. */
  readonly fileEnd: number
  /** From where on it gets blocks, if that is behind its end. */
  readonly from: number
  /** The length that it is to have. */
  readonly end: number
}

/** Does all of it but the length. Changes no byte of the file and nothing that others can see. */
export function prepareGrowth(growth: Growth): void {
  const { os, fd, fileEnd, from, end } = growth
  requireMappable(growth)
  const start = Math.max(fileEnd, from)
  try {
    os.files.allocate(fd, start, end - start)
  } catch (error) {
    // Then zeros are written when the length is set.
    if (!isErrno(error, EOPNOTSUPP)) throw error
  }
}

/** Sets the length; a file that others have made longer by now keeps theirs. */
export function finishGrowth({ os, fd, end }: Growth): void {
  os.files.extend(fd, end)
}

/** Throws unless the file can be mapped for writing and is more than a view of the kernel's state; clears what strays are behind its end. */
function requireMappable(growth: Growth): void {
  const { os, title, fd, fileEnd } = growth
  const { pageSize } = os
  if (os.files.fileSystem(fd) === 'pseudo')
    throw new UnsupportedOperationError(
      `${title} is on a file system that the kernel makes up, and cannot be made longer: nothing was written`
    )
  const address = os.reserve(pageSize, pageSize)
  try {
    os.mapFile(address, pageSize, fd, alignDown(fileEnd, pageSize), 'shared', 'read-write')
    if (fileEnd % pageSize !== 0) clearStrays(growth, address)
  } finally {
    releaseAgain(os, address)
  }
}

/** Gives the page back. Refused once (too many mappings), it is tried again: what is left would be out of reach. */
function releaseAgain(os: Os, address: Address): void {
  try {
    os.release(address, os.pageSize)
  } catch {
    os.release(address, os.pageSize)
  }
}

/** `address`: the page that the file ends in. */
function clearStrays({ os, fd, fileEnd, end }: Growth, address: Address): void {
  const { files, pageSize } = os
  const bytes = new Uint8Array(pageSize - (fileEnd % pageSize))
  os.copyOut((address + pageSize - bytes.length) as Address, bytes.length, bytes)
  // A file that is longer by now has had them cleared, and its new bytes belong to the process that made it so.
  if (bytes.every((byte) => byte === 0) || files.status(fd).byteLength !== fileEnd) return
  const stop = Math.min(alignUp(fileEnd, pageSize), end)
  try {
    files.clear(fd, fileEnd, stop - fileEnd)
  } catch (error) {
    if (!isErrno(error, EOPNOTSUPP)) throw error
    files.write(fd, new Uint8Array(stop - fileEnd), fileEnd)
  }
}
