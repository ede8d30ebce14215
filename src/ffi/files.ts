/**
 * What is wanted of the kernel about files, call by call, as `Os` has it for memory. `node-files.ts` implements it over node:fs,
 * and over libc where node:fs has no such call; tests wrap that one in a fake that counts calls and fails the nth.
 *
 *     open -> [ status | truncate | allocate | nextData | read | write | (os.mapFile) ]* -> close
 *
 * Lengths and positions are in bytes, descriptors are small whole numbers. What a call throws: a `SystemError` with the errno that
 * the kernel gave, with the path where the call had one. Descriptors that `open` gives are closed in programs that this process
 * starts (O_CLOEXEC).
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
   * Opens a file. With `creating` it is a new file, and one that is there already is an error. Does not wait for the other end
   * of a pipe.
   *
   * - ENOENT: there is none. EEXIST: there is one. EACCES, EPERM: not allowed. EISDIR: a folder, to be written.
   * - EMFILE, ENFILE: too many open files. ENOSPC, EROFS and others: as for any file.
   */
  open(path: string, access: Access, creating: boolean): number

  /** Closes a descriptor. Never throws: it is gone in any case. */
  close(fd: number): void

  /** Where the file of a descriptor is now, as far as the kernel can say it; undefined when it cannot. */
  pathOf(fd: number): string | undefined

  /**
   * What is known of the file behind a descriptor.
   *
   * - EBADF: no such descriptor.
   */
  status(fd: number): FileStatus

  /** The same for the file at a path; undefined when nothing can be found there. */
  statusAt(path: string): FileStatus | undefined

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
   * - ENOSPC: the disk is full; part of the range may have its room, and the file may be longer.
   * - ENOTSUP: no such call, and the range lies in the file. EFBIG, EIO, EPERM: as in `truncate`.
   */
  allocate(fd: number, position: number, byteLength: number): void

  /**
   * The first position from `position` on that is not in a hole; Infinity when there is none up to the file's end. Where the file
   * system does not tell, every position counts as data. Moves the descriptor's own position.
   */
  nextData(fd: number, position: number): number

  /** Reads as many bytes as there are, at most `target.length`, and says how many. */
  read(fd: number, target: Uint8Array, position: number): number

  /**
   * Writes all of `bytes`.
   *
   * - ENOSPC, EIO and others: part of it may be written.
   */
  write(fd: number, bytes: Uint8Array, position: number): void

  /**
   * Takes a file's name away.
   *
   * - ENOENT, EACCES, …: it is as it was.
   */
  remove(path: string): void
}
