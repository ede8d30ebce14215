/**
 * The way back to a mapped file. A mapping needs no descriptor, so none is kept: descriptors are few, and belong to the caller.
 * What comes later (asking for the length, changing it) goes by path, and is used only when the path still leads to the same
 * file. A file that has no path (unlinked, or a memfd) is reached through a private descriptor, opened anew so that it shares no
 * position with the caller's, and kept until `close`.
 *
 *     path ── open, identity compared ──▶ fd ──▶ done, closed          about 5 us; asking for the length 1.5 us
 *     no path ── the kept descriptor, identity compared: other code of the process may have closed it, and another file have its number
 *
 * @module
 */
import { resolve } from 'node:path'
import { SystemError, UnsupportedOperationError } from '../../errors.ts'
import { EBADF, isErrno } from '../../ffi/errno.ts'
import type { Access, FileStatus, Files } from '../../ffi/os-files.ts'

/** Closes the descriptors of links that are garbage. Exported so that it is itself never garbage. @internal */
export const linkRegistry: FinalizationRegistry<() => void> = new FinalizationRegistry((close) => close())

/** What a link is made from: a file that is open. */
export interface OpenedFile {
  readonly title: string
  readonly files: Files
  /** The path it was opened by, or the descriptor that was given. */
  readonly target: string | number
  readonly fd: number
  readonly access: Access
  readonly status: FileStatus
  /** Whether it was made now, and will have the path `target` before the link is used. */
  readonly made: boolean
}

export class FileLink {
  readonly #title: string
  readonly #files: Files
  readonly #identity: string
  readonly #path: string | undefined
  #kept: number | undefined

  constructor(opened: OpenedFile) {
    const { title, files, target, fd, access, status, made } = opened
    this.#title = title
    this.#files = files
    this.#identity = status.identity
    const path = typeof target === 'string' ? resolve(target) : files.pathOf(fd)
    if (path !== undefined && (made || files.statusAt(path)?.identity === status.identity)) this.#path = path
    else this.#keep(fd, access)
  }

  #keep(fd: number, access: Access): void {
    const files = this.#files
    try {
      const kept = files.open(`/proc/self/fd/${fd}`, access)
      this.#kept = kept
      const identity = this.#identity
      linkRegistry.register(this, () => closeIfOurs(files, kept, identity), this)
    } catch (error) {
      // Not allowed to open it again, or no /proc: then there is no way back, and `use` says so.
      if (!(error instanceof SystemError)) throw error
    }
  }

  /** The file's length now; undefined when there is no way to know. */
  byteLength(): number | undefined {
    const status = this.#kept === undefined ? this.#statusByPath() : statusOf(this.#files, this.#kept)
    return status?.identity === this.#identity ? status.byteLength : undefined
  }

  #statusByPath(): FileStatus | undefined {
    return this.#path === undefined ? undefined : this.#files.statusAt(this.#path)
  }

  /** Runs something with a descriptor of the file. Throws when there is no way back to it. */
  use<T>(access: Access, run: (fd: number) => T): T {
    if (this.#kept !== undefined) {
      if (statusOf(this.#files, this.#kept)?.identity !== this.#identity)
        throw this.#noWay('has no path, and other code of this process has closed its descriptor')
      return run(this.#kept)
    }
    if (this.#path === undefined) throw this.#noWay('has no path and may not be opened again')
    const fd = this.#files.open(this.#path, access)
    try {
      if (this.#files.status(fd).identity !== this.#identity) throw this.#noWay('has been replaced by another file')
      return run(fd)
    } finally {
      this.#files.close(fd)
    }
  }

  /** Gives the kept descriptor back. */
  release(): void {
    if (this.#kept === undefined) return
    linkRegistry.unregister(this)
    closeIfOurs(this.#files, this.#kept, this.#identity)
    this.#kept = undefined
  }

  #noWay(reason: string): UnsupportedOperationError {
    return new UnsupportedOperationError(
      `${this.#title} ${reason}: the mapping stays valid, but its length cannot be changed`
    )
  }
}

/** Undefined for a descriptor that is closed. */
function statusOf(files: Files, fd: number): FileStatus | undefined {
  try {
    return files.status(fd)
  } catch (error) {
    if (isErrno(error, EBADF)) return undefined
    throw error
  }
}

function closeIfOurs(files: Files, fd: number, identity: string): void {
  if (statusOf(files, fd)?.identity === identity) files.close(fd)
}
