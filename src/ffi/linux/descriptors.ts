/**
 * Calls about an open file, by libc: node:fs of some runtimes (Deno) knows no descriptor but those that it has opened itself, and ours
 * are libc's. On Node they do what node:fs does, at the same cost, 1 to 2 us.
 *
 * A call that a signal interrupts is made again, as libuv does it.
 * @module
 */
import { constants, fstatSync } from 'node:fs'
import { ARCHITECTURE } from '../../runtime.ts'
import { MiB } from '../../units.ts'
import { EINTR, ENOSYS, EPERM, fileError } from '../errno.ts'
import { AT_EMPTY_PATH, STATX_BASIC_STATS, SYSTEM_CALLS, type SystemCalls } from '../libc/constants.ts'
import type { Libc } from '../libc/libc.ts'
import type { FileStatus } from '../os-files.ts'

/** What a status is made of; node:fs's have these names. */
export interface RawStatus {
  readonly dev: bigint
  readonly ino: bigint
  readonly mode: bigint
  readonly size: bigint
  readonly uid: bigint
  readonly gid: bigint
  /** Of 512 bytes. */
  readonly blocks: bigint
}

/** `read` and `write` are asked for at most so much at a time. */
const PART_BYTES = 1024 * MiB
/** Words of a `struct statx`. */
const STATX_WORDS = 32

export class Descriptors {
  readonly #libc: Libc

  constructor(bindings: Libc) {
    this.#libc = bindings
  }

  /** EBADF: no such descriptor. */
  status(fd: number): RawStatus {
    const { statx } = SYSTEM_CALLS[ARCHITECTURE] as SystemCalls
    const words = new BigUint64Array(STATX_WORDS)
    if (this.#libc.statx(statx, fd, '', AT_EMPTY_PATH, STATX_BASIC_STATS, words) === 0)
      return statusIn(new DataView(words.buffer))
    const errno = this.#libc.errno()
    if (errno !== ENOSYS && errno !== EPERM) throw fileError('fstat', errno, undefined)
    // A kernel before 4.11, or a sandbox of that time.
    return fstatSync(fd, { bigint: true })
  }

  setLength(fd: number, byteLength: number): void {
    this.#until('ftruncate', () => this.#libc.ftruncate(fd, byteLength), byteLength)
  }

  setPermissions(fd: number, permissions: number): void {
    this.#until('fchmod', () => this.#libc.fchmod(fd, permissions))
  }

  /** Reads into all of `target`, as far as there are bytes, and says how many there were. */
  read(fd: number, target: Uint8Array, position: number): number {
    for (let done = 0; done < target.length; ) {
      const part = target.subarray(done, done + PART_BYTES)
      const count = this.#until('read', () => this.#libc.pread(fd, part, part.length, position + done))
      if (count === 0) return done
      done += count
    }
    return target.length
  }

  /** Writes all of `bytes`. */
  write(fd: number, bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.length; ) {
      const part = bytes.subarray(done, done + PART_BYTES)
      done += this.#until('write', () => this.#libc.pwrite(fd, part, part.length, position + done))
    }
  }

  #until(syscall: string, call: () => number, byteLength?: number): number {
    for (;;) {
      const result = call()
      if (result >= 0) return result
      const errno = this.#libc.errno()
      if (errno !== EINTR) throw fileError(syscall, errno, undefined, byteLength)
    }
  }
}

/** A `struct statx`, which is the same on all architectures. Both that the library runs on are little-endian. */
function statusIn(fields: DataView): RawStatus {
  const [major, minor] = [BigInt(fields.getUint32(136, true)), BigInt(fields.getUint32(140, true))]
  return {
    uid: BigInt(fields.getUint32(20, true)),
    gid: BigInt(fields.getUint32(24, true)),
    mode: BigInt(fields.getUint16(28, true)),
    ino: fields.getBigUint64(32, true),
    size: fields.getBigUint64(40, true),
    blocks: fields.getBigUint64(48, true),
    // As libc puts the two together for `stat`.
    dev: ((major & 0xfffff000n) << 32n) | ((major & 0xfffn) << 8n) | ((minor & 0xffffff00n) << 12n) | (minor & 0xffn),
  }
}

/** What the rest of the library knows of a file. */
export function statusOf({ dev, ino, mode, size, uid, gid }: RawStatus): FileStatus {
  const kind = Number(mode) & constants.S_IFMT
  return {
    regular: kind === constants.S_IFREG,
    directory: kind === constants.S_IFDIR,
    symbolicLink: kind === constants.S_IFLNK,
    byteLength: Number(size),
    identity: `${dev}:${ino}`,
    owner: Number(uid),
    group: Number(gid),
    permissions: Number(mode) & 0o7777,
  }
}
