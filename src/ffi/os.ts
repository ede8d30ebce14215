/**
 * All that the library wants of the kernel, call by call. Nothing above this folder names a syscall, a flag or an errno.
 *
 * An `Os` keeps a record of the mappings it has made. A call about a range outside one of them is refused with an error
 * before it reaches the kernel: a wrong address or length does not fail there, it ends the process or hits a stranger's
 * memory. `linux.ts` implements this interface over libc; tests wrap that one in a fake that counts calls and fails the nth.
 *
 *     reserve -> [ mapFile | replace | view | …the calls about pages… ]*            -> release
 *     adopt   -> [ …the same, on what another thread has reserved… ]*               -> release or disown
 *
 * The calls about pages are in os-pages.ts, those about files in os-files.ts, those about threads in os-threads.ts, what threads have
 * in common in os-commons.ts.
 *
 * What a call throws: an `OutOfRangeError` or `InvalidArgumentTypeError` from the guards ("refused" below; nothing was
 * changed), or a `SystemError` with the errno the kernel gave.
 * @module
 */
import type { Address } from '../units.ts'
import type { Commons } from './os-commons.ts'
import type { Access, Files } from './os-files.ts'
import type { Pages } from './os-pages.ts'
import type { Threads } from './os-threads.ts'

/** Whether writes to a mapped file reach the file and other processes that map it, or stay in this process. */
export type Sharing = 'shared' | 'private'

export interface Os extends Pages {
  /** The platform's name, as in `process.platform`. */
  readonly platform: string
  /** The longest ArrayBuffer that this runtime can make: asking for more would abort the process, so `view` refuses. */
  readonly maxViewBytes: number
  /** The calls about files. */
  readonly files: Files
  /** The calls about threads. */
  readonly threads: Threads
  /** What the threads of this process have in common. */
  readonly commons: Commons

  /**
   * Takes a range of addresses, readable and writable, private, without a page of memory behind it and without swap reserved.
   *
   * - Before: `byteLength` is a multiple of the page size; `alignment` is a power of two, at least the page size.
   * - After: the range reads zero, starts on a multiple of `alignment`, and is on record as one mapping. A forked child does not have
   *   it, as far as the kernel can do that; this goes for `replace`, too.
   * - ENOMEM: no addresses are left, or as many mappings as there may be (`vm.max_map_count`) without what the runtime needs
   *   (mapping-room.ts; so do `mapFile`, `lock` and `advise`), or the kernel forbids overcommit (`vm.overcommit_memory` 2). EAGAIN: memory is locked beyond the limit (`mlockall`). Nothing was taken.
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
   * Puts a mapping on record that another thread of this process has reserved. It is for the caller to know that it exists, and
   * will until `disown`; what can be seen of it (its first and last page) is looked at.
   *
   * - Before: whole pages, none of them on record.
   * - ENOMEM: nothing is mapped there.
   */
  adopt(address: Address, byteLength: number): void

  /** Takes a mapping off the record and leaves it as it is, for other threads. Before: exactly one whole mapping on record. */
  disown(address: Address, byteLength: number): void

  /**
   * Puts a file's pages in the place of whatever is there, in one step. The descriptor may be closed afterwards. No swap is
   * reserved for private pages.
   *
   * - Before: whole pages inside one mapping; `fileOffset` is a multiple of the page size. `'shared'` with `'read-write'` needs a
   *   descriptor that is open for both, all else one that is open for reading.
   * - After: the range shows the file from `fileOffset` on. Touching a page that lies wholly beyond the file's end is SIGBUS.
   * - EACCES: the descriptor is not open for that. ENODEV: such a file cannot be mapped. ENOMEM: as in `reserve`.
   *   EBADF: no such descriptor. EPERM: the file is sealed, or its file system forbids it. EAGAIN: the
   *   file is locked, or memory is, beyond the limit. The range is as it was.
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
   * Puts fresh empty pages in the place of whatever is there, in one step: no access by any thread can fault meanwhile.
   *
   * - Before: whole pages inside one mapping.
   * - After: the range reads zero and nothing of it is resident. Advice given for it is forgotten, but for
   *   `keepFromDumps`.
   * - ENOMEM: as in `reserve`. EPERM: the range is sealed. The range is as it was.
   */
  replace(address: Address, byteLength: number): void

  /**
   * Gives a range a name that `/proc/self/maps` shows. Does nothing where the kernel cannot. Characters that the kernel
   * refuses become `_`, and the name is cut to 79 bytes.
   *
   * - Before: whole pages inside one mapping.
   */
  name(address: Address, byteLength: number, name: string): void

  /**
   * An ArrayBuffer over a range, without a copy. It does not keep the mapping: the caller sees to it that the range
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
