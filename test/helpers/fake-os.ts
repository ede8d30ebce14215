/**
 * A kernel that does as it is told: the real one, with every call counted, any of them made to fail, and larger pages if wanted.
 *
 *     const os = new FakeOs({ pageSize: 16384 })
 *     os.fail('purge', 2)             the second purge from now throws ENOMEM
 *     os.fail('any', 1, EAGAIN)       the next call, whichever it is
 *     os.live                         the mappings there are: address to length
 *     os.descriptors                  the files it has open
 *     os.dead.add(thread)             a thread that is told to have ended
 *
 * Longer than other files: a method for each call of the kernel, all of them alike.
 *
 * Pages are made larger only for those who ask through this: a range that the fake calls one page is several for the kernel,
 * which is in memory as soon as one of them is.
 * @module
 */
import { constants } from 'node:os'
import { OutOfRangeError } from '../../src/errors.ts'
import { systemError } from '../../src/ffi/errno.ts'
import { LinuxOs } from '../../src/ffi/linux.ts'
import type { HugePageAdvice, Os, Protection, Sharing } from '../../src/ffi/os.ts'
import type { FileStatus } from '../../src/ffi/os-files.ts'
import type { Place, SleepEnd } from '../../src/ffi/os-threads.ts'
import { systemOs } from '../../src/ffi/system.ts'
import type { Address } from '../../src/units.ts'

/** The calls of `Os`. */
export type OsCall =
  | 'reserve'
  | 'release'
  | 'replace'
  | 'purge'
  | 'populate'
  | 'adviseHugePages'
  | 'name'
  | 'residency'
  | 'view'
  | 'availableMemory'
  | 'adopt'
  | 'disown'
  | 'mapFile'
  | 'removePages'
  | 'createMemoryFile'
  | 'createFile'
  | 'openFile'
  | 'closeFile'
  | 'duplicateFile'
  | 'fileStatus'
  | 'readFile'
  | 'allocateBlocks'
  | 'linkFile'
  | 'unlinkFile'
  | 'threadId'
  | 'isThreadAlive'
  | 'startTime'
  | 'place'
  | 'futexWait'
  | 'futexWake'
  | 'futexWaitAny'

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
  /** How often each call was made, failed ones included. */
  readonly calls: Map<OsCall, number> = new Map()
  /** The mappings there are now. */
  readonly live: Map<Address, number> = new Map()
  /** The descriptors there are now, of those that were made here. */
  readonly descriptors: Set<number> = new Set()
  /** Threads to be told dead, whatever they are. */
  readonly dead: Set<number> = new Set()
  /** Where this process is said to be. @defaultValue where it is */
  where: Place | undefined
  available: number | undefined
  readonly #real: Os
  readonly #failures: Failure[] = []

  constructor(options: FakeOptions = {}) {
    this.#real = options.asThread === true ? new LinuxOs() : systemOs()
    this.platform = this.#real.platform
    this.pageSize = Math.max(options.pageSize ?? 0, this.#real.pageSize)
    this.maxViewBytes = Math.min(options.maxViewBytes ?? Infinity, this.#real.maxViewBytes)
    this.available = options.available
  }

  /** Makes the nth call of that name from now on (or of any name) fail, once. */
  fail(call: OsCall | 'any', nth = 1, errno: number = constants.errno.ENOMEM): void {
    this.#failures.push({ call, left: nth, errno })
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

  adviseHugePages(address: Address, byteLength: number, advice: HugePageAdvice): void {
    this.#requireRange(address, byteLength)
    this.#enter('adviseHugePages', 'madvise', address, byteLength)
    this.#real.adviseHugePages(address, byteLength, advice)
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

  mapFile(
    address: Address,
    byteLength: number,
    fd: number,
    fileOffset: number,
    sharing: Sharing,
    protection: Protection
  ): void {
    this.#requireRange(address, byteLength)
    this.#enter('mapFile', 'mmap', address, byteLength)
    this.#real.mapFile(address, byteLength, fd, fileOffset, sharing, protection)
  }

  removePages(address: Address, byteLength: number): void {
    this.#requireRange(address, byteLength)
    this.#enter('removePages', 'madvise', address, byteLength)
    this.#real.removePages(address, byteLength)
  }

  createMemoryFile(byteLength: number, name: string): number {
    this.#enter('createMemoryFile', 'memfd_create')
    return this.#opened(this.#real.createMemoryFile(byteLength, name))
  }

  createFile(path: string, byteLength: number, permissions: number): number {
    this.#enter('createFile', 'open')
    return this.#opened(this.#real.createFile(path, byteLength, permissions))
  }

  openFile(path: string): number {
    this.#enter('openFile', 'open')
    return this.#opened(this.#real.openFile(path))
  }

  closeFile(fd: number): void {
    this.calls.set('closeFile', this.count('closeFile') + 1)
    this.#real.closeFile(fd)
    this.descriptors.delete(fd)
  }

  duplicateFile(fd: number): number {
    this.#enter('duplicateFile', 'fcntl')
    return this.#opened(this.#real.duplicateFile(fd))
  }

  fileStatus(fd: number): FileStatus {
    this.#enter('fileStatus', 'fstat')
    return this.#real.fileStatus(fd)
  }

  readFile(fd: number, target: Uint8Array, fileOffset: number): number {
    this.#enter('readFile', 'pread')
    return this.#real.readFile(fd, target, fileOffset)
  }

  allocateBlocks(fd: number, fileOffset: number, byteLength: number): void {
    this.#enter('allocateBlocks', 'fallocate')
    this.#real.allocateBlocks(fd, fileOffset, byteLength)
  }

  linkFile(path: string, newPath: string): void {
    this.#enter('linkFile', 'link')
    this.#real.linkFile(path, newPath)
  }

  unlinkFile(path: string): void {
    this.#enter('unlinkFile', 'unlink')
    this.#real.unlinkFile(path)
  }

  threadId(): number {
    this.calls.set('threadId', this.count('threadId') + 1)
    return this.#real.threadId()
  }

  isThreadAlive(processId: number, threadId: number): boolean {
    this.calls.set('isThreadAlive', this.count('isThreadAlive') + 1)
    return !this.dead.has(threadId) && this.#real.isThreadAlive(processId, threadId)
  }

  startTime(processId: number, threadId: number): number {
    this.calls.set('startTime', this.count('startTime') + 1)
    return this.#real.startTime(processId, threadId)
  }

  place(): Place {
    this.calls.set('place', this.count('place') + 1)
    return this.where ?? this.#real.place()
  }

  futexWait(address: Address, expected: number, milliseconds: number): SleepEnd {
    this.#enter('futexWait', 'futex', address)
    return this.#real.futexWait(address, expected, milliseconds)
  }

  futexWake(address: Address, count: number): number {
    this.#enter('futexWake', 'futex', address)
    return this.#real.futexWake(address, count)
  }

  async futexWaitAny(
    addresses: readonly Address[],
    expected: readonly number[],
    milliseconds: number
  ): Promise<number> {
    this.#enter('futexWaitAny', 'futex_waitv')
    return this.#real.futexWaitAny(addresses, expected, milliseconds)
  }

  #opened(fd: number): number {
    this.descriptors.add(fd)
    return fd
  }

  #enter(call: OsCall, syscall: string, address?: Address, byteLength?: number): void {
    this.calls.set(call, this.count(call) + 1)
    for (const failure of this.#failures) {
      if (failure.call !== call && failure.call !== 'any') continue
      if (--failure.left > 0) continue
      this.#failures.splice(this.#failures.indexOf(failure), 1)
      throw systemError(syscall, failure.errno, address, byteLength)
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
