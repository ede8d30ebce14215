/**
 * The C functions, bound through koffi. Loaded at the first call of `libc()`: importing the library costs nothing and works
 * where koffi does not.
 *
 * Addresses and lengths travel as numbers (`intptr_t`, `size_t`), the fastest form koffi has. Nothing here checks an argument:
 * a bad one reaches the kernel, or ends the process. Only the `linux` files may call these, after their guards.
 *
 * A worker that is being terminated may not make JavaScript objects in native code any more, and koffi ends the process when it
 * tries to. So all functions are bound at once, when koffi is loaded, and none later; before each binding and each `view` the runtime is
 * asked whether this thread is to end (thread-end.ts), which leaves a fraction of a microsecond in which a termination can come too late.
 * Loading koffi itself, once a thread, cannot be divided like that: half a millisecond.
 * @module
 */
import type { Address } from '../../units.ts'
import { loadKoffi } from './load-koffi.ts'
import { threadEnd } from './thread-end.ts'

export interface Libc {
  mmap(address: number, length: number, protection: number, flags: number, fd: number, offset: number): number
  munmap(address: Address, length: number): number
  madvise(address: Address, length: number, advice: number): number
  mincore(address: Address, length: number, vector: Uint8Array): number
  msync(address: Address, length: number, flags: number): number
  /** `msync` in the thread pool. Resolves to the result, or to minus the errno. */
  msyncLater(address: Address, length: number, flags: number): Promise<number>
  mlock2(address: Address, length: number, flags: number): number
  munlock(address: Address, length: number): number
  /** Both vectors hold an address and a length, in that order. */
  processVmReadv(pid: number, local: BigUint64Array, remote: BigUint64Array): number
  /** Writes bytes of memory to a descriptor. EFAULT when they are not there: nothing faults. */
  write(fd: number, address: number, length: number): number
  /** Makes a pipe; the two descriptors, first the one to read from. */
  pipe2(descriptors: Int32Array, flags: number): number
  /** What the kernel told the process when it began, by number; 0 when it did not. */
  getauxval(name: number): number
  /** Copies memory that is known to be there. */
  copyFrom(target: Uint8Array, address: number, length: number): void
  /** Copies to memory that is known to be there. */
  copyTo(address: number, source: Uint8Array, length: number): void
  sysconf(name: number): number
  memfd_create(name: string, flags: number): number
  close(fd: number): number
  fcntl(fd: number, command: number, argument: number): number
  fallocate(fd: number, mode: number, offset: number, length: number): number
  open(path: string, flags: number, permissions: number): number
  linkat(fd: number, path: string, newFd: number, newPath: string, flags: number): number
  /** `syscall` for renameat2, which older libraries of C have no function for. */
  renameat2(call: number, fd: number, path: string, newFd: number, newPath: string, flags: number): number
  /** `syscall` for statx, which older libraries of C have no function for. `status` has 32 words. */
  statx(call: number, fd: number, path: string, flags: number, mask: number, status: BigUint64Array): number
  ftruncate(fd: number, length: number): number
  fchmod(fd: number, permissions: number): number
  pread(fd: number, target: Uint8Array, length: number, position: number): number
  pwrite(fd: number, source: Uint8Array, length: number, position: number): number
  /** `status` has 16 words, of which the first is the file system's kind. */
  fstatfs(fd: number, status: BigInt64Array): number
  /** `limits` gets the limit in force, and the highest. */
  getrlimit(resource: number, limits: BigUint64Array): number
  lseek(fd: number, offset: number, whence: number): number
  /** `syscall` for calls of whole numbers. */
  syscall(call: number, first: number, second: number, third: number): number
  futex(call: number, word: Address, operation: number, value: number, time: BigInt64Array | null): number
  /** In the thread pool. Resolves to the result, or to minus the errno. */
  futex_waitv(call: number, words: BigUint64Array, count: number, until: BigInt64Array, clock: number): Promise<number>
  clock_gettime(clock: number, time: BigInt64Array): number
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

/** Functions that are called as they are. */
const PROTOTYPES = {
  mmap: 'intptr_t mmap(intptr_t, size_t, int, int, int, int64_t)',
  munmap: 'int munmap(intptr_t, size_t)',
  madvise: 'int madvise(intptr_t, size_t, int)',
  mincore: 'int mincore(intptr_t, size_t, uint8_t *)',
  mlock2: 'int mlock2(intptr_t, size_t, unsigned int)',
  munlock: 'int munlock(intptr_t, size_t)',
  write: 'intptr_t write(int, intptr_t, size_t)',
  pipe2: 'int pipe2(int32_t *, int)',
  getauxval: 'unsigned long getauxval(unsigned long)',
  copyFrom: 'void memcpy(uint8_t *, intptr_t, size_t)',
  copyTo: 'void memcpy(intptr_t, uint8_t *, size_t)',
  sysconf: 'long sysconf(int)',
  prctl: 'int prctl(int, unsigned long, intptr_t, size_t, const char *)',
  memfd_create: 'int memfd_create(const char *, unsigned int)',
  close: 'int close(int)',
  // Variadic in C. Whole numbers travel in the same registers either way on both architectures.
  fcntl: 'int fcntl(int, int, int)',
  fallocate: 'int fallocate(int, int, int64_t, int64_t)',
  open: 'int open(const char *, int, uint32_t)',
  linkat: 'int linkat(int, const char *, int, const char *, int)',
  renameat2: 'long syscall(long, intptr_t, const char *, intptr_t, const char *, uintptr_t)',
  statx: 'long syscall(long, int, const char *, int, uint32_t, void *)',
  ftruncate: 'int ftruncate(int, int64_t)',
  fchmod: 'int fchmod(int, uint32_t)',
  pread: 'intptr_t pread(int, uint8_t *, size_t, int64_t)',
  pwrite: 'intptr_t pwrite(int, uint8_t *, size_t, int64_t)',
  fstatfs: 'int fstatfs(int, void *)',
  getrlimit: 'int getrlimit(int, void *)',
  lseek: 'int64_t lseek(int, int64_t, int)',
  syscall: 'long syscall(long, intptr_t, intptr_t, intptr_t)',
  futex: 'long syscall(long, intptr_t, int, uint32_t, void *)',
  clock_gettime: 'int clock_gettime(int, void *)',
} as const satisfies Partial<Record<keyof Libc, string>>

/** Those that are wrapped. */
const READV = 'intptr_t process_vm_readv(int, void *, unsigned long, void *, unsigned long, unsigned long)'
const MSYNC = 'int msync(intptr_t, size_t, int)'
const WAITV = 'long syscall(long, void *, uint32_t, uint32_t, void *, int)'

/** A function of C, as koffi gives it. */
interface Bound {
  (...args: unknown[]): unknown
  async(...args: unknown[]): void
}

function load(): Libc {
  const koffi = loadKoffi()
  // null: the symbols of the running program, which is linked with the platform's libc whatever its file is called.
  const library = koffi.load(null)
  const requireRunning = threadEnd(koffi, library)
  const bind = (prototype: string): Bound => {
    requireRunning()
    return library.func(prototype) as unknown as Bound
  }
  const [readv, msync, waitv] = [bind(READV), bind(MSYNC), bind(WAITV)]
  /** Settles a promise with the result of a call in the pool, or with minus its errno. */
  const settle =
    (resolve: (result: number) => void, reject: (error: Error) => void) =>
    (error: Error | null, result: number): void => {
      if (error !== null) reject(error)
      else resolve(result === -1 ? -koffi.errno() : result)
    }
  const bindings: Omit<Libc, keyof typeof PROTOTYPES> = {
    msync: msync as unknown as Libc['msync'],
    msyncLater: (address, length, flags) =>
      new Promise((resolve, reject) => msync.async(address, length, flags, settle(resolve, reject))),
    processVmReadv: (pid, local, remote) => readv(pid, local, 1, remote, 1, 0) as number,
    futex_waitv: (call, words, count, until, clock) =>
      new Promise((resolve, reject) => waitv.async(call, words, count, 0, until, clock, settle(resolve, reject))),
    errno: () => koffi.errno(),
    addressOf: (view) => koffi.address(view),
    view: (address, length) => {
      requireRunning()
      return koffi.view(address, length)
    },
  }
  // All at once, at the first call: koffi ends the process when a worker is terminated while a function is bound, so there is one such moment
  // in a thread's life and none later.
  const plain = Object.entries(PROTOTYPES).map(([name, prototype]) => [name, bind(prototype)])
  return { ...bindings, ...(Object.fromEntries(plain) as unknown as Pick<Libc, keyof typeof PROTOTYPES>) }
}
