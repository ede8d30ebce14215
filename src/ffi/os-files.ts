/**
 * What is wanted of the kernel about files: a part of `Os`. A file is named by its descriptor here, a small number that is the
 * same in all threads of the process.
 *
 *     open, create, createUnnamed, createInMemory, duplicate
 *         -> [ status | allocate | extend | truncate | clear | nextData | read | write | (os.mapFile) ]* -> [ publish ] -> close
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
  readonly directory: boolean
  /** Whether it is a symbolic link. */
  readonly symbolicLink: boolean
  readonly byteLength: number
  /** Numbers of the user and the group that it belongs to. */
  readonly owner: number
  readonly group: number
  /** Which users may do what with it, as in `chmod`. */
  readonly permissions: number
  /** Differs between files that exist at the same time, on whatever file systems. */
  readonly identity: string
}

/** The user and groups of this process, where files are concerned. */
export interface Credentials {
  readonly user: number
  readonly groups: readonly number[]
}

/** `pseudo`: files that the kernel makes when they are read, such as those of /proc. `huge`: files of huge pages. */
export type FileSystemKind = 'storage' | 'pseudo' | 'huge'

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
   * Makes an empty file without a name, to be read and written, on the file system where `path` would be. It is gone when its last
   * descriptor and its last mapping are, unless it is published. `permissions` as in `create`.
   *
   * - EOPNOTSUPP, EISDIR: this kernel or file system has no such files. ENOENT, EACCES and others, as for the folder of `path`.
   */
  createUnnamed(path: string, permissions: number): number

  /**
   * Gives a file without a name one. Nothing that is there is replaced, a symbolic link neither.
   *
   * - EEXIST: the name is taken. EACCES, ENOENT, …: the path.
   */
  publish(fd: number, path: string): void

  /** Sets what others may do with a file. EPERM: it belongs to another user. */
  setPermissions(fd: number, permissions: number): void

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

  /** The same for what the path itself names, which may be a symbolic link. Undefined when there is nothing. */
  entryAt(path: string): FileStatus | undefined

  /** The path without symbolic links; undefined when it leads nowhere. */
  realPath(path: string): string | undefined

  /** The names in a folder; none when it cannot be read. */
  list(folder: string): string[]

  /** The user and groups of this process. */
  credentials(): Credentials

  /** On what kind of file system the file behind a descriptor is. EBADF: no such descriptor. */
  fileSystem(fd: number): FileSystemKind

  /** Whether each write goes to the file's end, wherever it was meant for (O_APPEND). EBADF: no such descriptor. */
  appends(fd: number): boolean

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
   * Gives a range room on the disk, so that writing to it cannot fail for want of it. Changes neither content nor length: a range
   * may lie beyond the file's end.
   *
   * - ENOSPC: the file system says that there is less room than that, and nothing was done; or there was less than it had said,
   *   and part of the range may have its room. EDQUOT: the latter.
   * - EFBIG: longer than files may be (`ulimit -f`, or the file system). Nothing was done.
   * - ENOTSUP: the file system has no call for it. EIO, EPERM (sealed, or immutable), ETXTBSY (a swap file).
   */
  allocate(fd: number, position: number, byteLength: number): void

  /**
   * Makes a file at least this long, and never shorter, whatever others do with it meanwhile. What is added reads zero. Where the
   * file system has no call for it, zeros are written from the file's end on.
   *
   * - ENOSPC, EDQUOT: the disk is full; not after `allocate`. Where zeros are written the file may be longer.
   * - ENOTSUP: the file system does as if, and the file is as long as before.
   * - EFBIG, EIO, EPERM, ETXTBSY: as in `allocate`. The length is as it was.
   */
  extend(fd: number, byteLength: number): void

  /**
   * Makes a range read zero, beyond the file's end too: there, on a file system in memory, are bytes that mappings have stored.
   * The length stays. Blocks of whole pages in the range are given back.
   *
   * - ENOTSUP: the file system has no call for it. EPERM and others, as in `allocate`.
   */
  clear(fd: number, position: number, byteLength: number): void

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

  /**
   * Gives what has the name `path` another name in its place. Nothing that is there is replaced.
   *
   * - EEXIST: the new name is taken. ENOENT: there is nothing. EINVAL, ENOSYS: the file system, or the kernel, cannot do that.
   */
  rename(path: string, newPath: string): void

  /** Takes a file's name away. ENOENT, EACCES, …: it is as it was. */
  remove(path: string): void
}
