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
  sysconf(name: number): number
  memfd_create(name: string, flags: number): number
  open(path: string, flags: number, permissions: number): number
  close(fd: number): number
  fcntl(fd: number, command: number, argument: number): number
  ftruncate(fd: number, length: number): number
  fallocate(fd: number, mode: number, offset: number, length: number): number
  pread(fd: number, target: Uint8Array, length: number, offset: number): number
  link(path: string, newPath: string): number
  unlink(path: string): number
  /** `syscall` for calls of whole numbers. */
  syscall(call: number, first: number, second: number, third: number): number
  futex(call: number, word: Address, operation: number, value: number, time: BigInt64Array | null): number
  /** In the thread pool. Resolves to the result, or to minus the errno. */
  futex_waitv(call: number, words: BigUint64Array, count: number, until: BigInt64Array, clock: number): Promise<number>
  prctl(option: number, attribute: number, address: Address, length: number, name: string): number
  /** The errno of the call that has just returned -1. Stale after a call that succeeded. */
  errno(): number
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
  const waitv = library.func('long syscall(long, void *, uint32_t, uint32_t, void *, int)')
  const bind = <T>(prototype: string): T => library.func(prototype) as unknown as T
  return {
    mmap: bind('intptr_t mmap(intptr_t, size_t, int, int, int, int64_t)'),
    munmap: bind('int munmap(intptr_t, size_t)'),
    madvise: bind('int madvise(intptr_t, size_t, int)'),
    mincore: bind('int mincore(intptr_t, size_t, uint8_t *)'),
    sysconf: bind('long sysconf(int)'),
    prctl: bind('int prctl(int, unsigned long, intptr_t, size_t, const char *)'),
    memfd_create: bind('int memfd_create(const char *, unsigned int)'),
    // Variadic in C. Whole numbers travel in the same registers either way on both architectures.
    open: bind('int open(const char *, int, int)'),
    close: bind('int close(int)'),
    fcntl: bind('int fcntl(int, int, int)'),
    ftruncate: bind('int ftruncate(int, int64_t)'),
    fallocate: bind('int fallocate(int, int, int64_t, int64_t)'),
    pread: bind('intptr_t pread(int, uint8_t *, size_t, int64_t)'),
    link: bind('int link(const char *, const char *)'),
    unlink: bind('int unlink(const char *)'),
    syscall: bind('long syscall(long, intptr_t, intptr_t, intptr_t)'),
    futex: bind('long syscall(long, intptr_t, int, uint32_t, void *)'),
    futex_waitv: (call, words, count, until, clock) =>
      new Promise((resolve, reject) => {
        waitv.async(call, words, count, 0, until, clock, (error: Error | null, result: number) => {
          if (error !== null) reject(error)
          else resolve(result === -1 ? -koffi.errno() : result)
        })
      }),
    errno: () => koffi.errno(),
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
