/**
 * What is wanted of the kernel about the pages of a range: a part of `Os`. All of these leave the range mapped as it is.
 *
 *     make resident    populate, populateRead, lock           give back    purge, removePages
 *     say              advise, adviseHugePages, keepFromDumps    ask       residency, copyOut
 *     write to disk    sync, syncLater
 *
 * Every range is, before the call, whole pages inside one mapping, but where it says otherwise.
 * @module
 */
import type { Address } from '../units.ts'

/** What the kernel can be told of the use of a range. None of it changes what the range holds, but `'dontneed'` may: see there. */
export const ADVICE = ['normal', 'sequential', 'random', 'willneed', 'dontneed', 'cold', 'pageout'] as const
/** What `file.advise` tells the kernel, by the names of `madvise`. */
export type Advice = (typeof ADVICE)[number]

/** What is asked of the kernel about huge pages in a range. */
export type HugePageAdvice = 'advise' | 'never'

/** @internal */
export interface Pages {
  /** Bytes in a page, as the kernel says. A power of two. */
  readonly pageSize: number

  /**
   * Makes every page of a range resident, as if each had been written, and changes no content.
   * Where the kernel has no call for it (before Linux 5.14) each page is written to with an atomic "or 0".
   *
   * - ENOMEM: the memory is not there. EFAULT, EHWPOISON: a page cannot be had. Part of the range may be resident.
   */
  populate(address: Address, byteLength: number): void

  /**
   * Makes every page of a range resident as if each had been read: private pages are not copied. Before Linux 5.14 every page is
   * read.
   *
   * - EFAULT: the file has become too short for a page, or a page cannot be read. ENOMEM: the memory is not there.
   *   Part of the range may be resident.
   */
  populateRead(address: Address, byteLength: number): void

  /**
   * Gives the pages of private memory back to the kernel. The range stays usable.
   *
   * - After: the range reads zero and nothing of it is resident.
   * - EINVAL: part of the range is locked in memory (`mlock`).
   */
  purge(address: Address, byteLength: number): void

  /**
   * Gives the pages of a shared range back, and what is behind them: the file gets a hole there.
   *
   * - Before: of a file that is mapped shared and may be written.
   * - After: the range reads zero in every process, and takes neither memory nor disk. Writing there takes new blocks.
   * - ENOTSUP: the file system has no holes. EINVAL: part of the range is locked in memory, or not such a mapping. EACCES: not
   *   mapped so.
   */
  removePages(address: Address, byteLength: number): void

  /**
   * Tells the kernel how a range will be used. `'dontneed'` drops pages from this mapping: shared ones keep their contents, private
   * ones show the file again, anonymous ones read zero.
   *
   * - EINVAL: the kernel does not know this advice, or part of the range is locked in memory.
   */
  advise(address: Address, byteLength: number, advice: Advice): void

  /**
   * Says whether the kernel may back the range with huge pages. Advice only: a kernel without them is not an error.
   *
   * - ENOMEM: the advice would split a mapping and there are too many.
   */
  adviseHugePages(address: Address, byteLength: number, advice: HugePageAdvice): void

  /**
   * Leaves a range out of core dumps, from now on until it is released: `replace` does not change that.
   *
   * - EINVAL: the kernel does not know this. ENOMEM: it would divide a mapping and there are too many.
   */
  keepFromDumps(address: Address, byteLength: number): void

  /**
   * Keeps pages of a range in memory from when they come to be there; those that are there stay.
   *
   * - ENOMEM, EPERM, EAGAIN: more than may be locked (`RLIMIT_MEMLOCK`), or too many mappings.
   */
  lock(address: Address, byteLength: number): void

  /** Takes `lock` back. */
  unlock(address: Address, byteLength: number): void

  /**
   * Has the changed pages of a shared file written: `'sync'` returns when they are on the disk, `'async'` at once, and leaves it to
   * the kernel, which it does in any case.
   *
   * - EIO, ENOSPC and others: writing failed, now or since the last call.
   */
  sync(address: Address, byteLength: number, how: 'sync' | 'async'): void

  /** As `sync(…, 'sync')`, on another thread. What is refused before the call throws; what the kernel refuses rejects. */
  syncLater(address: Address, byteLength: number): Promise<void>

  /**
   * Writes one byte a page into `vector`: its lowest bit says whether the page is in memory now. A page that has only been
   * read counts, although it is the kernel's shared page of zeros.
   *
   * - Before: `vector` is at least as long as the range has pages.
   * - EAGAIN: the kernel is short of memory for the moment.
   */
  residency(address: Address, byteLength: number, vector: Uint8Array): void

  /**
   * Copies a range without touching it, and says how many bytes there were up to the first page that cannot be had: a shortened
   * file cannot end the process here.
   *
   * - Before: any bytes inside one mapping; `target` has room for them.
   */
  copyOut(address: Address, byteLength: number, target: Uint8Array): number
}
