/**
 * A file in memory. What reads and writes it are plain loads and stores through views, with no system call; the kernel brings pages in
 * when they are first touched, and writes changed ones back in its own time.
 *
 *     MappedFile ── FileMapping   addresses, and the file laid over them           file-mapping.ts
 *                ── Windows       the ArrayBuffers over it                         mapping/windows.ts
 *                ── OpenState     open, pinned, closed                             mapping/open-state.ts
 *                ── Truncation    reading what others may cut                      truncation.ts
 *                ── FileLink      the way back to the file, to change its length   file-link.ts
 *                ── Arena         for allocators, in modes 'copy' and 'write'      file-arena.ts
 *
 * Offsets count from the first mapped byte of the file. Ranges may start and end at any byte; what the kernel does, it does to the whole
 * pages that a range touches. Mapping and closing cost some 40 us, a view 0.2 us.
 *
 * Longer than other files: it is the public class, and half of its lines are the documentation of its calls.
 * @module
 */
import { boolean, oneOf, optionsObject, wholeNumber } from '../../arguments.ts'
import { alignDown } from '../../bits.ts'
import {
  ArenaBusyError,
  bytes,
  InvalidArgumentTypeError,
  OutOfRangeError,
  UnsupportedOperationError,
} from '../../errors.ts'
import { ADVICE, type Advice } from '../../ffi/os-pages.ts'
import { type Facts, showAs } from '../../inspection.ts'
import {
  type Bytes,
  elementBytes,
  isView,
  type NodeBuffer,
  type NodeBufferConstructor,
  plainBytes,
  type TypedArray,
  type TypedArrayConstructor,
  type ViewConstructor,
  viewBuffer,
  viewByteOffset,
} from '../../views.ts'
import { type Arena, insideOf } from '../arena.ts'
import { fileBackingOf } from '../mapping/backing.ts'
import { Extent } from '../mapping/extent.ts'
import { Lifetime } from '../mapping/lifetime.ts'
import { OpenState } from '../mapping/open-state.ts'
import { OsMapping } from '../mapping/os-mapping.ts'
import { SoleOwner } from '../mapping/owner.ts'
import { WINDOW_BYTES, Windows } from '../mapping/windows.ts'
import { discardChanges } from './discarding.ts'
import { openFileArena } from './file-arena.ts'
import type { FileLink } from './file-link.ts'
import type { FileMapping, FilePlace } from './file-mapping.ts'
import type { FileMode } from './file-options.ts'
import type { FileView } from './read-only-view.ts'
import { followFile, resizeFile } from './resizing.ts'
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

/** Options of `sync` and `syncAsync`. */
export interface SyncOptions {
  /** First byte. @defaultValue 0 */
  readonly offset?: number | undefined
  /** Bytes. @defaultValue to the end */
  readonly byteLength?: number | undefined
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
  readonly #title: string
  readonly #place: FilePlace
  readonly #fileMapping: FileMapping
  readonly #link: FileLink
  readonly #windowBytes: number | undefined
  readonly #mapping: OsMapping
  readonly #lifetime: Lifetime
  readonly #openState: OpenState
  readonly #windows: Windows
  readonly #truncation: Truncation
  readonly #extent: Extent
  #exposed = false
  #arena: Arena | undefined

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
    const { os, base, mappingBytes } = fileMapping
    this.path = path
    this.mode = place.mode as Mode
    this.maxByteLength = place.maxByteLength
    this.pageSize = os.pageSize
    this.#title = title
    this.#place = place
    this.#fileMapping = fileMapping
    this.#link = link
    this.#windowBytes = windowBytes
    const owner = new SoleOwner(os, base, mappingBytes, -1)
    this.#mapping = new OsMapping(os, base, fileBackingOf(os, place.mode === 'write'), owner)
    this.#lifetime = new Lifetime(this.#mapping, mappingBytes)
    this.#openState = new OpenState(title, this.#lifetime)
    this.#extent = new Extent(this.#openState, place.byteLength)
    this.#openState.onClose({ forget: () => link.close() })
    this.#windows = new Windows(
      this.#lifetime,
      fileMapping.lead,
      Math.max(place.maxByteLength, 1),
      windowBytes ?? WINDOW_BYTES
    )
    this.#truncation = new Truncation(title, fileMapping, link, place.offset)
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
    const byteLength = this.#extent.requireElements(elementBytes('type', type), offset, length)
    const view = this.#windows.view(type, offset, length, byteLength)
    this.#expose(offset, byteLength)
    return view
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
    this.#extent.requireByte(offset)
    const start = alignDown(offset, WINDOW_BYTES)
    const buffer = this.#windows.long.window(start / WINDOW_BYTES)
    this.#expose(start, buffer.byteLength)
    return { buffer, start }
  }

  /**
   * The offset where a view starts. Throws `ERR_OUT_OF_RANGE` for a view of anything else.
   *
   * @param view - A view of this file.
   * @returns Bytes from where the mapping starts.
   * @throws `ERR_OUT_OF_RANGE`; `ERR_INVALID_ARG_TYPE` when it is no view; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * file.offsetOf(file.view(Float64Array, 800, 10)) // -> 800
   * ```
   */
  offsetOf(view: ArrayBufferView): number {
    this.#openState.requireOpen()
    if (!isView(view)) throw new InvalidArgumentTypeError('view', 'a view', view)
    const start = this.#windows.startOf(viewBuffer(view))
    if (start < 0)
      throw new OutOfRangeError('view', `a view of ${this.#title}, with a buffer that is not detached`, view)
    return start + viewByteOffset(view)
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
  check(offset = 0, byteLength: number = this.#extent.rest(offset)): void {
    this.#extent.requireRange(offset, byteLength)
    this.#truncation.check(offset, byteLength)
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
    this.#requireMode('resize', byteLength === undefined && this.mode === 'read' ? 'read' : 'write')
    if (byteLength !== undefined) wholeNumber('byteLength', byteLength, 0, this.maxByteLength)
    if (this.#arena !== undefined)
      throw new ArenaBusyError(
        `${this.#title} has an arena on it, whose tables are at its end: its length cannot be changed`
      )
    const resizable = {
      title: this.#title,
      fileMapping: this.#fileMapping,
      offset: this.#place.offset,
      byteLength: this.#extent.byteLength,
    }
    if (byteLength === undefined) {
      const access = this.mode === 'write' ? 'read-write' : 'read'
      this.#extent.byteLength = this.#link.use(access, (fd) => followFile(resizable, fd, this.maxByteLength))
      return
    }
    this.#link.use('read-write', (fd) => resizeFile(resizable, fd, byteLength))
    this.#extent.byteLength = byteLength
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
  reserveBlocks(offset = 0, byteLength: number = this.#extent.rest(offset)): void {
    this.#requireMode('reserveBlocks', 'write')
    this.#extent.requireRange(offset, byteLength)
    if (byteLength === 0) return
    this.#truncation.requireLength(offset, byteLength)
    const { files } = this.#fileMapping.os
    this.#link.use('read-write', (fd) => files.allocate(fd, this.#place.offset + offset, byteLength))
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
    optionsObject('options', options)
    const { async = false } = options ?? {}
    boolean('options.async', async)
    const [offset, byteLength] = this.#syncRange(options)
    if (this.mode !== 'write' || byteLength === 0) return
    this.#fileMapping.os.sync(...this.#fileMapping.pages(offset, byteLength), async ? 'async' : 'sync')
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
  async syncAsync(options?: SyncOptions): Promise<void> {
    optionsObject('options', options)
    const [offset, byteLength] = this.#syncRange(options)
    if (this.mode !== 'write' || byteLength === 0) return
    await this.#openState.use(this.#fileMapping, ({ os }) =>
      os.syncLater(...this.#fileMapping.pages(offset, byteLength))
    )
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
  advise(advice: Advice, offset = 0, byteLength: number = this.#extent.rest(offset)): void {
    this.#openState.requireOpen()
    oneOf('advice', advice, ADVICE)
    this.#extent.requireRange(offset, byteLength)
    if (advice === 'dontneed' && this.mode === 'copy')
      throw new UnsupportedOperationError(
        `${this.#title}: 'dontneed' would drop changes in mode 'copy'; discard() does that`
      )
    if (byteLength > 0) this.#fileMapping.os.advise(...this.#fileMapping.pages(offset, byteLength), advice)
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
  discard(offset = 0, byteLength: number = this.#extent.rest(offset)): void {
    this.#requireMode('discard', 'copy')
    this.#extent.requireRange(offset, byteLength)
    if (byteLength === 0) return
    const held = this.#heldByArena(offset, byteLength)
    if (held !== undefined)
      throw new ArenaBusyError(
        `${this.#title}: to discard ${bytes(byteLength)} at offset ${offset} would change ${held}`
      )
    discardChanges(this.#fileMapping, offset, byteLength)
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
  resident(offset = 0, byteLength: number = this.#extent.rest(offset)): number {
    this.#extent.requireRange(offset, byteLength)
    return this.#mapping.resident(this.#fileMapping.lead + offset, byteLength)
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
  populate(offset = 0, byteLength: number = this.#extent.rest(offset)): void {
    this.#extent.requireRange(offset, byteLength)
    if (byteLength === 0) return
    const run = (): void => this.#mapping.populate(this.#fileMapping.lead + offset, byteLength)
    this.#truncation.faulting(offset, byteLength, run)
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
  lock(offset = 0, byteLength: number = this.#extent.rest(offset)): void {
    this.#extent.requireRange(offset, byteLength)
    if (byteLength === 0) return
    const { os } = this.#fileMapping
    const [address, length] = this.#fileMapping.pages(offset, byteLength)
    // In this order, and not with mlock, which would write to private pages and so copy them all.
    os.lock(address, length)
    try {
      this.#truncation.faulting(offset, byteLength, () => os.populateRead(address, length))
    } catch (error) {
      os.unlock(address, length)
      throw error
    }
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
  unlock(offset = 0, byteLength: number = this.#extent.rest(offset)): void {
    this.#extent.requireRange(offset, byteLength)
    if (byteLength > 0) this.#fileMapping.os.unlock(...this.#fileMapping.pages(offset, byteLength))
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
   * @param view - A view of this file.
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
    return this.#openState.use(view, run, () => this.#arena && insideOf(this.#arena).pinBlock(offset))
  }

  /**
   * The arena in the file, for allocators: modes `'copy'` and `'write'`. What they keep there is there again when the file is
   * mapped the next time. It is open as long as the file is.
   */
  get arena(): Arena {
    this.#openState.requireOpen()
    if (this.mode === 'read') throw this.#unsupported('arena')
    this.#arena ??= openFileArena({
      title: this.#title,
      place: this.#place,
      byteLength: this.#extent.byteLength,
      fileMapping: this.#fileMapping,
      mapping: this.#mapping,
      link: this.#link,
      lifetime: this.#lifetime,
      openState: this.#openState,
      exposed: this.#exposed,
      windowBytes: this.#windowBytes,
    })
    return this.#arena
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

  /** Views exist: any code may write to the file through them, and the arena does not see it. */
  #expose(offset: number, byteLength: number): void {
    this.#exposed = true
    if (this.#arena !== undefined) insideOf(this.#arena).expose(offset, byteLength)
  }

  /** What the arena has in a range, for messages. */
  #heldByArena(offset: number, byteLength: number): string | undefined {
    const arena = this.#arena
    if (arena === undefined) return undefined
    if (offset + byteLength > arena.byteLength) return "the arena's tables"
    const { pageSize } = this
    return insideOf(arena).claimed(alignDown(offset, pageSize), byteLength + (offset % pageSize))
  }

  #syncRange(options: SyncOptions | undefined): [number, number] {
    const { offset = 0, byteLength = this.#extent.rest(offset) } = options ?? {}
    this.#extent.requireRange(offset, byteLength, 'options.')
    return [offset, byteLength]
  }

  #requireMode(call: string, mode: FileMode): void {
    this.#openState.requireOpen()
    if (this.mode !== mode) throw this.#unsupported(call)
  }

  #unsupported(call: string): UnsupportedOperationError {
    return new UnsupportedOperationError(`${this.#title} is mapped in mode '${this.mode}', which has no ${call}`)
  }
}
