/**
 * All that the library wants of the kernel, call by call. Nothing above this folder names a syscall, a flag or an errno.
 *
 * An `Os` keeps a record of the mappings it has made. A call about a range outside one of them is refused with an error
 * before it reaches the kernel: a wrong address or length does not fail there, it ends the process or hits a stranger's
 * memory. `linux.ts` implements this interface over libc; tests wrap that one in a fake that counts calls and fails the nth.
 *
 *     reserve -> [ populate | purge | residency | view | replace | mapFile, then the calls about files' pages ]* -> release
 *
 * What a call throws: an `OutOfRangeError` or `InvalidArgumentTypeError` from the guards ("refused" below; nothing was
 * changed), or a `SystemError` with the errno the kernel gave.
 * @module
 */
import type { Address } from '../units.ts'
import type { Access, Files } from './files.ts'

/** Whether stores to a mapped file reach the file and everybody else who maps it, or stay in this process. */
export type Sharing = 'shared' | 'private'

/** What the kernel can be told of the use of a range. None of it changes what the range holds, but `'dontneed'` may: see there. */
export const ADVICE = ['normal', 'sequential', 'random', 'willneed', 'dontneed', 'cold', 'pageout'] as const
export type Advice = (typeof ADVICE)[number]

/** What is asked of the kernel about huge pages in a range. */
export type HugePageAdvice = 'advise' | 'never'

export interface Os {
  /** The platform's name, as in `process.platform`. */
  readonly platform: string
  /** Bytes in a page, as the kernel says. A power of two. */
  readonly pageSize: number
  /** The longest ArrayBuffer that this runtime can make: asking for more would abort the process, so `view` refuses. */
  readonly maxViewBytes: number
  /** The calls about files. */
  readonly files: Files

  /**
   * Takes a range of addresses, readable and writable, private, without a page of memory behind it and without swap reserved.
   *
   * - Before: `byteLength` is a multiple of the page size; `alignment` is a power of two, at least the page size.
   * - After: the range reads zero, starts on a multiple of `alignment`, and is on record as one mapping.
   * - ENOMEM: no addresses are left, or too many mappings (`vm.max_map_count`), or the kernel forbids overcommit
   *   (`vm.overcommit_memory` 2). EAGAIN: memory is locked beyond the limit (`mlockall`). Nothing was taken.
   */
  reserve(byteLength: number, alignment: number): Address

  /**
   * Gives a mapping's addresses back. Whatever touches them afterwards faults, or meets a stranger's memory.
   *
   * - Before: exactly one whole mapping on record; no ArrayBuffer over it is alive in any thread.
   * - ENOMEM: unmapping would split a mapping and there are too many. The mapping stays on record.
   */
  release(address: Address, byteLength: number): void

  /**
   * Puts fresh empty pages in the place of whatever is there, in one step: no access by any thread can fault meanwhile.
   *
   * - Before: whole pages inside one mapping.
   * - After: the range reads zero and nothing of it is resident. Advice given for it is forgotten.
   * - ENOMEM: as in `reserve`. EPERM: the range is sealed. The range is as it was.
   */
  replace(address: Address, byteLength: number): void

  /**
   * Gives the pages of a range back to the kernel. The range stays usable.
   *
   * - Before: whole pages inside one mapping.
   * - After: the range reads zero and nothing of it is resident.
   * - EINVAL: part of the range is locked in memory (`mlock`).
   */
  purge(address: Address, byteLength: number): void

  /**
   * Makes every page of a range resident, as if each had been written, and changes no content.
   * Where the kernel has no call for it (before Linux 5.14) each page is written to with an atomic "or 0".
   *
   * - Before: whole pages inside one mapping.
   * - ENOMEM: the memory is not there. EFAULT, EHWPOISON: a page cannot be had. Part of the range may be resident.
   */
  populate(address: Address, byteLength: number): void

  /**
   * Puts a file's pages in the place of whatever is there, in one step. The descriptor may be closed afterwards. No swap is
   * reserved for private pages.
   *
   * - Before: whole pages inside one mapping; `fileOffset` is a multiple of the page size. `'shared'` with `'read-write'` needs a
   *   descriptor that is open for both, all else one that is open for reading.
   * - After: the range shows the file from `fileOffset` on. Touching a page that lies wholly beyond the file's end is SIGBUS.
   * - EACCES: the descriptor is not open for that. ENODEV: such a file cannot be mapped. ENOMEM: as in `reserve`.
   *   EBADF: no such descriptor. EPERM: the file is sealed, or its file system forbids it. The range is as it was.
   */
  mapFile(
    address: Address,
    byteLength: number,
    fd: number,
    fileOffset: number,
    sharing: Sharing,
    protection: Access
  ): void

  /**
   * Has the changed pages of a shared file written: `'sync'` returns when they are on the disk, `'async'` at once, and leaves it to
   * the kernel, which it does in any case.
   *
   * - Before: whole pages inside one mapping.
   * - EIO, ENOSPC and others: writing failed, now or since the last time that somebody asked.
   */
  sync(address: Address, byteLength: number, how: 'sync' | 'async'): void

  /** As `sync(…, 'sync')`, on another thread. What is refused before the call throws; what the kernel refuses rejects. */
  syncLater(address: Address, byteLength: number): Promise<void>

  /**
   * Tells the kernel how a range will be used. `'dontneed'` drops pages from this mapping: shared ones keep their contents, private
   * ones show the file again, anonymous ones read zero.
   *
   * - Before: whole pages inside one mapping.
   * - EINVAL: the kernel does not know this advice, or part of the range is locked in memory.
   */
  advise(address: Address, byteLength: number, advice: Advice): void

  /**
   * Makes every page of a range resident as if each had been read: private pages are not copied. Before Linux 5.14 every page is
   * read.
   *
   * - Before: whole pages inside one mapping.
   * - EFAULT: the file has become too short for a page, or a page cannot be read. ENOMEM: the memory is not there.
   *   Part of the range may be resident.
   */
  populateRead(address: Address, byteLength: number): void

  /**
   * Gives the pages of a shared range back, and what is behind them: the file gets a hole there.
   *
   * - Before: whole pages inside one mapping, of a file that is mapped shared and may be written.
   * - After: the range reads zero in every process, and takes neither memory nor disk.
   * - ENOTSUP: the file system has no holes. EINVAL: part of the range is locked in memory. EACCES: not mapped so.
   */
  removePages(address: Address, byteLength: number): void

  /**
   * Keeps pages of a range in memory from when they come to be there; those that are there stay.
   *
   * - Before: whole pages inside one mapping.
   * - ENOMEM, EPERM, EAGAIN: more than may be locked (`RLIMIT_MEMLOCK`), or too many mappings.
   */
  lock(address: Address, byteLength: number): void

  /**
   * Takes `lock` back.
   *
   * - Before: whole pages inside one mapping.
   */
  unlock(address: Address, byteLength: number): void

  /**
   * Copies a range without touching it, and says how many bytes there were up to the first page that cannot be had: a shortened
   * file cannot end the process here.
   *
   * - Before: any bytes inside one mapping; `target` has room for them.
   */
  copyOut(address: Address, byteLength: number, target: Uint8Array): number

  /**
   * Says whether the kernel may back the range with huge pages. Advice only: a kernel without them is not an error.
   *
   * - Before: whole pages inside one mapping.
   * - ENOMEM: the advice would split a mapping and there are too many.
   */
  adviseHugePages(address: Address, byteLength: number, advice: HugePageAdvice): void

  /**
   * Gives a range a name that `/proc/self/maps` shows. Does nothing where the kernel cannot. Characters that the kernel
   * refuses become `_`, and the name is cut to 79 bytes.
   *
   * - Before: whole pages inside one mapping.
   */
  name(address: Address, byteLength: number, name: string): void

  /**
   * Writes one byte a page into `vector`: its lowest bit says whether the page is in memory now. A page that has only been
   * read counts, although it is the kernel's shared page of zeros.
   *
   * - Before: whole pages inside one mapping; `vector` is at least as long as their count.
   * - EAGAIN: the kernel is short of memory for the moment.
   */
  residency(address: Address, byteLength: number, vector: Uint8Array): void

  /**
   * An ArrayBuffer over a range, without a copy. It does not keep the mapping: whoever asks for one sees to it that the range
   * is not released while the buffer, or any view of it, is alive in any thread.
   *
   * - Before: `byteLength` is from 1 to `maxViewBytes`, inside one mapping; `address` may be any byte.
   * - UnsupportedOperationError: the runtime forbids ArrayBuffers over memory of others (Electron does).
   */
  view(address: Address, byteLength: number): ArrayBuffer

  /**
   * Bytes that could be made resident now without swapping and without hitting a limit: what the kernel calls available, or
   * what is left under the memory limit of the control group (v1 or v2) where that is less. An estimate, read from files.
   */
  availableMemory(): number
}
