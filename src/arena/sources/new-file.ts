/**
 * A file that no other process can open yet: it gets its name when it is complete, so that no process ever sees half of one, and a process that
 * is killed on the way leaves nothing.
 *
 *     createUnnamed ── blocks, length, header ── publish                    O_TMPFILE, linkat
 *     .sorites-… ── blocks, length, header ── rename (or link, remove)      where the file system has no files without a name
 *
 * A name that is taken is left alone, whatever has it. A symbolic link that leads nowhere is refused: a user that may
 * write to the folder could use it to have a file made elsewhere.
 * @module
 */
import { SystemError, UnsupportedOperationError } from '../../errors.ts'
import { EEXIST, EINVAL, EISDIR, ENOENT, ENOSYS, EOPNOTSUPP, fileError, isErrno } from '../../ffi/errno.ts'
import type { Os } from '../../ffi/os.ts'
import { removeQuietly, removeStale, temporaryName } from './temporary-names.ts'

/** How often to begin anew when the name of a file comes and goes. */
export const ATTEMPTS = 10

export class NewFile {
  readonly #os: Os
  readonly #path: string
  readonly fd: number
  /** The name that it has meanwhile, where it must have one. */
  #temporary: string | undefined

  private constructor(os: Os, path: string, fd: number, temporary: string | undefined) {
    this.#os = os
    this.#path = path
    this.fd = fd
    this.#temporary = temporary
  }

  /** An empty file, for `path`. The descriptor is the caller's to close. What fails is told of `path`, and leaves nothing behind. */
  static make(os: Os, path: string, permissions: number): NewFile {
    if (os.files.entryAt(path)?.symbolicLink === true && os.files.statusAt(path) === undefined)
      throw new UnsupportedOperationError(
        `${path} is a symbolic link that leads nowhere: nothing was made. Make what it leads to, or remove it`
      )
    return namingPath(path, () => unnamed(os, path, permissions) ?? NewFile.#named(os, path, permissions))
  }

  static #named(os: Os, path: string, permissions: number): NewFile {
    removeStale(os, path)
    const temporary = temporaryName(os, path)
    const fd = os.files.create(temporary, permissions & 0o600)
    try {
      const wanted = permissions & ~process.umask()
      if (wanted !== (permissions & 0o600)) os.files.setPermissions(fd, wanted)
      return new NewFile(os, path, fd, temporary)
    } catch (error) {
      os.files.close(fd)
      removeQuietly(os, temporary)
      throw error
    }
  }

  /** Made here so that only this file makes them. @internal */
  static of(os: Os, path: string, fd: number): NewFile {
    return new NewFile(os, path, fd, undefined)
  }

  /** Gives it its name. False when that is taken. */
  publish(): boolean {
    try {
      namingPath(this.#path, () => this.#publish())
      return true
    } catch (error) {
      if (isErrno(error, EEXIST)) return false
      throw error
    }
  }

  #publish(): void {
    const { files } = this.#os
    const temporary = this.#temporary
    if (temporary === undefined) {
      files.publish(this.fd, this.#path)
      return
    }
    try {
      files.rename(temporary, this.#path)
      this.#temporary = undefined
    } catch (error) {
      if (!isErrno(error, EINVAL) && !isErrno(error, ENOSYS)) throw error
      // NFS, and kernels before 3.15: a second name, and `releaseName` takes the first away.
      files.link(temporary, this.#path)
    }
  }

  /** Takes the temporary name away, if there is one. */
  releaseName(): void {
    if (this.#temporary !== undefined) removeQuietly(this.#os, this.#temporary)
    this.#temporary = undefined
  }
}

/** A file without a name; undefined where there are none. */
function unnamed(os: Os, path: string, permissions: number): NewFile | undefined {
  try {
    const fd = os.files.createUnnamed(path, permissions)
    // It is named by way of /proc.
    if (os.files.pathOf(fd) !== undefined) return NewFile.of(os, path, fd)
    os.files.close(fd)
    return undefined
  } catch (error) {
    // ENOENT: also the folder may be missing, which the other way finds out.
    if ([EOPNOTSUPP, EISDIR, ENOENT, EINVAL].some((errno) => isErrno(error, errno))) return undefined
    throw error
  }
}

/** Calls that say nothing of the file. */
const ABOUT_MEMORY: ReadonlySet<string> = new Set(['mmap', 'munmap', 'madvise', 'mincore', 'mlock2', 'reserve'])

/** Runs something about a file that has not its name yet; what fails is told of the name that was asked for. */
export function namingPath<T>(path: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof SystemError) || error.path === path || ABOUT_MEMORY.has(error.syscall)) throw error
    throw fileError(error.syscall, -error.errno, path, error.length)
  }
}
