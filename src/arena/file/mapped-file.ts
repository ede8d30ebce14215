/**
 * A file in memory. What reads and writes it are plain loads and stores through views, with no system call; the kernel brings pages in
 * when they are first touched, and writes changed ones back in its own time.
 *
 *     MappedFile ── MemoryViews   views of it, by offset                           views/memory-views.ts
 *                ── FilePages     its pages, in memory and on the disk             file-pages.ts
 *                ── Resizing      its length                                       resizing.ts
 *                ── Truncation    reading what others may cut                      truncation.ts
 *                ── OpenState     open, pinned, closed                             mapping/open-state.ts
 *                ── ArenaInFile   the arena in it, in modes 'copy' and 'write'     arena-in-file.ts
 *
 * Each call is handed to the part that does it. Offsets count from the first mapped byte of the file. Ranges may start and end at any
 * byte; what the kernel does, it does to the whole pages that a range touches. Mapping and closing cost some 40 us, a view 0.2 us.
 *
 * Longer than other files: it is the public class, and all but a few of its lines are the documentation of its calls.
 * @module
 */
import { UnsupportedOperationError } from '../../errors.ts'
import type { Advice } from '../../ffi/os-pages.ts'
import { type Facts, showAs } from '../../inspection.ts'
import {
  type Bytes,
  type NodeBuffer,
  type NodeBufferConstructor,
  plainBytes,
  type TypedArray,
  type TypedArrayConstructor,
  type ViewConstructor,
} from '../../views.ts'
import type { Arena } from '../arena.ts'
import { WINDOW_BYTES } from '../format/layout.ts'
import { fileBackingOf } from '../mapping/backing.ts'
import { Lifetime } from '../mapping/lifetime.ts'
import { OpenState } from '../mapping/open-state.ts'
import { OsMapping } from '../mapping/os-mapping.ts'
import { NO_FILE } from '../mapping/own-file.ts'
import { SoleOwner } from '../mapping/owner.ts'
import { Extent } from '../views/extent.ts'
import { MemoryViews } from '../views/memory-views.ts'
import { Windows } from '../views/windows.ts'
import { ArenaInFile } from './arena-in-file.ts'
import type { FileLink } from './file-link.ts'
import type { FileMapping, FilePlace } from './file-mapping.ts'
import type { FileMode } from './file-options.ts'
import { FilePages, type SyncOptions } from './file-pages.ts'
import type { FileView } from './read-only-view.ts'
import { Resizing } from './resizing.ts'
import { Truncation } from './truncation.ts'

/** What a mapped file is made of. @internal */
export interface MappedFileParts {
  /** For messages: `file "x"`. */
  readonly title: string
  readonly path: string | undefined
  readonly place: FilePlace
  readonly fileMapping: FileMapping
  readonly link: FileLink
  /** Bytes in the windows that views come from; undefined when nothing was asked. */
  readonly windowBytes: number | undefined
}

/** Parts that this library has put together: a mapped file is made of no others. */
const made: WeakSet<MappedFileParts> = new WeakSet()

let makeFile: (parts: MappedFileParts) => MappedFile

/** A mapped file of parts that `mapFile` has made. @internal */
export function mappedFileOf<Mode extends FileMode>(parts: MappedFileParts): MappedFile<Mode> {
  return makeFile(parts) as MappedFile<Mode>
}

/** A file in memory. Make one with `mapFile`. */
export class MappedFile<Mode extends FileMode = FileMode> {
  /** The path it was opened by; undefined when a descriptor was given. */
  readonly path: string | undefined
  /** How it was mapped: `'read'`, `'copy'` or `'write'`. */
  readonly mode: Mode
  /** The most bytes that `resize` may ask for. */
  readonly maxByteLength: number
  /** Bytes in a page. */
  readonly pageSize: number
  readonly #openState: OpenState
  readonly #extent: Extent
  readonly #views: MemoryViews
  readonly #pages: FilePages
  readonly #resizing: Resizing
  readonly #truncation: Truncation
  readonly #arena: ArenaInFile

  static {
    showAs(MappedFile.prototype, 'MappedFile', (file: MappedFile) => file.#facts())
    makeFile = (parts) => {
      made.add(parts)
      return new MappedFile(parts)
    }
  }

  private constructor(parts: MappedFileParts) {
    if (!made.has(parts)) throw new UnsupportedOperationError('a MappedFile is made with mapFile')
    const { title, path, place, fileMapping, link, windowBytes } = parts
    const { os, base, mappingBytes, lead } = fileMapping
    const { mode, maxByteLength, offset } = place
    const owner = new SoleOwner(os, base, mappingBytes, NO_FILE)
    const mapping = new OsMapping(os, base, fileBackingOf(os, mode === 'write'), owner)
    const lifetime = new Lifetime(mapping, mappingBytes)
    const openState = new OpenState(title, lifetime)
    const extent = new Extent(openState, place.byteLength)
    const windows = new Windows(lifetime, lead, Math.max(maxByteLength, 1), windowBytes ?? WINDOW_BYTES)
    const truncation = new Truncation(title, fileMapping, link, offset)
    const arena = new ArenaInFile({
      title,
      place,
      fileMapping,
      mapping,
      link,
      lifetime,
      openState,
      extent,
      windowBytes,
    })
    this.path = path
    this.mode = mode as Mode
    this.maxByteLength = maxByteLength
    this.pageSize = os.pageSize
    this.#openState = openState
    this.#extent = extent
    const elsewhere = (view: ArrayBufferView): number => arena.find(view)
    this.#views = new MemoryViews({ title, openState, extent, windows, exposed: arena, elsewhere })
    this.#pages = new FilePages({ title, mode, fileMapping, mapping, openState, extent, truncation, arena })
    this.#resizing = new Resizing({ title, place, fileMapping, link, extent, truncation, arena })
    this.#truncation = truncation
    this.#arena = arena
    openState.onClose({ forget: () => link.release() })
  }

  /** Bytes of the file that are mapped. Changes with `resize`. */
  get byteLength(): number {
    return this.#extent.byteLength
  }

  /** Whether `close` has been called. */
  get closed(): boolean {
    return this.#openState.closed
  }

  // ---- looking at it ----

  /**
   * A view of `length` elements at `offset`, which is a multiple of the element's size; in mode `'read'` of a type that cannot be
   * written through. A view across a window's end has a buffer of its own. Of a `DataView` or `Buffer` the elements are bytes.
   *
   * @param type - A typed-array constructor, `DataView` or `Buffer`.
   * @param offset - In bytes from where the mapping starts.
   * @param length - Elements; of a `DataView` or `Buffer` bytes.
   * @returns The view.
   * @throws `ERR_OUT_OF_RANGE` when it does not lie in the mapping, or `offset` is no multiple of the element's size;
   *   `ERR_INVALID_ARG_TYPE` for another type; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * file.view(Int32Array, 0, 4)[0] = 2026
   * file.view(Buffer, 0, 4).readInt32LE(0) // -> 2026
   * ```
   */
  view<T extends TypedArray>(type: TypedArrayConstructor<T>, offset: number, length: number): FileView<Mode, T>
  view(type: DataViewConstructor, offset: number, length: number): FileView<Mode, DataView>
  view(type: NodeBufferConstructor, offset: number, length: number): FileView<Mode, NodeBuffer>
  view(type: ViewConstructor, offset: number, length: number): unknown {
    return this.#views.view(type, offset, length)
  }

  /** All of it as bytes. Throws `ERR_OUT_OF_RANGE` when that is more than the runtime can show in one view (4 GiB on Node 20). */
  get bytes(): FileView<Mode, Bytes> {
    return this.view<Bytes>(Uint8Array, 0, this.#extent.byteLength)
  }

  /**
   * The long window that shows `offset`, of 1 GiB, and the offset where that window starts. Bytes of it past `byteLength` are not
   * the file's.
   *
   * @param offset - In bytes from where the mapping starts.
   * @returns The window, and the offset in bytes where it starts.
   * @throws `ERR_OUT_OF_RANGE`; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * const { buffer, start } = file.window(100)
   * new Uint8Array(buffer)[100 - start] // -> 0
   * ```
   */
  window(offset: number): { buffer: ArrayBuffer; start: number } {
    return this.#views.window(offset)
  }

  /**
   * The offset where a view starts. Throws `ERR_OUT_OF_RANGE` for a view of anything else.
   *
   * @param view - A view of this file, or of `file.arena`: offsets in both are the same.
   * @returns Bytes from where the mapping starts.
   * @throws `ERR_OUT_OF_RANGE`; `ERR_INVALID_ARG_TYPE` when it is no view; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * file.offsetOf(file.view(Float64Array, 800, 10)) // -> 800
   * ```
   */
  offsetOf(view: ArrayBufferView): number {
    return this.#views.offsetOf(view)
  }

  // ---- when others shorten the file ----

  /**
   * Throws `ERR_TRUNCATED` unless the file has every byte of the range now. Touching them right afterwards is safe unless the file
   * is shortened in between.
   *
   * @param offset - In bytes.
   * @param byteLength - Bytes; up to the end unless given.
   * @throws `ERR_TRUNCATED`; `ERR_OUT_OF_RANGE`; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * file.check()
   * ```
   */
  check(offset = 0, byteLength?: number): void {
    this.#truncation.check(offset, this.#extent.range(offset, byteLength))
  }

  /**
   * A copy of the range, in `target` from its start when that is given. Throws `ERR_TRUNCATED` when the file no longer has the
   * bytes; `target` may then have been written to. Cannot fault.
   *
   * @param offset - In bytes.
   * @param byteLength - Bytes.
   * @param target - Where the copy goes; a new array unless given.
   * @returns The copy.
   * @throws `ERR_TRUNCATED`; `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` of an argument; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * file.bytes[1] = 7
   * file.read(0, 2) // -> Uint8Array(2) [ 0, 7 ]
   * ```
   */
  read(offset: number, byteLength: number, target?: Uint8Array): Bytes {
    this.#extent.requireRange(offset, byteLength)
    const bytes = target === undefined ? new Uint8Array(byteLength) : plainBytes('target', target, byteLength)
    this.#truncation.read(offset, byteLength, bytes)
    return bytes as Bytes
  }

  // ---- changing its length ----

  /**
   * Makes the file end where a mapping of `byteLength` bytes ends (0 bytes need no file up to there). Views stay valid; those past the
   * end read zero. New bytes are zero and have room on the disk. Throws `ENOSPC` when the disk is full, `ERR_ARENA_BUSY` when the file
   * holds an arena. Mode `'write'`.
   *
   * Without `byteLength`, in modes `'read'` and `'write'`: the file stays as it is, and the mapping follows it, to what the file
   * has now, up
   * to `maxByteLength`. Views stay valid; over what others have cut they read zero from then on.
   *
   * @param byteLength - The new length in bytes, up to `maxByteLength`; what the file has unless given.
   * @throws `ENOSPC`; `ERR_ARENA_BUSY`; `ERR_OUT_OF_RANGE`; `ERR_UNSUPPORTED_OPERATION` in other modes; `ERR_ARENA_CLOSED` after
   *   `close`.
   * @example
   * ```js
   * const growing = mapFile(`${path}.log`, { mode: 'write', create: true, byteLength: 4096, maxByteLength: MiB })
   * growing.resize(8192)
   * growing.byteLength // -> 8192
   * ```
   */
  resize(byteLength?: number): void {
    this.#resizing.resize(byteLength)
  }

  /**
   * Gives the holes in a range room on the disk, so that no store to it can meet a full one, which would end the process. Throws
   * `ENOSPC`.
   *
   * @param offset - In bytes.
   * @param byteLength - Bytes; up to the end unless given.
   * @throws `ENOSPC`; `ERR_OUT_OF_RANGE`; `ERR_UNSUPPORTED_OPERATION` in other modes than `'write'`; `ERR_ARENA_CLOSED` after
   *   `close`.
   * @example
   * ```js
   * file.reserveBlocks()
   * ```
   */
  reserveBlocks(offset = 0, byteLength?: number): void {
    this.#resizing.reserveBlocks(offset, byteLength)
  }

  // ---- disk and memory ----

  /**
   * Returns when the changes in the range are on the disk; with `async` at once, which leaves them to the kernel. In modes
   * `'read'` and `'copy'` there is nothing to write, and nothing is done.
   *
   * @param options - The range in bytes, and `async`.
   * @throws What the disk refuses (`EIO`, …); `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` of an option; `ERR_ARENA_CLOSED` after
   *   `close`.
   * @example
   * ```js
   * file.bytes[0] = 7
   * file.sync({ offset: 0, byteLength: 4096 })
   * ```
   */
  sync(options?: SyncOptions & { readonly async?: boolean | undefined }): void {
    this.#pages.sync(options)
  }

  /**
   * As `sync`, on another thread: the promise is settled when the changes are on the disk. Holds the file open until then.
   *
   * @param options - The range in bytes.
   * @returns A promise that is settled when the changes are on the disk.
   * @throws As `sync`, as a rejection.
   * @example
   * ```js
   * file.bytes[0] = 7
   * await file.syncAsync()
   * ```
   */
  syncAsync(options?: SyncOptions): Promise<void> {
    return this.#pages.syncAsync(options)
  }

  /**
   * Tells the kernel how the range will be used. Never changes what it holds, so `'dontneed'` is refused in mode `'copy'`: see
   * `discard`.
   *
   * @param advice - What `madvise` is told.
   * @param offset - In bytes.
   * @param byteLength - Bytes; up to the end unless given.
   * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` of an argument; `ERR_UNSUPPORTED_OPERATION`; `ERR_ARENA_CLOSED` after
   *   `close`.
   * @example
   * ```js
   * file.advise('random')
   * ```
   */
  advise(advice: Advice, offset = 0, byteLength?: number): void {
    this.#pages.advise(advice, offset, byteLength)
  }

  /**
   * Mode `'copy'` only: reverts the range to what the file has, to the byte. Throws `ERR_ARENA_BUSY` where an allocator, or the
   * arena's own tables, are.
   *
   * @param offset - In bytes.
   * @param byteLength - Bytes; up to the end unless given.
   * @throws `ERR_ARENA_BUSY`; `ERR_UNSUPPORTED_OPERATION` in other modes than `'copy'`; `ERR_OUT_OF_RANGE`; `ERR_ARENA_CLOSED`
   *   after `close`.
   * @example
   * ```js
   * const copy = mapFile(path, { mode: 'copy' })
   * copy.bytes[0] = 7
   * copy.discard()
   * copy.bytes[0] // -> 0
   * ```
   */
  discard(offset = 0, byteLength?: number): void {
    this.#pages.discard(offset, byteLength)
  }

  /**
   * Bytes of the range that are in memory now: in the kernel's page cache, no matter which process brought them there. For a file that this
   * process neither owns nor may write the kernel does not tell, and says all.
   *
   * @param offset - In bytes.
   * @param byteLength - Bytes; up to the end unless given.
   * @returns Bytes.
   * @throws `ERR_OUT_OF_RANGE`; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * file.populate()
   * file.resident() // -> 65536
   * ```
   */
  resident(offset = 0, byteLength?: number): number {
    return this.#pages.resident(offset, byteLength)
  }

  /**
   * Brings the range into memory now, as if it were read: nothing is copied. Throws `ERR_TRUNCATED` when the file no longer has
   * it, and `ENOMEM` when it is more than there is memory for.
   *
   * @param offset - In bytes.
   * @param byteLength - Bytes; up to the end unless given.
   * @throws `ERR_TRUNCATED`; `ENOMEM`; `ERR_OUT_OF_RANGE`; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * file.populate(0, 4096)
   * ```
   */
  populate(offset = 0, byteLength?: number): void {
    this.#pages.populate(offset, byteLength)
  }

  /**
   * Brings the range into memory, and keeps its pages there until `unlock` or `close`. Throws `ENOMEM` or `EPERM` at the limit.
   *
   * @param offset - In bytes.
   * @param byteLength - Bytes; up to the end unless given.
   * @throws `ENOMEM`, `EPERM`; `ERR_TRUNCATED`; `ERR_OUT_OF_RANGE`; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * file.lock(0, 4096)
   * file.unlock(0, 4096)
   * ```
   */
  lock(offset = 0, byteLength?: number): void {
    this.#pages.lock(offset, byteLength)
  }

  /**
   * Takes `lock` back.
   *
   * @param offset - In bytes.
   * @param byteLength - Bytes; up to the end unless given.
   * @throws `ERR_OUT_OF_RANGE`; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * file.lock(0, 4096)
   * file.unlock()
   * ```
   */
  unlock(offset = 0, byteLength?: number): void {
    this.#pages.unlock(offset, byteLength)
  }

  // ---- its life ----

  /**
   * Holds the file open: `close` refuses until every pin is disposed of. Disposing twice does nothing.
   *
   * @returns The pin; `using` or `[Symbol.dispose]()` ends it.
   * @throws `ERR_ARENA_CLOSED` after `close` or `closeWhenIdle`.
   * @example
   * ```js
   * const pin = file.pin()
   * file.close() // -> throws ERR_ARENA_BUSY
   * pin[Symbol.dispose]()
   * ```
   */
  pin(): Disposable {
    return this.#openState.pin()
  }

  /**
   * Runs an operation on a view, and holds the file open until its promise is settled. When the view starts in a live block of an
   * allocator on the file's arena, the block is pinned as well.
   *
   * @param view - A view of this file, or of `file.arena`.
   * @param run - The operation; is given the view.
   * @returns What `run` gives.
   * @throws `ERR_OUT_OF_RANGE` for a view of anything else, and `ERR_ARENA_CLOSED`, as a rejection; what `run` throws.
   * @example
   * ```js
   * await file.use(file.view(Uint8Array, 0, 100), async (bytes) => bytes.byteLength) // -> 100
   * ```
   */
  async use<V extends ArrayBufferView, R>(view: V, run: (view: V) => R | Promise<R>): Promise<R> {
    const offset = this.offsetOf(view)
    return this.#openState.use(view, run, () => this.#arena.pinBlock(offset))
  }

  /**
   * The arena in the file, for allocators: modes `'copy'` and `'write'`. What they keep there is there again when the file is
   * mapped the next time. It is open as long as the file is.
   */
  get arena(): Arena {
    return this.#arena.open()
  }

  /**
   * Closes the mapping, and with it the arena and its allocators; the file keeps what is in it. Addresses are given back when the
   * last view is garbage, so a stale view reads zero or is empty and never faults. Closing again does nothing. Does not wait for
   * the disk: see `sync`.
   *
   * `detach`: whether views become empty. @defaultValue true on Node 22 and later, false on Node 20
   *
   * @param options - `detach`: whether views become empty.
   * @throws `ERR_ARENA_BUSY` when it is pinned; `ERR_BLOCK_PINNED` when a block in it is.
   * @example
   * ```js
   * file.close()
   * file.closed // -> true
   * ```
   */
  close(options?: { readonly detach?: boolean | undefined }): void {
    this.#openState.close(options)
  }

  /**
   * Closes the file once every pin is disposed of, as `arena.closeWhenIdle` does. A `syncAsync` that runs is waited for.
   *
   * @returns A promise that is settled when it is closed.
   * @throws What the kernel refuses, as a rejection.
   * @example
   * ```js
   * await file.closeWhenIdle()
   * file.closed // -> true
   * ```
   */
  closeWhenIdle(): Promise<void> {
    return this.#openState.closeWhenIdle()
  }

  /**
   * Calls `close`: for `using`.
   *
   * @throws As `close`.
   * @example
   * ```js
   * file[Symbol.dispose]()
   * file.closed // -> true
   * ```
   */
  [Symbol.dispose](): void {
    this.close()
  }

  /**
   * Calls `closeWhenIdle`: for `await using`.
   *
   * @returns Its promise.
   * @throws As `closeWhenIdle`.
   * @example
   * ```js
   * await file[Symbol.asyncDispose]()
   * file.closed // -> true
   * ```
   */
  [Symbol.asyncDispose](): Promise<void> {
    return this.closeWhenIdle()
  }

  #facts(): Facts {
    const { closed, path, mode, byteLength } = this
    return { state: closed ? 'closed' : 'open', path, mode, byteLength }
  }
}
