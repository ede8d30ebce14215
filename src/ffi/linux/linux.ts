/**
 * `Os` over Linux's libc.
 *
 *     guard (mappings.ts)  ->  libc through koffi (libc.ts)  ->  -1 ?  errno, at once  ->  SystemError (errno.ts)
 *
 * Empty pages are kept from children (`MADV_DONTFORK`), or each `spawn` would copy the tables of all that are resident: 80 ms a GiB. Node
 * forks to run another program, and until then the child touches nothing but the runtime's own memory. The advice is an optimisation: what the
 * kernel says to it is not looked at. The pages of a file that is laid over them do not have it.
 *
 * A call costs what the syscall costs, plus about 0.3 us for the crossing. The calls about pages
 * are in linux-pages.ts, those about files in linux-files.ts, those about threads in linux-threads.ts.
 * @module
 */
import { constants as bufferConstants } from 'node:buffer'
import { wholeNumber } from '../../arguments.ts'
import { isPowerOfTwo } from '../../bits.ts'
import { OutOfRangeError, UnsupportedOperationError } from '../../errors.ts'
import { type Address, GiB } from '../../units.ts'
import { systemError } from '../errno.ts'
import {
  MADV_DONTDUMP,
  MADV_DONTFORK,
  MAP_ANONYMOUS,
  MAP_FAILED,
  MAP_FIXED,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MAP_SHARED,
  PR_SET_VMA,
  PR_SET_VMA_ANON_NAME,
  PROT_READ,
  PROT_WRITE,
} from '../libc/constants.ts'
import { type Libc, libc } from '../libc/libc.ts'
import type { Os, Sharing } from '../os.ts'
import type { Commons } from '../os-commons.ts'
import type { Access, Files } from '../os-files.ts'
import type { Threads } from '../os-threads.ts'
import { availableMemory } from './available-memory.ts'
import { LinuxCommons } from './linux-commons.ts'
import { LinuxFiles } from './linux-files.ts'
import { LinuxPages } from './linux-pages.ts'
import { LinuxThreads } from './linux-threads.ts'
import { requireLength } from './mappings.ts'

const READ_WRITE = PROT_READ | PROT_WRITE
const EMPTY_PAGES = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE

/** The longest name that the kernel keeps, without the zero at its end. */
const NAME_LENGTH = 79

export class LinuxOs extends LinuxPages implements Os {
  readonly platform = 'linux'
  // Bun says 2^53-1 and aborts above 2^32.
  readonly maxViewBytes: number = process.versions.bun === undefined ? bufferConstants.MAX_LENGTH : 4 * GiB
  readonly files: Files
  readonly threads: Threads
  readonly commons: Commons

  /** `bindings`: for tests of what libc seldom does. */
  constructor(bindings: Libc = libc()) {
    super(bindings)
    this.files = new LinuxFiles(bindings)
    this.threads = new LinuxThreads(bindings, this.mappings)
    this.commons = new LinuxCommons(bindings)
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
    // Data and metadata may come to differ, in what is behind them or in advice.
    this.room.require('mmap', 2, byteLength)
    const taken = this.libc.mmap(0, length, READ_WRITE, EMPTY_PAGES, -1, 0)
    if (taken === MAP_FAILED) throw systemError('mmap', this.libc.errno(), { length: byteLength })
    const address = (Math.ceil(taken / alignment) * alignment) as Address
    this.#trim(taken as Address, (taken + length) as Address, address, (address + byteLength) as Address)
    this.mappings.add(address, byteLength)
    this.libc.madvise(address, byteLength, MADV_DONTFORK)
    return address
  }

  /** Unmaps what lies in `[from, to)` outside `[start, end)`; all of it when the kernel refuses a part. */
  #trim(from: Address, to: Address, start: Address, end: Address): void {
    const parts: [Address, number][] = [
      [from, start - from],
      [end, to - end],
    ]
    for (const [address, length] of parts) {
      if (length === 0 || this.libc.munmap(address, length) === 0) continue
      const errno = this.libc.errno()
      this.libc.munmap(from, to - from)
      throw systemError('munmap', errno, { length })
    }
  }

  release(address: Address, byteLength: number): void {
    this.mappings.requireWhole(address, byteLength)
    if (this.libc.munmap(address, byteLength) !== 0) this.fail('munmap', byteLength)
    this.#forget(address, byteLength)
  }

  #forget(address: Address, byteLength: number): void {
    this.mappings.remove(address)
    for (const start of this.undumped.keys())
      if (start >= address && start < address + byteLength) this.undumped.delete(start)
  }

  adopt(address: Address, byteLength: number): void {
    const page = this.pageSize
    this.mappings.requireFree(address, byteLength, page)
    const last = (address + byteLength - page) as Address
    for (const end of [address, last])
      if (this.libc.mincore(end, page, new Uint8Array(1)) !== 0) this.fail('mincore', page)
    this.mappings.add(address, byteLength)
  }

  disown(address: Address, byteLength: number): void {
    this.mappings.requireWhole(address, byteLength)
    this.#forget(address, byteLength)
  }

  mapFile(
    address: Address,
    byteLength: number,
    fd: number,
    fileOffset: number,
    sharing: Sharing,
    protection: Access
  ): void {
    this.mappings.require(address, byteLength, this.pageSize)
    wholeNumber('fd', fd, 0, 2 ** 31 - 1)
    wholeNumber('fileOffset', fileOffset)
    if (fileOffset % this.pageSize !== 0)
      throw new OutOfRangeError('fileOffset', `a multiple of ${this.pageSize}`, fileOffset)
    this.room.require('mmap', 2, byteLength)
    const flags = (sharing === 'shared' ? MAP_SHARED : MAP_PRIVATE) | MAP_NORESERVE | MAP_FIXED
    const pages = protection === 'read' ? PROT_READ : READ_WRITE
    if (this.libc.mmap(address, byteLength, pages, flags, fd, fileOffset) === MAP_FAILED) this.fail('mmap', byteLength)
  }

  replace(address: Address, byteLength: number): void {
    this.mappings.require(address, byteLength, this.pageSize)
    const placed = this.libc.mmap(address, byteLength, READ_WRITE, EMPTY_PAGES | MAP_FIXED, -1, 0)
    if (placed === MAP_FAILED) this.fail('mmap', byteLength)
    // New pages have no advice.
    this.libc.madvise(address, byteLength, MADV_DONTFORK)
    for (const [start, length] of this.undumped)
      if (start <= address && address + byteLength <= start + length)
        this.libc.madvise(address, byteLength, MADV_DONTDUMP)
  }

  name(address: Address, byteLength: number, name: string): void {
    this.mappings.require(address, byteLength, this.pageSize)
    const accepted = name.replace(/[^ -~]|[\\`$[\]]/g, '_').slice(0, NAME_LENGTH)
    // Refused before Linux 5.17 and where it was left out of the kernel. A name is a convenience: not worth an error.
    this.libc.prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, address, byteLength, accepted)
  }

  view(address: Address, byteLength: number): ArrayBuffer {
    this.mappings.requireInside(address, byteLength)
    if (byteLength > this.maxViewBytes)
      throw new OutOfRangeError(
        'byteLength',
        `at most ${this.maxViewBytes}, the runtime's limit for an ArrayBuffer`,
        byteLength
      )
    try {
      return this.libc.view(address, byteLength)
    } catch (error) {
      throw new UnsupportedOperationError(
        `this runtime gives no ArrayBuffer over a mapping: ${(error as Error).message}`
      )
    }
  }

  availableMemory(): number {
    return availableMemory()
  }
}
