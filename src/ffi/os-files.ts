/**
 * What is wanted of the kernel about files: a part of `Os`. A file is named by its descriptor here, a small number that is the
 * same in all threads of the process.
 *
 *     open, create, createInMemory, duplicate -> [ status | truncate | allocate | nextData | read | write | (os.mapFile) ]* -> close
 *
 * Descriptors that these calls give are closed in programs that this process starts (O_CLOEXEC), and stay open when the worker ends
 * that asked for them: other threads may be using what is behind them by then. Lengths and positions are in bytes.
 *
 * What a call throws: what `Os` says there; a `SystemError` has the path where the call had one.
 * @module
 */

/** What a descriptor, or a mapping, may do with a file. */
export type Access = 'read' | 'read-write'

/** What is known of a file at one moment. */
export interface FileStatus {
  /** Whether it is an ordinary file: no folder, no device, no pipe. */
  readonly regular: boolean
  readonly byteLength: number
  /** Differs between files that exist at the same time, on whatever file systems. */
  readonly identity: string
}

export interface Files {
  /**
   * Opens a file. Does not wait for the other end of a pipe.
   *
   * - ENOENT: there is none. EACCES, EPERM: not allowed. EISDIR: a folder, to be written.
   * - EMFILE, ENFILE: too many open files. EROFS and others: as for any file.
   */
  open(path: string, access: Access): number

  /**
   * Makes an empty file, to be read and written. `permissions` are what others may do with it, before the process's own mask.
   *
   * - EEXIST: there is one. ENOSPC, ENAMETOOLONG and others, and as in `open`: nothing was made.
   */
  create(path: string, permissions: number): number

  /**
   * Makes a file that lives in memory only, of a fixed length, and reads zero. No page of it exists yet. It is gone when the last
   * descriptor and the last mapping of it are, whatever becomes of the processes.
   *
   * - Before: `byteLength` is above 0. `name` is for people: it shows in `/proc/self/maps`.
   * - EMFILE, ENFILE: too many descriptors. ENOMEM. EFBIG: longer than files may be (`ulimit -f`). ENOSYS: a kernel without them.
   *   Nothing was made.
   */
  createInMemory(byteLength: number, name: string): number

  /** A second descriptor of the same file, with the same position. EBADF: `fd` is none. EMFILE: too many. */
  duplicate(fd: number): number

  /** Closes a descriptor. Never refused: it is gone in any case. */
  close(fd: number): void

  /** Where the file of a descriptor is now, as far as the kernel can say it; undefined when it cannot. */
  pathOf(fd: number): string | undefined

  /** What is known of the file behind a descriptor. EBADF: no such descriptor. */
  status(fd: number): FileStatus

  /** The same for the file at a path; undefined when nothing can be found there. */
  statusAt(path: string): FileStatus | undefined

  /** Whether a file can become neither shorter nor longer any more, nor be sealed any further. EBADF: no such descriptor. */
  isSealed(fd: number): boolean

  /**
   * Makes a file this long. What is added is a hole, which reads zero. Pages beyond the new end are taken out of every mapping:
   * touching them is SIGBUS.
   *
   * - EBADF, EINVAL: not open for writing. EFBIG: too long. EPERM: sealed. EIO. The length is as it was.
   */
  truncate(fd: number, byteLength: number): void

  /**
   * Sees to it that a range has room on the disk, so that writing to it cannot fail for want of it, and that the file reaches to
   * its end. Changes no content; what is added reads zero. Where the file system has no call for it, a range that begins at the
   * file's end or beyond is written with zeros.
   *
   * - ENOSPC, EDQUOT: the disk is full; part of the range may have its room, and the file may be longer.
   * - ENOTSUP: no such call, and the range lies in the file. EFBIG, EIO, EPERM: as in `truncate`.
   */
  allocate(fd: number, position: number, byteLength: number): void

  /**
   * The first position from `position` on that is not in a hole; Infinity when there is none up to the file's end. Where the file
   * system does not tell, every position counts as data. Moves the descriptor's own position.
   */
  nextData(fd: number, position: number): number

  /** Reads as many bytes as there are, at most `target.length`, and says how many. EBADF. EIO: they cannot be read. */
  read(fd: number, target: Uint8Array, position: number): number

  /**
   * Writes all of `bytes`.
   *
   * - ENOSPC, EIO and others: part of it may be written.
   */
  write(fd: number, bytes: Uint8Array, position: number): void

  /** Gives a file a second name. EEXIST: the name is taken. EXDEV, EPERM, EACCES, …: the paths. */
  link(path: string, newPath: string): void

  /** Takes a file's name away. ENOENT, EACCES, …: it is as it was. */
  remove(path: string): void
}
