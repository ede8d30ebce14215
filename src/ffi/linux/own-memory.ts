/**
 * Reading this process's memory without touching it, so that pages which are not there end the read and not the process.
 *
 *     process_vm_readv     about 1 us; forbidden in some sandboxes
 *     /proc/self/mem       about 5 us, where the first is; not there under Node's permission model, or without /proc
 *     a pipe               about 10 us a page, where both are: `write` says EFAULT for bytes that are not there
 *
 * All stop at the first page that cannot be had and say how far they came.
 * @module
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { PROCESS_ID } from '../../runtime.ts'
import type { Address } from '../../units.ts'
import { EFAULT, ENOSYS, EPERM, systemError } from '../errno.ts'
import { O_CLOEXEC } from '../libc/constants.ts'
import type { Libc } from '../libc/libc.ts'

/** The kernel copies a little less than this in one call. */
const MOST_BYTES = 2 ** 30
/** What goes into an empty pipe in one call, without waiting. Pages are multiples of it. */
const PIPE_BYTES = 4096

/** Copies up to `byteLength` bytes into `target` and says how many there were. */
export function copyOwnMemory(libc: Libc, address: Address, byteLength: number, target: Uint8Array): number {
  const to = libc.addressOf(target)
  const local = new BigUint64Array(2)
  const remote = new BigUint64Array(2)
  for (let done = 0; done < byteLength; ) {
    local[0] = to + BigInt(done)
    remote[0] = BigInt(address + done)
    local[1] = remote[1] = BigInt(Math.min(MOST_BYTES, byteLength - done))
    const copied = libc.processVmReadv(PROCESS_ID, local, remote)
    if (copied > 0) done += copied
    else {
      const errno = copied === 0 ? EFAULT : libc.errno()
      if (errno === EFAULT) return done
      if (errno !== EPERM && errno !== ENOSYS) throw systemError('process_vm_readv', errno, { length: byteLength })
      return done + copyWithout(libc, (address + done) as Address, target.subarray(done, byteLength))
    }
  }
  return byteLength
}

/** Without `process_vm_readv`. */
function copyWithout(libc: Libc, address: Address, target: Uint8Array): number {
  const fd = openMemory()
  return fd === undefined ? copyThroughPipe(libc, address, target) : copyThroughFile(fd, address, target)
}

/** Undefined where it cannot be had. */
function openMemory(): number | undefined {
  try {
    return openSync('/proc/self/mem', 'r')
  } catch {
    return undefined
  }
}

function copyThroughFile(fd: number, address: Address, target: Uint8Array): number {
  try {
    let done = 0
    while (done < target.length) {
      const copied = readSome(fd, target.subarray(done, done + MOST_BYTES), address + done)
      if (copied === 0) break
      done += copied
    }
    return done
  } finally {
    closeSync(fd)
  }
}

function readSome(fd: number, target: Uint8Array, position: number): number {
  try {
    return readSync(fd, target, 0, target.length, position)
  } catch (error) {
    // EIO, or EFAULT: the page at this position cannot be had.
    if ((error as NodeJS.ErrnoException).errno === undefined) throw error
    return 0
  }
}

/** The kernel reads the memory for `write`, piece by piece up to the next multiple of a piece, so that a page is there or is not. */
export function copyThroughPipe(libc: Libc, address: Address, target: Uint8Array): number {
  const pipe = new Int32Array(2)
  if (libc.pipe2(pipe, O_CLOEXEC) !== 0) throw systemError('pipe2', libc.errno())
  const [from, to] = pipe as unknown as [number, number]
  try {
    let done = 0
    while (done < target.length) {
      const at = address + done
      const wanted = Math.min(PIPE_BYTES - (at % PIPE_BYTES), target.length - done)
      const written = libc.write(to, at, wanted)
      if (written <= 0) {
        const errno = libc.errno()
        if (errno !== EFAULT) throw systemError('write', errno, { length: wanted })
        break
      }
      for (let read = 0; read < written; ) read += readSync(from, target, done + read, written - read, null)
      done += written
    }
    return done
  } finally {
    closeSync(from)
    closeSync(to)
  }
}
