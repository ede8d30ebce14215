/**
 * From an errno to its name and reason, and to the error that is thrown for it. The table is Node's own for this platform.
 * @module
 */
import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'
import { SystemError } from '../errors.ts'

/** Not permitted: here, a call that a sandbox forbids. */
export const EPERM: number = constants.errno.EPERM
/** A signal came first. */
export const EINTR: number = constants.errno.EINTR
/** No such address: here, nothing to be had from a file beyond its end. */
export const ENXIO: number = constants.errno.ENXIO
/** The pages cannot be had: a file has become shorter than its mapping, or cannot be read. */
export const EFAULT: number = constants.errno.EFAULT
/** The call's arguments make no sense to this kernel, or it does not know the call. */
export const EINVAL: number = constants.errno.EINVAL
/** No memory, no addresses, or too many mappings. */
export const ENOMEM: number = constants.errno.ENOMEM
/** Not now: for a sleep on a word, the word is not as expected. */
export const EAGAIN: number = constants.errno.EAGAIN
/** No such descriptor. */
export const EBADF: number = constants.errno.EBADF
/** The name is taken. */
export const EEXIST: number = constants.errno.EEXIST
/** Not allowed: a file of others. */
export const EACCES: number = constants.errno.EACCES
/** A folder: what kernels and file systems say that know no files without a name. */
export const EISDIR: number = constants.errno.EISDIR
/** It cannot be read or written. */
export const EIO: number = constants.errno.EIO
/** No room on the disk. */
export const ENOSPC: number = constants.errno.ENOSPC
/** Longer than files may be. */
export const EFBIG: number = constants.errno.EFBIG
/** Nothing of that kind: here, a file that cannot be mapped. */
export const ENODEV: number = constants.errno.ENODEV
/** No such name. */
export const ENOENT: number = constants.errno.ENOENT
/** No such process or thread. */
export const ESRCH: number = constants.errno.ESRCH
/** The time is up. */
export const ETIMEDOUT: number = constants.errno.ETIMEDOUT
/** This kernel has no such call. */
export const ENOSYS: number = constants.errno.ENOSYS
/** Not on this file system. Node calls it ENOTSUP: the two are one number on Linux. */
export const EOPNOTSUPP: number = constants.errno.EOPNOTSUPP

/** An errno's name, such as `ENOMEM`. */
export function errnoName(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[0] ?? `errno ${errno}`
}

/** Whether an error is the kernel's, with this errno. */
export function isErrno(error: unknown, errno: number): error is SystemError {
  return error instanceof SystemError && error.errno === -errno
}

/** The error for a call about a file that failed. `detail` follows the reason in the message. */
export function fileError(
  syscall: string,
  errno: number,
  path: string | undefined,
  length?: number,
  detail = ''
): SystemError {
  const reason = getSystemErrorMap().get(-errno)?.[1] ?? 'unknown error'
  return new SystemError(syscall, errno, errnoName(errno), reason + detail, length, path)
}

/** What a call was about: a length in bytes, and what follows the reason in the message. Not the address, which is never shown. */
export interface CallDetails {
  readonly length?: number | undefined
  readonly detail?: string | undefined
}

/** The error for a call that failed. */
export function systemError(syscall: string, errno: number, { length, detail = '' }: CallDetails = {}): SystemError {
  const reason = getSystemErrorMap().get(-errno)?.[1] ?? 'unknown error'
  return new SystemError(syscall, errno, errnoName(errno), reason + detail, length)
}
