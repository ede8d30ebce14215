/**
 * The file calls of the fake kernel: the real ones, each announced to `FakeOs` first, which counts it and may make it fail.
 * `opened` has the descriptors that are open now, so that a test can see that none is left.
 * @module
 */
import type { Access, Credentials, FileStatus, FileSystemKind, Files } from '../../src/ffi/os-files.ts'

/** The calls of `Files` that can fail. */
export type FileCall =
  | 'open'
  | 'create'
  | 'createUnnamed'
  | 'publish'
  | 'setPermissions'
  | 'entryAt'
  | 'realPath'
  | 'list'
  | 'fileSystem'
  | 'appends'
  | 'extend'
  | 'clear'
  | 'rename'
  | 'createInMemory'
  | 'duplicate'
  | 'pathOf'
  | 'status'
  | 'statusAt'
  | 'isSealed'
  | 'truncate'
  | 'allocate'
  | 'nextData'
  | 'read'
  | 'write'
  | 'link'
  | 'remove'

/** What the kernel calls them, where that is another name. */
const SYSCALLS: Partial<Record<FileCall, string>> = {
  create: 'open',
  createUnnamed: 'open',
  publish: 'link',
  setPermissions: 'fchmod',
  fileSystem: 'fstatfs',
  appends: 'fcntl',
  extend: 'fallocate',
  clear: 'fallocate',
  createInMemory: 'memfd_create',
  duplicate: 'fcntl',
  status: 'fstat',
  isSealed: 'fcntl',
  truncate: 'ftruncate',
  allocate: 'fallocate',
  remove: 'unlink',
}

export class FakeFiles implements Files {
  /** The descriptors that were opened here and not closed. */
  readonly opened: Set<number> = new Set()
  /** Every descriptor that was closed here. */
  readonly closed: Set<number> = new Set()
  /** The user that this process is taken for. */
  pretended: Credentials | undefined
  readonly #real: Files
  readonly #enter: (call: FileCall) => void

  constructor(real: Files, enter: (call: FileCall, syscall: string) => void) {
    this.#real = real
    this.#enter = (call) => enter(call, SYSCALLS[call] ?? call)
  }

  open(path: string, access: Access): number {
    return this.#open('open', () => this.#real.open(path, access))
  }

  create(path: string, permissions: number): number {
    return this.#open('create', () => this.#real.create(path, permissions))
  }

  createUnnamed(path: string, permissions: number): number {
    return this.#open('createUnnamed', () => this.#real.createUnnamed(path, permissions))
  }

  publish(fd: number, path: string): void {
    this.#enter('publish')
    this.#real.publish(fd, path)
  }

  setPermissions(fd: number, permissions: number): void {
    this.#enter('setPermissions')
    this.#real.setPermissions(fd, permissions)
  }

  entryAt(path: string): FileStatus | undefined {
    return this.#unlessFailing('entryAt', () => this.#real.entryAt(path))
  }

  realPath(path: string): string | undefined {
    return this.#unlessFailing('realPath', () => this.#real.realPath(path))
  }

  list(folder: string): string[] {
    return this.#unlessFailing('list', () => this.#real.list(folder)) ?? []
  }

  credentials(): Credentials {
    return this.pretended ?? this.#real.credentials()
  }

  fileSystem(fd: number): FileSystemKind {
    this.#enter('fileSystem')
    return this.#real.fileSystem(fd)
  }

  appends(fd: number): boolean {
    this.#enter('appends')
    return this.#real.appends(fd)
  }

  createInMemory(byteLength: number, name: string): number {
    return this.#open('createInMemory', () => this.#real.createInMemory(byteLength, name))
  }

  duplicate(fd: number): number {
    return this.#open('duplicate', () => this.#real.duplicate(fd))
  }

  close(fd: number): void {
    this.#real.close(fd)
    this.opened.delete(fd)
    this.closed.add(fd)
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

  isSealed(fd: number): boolean {
    this.#enter('isSealed')
    return this.#real.isSealed(fd)
  }

  truncate(fd: number, byteLength: number): void {
    this.#enter('truncate')
    this.#real.truncate(fd, byteLength)
  }

  allocate(fd: number, position: number, byteLength: number): void {
    this.#enter('allocate')
    this.#real.allocate(fd, position, byteLength)
  }

  extend(fd: number, byteLength: number): void {
    this.#enter('extend')
    this.#real.extend(fd, byteLength)
  }

  clear(fd: number, position: number, byteLength: number): void {
    this.#enter('clear')
    this.#real.clear(fd, position, byteLength)
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

  link(path: string, newPath: string): void {
    this.#enter('link')
    this.#real.link(path, newPath)
  }

  rename(path: string, newPath: string): void {
    this.#enter('rename')
    this.#real.rename(path, newPath)
  }

  remove(path: string): void {
    this.#enter('remove')
    this.#real.remove(path)
  }

  #open(call: FileCall, open: () => number): number {
    this.#enter(call)
    const fd = open()
    this.opened.add(fd)
    return fd
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
