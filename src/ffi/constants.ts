/**
 * The kernel's numbers, where libc takes them. Those below are the same on x64 and arm64 (both use Linux's generic
 * `mman-common.h`; the architectures that differ, such as alpha, mips and parisc, are refused in `system.ts`).
 * @module
 */

/** Pages may be read. */
export const PROT_READ = 0x1
/** Pages may be written. */
export const PROT_WRITE = 0x2

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

/** Drop the pages; anonymous memory reads zero afterwards. */
export const MADV_DONTNEED = 4
/** Huge pages wanted. */
export const MADV_HUGEPAGE = 14
/** No huge pages wanted. */
export const MADV_NOHUGEPAGE = 15
/** Fault every page in as if written. Linux 5.14. */
export const MADV_POPULATE_WRITE = 23

/** `sysconf`: bytes in a page. The number is that of glibc and musl on Linux. */
export const SC_PAGESIZE = 30

/** `prctl`: attributes of a mapping. */
export const PR_SET_VMA = 0x53564d41
/** `prctl`, with `PR_SET_VMA`: the name of an anonymous mapping. */
export const PR_SET_VMA_ANON_NAME = 0
