/**
 * The calls about pages, over Linux's libc: the part of `LinuxOs` that os-pages.ts specifies.
 * @module
 */
import { OutOfRangeError } from '../../errors.ts'
import { type Address, GiB, MiB } from '../../units.ts'
import { EFAULT, EINVAL, systemError } from '../errno.ts'
import {
  MADV_COLD,
  MADV_DONTDUMP,
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
  MLOCK_ONFAULT,
  MS_ASYNC,
  MS_SYNC,
  SC_PAGESIZE,
} from '../libc/constants.ts'
import type { Libc } from '../libc/libc.ts'
import type { Advice, HugePageAdvice, Pages } from '../os-pages.ts'
import { MappingRoom } from './mapping-room.ts'
import { Mappings } from './mappings.ts'
import { copyOwnMemory } from './own-memory.ts'

const ADVICE_NUMBERS: Readonly<Record<Advice, number>> = {
  normal: MADV_NORMAL,
  sequential: MADV_SEQUENTIAL,
  random: MADV_RANDOM,
  willneed: MADV_WILLNEED,
  dontneed: MADV_DONTNEED,
  cold: MADV_COLD,
  pageout: MADV_PAGEOUT,
}

/** Advice that the kernel keeps with the mapping, and divides it for. */
const KEPT_ADVICE: ReadonlySet<Advice> = new Set(['normal', 'random', 'sequential'])

export abstract class LinuxPages implements Pages {
  readonly pageSize: number
  protected readonly libc: Libc
  protected readonly mappings: Mappings = new Mappings()
  /** Asked before a call that may divide a mapping or make one. */
  protected readonly room: MappingRoom = new MappingRoom()

  /** Ranges that are left out of core dumps: by where they start, how long they are. */
  protected readonly undumped: Map<Address, number> = new Map()

  constructor(bindings: Libc) {
    this.libc = bindings
    this.pageSize = bindings.sysconf(SC_PAGESIZE)
  }

  abstract view(address: Address, byteLength: number): ArrayBuffer

  populate(address: Address, byteLength: number): void {
    if (this.#tryAdvice(address, byteLength, MADV_POPULATE_WRITE)) return
    for (let done = 0; done < byteLength; done += GiB) {
      const bytes = new Uint8Array(this.view((address + done) as Address, Math.min(GiB, byteLength - done)))
      // Writes to each page without changing it. Atomic, because another thread may be writing the same byte.
      for (let at = 0; at < bytes.length; at += this.pageSize) Atomics.or(bytes, at, 0)
    }
  }

  populateRead(address: Address, byteLength: number): void {
    if (this.#tryAdvice(address, byteLength, MADV_POPULATE_READ)) return
    const scratch = new Uint8Array(Math.min(MiB, byteLength))
    for (let done = 0; done < byteLength; done += scratch.length) {
      const part = Math.min(scratch.length, byteLength - done)
      if (copyOwnMemory(this.libc, (address + done) as Address, part, scratch) < part)
        throw systemError('madvise', EFAULT, { length: byteLength })
    }
  }

  purge(address: Address, byteLength: number): void {
    this.#madvise(address, byteLength, MADV_DONTNEED)
  }

  removePages(address: Address, byteLength: number): void {
    this.#madvise(address, byteLength, MADV_REMOVE)
  }

  advise(address: Address, byteLength: number, advice: Advice): void {
    if (KEPT_ADVICE.has(advice)) this.room.require('madvise', 2, byteLength)
    this.#madvise(address, byteLength, ADVICE_NUMBERS[advice])
  }

  adviseHugePages(address: Address, byteLength: number, advice: HugePageAdvice): void {
    // A kernel that was built without huge pages does not know the advice.
    this.#tryAdvice(address, byteLength, advice === 'advise' ? MADV_HUGEPAGE : MADV_NOHUGEPAGE)
  }

  keepFromDumps(address: Address, byteLength: number): void {
    this.room.require('madvise', 2, byteLength)
    this.#madvise(address, byteLength, MADV_DONTDUMP)
    this.undumped.set(address, byteLength)
  }

  lock(address: Address, byteLength: number): void {
    this.mappings.require(address, byteLength, this.pageSize)
    this.room.require('mlock2', 2, byteLength)
    if (this.libc.mlock2(address, byteLength, MLOCK_ONFAULT) !== 0) this.fail('mlock2', byteLength)
  }

  unlock(address: Address, byteLength: number): void {
    this.mappings.require(address, byteLength, this.pageSize)
    if (this.libc.munlock(address, byteLength) !== 0) this.fail('munlock', byteLength)
  }

  sync(address: Address, byteLength: number, how: 'sync' | 'async'): void {
    this.mappings.require(address, byteLength, this.pageSize)
    if (this.libc.msync(address, byteLength, how === 'sync' ? MS_SYNC : MS_ASYNC) !== 0) this.fail('msync', byteLength)
  }

  syncLater(address: Address, byteLength: number): Promise<void> {
    this.mappings.require(address, byteLength, this.pageSize)
    return this.libc.msyncLater(address, byteLength, MS_SYNC).then((result) => {
      if (result !== 0) throw systemError('msync', -result, { length: byteLength })
    })
  }

  residency(address: Address, byteLength: number, vector: Uint8Array): void {
    this.mappings.require(address, byteLength, this.pageSize)
    const pages = byteLength / this.pageSize
    if (!(vector instanceof Uint8Array) || vector.length < pages)
      throw new OutOfRangeError('vector', `a Uint8Array of at least ${pages} bytes`, vector)
    if (this.libc.mincore(address, byteLength, vector) !== 0) this.fail('mincore', byteLength)
  }

  copyOut(address: Address, byteLength: number, target: Uint8Array): number {
    this.mappings.requireInside(address, byteLength)
    if (!(target instanceof Uint8Array) || target.length < byteLength)
      throw new OutOfRangeError('target', `a Uint8Array of at least ${byteLength} bytes`, target)
    return copyOwnMemory(this.libc, address, byteLength, target)
  }

  #madvise(address: Address, byteLength: number, advice: number): void {
    this.mappings.require(address, byteLength, this.pageSize)
    if (this.libc.madvise(address, byteLength, advice) !== 0) this.fail('madvise', byteLength)
  }

  /** False when the kernel does not know the advice. */
  #tryAdvice(address: Address, byteLength: number, advice: number): boolean {
    this.mappings.require(address, byteLength, this.pageSize)
    if (this.libc.madvise(address, byteLength, advice) === 0) return true
    const errno = this.libc.errno()
    if (errno !== EINVAL) throw systemError('madvise', errno, { length: byteLength })
    return false
  }

  protected fail(syscall: string, byteLength: number): never {
    throw systemError(syscall, this.libc.errno(), { length: byteLength })
  }
}
