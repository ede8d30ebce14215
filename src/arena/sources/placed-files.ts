/**
 * Whether a file that was found under a name may be one that another user has placed there as a trap. Asked for when a
 * file would have been made had there been none, and for every arena that is opened by name: a process that can write to an arena can
 * change its tables, and one that can shorten it can end every process that has it.
 *
 * In a folder where only this user and the superuser can make files there is nothing to verify. Elsewhere (in /tmp, in /dev/shm):
 *
 *     the file is this user's, or the superuser's                                             or `permissions` lets its owner write:
 *                                                                                             all, or the group and this user is in it
 *     a file found instead of one that would be made has no more writers than `permissions`   a mode & ~permissions & 022 is refused
 *     a symbolic link to it is this user's, or the superuser's
 *
 * So `permissions` says which users share a file, and all its users give the same number. What is compared is the open descriptor's
 * status, not the path's. Folders further up are not looked at. Some 10 us.
 * @module
 */
import { dirname } from 'node:path'
import { EACCES, fileError } from '../../ffi/errno.ts'
import type { Credentials, FileStatus, Files } from '../../ffi/os-files.ts'

const GROUP_WRITES = 0o020
const OTHERS_WRITE = 0o002

/** A file that was found, and is open. */
export interface FoundFile {
  readonly files: Files
  readonly fd: number
  readonly status: FileStatus
  readonly path: string
  /** What was asked for; undefined when nothing was said, and nothing would have been made. */
  readonly permissions: number | undefined
}

/** Throws EACCES when another user may have placed the file. */
export function requirePlacedByUs(found: FoundFile): void {
  const { files, fd, status, path, permissions } = found
  const us = files.credentials()
  const folder = dirname(realPathOf(files, fd, path))
  const linked = dirname(path)
  if (isOthers(files, linked, us)) requireOwnLink(files, path, us)
  if (!isOthers(files, folder, us)) return
  if (!trusted(status.owner, us) && !mayWrite(status, us, permissions ?? 0))
    throw refused(path, `it belongs to user ${status.owner}, and others can place files in ${folder}`)
  const wider = status.permissions & ~(permissions ?? 0o777) & (GROUP_WRITES | OTHERS_WRITE)
  if (wider !== 0)
    throw refused(
      path,
      `its permissions are ${octal(status.permissions)}, which lets more users write to it than ${octal(permissions ?? 0)} does, and others ` +
        `can place files in ${folder}`
    )
}

/** Where the file is, symbolic links followed; a file that has no path is where it was asked for. */
function realPathOf(files: Files, fd: number, path: string): string {
  const real = files.pathOf(fd)
  return real?.startsWith('/') === true ? real : path
}

/** Whether users other than we and the superuser can make files in a folder. */
function isOthers(files: Files, folder: string, us: Credentials): boolean {
  const status = files.statusAt(folder)
  if (status === undefined) return true
  return !trusted(status.owner, us) || (status.permissions & (GROUP_WRITES | OTHERS_WRITE)) !== 0
}

/** The kernel does the same where `fs.protected_symlinks` is on. */
function requireOwnLink(files: Files, path: string, us: Credentials): void {
  const entry = files.entryAt(path)
  if (entry?.symbolicLink === true && !trusted(entry.owner, us))
    throw refused(path, `it is a symbolic link of user ${entry.owner}, and others can place files in ${dirname(path)}`)
}

function trusted(user: number, us: Credentials): boolean {
  return user === us.user || user === 0
}

/** Whether the caller lets the owner of a file write to it, with `permissions`. */
function mayWrite({ group }: FileStatus, us: Credentials, permissions: number): boolean {
  if ((permissions & OTHERS_WRITE) !== 0) return true
  return (permissions & GROUP_WRITES) !== 0 && us.groups.includes(group)
}

function refused(path: string, reason: string): Error {
  const remedy = 'Use a folder of your own, or say which users share the file: { permissions: 0o666 }, or 0o660'
  return fileError('open', EACCES, path, undefined, `: ${reason}. ${remedy}`)
}

function octal(permissions: number): string {
  return `0o${permissions.toString(8).padStart(3, '0')}`
}
