/**
 * `Os` over Linux's libc.
 *
 *     guard (mappings.ts)  ->  libc through koffi (libc.ts)  ->  -1 ?  errno, at once  ->  SystemError (errno.ts)
 *
 * A call costs what the syscall costs, plus about 0.3 us for the crossing.
 * @module
 */
import { constants as bufferConstants } from 'node:buffer'
import { isPowerOfTwo } from '../bits.ts'
import { OutOfRangeError, UnsupportedOperationError } from '../errors.ts'
import { type Address, GiB, MiB } from '../units.ts'
import { availableMemory } from './available-memory.ts'
import {
  MADV_COLD,
  MADV_DONTNEED,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_NORMAL,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_RANDOM,
  MADV_REMOVE,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
  MAP_ANONYMOUS,
  MAP_FAILED,
  MAP_FIXED,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MAP_SHARED,
  MLOCK_ONFAULT,
  MS_ASYNC,
  MS_SYNC,
  PR_SET_VMA,
  PR_SET_VMA_ANON_NAME,
  PROT_READ,
  PROT_WRITE,
  SC_PAGESIZE,
} from './constants.ts'
import { EFAULT, EINVAL, systemError } from './errno.ts'
import type { Access, Files } from './files.ts'
import { type Libc, libc } from './libc.ts'
import { Mappings, requireLength } from './mappings.ts'
import { NodeFiles } from './node-files.ts'
import type { Advice, HugePageAdvice, Os, Sharing } from './os.ts'
import { copyOwnMemory } from './own-memory.ts'

const READ_WRITE = PROT_READ | PROT_WRITE
const EMPTY_PAGES = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE

const ADVICE_NUMBERS: Readonly<Record<Advice, number>> = {
  normal: MADV_NORMAL,
  sequential: MADV_SEQUENTIAL,
  random: MADV_RANDOM,
  willneed: MADV_WILLNEED,
  dontneed: MADV_DONTNEED,
  cold: MADV_COLD,
  pageout: MADV_PAGEOUT,
}

/** Descriptors are C's `int`. */
const MOST_FD = 2 ** 31 - 1

/** The longest name that the kernel keeps, without the zero at its end. */
const NAME_LENGTH = 79

export class LinuxOs implements Os {
  readonly platform = 'linux'
  readonly pageSize: number
  // Bun says 2^53-1 and aborts above 2^32.
  readonly maxViewBytes: number = process.versions.bun === undefined ? bufferConstants.MAX_LENGTH : 4 * GiB
  readonly files: Files
  readonly #libc: Libc
  readonly #mappings: Mappings = new Mappings()

  /** `bindings`: for tests of what libc seldom does. */
  constructor(bindings: Libc = libc()) {
    this.#libc = bindings
    this.files = new NodeFiles(bindings)
    this.pageSize = bindings.sysconf(SC_PAGESIZE)
  }

  reserve(byteLength: number, alignment: number): Address {
    const page = this.pageSize
    requireLength(byteLength)
    if (byteLength % page !== 0) throw new OutOfRangeError('byteLength', `a multiple of ${page}`, byteLength)
    if (!isPowerOfTwo(alignment) || alignment < page)
      throw new OutOfRangeError('alignment', `a power of two from ${page}`, alignment)
    // The kernel aligns to a page only: take more than is wanted, and give the ends back.
    const length = byteLength + alignment - page
    if (!Number.isSafeInteger(length)) throw new OutOfRangeError('byteLength', 'a range of addresses', byteLength)
    const taken = this.#libc.mmap(0, length, READ_WRITE, EMPTY_PAGES, -1, 0)
    if (taken === MAP_FAILED) throw systemError('mmap', this.#libc.errno(), undefined, byteLength)
    const address = (Math.ceil(taken / alignment) * alignment) as Address
    this.#trim(taken as Address, (taken + length) as Address, address, (address + byteLength) as Address)
    this.#mappings.add(address, byteLength)
    return address
  }

  /** Unmaps what lies in `[from, to)` outside `[start, end)`; all of it when the kernel refuses a part. */
  #trim(from: Address, to: Address, start: Address, end: Address): void {
    const parts: [Address, number][] = [
      [from, start - from],
      [end, to - end],
    ]
    for (const [address, length] of parts) {
      if (length === 0 || this.#libc.munmap(address, length) === 0) continue
      const errno = this.#libc.errno()
      this.#libc.munmap(from, to - from)
      throw systemError('munmap', errno, address, length)
    }
  }

  release(address: Address, byteLength: number): void {
    this.#mappings.requireWhole(address, byteLength)
    if (this.#libc.munmap(address, byteLength) !== 0) this.#fail('munmap', address, byteLength)
    this.#mappings.remove(address)
  }

  replace(address: Address, byteLength: number): void {
    this.#mappings.require(address, byteLength, this.pageSize)
    const placed = this.#libc.mmap(address, byteLength, READ_WRITE, EMPTY_PAGES | MAP_FIXED, -1, 0)
    if (placed === MAP_FAILED) this.#fail('mmap', address, byteLength)
  }

  purge(address: Address, byteLength: number): void {
    this.#madvise(address, byteLength, MADV_DONTNEED)
  }

  populate(address: Address, byteLength: number): void {
    this.#mappings.require(address, byteLength, this.pageSize)
    if (this.#libc.madvise(address, byteLength, MADV_POPULATE_WRITE) === 0) return
    const errno = this.#libc.errno()
    if (errno !== EINVAL) throw systemError('madvise', errno, address, byteLength)
    this.#touch(address, byteLength)
  }

  /** Writes to each page without changing it. */
  #touch(address: Address, byteLength: number): void {
    for (let done = 0; done < byteLength; done += GiB) {
      const bytes = new Uint8Array(this.view((address + done) as Address, Math.min(GiB, byteLength - done)))
      // Atomic, because another thread may be writing the same byte.
      for (let at = 0; at < bytes.length; at += this.pageSize) Atomics.or(bytes, at, 0)
    }
  }

  mapFile(
    address: Address,
    byteLength: number,
    fd: number,
    fileOffset: number,
    sharing: Sharing,
    protection: Access
  ): void {
    this.#mappings.require(address, byteLength, this.pageSize)
    if (!Number.isInteger(fd) || fd < 0 || fd > MOST_FD)
      throw new OutOfRangeError('fd', `a whole number from 0 to ${MOST_FD}`, fd)
    if (!Number.isSafeInteger(fileOffset) || fileOffset < 0 || fileOffset % this.pageSize !== 0)
      throw new OutOfRangeError('fileOffset', `a multiple of ${this.pageSize} from 0`, fileOffset)
    const flags = MAP_FIXED | (sharing === 'shared' ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE)
    const placed = this.#libc.mmap(
      address,
      byteLength,
      protection === 'read' ? PROT_READ : READ_WRITE,
      flags,
      fd,
      fileOffset
    )
    if (placed === MAP_FAILED) this.#fail('mmap', address, byteLength)
  }

  sync(address: Address, byteLength: number, how: 'sync' | 'async'): void {
    this.#mappings.require(address, byteLength, this.pageSize)
    if (this.#libc.msync(address, byteLength, how === 'sync' ? MS_SYNC : MS_ASYNC) !== 0)
      this.#fail('msync', address, byteLength)
  }

  syncLater(address: Address, byteLength: number): Promise<void> {
    this.#mappings.require(address, byteLength, this.pageSize)
    return new Promise((resolve, reject) =>
      this.#libc.msyncLater(address, byteLength, MS_SYNC, (result, errno) => {
        if (result === 0) resolve()
        else reject(systemError('msync', errno, address, byteLength))
      })
    )
  }

  advise(address: Address, byteLength: number, advice: Advice): void {
    this.#madvise(address, byteLength, ADVICE_NUMBERS[advice])
  }

  populateRead(address: Address, byteLength: number): void {
    this.#mappings.require(address, byteLength, this.pageSize)
    if (this.#libc.madvise(address, byteLength, MADV_POPULATE_READ) === 0) return
    const errno = this.#libc.errno()
    if (errno !== EINVAL) throw systemError('madvise', errno, address, byteLength)
    this.#read(address, byteLength)
  }

  /** Reads each page, and throws EFAULT at the first that cannot be had. */
  #read(address: Address, byteLength: number): void {
    const scratch = new Uint8Array(Math.min(MiB, byteLength))
    for (let done = 0; done < byteLength; done += scratch.length) {
      const part = Math.min(scratch.length, byteLength - done)
      if (copyOwnMemory(this.#libc, (address + done) as Address, part, scratch) < part)
        throw systemError('madvise', EFAULT, address, byteLength)
    }
  }

  removePages(address: Address, byteLength: number): void {
    this.#madvise(address, byteLength, MADV_REMOVE)
  }

  lock(address: Address, byteLength: number): void {
    this.#mappings.require(address, byteLength, this.pageSize)
    if (this.#libc.mlock2(address, byteLength, MLOCK_ONFAULT) !== 0) this.#fail('mlock2', address, byteLength)
  }

  unlock(address: Address, byteLength: number): void {
    this.#mappings.require(address, byteLength, this.pageSize)
    if (this.#libc.munlock(address, byteLength) !== 0) this.#fail('munlock', address, byteLength)
  }

  copyOut(address: Address, byteLength: number, target: Uint8Array): number {
    this.#mappings.requireInside(address, byteLength)
    if (!(target instanceof Uint8Array) || target.length < byteLength)
      throw new OutOfRangeError('target', `a Uint8Array of at least ${byteLength} bytes`, target)
    return copyOwnMemory(this.#libc, address, byteLength, target)
  }

  adviseHugePages(address: Address, byteLength: number, advice: HugePageAdvice): void {
    this.#mappings.require(address, byteLength, this.pageSize)
    const number = advice === 'advise' ? MADV_HUGEPAGE : MADV_NOHUGEPAGE
    if (this.#libc.madvise(address, byteLength, number) === 0) return
    const errno = this.#libc.errno()
    // EINVAL: this kernel was built without huge pages.
    if (errno !== EINVAL) throw systemError('madvise', errno, address, byteLength)
  }

  name(address: Address, byteLength: number, name: string): void {
    this.#mappings.require(address, byteLength, this.pageSize)
    const accepted = name.replace(/[^ -~]|[\\`$[\]]/g, '_').slice(0, NAME_LENGTH)
    // Refused before Linux 5.17 and where it was left out of the kernel. A name is a convenience: not worth an error.
    this.#libc.prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, address, byteLength, accepted)
  }

  residency(address: Address, byteLength: number, vector: Uint8Array): void {
    this.#mappings.require(address, byteLength, this.pageSize)
    const pages = byteLength / this.pageSize
    if (!(vector instanceof Uint8Array) || vector.length < pages)
      throw new OutOfRangeError('vector', `a Uint8Array of at least ${pages} bytes`, vector)
    if (this.#libc.mincore(address, byteLength, vector) !== 0) this.#fail('mincore', address, byteLength)
  }

  view(address: Address, byteLength: number): ArrayBuffer {
    this.#mappings.requireInside(address, byteLength)
    if (byteLength > this.maxViewBytes)
      throw new OutOfRangeError(
        'byteLength',
        `at most ${this.maxViewBytes}, the runtime's limit for an ArrayBuffer`,
        byteLength
      )
    try {
      return this.#libc.view(address, byteLength)
    } catch (error) {
      throw new UnsupportedOperationError(
        `this runtime gives no ArrayBuffer over a mapping: ${(error as Error).message}`
      )
    }
  }

  availableMemory(): number {
    return availableMemory()
  }

  #madvise(address: Address, byteLength: number, advice: number): void {
    this.#mappings.require(address, byteLength, this.pageSize)
    if (this.#libc.madvise(address, byteLength, advice) !== 0) this.#fail('madvise', address, byteLength)
  }

  #fail(syscall: string, address: Address, byteLength: number): never {
    throw systemError(syscall, this.#libc.errno(), address, byteLength)
  }
}
