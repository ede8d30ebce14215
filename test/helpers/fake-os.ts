/**
 * A kernel that does as it is told: the real one, with every call counted, any of them made to fail, and larger pages if wanted.
 *
 *     const os = new FakeOs({ pageSize: 16384 })
 *     os.fail('purge', 2)             the second purge from now throws ENOMEM
 *     os.fail('any', 1, EAGAIN)       the next call, whichever it is
 *     os.live                         the mappings there are: address to length
 *     os.fail('allocate', 1, ENOSPC)  calls about files and threads count and fail as well (fake-files.ts, fake-threads.ts)
 *     os.threads.dead.add(thread)     a thread that is told to have ended
 *     os.dieBefore(3)                 SIGKILL right before the third call from now
 *
 * Pages are made larger only for what asks through this: a range that the fake calls one page is several for the kernel,
 * which is in memory as soon as one of them is.
 * @module
 */
import { constants } from 'node:os'
import { OutOfRangeError } from '../../src/errors.ts'
import { systemError } from '../../src/ffi/errno.ts'
import { LinuxOs } from '../../src/ffi/linux/linux.ts'
import type { Os, Sharing } from '../../src/ffi/os.ts'
import type { Commons } from '../../src/ffi/os-commons.ts'
import type { Access } from '../../src/ffi/os-files.ts'
import type { Advice, HugePageAdvice } from '../../src/ffi/os-pages.ts'
import { systemOs } from '../../src/ffi/system.ts'
import type { Address } from '../../src/units.ts'
import { FakeFiles, type FileCall } from './fake-files.ts'
import { FakeThreads, type ThreadCall } from './fake-threads.ts'

/** The calls of `Os`. */
export type OsCall =
  | 'reserve'
  | 'release'
  | 'replace'
  | 'purge'
  | 'populate'
  | 'adviseHugePages'
  | 'keepFromDumps'
  | 'name'
  | 'residency'
  | 'view'
  | 'availableMemory'
  | 'mapFile'
  | 'sync'
  | 'syncLater'
  | 'advise'
  | 'populateRead'
  | 'removePages'
  | 'lock'
  | 'unlock'
  | 'copyOut'
  | 'adopt'
  | 'disown'
  | FileCall
  | ThreadCall

interface Failure {
  call: OsCall | 'any'
  left: number
  errno: number
}

export interface FakeOptions {
  /** Pages to pretend, a multiple of the real ones. @defaultValue the real */
  readonly pageSize?: number
  /** What `availableMemory` says. @defaultValue what the machine says */
  readonly available?: number
  /** The longest ArrayBuffer. @defaultValue the runtime's */
  readonly maxViewBytes?: number
  /** Whether to have a record of mappings of its own, as another thread has. @defaultValue false */
  readonly asThread?: boolean
}

export class FakeOs implements Os {
  readonly platform: string
  readonly pageSize: number
  readonly maxViewBytes: number
  readonly files: FakeFiles
  readonly threads: FakeThreads
  readonly commons: Commons
  /** How often each call was made, failed ones included. */
  readonly calls: Map<OsCall, number> = new Map()
  /** The mappings there are now. */
  readonly live: Map<Address, number> = new Map()
  available: number | undefined
  readonly #real: Os
  readonly #failures: Failure[] = []
  #deathIn = Infinity

  constructor(options: FakeOptions = {}) {
    this.#real = options.asThread === true ? new LinuxOs() : systemOs()
    this.platform = this.#real.platform
    this.pageSize = Math.max(options.pageSize ?? 0, this.#real.pageSize)
    this.maxViewBytes = Math.min(options.maxViewBytes ?? Infinity, this.#real.maxViewBytes)
    this.available = options.available
    this.commons = this.#real.commons
    this.files = new FakeFiles(this.#real.files, (call, syscall) => this.#enter(call, syscall))
    this.threads = new FakeThreads(this.#real.threads, (call, ...rest) => this.#enter(call, ...rest))
  }

  /** Makes the nth call of that name from now on (or of any name) fail, once. */
  fail(call: OsCall | 'any', nth = 1, errno: number = constants.errno.ENOMEM): void {
    this.#failures.push({ call, left: nth, errno })
  }

  /** Ends this process by SIGKILL right before its nth call from now on. */
  dieBefore(nth: number): void {
    this.#deathIn = nth
  }

  /** Forgets the failures that have not happened; says how many those were. */
  heal(): number {
    return this.#failures.splice(0).length
  }

  /** How often a call was made. */
  count(call: OsCall): number {
    return this.calls.get(call) ?? 0
  }

  reserve(byteLength: number, alignment: number): Address {
    this.#requireWholePages('byteLength', byteLength)
    this.#enter('reserve', 'mmap')
    const address = this.#real.reserve(byteLength, alignment)
    this.live.set(address, byteLength)
    return address
  }

  release(address: Address, byteLength: number): void {
    this.#enter('release', 'munmap', address, byteLength)
    this.#real.release(address, byteLength)
    this.live.delete(address)
  }

  adopt(address: Address, byteLength: number): void {
    this.#requireRange(address, byteLength)
    this.#enter('adopt', 'mincore', address, byteLength)
    this.#real.adopt(address, byteLength)
    this.live.set(address, byteLength)
  }

  disown(address: Address, byteLength: number): void {
    this.#enter('disown', 'disown', address, byteLength)
    this.#real.disown(address, byteLength)
    this.live.delete(address)
  }

  replace(address: Address, byteLength: number): void {
    this.#requireRange(address, byteLength)
    this.#enter('replace', 'mmap', address, byteLength)
    this.#real.replace(address, byteLength)
  }

  purge(address: Address, byteLength: number): void {
    this.#requireRange(address, byteLength)
    this.#enter('purge', 'madvise', address, byteLength)
    this.#real.purge(address, byteLength)
  }

  populate(address: Address, byteLength: number): void {
    this.#requireRange(address, byteLength)
    this.#enter('populate', 'madvise', address, byteLength)
    this.#real.populate(address, byteLength)
  }

  mapFile(
    address: Address,
    byteLength: number,
    fd: number,
    fileOffset: number,
    sharing: Sharing,
    protection: Access
  ): void {
    this.#requireRange(address, byteLength)
    this.#requireWholePages('fileOffset', fileOffset)
    this.#enter('mapFile', 'mmap', address, byteLength)
    this.#real.mapFile(address, byteLength, fd, fileOffset, sharing, protection)
  }

  sync(address: Address, byteLength: number, how: 'sync' | 'async'): void {
    this.#requireRange(address, byteLength)
    this.#enter('sync', 'msync', address, byteLength)
    this.#real.sync(address, byteLength, how)
  }

  async syncLater(address: Address, byteLength: number): Promise<void> {
    this.#requireRange(address, byteLength)
    this.#enter('syncLater', 'msync', address, byteLength)
    await this.#real.syncLater(address, byteLength)
  }

  advise(address: Address, byteLength: number, advice: Advice): void {
    this.#requireRange(address, byteLength)
    this.#enter('advise', 'madvise', address, byteLength)
    this.#real.advise(address, byteLength, advice)
  }

  populateRead(address: Address, byteLength: number): void {
    this.#requireRange(address, byteLength)
    this.#enter('populateRead', 'madvise', address, byteLength)
    this.#real.populateRead(address, byteLength)
  }

  removePages(address: Address, byteLength: number): void {
    this.#requireRange(address, byteLength)
    this.#enter('removePages', 'madvise', address, byteLength)
    this.#real.removePages(address, byteLength)
  }

  lock(address: Address, byteLength: number): void {
    this.#requireRange(address, byteLength)
    this.#enter('lock', 'mlock2', address, byteLength)
    this.#real.lock(address, byteLength)
  }

  unlock(address: Address, byteLength: number): void {
    this.#requireRange(address, byteLength)
    this.#enter('unlock', 'munlock', address, byteLength)
    this.#real.unlock(address, byteLength)
  }

  copyOut(address: Address, byteLength: number, target: Uint8Array): number {
    this.#enter('copyOut', 'process_vm_readv', address, byteLength)
    return this.#real.copyOut(address, byteLength, target)
  }

  adviseHugePages(address: Address, byteLength: number, advice: HugePageAdvice): void {
    this.#requireRange(address, byteLength)
    this.#enter('adviseHugePages', 'madvise', address, byteLength)
    this.#real.adviseHugePages(address, byteLength, advice)
  }

  keepFromDumps(address: Address, byteLength: number): void {
    this.#requireRange(address, byteLength)
    this.#enter('keepFromDumps', 'madvise', address, byteLength)
    this.#real.keepFromDumps(address, byteLength)
  }

  name(address: Address, byteLength: number, name: string): void {
    this.#requireRange(address, byteLength)
    this.#enter('name', 'prctl', address, byteLength)
    this.#real.name(address, byteLength, name)
  }

  residency(address: Address, byteLength: number, vector: Uint8Array): void {
    this.#requireRange(address, byteLength)
    this.#enter('residency', 'mincore', address, byteLength)
    const ratio = this.pageSize / this.#real.pageSize
    const real = new Uint8Array(byteLength / this.#real.pageSize)
    this.#real.residency(address, byteLength, real)
    for (let page = 0; page < byteLength / this.pageSize; page++)
      vector[page] = real.subarray(page * ratio, (page + 1) * ratio).some((flags) => (flags & 1) !== 0) ? 1 : 0
  }

  view(address: Address, byteLength: number): ArrayBuffer {
    this.#enter('view', 'view', address, byteLength)
    return this.#real.view(address, byteLength)
  }

  availableMemory(): number {
    this.#enter('availableMemory', 'read')
    return this.available ?? this.#real.availableMemory()
  }

  #enter(call: OsCall, syscall: string, _address?: Address, byteLength?: number): void {
    this.calls.set(call, this.count(call) + 1)
    if (--this.#deathIn === 0) process.kill(process.pid, 'SIGKILL')
    for (const failure of this.#failures) {
      if (failure.call !== call && failure.call !== 'any') continue
      if (--failure.left > 0) continue
      this.#failures.splice(this.#failures.indexOf(failure), 1)
      throw systemError(syscall, failure.errno, { length: byteLength })
    }
  }

  #requireRange(address: Address, byteLength: number): void {
    this.#requireWholePages('address', address)
    this.#requireWholePages('byteLength', byteLength)
  }

  #requireWholePages(name: string, value: number): void {
    if (value % this.pageSize !== 0) throw new OutOfRangeError(name, `a multiple of ${this.pageSize}`, value)
  }
}
