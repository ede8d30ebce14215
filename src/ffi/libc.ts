/**
 * The C functions, bound through koffi. Loaded at the first call of `libc()`: importing the library costs nothing and works
 * where koffi does not.
 *
 * Addresses and lengths travel as numbers (`intptr_t`, `size_t`), the fastest form koffi has. Nothing here checks an argument:
 * a bad one reaches the kernel, or ends the process. Only `linux.ts` may call these, after its guards.
 * @module
 */
import { createRequire } from 'node:module'
import { UnsupportedOperationError } from '../errors.ts'
import type { Address } from '../units.ts'

export interface Libc {
  mmap(address: number, length: number, protection: number, flags: number, fd: number, offset: number): number
  munmap(address: Address, length: number): number
  madvise(address: Address, length: number, advice: number): number
  mincore(address: Address, length: number, vector: Uint8Array): number
  msync(address: Address, length: number, flags: number): number
  /** `msync` on a thread of libuv's pool. `done` gets the result, and the errno of that call. */
  msyncLater(address: Address, length: number, flags: number, done: (result: number, errno: number) => void): void
  mlock2(address: Address, length: number, flags: number): number
  munlock(address: Address, length: number): number
  /** Both vectors hold an address and a length, in that order. */
  processVmReadv(pid: number, local: BigUint64Array, remote: BigUint64Array): number
  fallocate(fd: number, mode: number, offset: number, length: number): number
  lseek(fd: number, offset: number, whence: number): number
  sysconf(name: number): number
  prctl(option: number, attribute: number, address: Address, length: number, name: string): number
  /** The errno of the call that has just returned -1. Stale after a call that succeeded. */
  errno(): number
  /** Where the bytes of a view are, for as long as the view is. */
  addressOf(view: ArrayBufferView): bigint
  /** An ArrayBuffer over memory. Ends the process when the length is beyond the runtime's limit. */
  view(address: Address, length: number): ArrayBuffer
}

let loaded: Libc | undefined

/** The functions; loads koffi and looks them up the first time. */
export function libc(): Libc {
  if (loaded === undefined) loaded = load()
  return loaded
}

function load(): Libc {
  const koffi = loadKoffi()
  // null: the symbols of the running program, which is linked with the platform's libc whatever its file is called.
  const library = koffi.load(null)
  const msync = library.func('int msync(intptr_t, size_t, int)')
  const readv = library.func(
    'intptr_t process_vm_readv(int, void *, unsigned long, void *, unsigned long, unsigned long)'
  )
  return {
    mmap: library.func('intptr_t mmap(intptr_t, size_t, int, int, int, int64_t)') as unknown as Libc['mmap'],
    munmap: library.func('int munmap(intptr_t, size_t)') as unknown as Libc['munmap'],
    madvise: library.func('int madvise(intptr_t, size_t, int)') as unknown as Libc['madvise'],
    mincore: library.func('int mincore(intptr_t, size_t, uint8_t *)') as unknown as Libc['mincore'],
    msync: msync as unknown as Libc['msync'],
    msyncLater: (address, length, flags, done) =>
      msync.async(address, length, flags, (_: unknown, result: number) => done(result, koffi.errno())),
    mlock2: library.func('int mlock2(intptr_t, size_t, unsigned int)') as unknown as Libc['mlock2'],
    munlock: library.func('int munlock(intptr_t, size_t)') as unknown as Libc['munlock'],
    processVmReadv: (pid, local, remote) => readv(pid, local, 1, remote, 1, 0) as number,
    fallocate: library.func('int fallocate(int, int, int64_t, int64_t)') as unknown as Libc['fallocate'],
    lseek: library.func('int64_t lseek(int, int64_t, int)') as unknown as Libc['lseek'],
    sysconf: library.func('long sysconf(int)') as unknown as Libc['sysconf'],
    prctl: library.func('int prctl(int, unsigned long, intptr_t, size_t, const char *)') as unknown as Libc['prctl'],
    errno: () => koffi.errno(),
    addressOf: (view) => koffi.address(view),
    view: (address, length) => koffi.view(address, length),
  }
}

function loadKoffi(): typeof import('koffi') {
  try {
    return createRequire(import.meta.url)('koffi') as typeof import('koffi')
  } catch (error) {
    // No binary for this platform, or addons are forbidden (`--permission` without `--allow-addons`).
    throw new UnsupportedOperationError(`koffi cannot be loaded: ${(error as Error).message}`)
  }
}
