/**
 * The file calls of the fake kernel: the real ones, each announced to `FakeOs` first, which counts it and may make it fail.
 * `opened` has the descriptors that are open now, so that a test can see that none is left.
 * @module
 */
import type { Access, FileStatus, Files } from '../../src/ffi/files.ts'

/** The calls of `Files` that can fail. */
export type FileCall =
  | 'open'
  | 'pathOf'
  | 'status'
  | 'statusAt'
  | 'truncate'
  | 'allocate'
  | 'nextData'
  | 'read'
  | 'write'
  | 'remove'

export class FakeFiles implements Files {
  /** The descriptors that were opened here and not closed. */
  readonly opened: Set<number> = new Set()
  readonly #real: Files
  readonly #enter: (call: FileCall) => void

  constructor(real: Files, enter: (call: FileCall) => void) {
    this.#real = real
    this.#enter = enter
  }

  open(path: string, access: Access, creating: boolean): number {
    this.#enter('open')
    const fd = this.#real.open(path, access, creating)
    this.opened.add(fd)
    return fd
  }

  close(fd: number): void {
    this.#real.close(fd)
    this.opened.delete(fd)
  }

  pathOf(fd: number): string | undefined {
    return this.#unlessFailing('pathOf', () => this.#real.pathOf(fd))
  }

  status(fd: number): FileStatus {
    this.#enter('status')
    return this.#real.status(fd)
  }

  statusAt(path: string): FileStatus | undefined {
    return this.#unlessFailing('statusAt', () => this.#real.statusAt(path))
  }

  truncate(fd: number, byteLength: number): void {
    this.#enter('truncate')
    this.#real.truncate(fd, byteLength)
  }

  allocate(fd: number, position: number, byteLength: number): void {
    this.#enter('allocate')
    this.#real.allocate(fd, position, byteLength)
  }

  nextData(fd: number, position: number): number {
    // A file system that does not tell.
    return this.#unlessFailing('nextData', () => this.#real.nextData(fd, position)) ?? position
  }

  read(fd: number, target: Uint8Array, position: number): number {
    this.#enter('read')
    return this.#real.read(fd, target, position)
  }

  write(fd: number, bytes: Uint8Array, position: number): void {
    this.#enter('write')
    this.#real.write(fd, bytes, position)
  }

  remove(path: string): void {
    this.#enter('remove')
    this.#real.remove(path)
  }

  /** A call that never throws: where it is made to fail, it knows nothing. */
  #unlessFailing<T>(call: FileCall, run: () => T): T | undefined {
    try {
      this.#enter(call)
    } catch {
      return undefined
    }
    return run()
  }
}
