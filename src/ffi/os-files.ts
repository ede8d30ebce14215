/**
 * What is wanted of the kernel about files: a part of `Os`. A file is named by its descriptor here, a small number that is the
 * same in all threads of the process; the descriptors that these calls give are not inherited by programs that it starts.
 *
 * Node's own `fs` is not used where a descriptor outlives the call: Node closes a worker's descriptors when the worker ends, and
 * other threads may be using what is behind them by then.
 * @module
 */

/** What is known of an open file. */
export interface FileStatus {
  readonly byteLength: number
  /** Whether nobody can make it shorter or longer any more. */
  readonly sealed: boolean
  /** Together with `inode`, which file it is. */
  readonly device: number
  readonly inode: number
}

export interface FileCalls {
  /**
   * Makes a file that lives in memory only, of a fixed length, and reads zero. No page of it exists yet. It is gone when the last
   * descriptor and the last mapping of it are, whatever becomes of the processes.
   *
   * - Before: `byteLength` is above 0. `name` is for people: it shows in `/proc/self/maps`.
   * - EMFILE, ENFILE: too many descriptors. ENOMEM. EFBIG: longer than files may be (`ulimit -f`). ENOSYS: a kernel without them.
   *   Nothing was made.
   */
  createMemoryFile(byteLength: number, name: string): number

  /**
   * Makes a file under a name that nobody has yet, with all its blocks, so that writing to a mapping of it cannot fail for want of
   * room. It reads zero.
   *
   * - EEXIST: there is one. ENOSPC, EDQUOT: no room for it. EFBIG. ENOENT, EACCES, EROFS, ENAMETOOLONG, …: the path.
   *   EOPNOTSUPP: a file system that cannot allocate blocks. Nothing was made.
   */
  createFile(path: string, byteLength: number, permissions: number): number

  /** Opens a file for reading and writing. ENOENT, EACCES, EISDIR, …: the path. EMFILE, ENFILE: too many descriptors. */
  openFile(path: string): number

  /** Gives a descriptor back. Never refused: whatever the kernel says, it is closed. */
  closeFile(fd: number): void

  /** A second descriptor of the same file. EBADF: `fd` is none. EMFILE: too many. */
  duplicateFile(fd: number): number

  /** Length, seals and identity. EBADF: `fd` is none. */
  fileStatus(fd: number): FileStatus

  /** Copies bytes from a place in a file; says how many there were. EBADF. EIO: they cannot be read. */
  readFile(fd: number, target: Uint8Array, fileOffset: number): number

  /**
   * Gives blocks to a range that is in the file, where it has holes: writing there cannot fail for want of room afterwards.
   *
   * - ENOSPC, EDQUOT: no room. EOPNOTSUPP: a file system that cannot. Part of the range may have blocks.
   */
  allocateBlocks(fd: number, fileOffset: number, byteLength: number): void

  /** Gives a file a second name. EEXIST: the name is taken. EXDEV, EPERM, EACCES, …: the paths. */
  linkFile(path: string, newPath: string): void

  /** Takes a name away. ENOENT: there is none. EACCES, EPERM, …: the path. */
  unlinkFile(path: string): void
}
