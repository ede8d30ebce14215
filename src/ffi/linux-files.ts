/**
 * The calls about files, over Linux's libc: the part of `LinuxOs` that os-files.ts specifies.
 *
 * A memory file is a memfd, sealed as soon as it has its length: whoever maps it can rely on every page of it being there, so no
 * access to the mapping can end a process.
 * @module
 */
import { fstatSync } from 'node:fs'
import { wholeNumber } from '../arguments.ts'
import { InvalidArgumentTypeError, OutOfRangeError } from '../errors.ts'
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
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_RDWR,
} from './constants.ts'
import { EBADF, EINTR, EINVAL, fileError, systemError } from './errno.ts'
import { LinuxThreads } from './linux-threads.ts'
import { requireLength } from './mappings.ts'
import type { FileCalls, FileStatus } from './os-files.ts'

/** Descriptors are C's `int`. */
const MOST_DESCRIPTORS = 2 ** 31 - 1
/** The longest name that a memory file can have, without the kernel's own prefix, in bytes. */
const NAME_BYTES = 249

export class LinuxFiles extends LinuxThreads implements FileCalls {
  createMemoryFile(byteLength: number, name: string): number {
    requireLength(byteLength)
    const fd = this.#openMemory(name)
    const sealed =
      this.libc.ftruncate(fd, byteLength) === 0
        ? this.libc.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) === 0 || 'fcntl'
        : 'ftruncate'
    if (sealed === true) return fd
    const errno = this.libc.errno()
    this.libc.close(fd)
    throw systemError(sealed, errno, undefined, byteLength)
  }

  #openMemory(name: string): number {
    let accepted = name.replaceAll('\0', '_')
    while (Buffer.byteLength(accepted) > NAME_BYTES) accepted = accepted.slice(0, -1)
    const fd = this.libc.memfd_create(accepted, MFD_CLOEXEC | MFD_NOEXEC_SEAL)
    if (fd >= 0) return fd
    const errno = this.libc.errno()
    // EINVAL: a kernel before 6.3, which does not know that flag.
    const older = errno === EINVAL ? this.libc.memfd_create(accepted, MFD_CLOEXEC | MFD_ALLOW_SEALING) : -1
    if (older < 0) throw systemError('memfd_create', errno === EINVAL ? this.libc.errno() : errno)
    return older
  }

  createFile(path: string, byteLength: number, permissions: number): number {
    requirePath('path', path)
    requireLength(byteLength)
    wholeNumber('permissions', permissions, 0, 0o7777)
    const fd = this.libc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, permissions)
    if (fd < 0) throw fileError('open', this.libc.errno(), path)
    const errno = this.#allocate(fd, 0, byteLength)
    if (errno === 0) return fd
    this.libc.unlink(path)
    this.libc.close(fd)
    throw fileError('fallocate', errno, path, byteLength)
  }

  openFile(path: string): number {
    requirePath('path', path)
    const fd = this.libc.open(path, O_RDWR | O_CLOEXEC, 0)
    if (fd < 0) throw fileError('open', this.libc.errno(), path)
    return fd
  }

  closeFile(fd: number): void {
    requireDescriptor(fd)
    this.libc.close(fd)
  }

  duplicateFile(fd: number): number {
    requireDescriptor(fd)
    const copy = this.libc.fcntl(fd, F_DUPFD_CLOEXEC, 0)
    if (copy < 0) throw systemError('fcntl', this.libc.errno())
    return copy
  }

  fileStatus(fd: number): FileStatus {
    requireDescriptor(fd)
    const seals = this.libc.fcntl(fd, F_GET_SEALS, 0)
    // EINVAL: a file that has no seals.
    if (seals < 0 && this.libc.errno() === EBADF) throw systemError('fcntl', EBADF)
    const fixed = F_SEAL_SHRINK | F_SEAL_GROW
    const { size, dev, ino } = fstatSync(fd)
    return { byteLength: size, sealed: seals > 0 && (seals & fixed) === fixed, device: dev, inode: ino }
  }

  readFile(fd: number, target: Uint8Array, fileOffset: number): number {
    requireDescriptor(fd)
    wholeNumber('fileOffset', fileOffset)
    if (!(target instanceof Uint8Array)) throw new InvalidArgumentTypeError('target', 'a Uint8Array', target)
    if (target.length === 0) return 0
    const length = this.libc.pread(fd, target, target.length, fileOffset)
    if (length < 0) throw systemError('pread', this.libc.errno())
    return length
  }

  allocateBlocks(fd: number, fileOffset: number, byteLength: number): void {
    requireDescriptor(fd)
    wholeNumber('fileOffset', fileOffset)
    requireLength(byteLength)
    const errno = this.#allocate(fd, fileOffset, byteLength)
    if (errno !== 0) throw systemError('fallocate', errno, undefined, byteLength)
  }

  /** The errno, or 0. A long allocation is broken off by any signal, so it is taken up again. */
  #allocate(fd: number, fileOffset: number, byteLength: number): number {
    for (;;) {
      if (this.libc.fallocate(fd, 0, fileOffset, byteLength) === 0) return 0
      const errno = this.libc.errno()
      if (errno !== EINTR) return errno
    }
  }

  linkFile(path: string, newPath: string): void {
    requirePath('path', path)
    requirePath('newPath', newPath)
    if (this.libc.link(path, newPath) !== 0) throw fileError('link', this.libc.errno(), newPath)
  }

  unlinkFile(path: string): void {
    requirePath('path', path)
    if (this.libc.unlink(path) !== 0) throw fileError('unlink', this.libc.errno(), path)
  }
}

function requireDescriptor(fd: number): void {
  wholeNumber('fd', fd, 0, MOST_DESCRIPTORS)
}

function requirePath(name: string, path: string): void {
  if (typeof path !== 'string') throw new InvalidArgumentTypeError(name, 'a string', path)
  // C would take the path to end at the zero.
  if (path === '' || path.includes('\0')) throw new OutOfRangeError(name, 'a path', path)
}
