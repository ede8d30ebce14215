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
/** As above, unless something is there. Linux 4.17; before, the address is a wish. */
export const MAP_FIXED_NOREPLACE = 0x100000
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
/** `madvise`: private anonymous pages may be taken when memory is short; until then they stay. */
export const MADV_FREE = 8
/** Free the pages and what is behind them: the file gets a hole there, which reads zero for every process that maps it. */
export const MADV_REMOVE = 9
/** A child that is forked does not get the range. */
export const MADV_DONTFORK = 10
/** Huge pages wanted. */
export const MADV_HUGEPAGE = 14
/** No huge pages wanted. */
export const MADV_NOHUGEPAGE = 15
/** The range is left out of core dumps. Linux 3.4. */
export const MADV_DONTDUMP = 16
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

/** `getauxval`: where sixteen random bytes are that the kernel gave the process at its start. */
export const AT_RANDOM = 25
/** `open`, `pipe2`: not inherited by a program that this process starts. */
export const O_CLOEXEC = 0o2000000

/** `prctl`: attributes of a mapping. */
export const PR_SET_VMA = 0x53564d41
/** `prctl`, with `PR_SET_VMA`: the name of an anonymous mapping. */
export const PR_SET_VMA_ANON_NAME = 0

/** `memfd_create`: not inherited by a program that this process starts, unless it is asked to. */
export const MFD_CLOEXEC = 0x1
/** `memfd_create`: seals may be set. */
export const MFD_ALLOW_SEALING = 0x2
/** `memfd_create`: never to be executed; also allows seals. Linux 6.3; systems may insist on it (`vm.memfd_noexec`). */
export const MFD_NOEXEC_SEAL = 0x8

/** `fcntl`: set seals, read them, duplicate a descriptor. */
export const F_ADD_SEALS = 1033
export const F_GET_SEALS = 1034
export const F_DUPFD_CLOEXEC = 1030
/** No more seals; the file cannot become shorter; nor longer. */
export const F_SEAL_SEAL = 0x1
export const F_SEAL_SHRINK = 0x2
export const F_SEAL_GROW = 0x4

/** `fcntl`: the flags that a descriptor was opened with. */
export const F_GETFL = 3

/** `open`, together with O_DIRECTORY: a new file without a name, on the file system of that folder. */
export const O_TMPFILE_BIT = 0o20000000

/** `fallocate`: blocks only, the length stays. */
export const FALLOC_FL_KEEP_SIZE = 0x1
/** `fallocate`, together with KEEP_SIZE: the range reads zero, and whole pages of it become a hole. */
export const FALLOC_FL_PUNCH_HOLE = 0x2

/** Instead of the descriptor of a folder: the current one. */
export const AT_FDCWD = -100
/** `linkat`: of a symbolic link, what it leads to. */
export const AT_SYMLINK_FOLLOW = 0x400
/** `linkat`: the descriptor itself, whose path is empty. */
export const AT_EMPTY_PATH = 0x1000
/** `statx`: what `stat` says. */
export const STATX_BASIC_STATS = 0x7ff
/** `renameat2`: nothing that is there is replaced. */
export const RENAME_NOREPLACE = 0x1

/** `getrlimit`: the longest file that this process may make. */
export const RLIMIT_FSIZE = 1
/** `getrlimit`: no limit. */
export const RLIM_INFINITY: bigint = 2n ** 64n - 1n

/** Kinds of file systems whose files are made by the kernel when they are read: `statfs`, by their magic numbers. */
export const PSEUDO_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0x9fa0, // proc
  0x62656572, // sysfs
  0x27e0eb, // cgroup
  0x63677270, // cgroup2
  0x64626720, // debugfs
  0x74726163, // tracefs
  0x73636673, // securityfs
  0x62656570, // configfs
  0x65735543, // fusectl
  0xf97cff8c, // selinuxfs
  0x43415d53, // smackfs
  0x5a3c69f0, // apparmorfs
  0xcafe4a11, // bpf
  0xde5e81e4, // efivarfs
  0x6165676c, // pstore
  0x42494e4d, // binfmt_misc
  0x6e736673, // nsfs
  0x50494446, // pidfs
  0x09041934, // anonymous inodes
  0x19800202, // mqueue
  0x1cd1, // devpts
  0x9fa2, // usbfs
  0x7655821, // resctrl
  0xabba1974, // xenfs
  0x5345434d, // secret memory
  0x67596969, // rpc_pipefs
])
/** The file system of huge pages, whose files are mapped in pages of that size only. */
export const HUGETLBFS_MAGIC = 0x958458f6

/** `futex`: sleep while a word has a value; wake sleepers. Without the flag for one process only, so it works across processes. */
export const FUTEX_WAIT = 0
export const FUTEX_WAKE = 1
/** `futex_waitv`: the word has 32 bits. */
export const FUTEX2_SIZE_U32 = 0x2
/** Clocks by number. */
export const CLOCK_MONOTONIC = 1

/** System calls that libc has no function for, or none in older versions, by architecture. */
export const SYSTEM_CALLS: Readonly<Record<string, SystemCalls>> = {
  x64: { futex: 202, gettid: 186, tgkill: 234, futex_waitv: 449, renameat2: 316, statx: 332 },
  arm64: { futex: 98, gettid: 178, tgkill: 131, futex_waitv: 449, renameat2: 276, statx: 291 },
}

/** Numbers of system calls. */
export interface SystemCalls {
  readonly futex: number
  readonly gettid: number
  readonly tgkill: number
  readonly futex_waitv: number
  readonly renameat2: number
  readonly statx: number
}
