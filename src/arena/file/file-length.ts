/**
 * Making a file longer, with room for it on the disk: a store to a page that has none would end the process (SIGBUS) when the disk
 * is full, so what is added is allocated first, and a full disk is ENOSPC.
 *
 *     page      |                    |                    |
 *     file      |=========|          |                    |
 *               |         └ old end  |                    └ new end
 *               |         |  cleared |
 *
 * The kernel keeps whole pages in memory, and a stray store behind the old end is in there. Disk file systems clear those bytes
 * when a file grows; tmpfs does not, so it is done here.
 * @module
 */
import { alignUp } from '../../bits.ts'
import type { Os } from '../../ffi/os.ts'

/**
 * Makes a file of `fileEnd` bytes `end` bytes long, and gives its new bytes from `from` on blocks. What fails leaves the file as
 * it was.
 */
export function lengthenFile(os: Os, fd: number, fileEnd: number, from: number, end: number): void {
  const { files, pageSize } = os
  const start = Math.max(fileEnd, from)
  try {
    files.allocate(fd, start, end - start)
    clearStrays(os, fd, fileEnd, Math.min(alignUp(fileEnd, pageSize), end))
  } catch (error) {
    shortenAgain(os, fd, fileEnd)
    throw error
  }
}

/** Takes back what was added to a file, as far as that can be done: there is an error to report already. */
export function shortenAgain(os: Os, fd: number, fileEnd: number): void {
  try {
    if (os.files.status(fd).byteLength > fileEnd) os.files.truncate(fd, fileEnd)
  } catch {
    // It stays longer, with zeros.
  }
}

function clearStrays(os: Os, fd: number, from: number, to: number): void {
  if (from === to) return
  const bytes = new Uint8Array(to - from)
  os.files.read(fd, bytes, from)
  if (bytes.some((byte) => byte !== 0)) os.files.write(fd, bytes.fill(0), from)
}
