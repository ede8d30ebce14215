/**
 * The file behind a mapping, by its descriptor. The number is public (`arena.fd`, /proc), so other code of the process can close it, and the
 * next file that is opened gets the number: then it is nothing of ours to close, to write to, or to take the name from.
 *
 *     mark = hash of the file's device and inode, 52 bits, taken when the file is mapped;  0 without a file
 *     ours = the descriptor's file has that mark now
 *
 * The mapping keeps the file alive, so no other file has its numbers meanwhile. The mark is a number, so that it fits into the table that the
 * threads of the process have in common (threads/table-memory.ts). Cost: a call of the kernel, 1 us.
 * @module
 */
import { createHash } from 'node:crypto'
import { EBADF, fileError, isErrno } from '../../ffi/errno.ts'
import type { Os } from '../../ffi/os.ts'

/** A descriptor, or -1, and the mark of what it led to when it was mapped. */
export interface OwnFile {
  readonly fd: number
  readonly mark: number
}

export const NO_FILE: OwnFile = { fd: -1, mark: 0 }

export function ownFile(os: Os, fd: number): OwnFile {
  return fd < 0 ? NO_FILE : { fd, mark: markOf(os, fd) }
}

function markOf(os: Os, fd: number): number {
  const hash = createHash('sha256').update(os.files.status(fd).identity).digest()
  return hash.readUIntBE(0, 6) * 16 + ((hash[6] as number) & 15)
}

/** Whether the descriptor leads to the file still. Throws what else the kernel refuses. */
function leadsToIt(os: Os, { fd, mark }: OwnFile): boolean {
  try {
    return markOf(os, fd) === mark
  } catch (error) {
    if (isErrno(error, EBADF)) return false
    throw error
  }
}

/** The same; what cannot be asked is taken to be ours. */
export function isOurs(os: Os, file: OwnFile): boolean {
  if (file.fd < 0) return false
  try {
    return leadsToIt(os, file)
  } catch {
    return true
  }
}

/** Throws EBADF unless it does. */
export function requireOurs(os: Os, file: OwnFile, syscall: string): void {
  if (leadsToIt(os, file)) return
  throw fileError(syscall, EBADF, undefined, undefined, `: other code of this process has closed descriptor ${file.fd}`)
}

/** Closes the descriptor of a mapping that has been given back. It is too late to refuse; the kernel frees it in any case. */
export function closeQuietly(os: Os, file: OwnFile): void {
  if (!isOurs(os, file)) return
  try {
    os.files.close(file.fd)
  } catch {
    // What could not be written out is said by `sync`.
  }
}
