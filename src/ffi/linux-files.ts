/**
 * `Files` over node:fs, and over libc for what node:fs has not. An error of node:fs becomes a `SystemError` of ours, with the same
 * code, errno, syscall and path.
 *
 * Node closes the descriptors that a worker has opened when the worker ends. So what node:fs has opened, which asks Node's
 * permission model, is duplicated by libc, which Node knows nothing of; and what is given back is libc's.
 *
 * A memory file is a memfd, sealed as soon as it has its length: whoever maps it can rely on every page of it being there, so no
 * access to the mapping can end a process. A call costs 1 to 2 us, opening 5.
 * @module
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  linkSync,
  openSync,
  readlinkSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { filePath, wholeNumber } from '../arguments.ts'
import { InvalidArgumentTypeError } from '../errors.ts'
import { MiB } from '../units.ts'
import {
  F_ADD_SEALS,
  F_DUPFD_CLOEXEC,
  F_GET_SEALS,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_NOEXEC_SEAL,
  SEEK_DATA,
} from './constants.ts'
import { EBADF, EINTR, EINVAL, ENXIO, EOPNOTSUPP, fileError } from './errno.ts'
import type { Libc } from './libc.ts'
import { requireLength } from './mappings.ts'
import type { Access, FileStatus, Files } from './os-files.ts'

/** Descriptors are C's `int`. */
const MOST_FD = 2 ** 31 - 1

/** The longest name that a memory file can have, without the kernel's own prefix, in bytes. */
const NAME_BYTES = 249

/** Blocks are asked for in parts of this length: a signal makes the kernel give a whole part back, and may come every few ms. */
const PART_BYTES = 64 * MiB

export class LinuxFiles implements Files {
  readonly #libc: Libc

  constructor(bindings: Libc) {
    this.#libc = bindings
  }

  open(path: string, access: Access): number {
    filePath('path', path)
    const { O_RDONLY, O_RDWR, O_NONBLOCK, O_NOCTTY } = constants
    // Without O_NONBLOCK a pipe would wait for its writer; files do not care.
    return this.#open(path, (access === 'read' ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_NOCTTY, 0)
  }

  create(path: string, permissions: number): number {
    filePath('path', path)
    wholeNumber('permissions', permissions, 0, 0o7777)
    const { O_RDWR, O_CREAT, O_EXCL } = constants
    return this.#open(path, O_RDWR | O_CREAT | O_EXCL, permissions)
  }

  #open(path: string, flags: number, permissions: number): number {
    const nodes = attempt(() => openSync(path, flags, permissions))
    try {
      return this.duplicate(nodes)
    } catch (error) {
      if ((flags & constants.O_EXCL) !== 0) attempt(() => unlinkSync(path))
      throw error
    } finally {
      closeSync(nodes)
    }
  }

  createInMemory(byteLength: number, name: string): number {
    requireLength(byteLength)
    const fd = this.#openMemory(name)
    try {
      attempt(() => ftruncateSync(fd, byteLength), byteLength)
      if (this.#libc.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) !== 0) this.#fail('fcntl')
      return fd
    } catch (error) {
      this.#libc.close(fd)
      throw error
    }
  }

  #openMemory(name: string): number {
    let accepted = name.replaceAll('\0', '_')
    while (Buffer.byteLength(accepted) > NAME_BYTES) accepted = accepted.slice(0, -1)
    const fd = this.#libc.memfd_create(accepted, MFD_CLOEXEC | MFD_NOEXEC_SEAL)
    if (fd >= 0) return fd
    const errno = this.#libc.errno()
    // EINVAL: a kernel before 6.3, which does not know that flag.
    const older = errno === EINVAL ? this.#libc.memfd_create(accepted, MFD_CLOEXEC | MFD_ALLOW_SEALING) : -1
    if (older < 0) throw fileError('memfd_create', errno === EINVAL ? this.#libc.errno() : errno, undefined)
    return older
  }

  duplicate(fd: number): number {
    requireDescriptor(fd)
    const copy = this.#libc.fcntl(fd, F_DUPFD_CLOEXEC, 0)
    if (copy < 0) this.#fail('fcntl')
    return copy
  }

  close(fd: number): void {
    requireDescriptor(fd)
    // What can fail is the writing of earlier data (EIO): Linux has freed the number all the same.
    this.#libc.close(fd)
  }

  pathOf(fd: number): string | undefined {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return undefined
    }
  }

  status(fd: number): FileStatus {
    requireDescriptor(fd)
    return attempt(() => statusOf(fstatSync(fd, { bigint: true })))
  }

  statusAt(path: string): FileStatus | undefined {
    try {
      const stats = statSync(path, { bigint: true, throwIfNoEntry: false })
      return stats === undefined ? undefined : statusOf(stats)
    } catch {
      // A folder on the way may not be searched any more: nothing can be said.
      return undefined
    }
  }

  isSealed(fd: number): boolean {
    requireDescriptor(fd)
    const seals = this.#libc.fcntl(fd, F_GET_SEALS, 0)
    // EINVAL: a file that has no seals.
    if (seals < 0 && this.#libc.errno() === EBADF) this.#fail('fcntl')
    const fixed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL
    return seals > 0 && (seals & fixed) === fixed
  }

  truncate(fd: number, byteLength: number): void {
    requireDescriptor(fd)
    wholeNumber('byteLength', byteLength)
    attempt(() => ftruncateSync(fd, byteLength), byteLength)
  }

  allocate(fd: number, position: number, byteLength: number): void {
    requireDescriptor(fd)
    wholeNumber('position', position)
    wholeNumber('byteLength', byteLength)
    for (let done = 0; done < byteLength; done += PART_BYTES)
      this.#allocatePart(fd, position + done, Math.min(PART_BYTES, byteLength - done))
  }

  #allocatePart(fd: number, position: number, byteLength: number): void {
    for (;;) {
      if (this.#libc.fallocate(fd, 0, position, byteLength) === 0) return
      const errno = this.#libc.errno()
      if (errno === EINTR) continue
      if (errno !== EOPNOTSUPP || this.status(fd).byteLength > position)
        throw fileError('fallocate', errno, this.pathOf(fd), byteLength)
      break
    }
    const zeros = new Uint8Array(Math.min(MiB, byteLength))
    for (let done = 0; done < byteLength; done += zeros.length)
      this.write(fd, zeros.subarray(0, byteLength - done), position + done)
  }

  nextData(fd: number, position: number): number {
    requireDescriptor(fd)
    wholeNumber('position', position)
    const found = this.#libc.lseek(fd, position, SEEK_DATA)
    if (found >= 0) return found
    return this.#libc.errno() === ENXIO ? Infinity : position
  }

  read(fd: number, target: Uint8Array, position: number): number {
    requireDescriptor(fd)
    wholeNumber('position', position)
    if (!(target instanceof Uint8Array)) throw new InvalidArgumentTypeError('target', 'a Uint8Array', target)
    return attempt(() => readSync(fd, target, 0, target.length, position))
  }

  write(fd: number, bytes: Uint8Array, position: number): void {
    requireDescriptor(fd)
    wholeNumber('position', position)
    for (let done = 0; done < bytes.length; )
      done += attempt(() => writeSync(fd, bytes, done, bytes.length - done, position + done))
  }

  link(path: string, newPath: string): void {
    filePath('path', path)
    filePath('newPath', newPath)
    attempt(() => linkSync(path, newPath))
  }

  remove(path: string): void {
    filePath('path', path)
    attempt(() => unlinkSync(path))
  }

  #fail(syscall: string): never {
    throw fileError(syscall, this.#libc.errno(), undefined)
  }
}

function statusOf(stats: BigIntStats): FileStatus {
  return { regular: stats.isFile(), byteLength: Number(stats.size), identity: `${stats.dev}:${stats.ino}` }
}

/** Runs a call of node:fs; what the kernel refused comes as an error of ours. */
function attempt<T>(run: () => T, byteLength?: number): T {
  try {
    return run()
  } catch (error) {
    const { errno, syscall, path, dest } = error as NodeJS.ErrnoException & { dest?: string }
    if (typeof errno !== 'number' || syscall === undefined) throw error
    throw fileError(syscall, -errno, dest ?? path, byteLength)
  }
}

function requireDescriptor(fd: number): void {
  wholeNumber('fd', fd, 0, MOST_FD)
}
