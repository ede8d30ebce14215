/**
 * `Files` over node:fs for paths, and over libc for descriptors (descriptors.ts) and for what node:fs has not. An error of node:fs
 * becomes a `SystemError` of ours, with the same code, errno, syscall and path.
 *
 * Node closes the descriptors that a worker has opened when the worker ends. So what node:fs has opened, which asks Node's
 * permission model, is duplicated by libc, which Node knows nothing of; and what is given back is libc's.
 *
 * A memory file is a memfd, sealed as soon as it has its length: a process that maps it can rely on every page of it being there, so no
 * access to the mapping can end a process. A call costs 1 to 2 us, opening 5.
 *
 * Longer than other files: one method for each call of `Files`, and each is short.
 * @module
 */
import { Buffer } from 'node:buffer'
import {
  closeSync,
  constants,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { filePath, wholeNumber } from '../../arguments.ts'
import { InvalidArgumentTypeError } from '../../errors.ts'
import { ARCHITECTURE } from '../../runtime.ts'
import { MiB } from '../../units.ts'
import { EACCES, EBADF, EFBIG, EINTR, EINVAL, ENOENT, ENOSPC, ENXIO, EOPNOTSUPP, fileError, isErrno } from '../errno.ts'
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_FOLLOW,
  F_ADD_SEALS,
  F_DUPFD_CLOEXEC,
  F_GET_SEALS,
  F_GETFL,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  HUGETLBFS_MAGIC,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_NOEXEC_SEAL,
  O_CLOEXEC,
  O_TMPFILE_BIT,
  PSEUDO_FILE_SYSTEMS,
  RENAME_NOREPLACE,
  RLIM_INFINITY,
  RLIMIT_FSIZE,
  SEEK_DATA,
  SYSTEM_CALLS,
  type SystemCalls,
} from '../libc/constants.ts'
import type { Libc } from '../libc/libc.ts'
import type { Access, Credentials, FileStatus, FileSystemKind, Files } from '../os-files.ts'
import { Descriptors, statusOf } from './descriptors.ts'
import { requireLength } from './mappings.ts'

/** Descriptors are C's `int`. */
const MOST_FD = 2 ** 31 - 1

/** The longest name that a memory file can have, without the kernel's own prefix, in bytes. */
const NAME_BYTES = 249

/** Blocks are asked for in parts of this length: a signal makes the kernel give a whole part back, and may come every few ms. */
const PART_BYTES = 64 * MiB

export class LinuxFiles implements Files {
  readonly #libc: Libc
  readonly #descriptors: Descriptors

  constructor(bindings: Libc) {
    this.#libc = bindings
    this.#descriptors = new Descriptors(bindings)
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
    const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
    return this.#open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, permissions)
  }

  createUnnamed(path: string, permissions: number): number {
    filePath('path', path)
    wholeNumber('permissions', permissions, 0, 0o7777)
    const { O_RDWR, O_DIRECTORY } = constants
    requirePermission('open', path)
    for (;;) {
      const fd = this.#libc.open(dirname(path), O_RDWR | O_DIRECTORY | O_TMPFILE_BIT | O_CLOEXEC, permissions)
      if (fd >= 0) return fd
      const errno = this.#libc.errno()
      if (errno !== EINTR) throw fileError('open', errno, path)
    }
  }

  publish(fd: number, path: string): void {
    requireDescriptor(fd)
    filePath('path', path)
    requirePermission('link', path)
    if (this.#libc.linkat(AT_FDCWD, `/proc/self/fd/${fd}`, AT_FDCWD, path, AT_SYMLINK_FOLLOW) === 0) return
    const errno = this.#libc.errno()
    // ENOENT: the folder is not there, or /proc is not. The other way needs rights that few have, before Linux 6.10.
    if (errno === ENOENT && this.#libc.linkat(fd, '', AT_FDCWD, path, AT_EMPTY_PATH) === 0) return
    throw fileError('link', errno, path)
  }

  setPermissions(fd: number, permissions: number): void {
    requireDescriptor(fd)
    wholeNumber('permissions', permissions, 0, 0o7777)
    this.#descriptors.setPermissions(fd, permissions)
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
      this.#descriptors.setLength(fd, byteLength)
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
    return statusOf(this.#descriptors.status(fd))
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

  entryAt(path: string): FileStatus | undefined {
    try {
      const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false })
      return stats === undefined ? undefined : statusOf(stats)
    } catch {
      return undefined
    }
  }

  realPath(path: string): string | undefined {
    try {
      return realpathSync(path)
    } catch {
      return undefined
    }
  }

  list(folder: string): string[] {
    try {
      return readdirSync(folder)
    } catch {
      return []
    }
  }

  credentials(): Credentials {
    const { geteuid, getegid, getgroups } = process as Required<typeof process>
    return { user: geteuid(), groups: [getegid(), ...getgroups()] }
  }

  fileSystem(fd: number): FileSystemKind {
    requireDescriptor(fd)
    const status = new BigInt64Array(16)
    if (this.#libc.fstatfs(fd, status) !== 0) this.#fail('fstatfs')
    const magic = Number(BigInt.asUintN(32, status[0] as bigint))
    if (magic === HUGETLBFS_MAGIC) return 'huge'
    return PSEUDO_FILE_SYSTEMS.has(magic) ? 'pseudo' : 'storage'
  }

  appends(fd: number): boolean {
    requireDescriptor(fd)
    const flags = this.#libc.fcntl(fd, F_GETFL, 0)
    if (flags < 0) this.#fail('fcntl')
    return (flags & constants.O_APPEND) !== 0
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
    this.#descriptors.setLength(fd, byteLength)
  }

  allocate(fd: number, position: number, byteLength: number): void {
    requireDescriptor(fd)
    wholeNumber('position', position)
    wholeNumber('byteLength', byteLength)
    if (byteLength === 0) return
    this.#requireRoom(fd, position, byteLength)
    for (let done = 0; done < byteLength; done += PART_BYTES)
      this.#fallocate(fd, FALLOC_FL_KEEP_SIZE, position + done, Math.min(PART_BYTES, byteLength - done), byteLength)
  }

  /** Throws what can be known beforehand: blocks that were given before one is refused would have to be taken back. */
  #requireRoom(fd: number, position: number, byteLength: number): void {
    const limits = new BigUint64Array(2)
    const limited = this.#libc.getrlimit(RLIMIT_FSIZE, limits) === 0 && limits[0] !== RLIM_INFINITY
    if (limited && position + byteLength > Number(limits[0]))
      throw fileError('fallocate', EFBIG, this.pathOf(fd), byteLength)
    const { blocks } = this.#descriptors.status(fd)
    const room = this.#freeBytes(fd)
    // Blocks that the file has may be those of the range.
    if (room !== undefined && room + Number(blocks) * 512 < byteLength)
      throw fileError('fallocate', ENOSPC, this.pathOf(fd), byteLength, `, ${room} bytes are free`)
  }

  /** Bytes that are free on the file system, for this process; undefined when it does not tell, or has no limit. */
  #freeBytes(fd: number): number | undefined {
    // type, bytes in a block, blocks, free ones, those for users other than root.
    const status = new BigInt64Array(16)
    if (this.#libc.fstatfs(fd, status) !== 0) return undefined
    const [, blockBytes, blocks, free, available] = status as unknown as [bigint, bigint, bigint, bigint, bigint]
    if (blocks === 0n) return undefined
    return Number(blockBytes) * Number(this.credentials().user === 0 ? free : available)
  }

  #fallocate(fd: number, mode: number, position: number, byteLength: number, wanted: number): void {
    while (this.#libc.fallocate(fd, mode, position, byteLength) !== 0) {
      const errno = this.#libc.errno()
      if (errno !== EINTR) throw fileError('fallocate', errno, this.pathOf(fd), wanted)
    }
  }

  extend(fd: number, byteLength: number): void {
    requireDescriptor(fd)
    wholeNumber('byteLength', byteLength)
    if (byteLength === 0) return
    try {
      // Asked to have room up to its end, a file never becomes shorter; a truncation could cut what others have added meanwhile.
      this.#fallocate(fd, 0, byteLength - 1, 1, byteLength)
    } catch (error) {
      if (!isErrno(error, EOPNOTSUPP)) throw error
      this.#fill(fd, byteLength)
    }
    if (this.status(fd).byteLength < byteLength)
      throw fileError('fallocate', EOPNOTSUPP, this.pathOf(fd), byteLength, ', the file is as long as before')
  }

  /** Writes zeros from the file's end on. */
  #fill(fd: number, byteLength: number): void {
    const zeros = new Uint8Array(Math.min(MiB, byteLength))
    for (let end = this.status(fd).byteLength; end < byteLength; end = this.status(fd).byteLength)
      this.write(fd, zeros.subarray(0, byteLength - end), end)
  }

  clear(fd: number, position: number, byteLength: number): void {
    requireDescriptor(fd)
    wholeNumber('position', position)
    wholeNumber('byteLength', byteLength)
    if (byteLength > 0)
      this.#fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, position, byteLength, byteLength)
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
    return this.#descriptors.read(fd, target, position)
  }

  write(fd: number, bytes: Uint8Array, position: number): void {
    requireDescriptor(fd)
    wholeNumber('position', position)
    this.#descriptors.write(fd, bytes, position)
  }

  link(path: string, newPath: string): void {
    filePath('path', path)
    filePath('newPath', newPath)
    attempt(() => linkSync(path, newPath))
  }

  rename(path: string, newPath: string): void {
    filePath('path', path)
    filePath('newPath', newPath)
    requirePermission('rename', path)
    requirePermission('rename', newPath)
    const { renameat2 } = SYSTEM_CALLS[ARCHITECTURE] as SystemCalls
    if (this.#libc.renameat2(renameat2, AT_FDCWD, path, AT_FDCWD, newPath, RENAME_NOREPLACE) !== 0)
      throw fileError('rename', this.#libc.errno(), path)
  }

  remove(path: string): void {
    filePath('path', path)
    attempt(() => unlinkSync(path))
  }

  #fail(syscall: string): never {
    throw fileError(syscall, this.#libc.errno(), undefined)
  }
}

/** Asks Node's permission model, as node:fs does, before a call that does not go by node:fs. */
function requirePermission(syscall: string, path: string): void {
  const { permission } = process as { permission?: { has(scope: string, reference: string): boolean } }
  if (permission !== undefined && !permission.has('fs.write', path))
    throw fileError(syscall, EACCES, path, undefined, ", by Node's permission model")
}

/** Runs a call of node:fs; what the kernel refused comes as an error of ours. */
function attempt<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    const { errno, syscall, path, dest } = error as NodeJS.ErrnoException & { dest?: string }
    if (typeof errno !== 'number' || syscall === undefined) throw error
    throw fileError(syscall, -errno, dest ?? path)
  }
}

function requireDescriptor(fd: number): void {
  wholeNumber('fd', fd, 0, MOST_FD)
}
