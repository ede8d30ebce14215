/**
 * Taking a name away from the file that is behind a descriptor, and from no other.
 *
 *     PATH ── is it the file we have? ── rename ──▶ .sorites-… ── is it still? ── remove
 *
 * Another file that took the name between the question and the renaming is given its name back. One case is left: if a third file takes
 * the name in that moment too, the second keeps its temporary name, and the error says so. Where files cannot be renamed without
 * replacing others (NFS), the name is removed right after the question. A process that is killed between the renaming and the removal
 * leaves the temporary name; the next arena that is made or unlinked in the folder removes it.
 * @module
 */
import { UnsupportedOperationError } from '../../errors.ts'
import { EEXIST, EINVAL, ENOENT, ENOSYS, isErrno } from '../../ffi/errno.ts'
import type { Os } from '../../ffi/os.ts'
import { removeStale, temporaryName } from './temporary-names.ts'

/** Takes an arena's name away if it is still that of the file behind `fd`. Whether it was. */
export function unlinkNamed(os: Os, path: string, fd: number): boolean {
  const { files } = os
  const { identity } = files.status(fd)
  // Of a symbolic link the file's own name goes.
  const name = files.realPath(path)
  if (name === undefined || files.entryAt(name)?.identity !== identity) return false
  removeStale(os, name)
  const temporary = temporaryName(os, name, identity)
  try {
    files.rename(name, temporary)
  } catch (error) {
    if (isErrno(error, ENOENT)) return false
    if (!isErrno(error, EINVAL) && !isErrno(error, ENOSYS)) throw error
    return removeNow(os, name, identity)
  }
  if (files.entryAt(temporary)?.identity !== identity) {
    putBack(os, temporary, name)
    return false
  }
  try {
    files.remove(temporary)
    return true
  } catch (error) {
    putBack(os, temporary, name)
    throw error
  }
}

function removeNow(os: Os, name: string, identity: string): boolean {
  if (os.files.entryAt(name)?.identity !== identity) return false
  try {
    os.files.remove(name)
    return true
  } catch (error) {
    if (isErrno(error, ENOENT)) return false
    throw error
  }
}

/** Gives a file its name back. */
function putBack(os: Os, temporary: string, name: string): void {
  try {
    os.files.rename(temporary, name)
  } catch (error) {
    if (!isErrno(error, EEXIST)) throw error
    throw new UnsupportedOperationError(
      `${name} was replaced twice while it was unlinked: the file that had the name in between is ${temporary} now`
    )
  }
}
