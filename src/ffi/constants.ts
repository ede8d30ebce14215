/**
 * The kernel's numbers, where libc takes them. Those below are the same on x64 and arm64 (both use Linux's generic
 * `mman-common.h`; the architectures that differ, such as alpha, mips and parisc, are refused in `system.ts`).
 * @module
 */

/** Pages may be read. */
export const PROT_READ = 0x1
/** Pages may be written. */
export const PROT_WRITE = 0x2

/** Writes reach the file, and every other process that maps it. */
export const MAP_SHARED = 0x01
/** Writes stay in this process. */
export const MAP_PRIVATE = 0x02
/** At this very address, in the place of whatever is there. */
export const MAP_FIXED = 0x10
/** No file behind it. */
export const MAP_ANONYMOUS = 0x20
/** No swap reserved for it. */
export const MAP_NORESERVE = 0x4000
/** What mmap returns when it fails, as a signed number. */
export const MAP_FAILED = -1

/** No advice: the kernel reads ahead as it thinks fit. */
export const MADV_NORMAL = 0
/** Access without order: no reading ahead. */
export const MADV_RANDOM = 1
/** Access in order: read far ahead, and drop what lies behind. */
export const MADV_SEQUENTIAL = 2
/** Start reading now. */
export const MADV_WILLNEED = 3
/** Drop the pages; anonymous memory reads zero afterwards, a private page of a file shows the file again. */
export const MADV_DONTNEED = 4
/** Free the pages and what is behind them: the file gets a hole that reads zero. */
export const MADV_REMOVE = 9
/** Huge pages wanted. */
export const MADV_HUGEPAGE = 14
/** No huge pages wanted. */
export const MADV_NOHUGEPAGE = 15
/** Take these pages first when memory runs short. Linux 5.4. */
export const MADV_COLD = 20
/** Write these pages out and drop them now. Linux 5.4. */
export const MADV_PAGEOUT = 21
/** Fault every page in as if read. Linux 5.14. */
export const MADV_POPULATE_READ = 22
/** Fault every page in as if written. Linux 5.14. */
export const MADV_POPULATE_WRITE = 23

/** `msync`: start writing, and do not wait. */
export const MS_ASYNC = 1
/** `msync`: return when everything is on the disk. */
export const MS_SYNC = 4
/** `mlock2`: lock pages as they are faulted in, and fault none in now. */
export const MLOCK_ONFAULT = 1
/** `lseek`: to the next byte that is not in a hole. */
export const SEEK_DATA = 3

/** `sysconf`: bytes in a page. The number is that of glibc and musl on Linux. */
export const SC_PAGESIZE = 30

/** `prctl`: attributes of a mapping. */
export const PR_SET_VMA = 0x53564d41
/** `prctl`, with `PR_SET_VMA`: the name of an anonymous mapping. */
export const PR_SET_VMA_ANON_NAME = 0
