/**
 * `Files` over node:fs, and over libc for what node:fs has not: `fallocate` and `lseek`. An error of node:fs becomes a
 * `SystemError` of ours, with the same code, errno, syscall and path.
 *
 * A call costs 1 to 2 us.
 * @module
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readlinkSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { OutOfRangeError } from '../errors.ts'
import { MiB } from '../units.ts'
import { SEEK_DATA } from './constants.ts'
import { EINTR, ENXIO, EOPNOTSUPP, fileError } from './errno.ts'
import type { Access, FileStatus, Files } from './files.ts'
import type { Libc } from './libc.ts'

/** Blocks are asked for in parts of this length: a signal makes the kernel give a whole part back, and may come every few ms. */
const PART_BYTES = 64 * MiB

/** What a new file may be used for by others, before the process's own mask. */
const NEW_FILE_MODE = 0o666

export class NodeFiles implements Files {
  readonly #libc: Libc

  constructor(bindings: Libc) {
    this.#libc = bindings
  }

  open(path: string, access: Access, creating: boolean): number {
    const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NONBLOCK, O_NOCTTY } = constants
    // libuv adds O_CLOEXEC. Without O_NONBLOCK a pipe would wait for its writer; files do not care.
    const flags = (access === 'read' ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_NOCTTY
    return attempt(() => openSync(path, creating ? flags | O_CREAT | O_EXCL : flags, NEW_FILE_MODE))
  }

  close(fd: number): void {
    try {
      closeSync(fd)
    } catch {
      // What failed is the writing of earlier data (EIO) at most: Linux has freed the number all the same.
    }
  }

  pathOf(fd: number): string | undefined {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return undefined
    }
  }

  status(fd: number): FileStatus {
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

  truncate(fd: number, byteLength: number): void {
    attempt(() => ftruncateSync(fd, byteLength))
  }

  allocate(fd: number, position: number, byteLength: number): void {
    for (const [name, value] of Object.entries({ fd, position, byteLength }))
      if (!Number.isSafeInteger(value) || value < 0) throw new OutOfRangeError(name, 'a whole number from 0', value)
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
    const found = this.#libc.lseek(fd, position, SEEK_DATA)
    if (found >= 0) return found
    return this.#libc.errno() === ENXIO ? Infinity : position
  }

  read(fd: number, target: Uint8Array, position: number): number {
    return attempt(() => readSync(fd, target, 0, target.length, position))
  }

  write(fd: number, bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.length; )
      done += attempt(() => writeSync(fd, bytes, done, bytes.length - done, position + done))
  }

  remove(path: string): void {
    attempt(() => unlinkSync(path))
  }
}

function statusOf(stats: BigIntStats): FileStatus {
  return { regular: stats.isFile(), byteLength: Number(stats.size), identity: `${stats.dev}:${stats.ino}` }
}

/** Runs a call of node:fs; what the kernel refused comes as an error of ours. */
function attempt<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    const { errno, syscall, path } = error as NodeJS.ErrnoException
    if (typeof errno !== 'number' || syscall === undefined) throw error
    throw fileError(syscall, -errno, path)
  }
}
