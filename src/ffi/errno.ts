/**
 * From an errno to its name and reason, and to the error that is thrown for it. The table is Node's own for this platform.
 * @module
 */
import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'
import { SystemError } from '../errors.ts'

/** The call's arguments make no sense to this kernel, or it does not know the call. */
export const EINVAL: number = constants.errno.EINVAL
/** No memory, no addresses, or too many mappings. */
export const ENOMEM: number = constants.errno.ENOMEM

/** An errno's name, such as `ENOMEM`. */
export function errnoName(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[0] ?? `errno ${errno}`
}

/** The error for a call that failed. `detail` follows the reason in the message. */
export function systemError(
  syscall: string,
  errno: number,
  address?: number,
  length?: number,
  detail = ''
): SystemError {
  const reason = getSystemErrorMap().get(-errno)?.[1] ?? 'unknown error'
  return new SystemError(syscall, errno, errnoName(errno), reason + detail, address, length)
}
