/**
 * An arena: one reserved, contiguous range of addresses and its life. Reserving it takes no memory; a page becomes resident when it is
 * first written, and goes back to the kernel with `purge` or `close`.
 *
 *     Arena ── MemoryViews  views of its data, by offset                         views/memory-views.ts
 *           ── ArenaPages   pages made resident, given back, counted             arena-pages.ts
 *           ── OpenState    open, pinned, closed                                 mapping/open-state.ts
 *           ── Claims       which allocator holds which range                    claims/claims.ts
 *           ── Locator      identity, handle and name, for others                sources/locator.ts
 *           ── WordWaits    sleeping until others change a word                  waiting/wait.ts
 *
 * Each call is handed to the part that does it; arena-parts.ts puts them together. Where the memory comes from (pages of this process,
 * a file in memory, a named file, another thread, a mapped file) is settled before an arena is made of it: sources/opened-arena.ts,
 * file/file-arena.ts. An arena knows nothing of blocks. Reserving costs 10 us and no resident page, 70 us and a page when it is shared.
 *
 * Longer than other files: it is the public class, and all but a few of its lines are the documentation of its calls.
 * @module
 */
import { resolve } from 'node:path'
import { filePath, type UrlLike, wholeNumber } from '../arguments.ts'
import { InvalidArgumentTypeError, OtherInstanceError, UnsupportedOperationError } from '../errors.ts'
import { type Facts, showAs } from '../inspection.ts'
import { classOf, versionOf } from '../instance.ts'
import { version } from '../version.ts'
import type {
  NodeBuffer,
  NodeBufferConstructor,
  TypedArray,
  TypedArrayConstructor,
  View,
  ViewConstructor,
} from '../views.ts'
import type { ArenaPages } from './arena-pages.ts'
import { type ArenaOrigin, ArenaParts, originOf } from './arena-parts.ts'
import type { Claims } from './claims/claims.ts'
import { MOST_BYTES } from './format/layout.ts'
import type { ArenaInside } from './inside.ts'
import type { OpenState } from './mapping/open-state.ts'
import { recheckNow } from './mapping/recheck.ts'
import {
  type ArenaOptions,
  type AttachOptions,
  type CheckedOptions,
  checkOpening,
  checkOptions,
  checkShared,
  type OpenOptions,
} from './options.ts'
import { type ArenaHandle, type ArenaSource, checkSource, findSource } from './sources/handle.ts'
import type { Locator, StaleOwner } from './sources/locator.ts'
import { openNamed } from './sources/named-file.ts'
import { attachTo, type OpenedArena, reservePrivate, reserveShared } from './sources/opened-arena.ts'
import type { MemoryViews } from './views/memory-views.ts'
import { RecentBytes } from './views/recent-bytes.ts'
import {
  checkRef,
  makeRef,
  type ViewNameOf,
  type ViewRef,
  type ViewTypeName,
  type ViewTypes,
} from './views/view-ref.ts'
import type { WaitAsyncOptions, WaitOptions, WaitResult, WordWaits } from './waiting/wait.ts'

/** Origins that this library has made: an arena is made of no others. */
const made: WeakSet<ArenaOrigin> = new WeakSet()

let makeArena: (origin: ArenaOrigin) => Arena
let inside: (arena: Arena) => ArenaInside

let isArena: (value: unknown) => boolean

/** Throws unless a value is an arena of this copy of the library, and no object that looks like one. @internal */
export function requireArena(value: unknown): asserts value is Arena {
  if (isArena(value)) return
  const other = versionOf(value)
  // An allocator or a mapped file, of whichever copy, is no arena.
  if (other === undefined || (classOf(value as object) ?? 'Arena') !== 'Arena')
    throw new InvalidArgumentTypeError('arena', 'an Arena', value)
  const which = other === version ? `another copy of sorites ${version}, loaded in another realm` : `sorites ${other}`
  throw new OtherInstanceError(
    `"arena" expected an Arena of this copy of sorites ${version}, got one of ${which}: use one copy for both (npm ls sorites shows them), or pass arena.handle() and attach to it`
  )
}

/** What only the library's own code may do with an arena. @internal */
export function insideOf(arena: Arena): ArenaInside {
  return inside(arena)
}

/** An arena over memory that is there. Throws `ERR_CORRUPTED` when a directory is there that cannot be right. @internal */
export function arenaOver(origin: ArenaOrigin): Arena {
  return makeArena(origin)
}

/** A reserved range of memory. Make one with `Arena.reserve`. */
export class Arena {
  /** Bytes of data: what was asked for, rounded up to whole pages. */
  readonly byteLength: number
  /** Bytes in a page. */
  readonly pageSize: number
  /**
   * The owner of a named arena that died without closing it, as `open` found it: what it was writing may be half-done. Undefined
   * when the last owner closed, or is alive.
   */
  readonly staleOwner: StaleOwner | undefined
  readonly #title: string
  readonly #locator: Locator
  readonly #openState: OpenState
  readonly #views: MemoryViews
  readonly #pages: ArenaPages
  readonly #claims: Claims
  readonly #waits: WordWaits
  readonly #inside: ArenaInside
  /** Here and not in a part, for speed. */
  readonly #recent: RecentBytes = new RecentBytes()

  static {
    makeArena = (origin) => {
      made.add(origin)
      return new Arena(origin)
    }
    showAs(Arena.prototype, 'Arena', (arena: Arena) => arena.#facts())
    inside = (arena) => arena.#inside
    isArena = (value) => typeof value === 'object' && value !== null && #title in value
  }

  private constructor(origin: ArenaOrigin) {
    if (!made.has(origin)) throw new UnsupportedOperationError('an Arena is made with Arena.reserve, open or attach')
    const { title, openState, extent, claims, views, pages, waits, locator, inside, staleOwner } = new ArenaParts(
      origin
    )
    this.byteLength = extent.byteLength
    this.pageSize = inside.pageSize
    this.staleOwner = staleOwner
    this.#title = title
    this.#locator = locator
    this.#openState = openState
    this.#views = views
    this.#pages = pages
    this.#claims = claims
    this.#waits = waits
    this.#inside = inside
    openState.onClose({ forget: () => this.#recent.forget() })
  }

  /** The arena of a mapping of its own, which goes when the arena cannot be made. */
  static #of(opened: OpenedArena, { windowBytes }: CheckedOptions): Arena {
    const origin = originOf(opened, windowBytes)
    try {
      return makeArena(origin)
    } catch (error) {
      origin.lifetime.close(undefined)
      throw error
    }
  }

  /**
   * Reserves an arena of at least `byteLength` bytes. Nothing is resident afterwards (unless `populate` is asked for; of a shared
   * one a page is). Throws a `SystemError` (`ENOMEM`) when there are no addresses left.
   *
   * @param byteLength - Bytes of data; rounded up to whole pages.
   * @param options - Name, sharing, huge pages, and others.
   * @returns The arena, whose bytes read zero.
   * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` of an argument; `ENOMEM` when the kernel refuses;
   *   `ERR_UNSUPPORTED_OPERATION` on other platforms than Linux, and where koffi cannot be loaded.
   * @example
   * ```js
   * const large = Arena.reserve(64 * GiB, { name: 'samples' })
   * large.resident() // -> 0
   * ```
   */
  static reserve(byteLength: number, options?: ArenaOptions): Arena {
    wholeNumber('byteLength', byteLength, 1, MOST_BYTES)
    const checked = checkOptions(options)
    const shared = checkShared(options)
    recheckNow()
    return Arena.#of(shared ? reserveShared(byteLength, checked) : reservePrivate(byteLength, checked), checked)
  }

  /**
   * Opens the arena in a file, which any process finds by its path, or makes it (`create`). It stays until it is unlinked, and it
   * is not sealed: a process that shortens the file ends the processes that use it. Throws a `SystemError` (`ENOENT`, `EACCES`, `ENOSPC`,
   * …), `ERR_CORRUPTED` or `ERR_UNSUPPORTED_OPERATION` when the file holds no arena, or one of another version.
   *
   * @param path - Of the file, as a string or a `file:` URL.
   * @param options - `create`, `byteLength` in bytes of a new arena, and the options of `reserve`.
   * @returns The arena.
   * @throws `ENOENT` when there is none and `create` is not asked for; `EACCES`, `ENOSPC`; `ERR_CORRUPTED`,
   *   `ERR_UNSUPPORTED_OPERATION`.
   * @example
   * ```js
   * const mine = Arena.open(`${path}.arena`, { create: true, byteLength: MiB })
   * const other = Arena.open(`${path}.arena`) // in this process or in another
   * mine.view(Uint8Array, 0, 1)[0] = 7
   * other.view(Uint8Array, 0, 1)[0] // -> 7
   * mine.unlink() // -> true
   * ```
   */
  static open(path: string | UrlLike, options?: OpenOptions): Arena {
    const absolute = resolve(filePath('path', path))
    const checked = checkOptions(options)
    return Arena.#of(openNamed(absolute, checkOpening(options), checked), checked)
  }

  /**
   * An arena that exists: by the handle that another thread has posted, by a descriptor that this process has inherited (which
   * stays open), or by a path. Throws `ERR_ARENA_CLOSED` when no thread has it any more, `ERR_OUT_OF_RANGE` for a handle that was
   * altered or put together by hand, and what `open` throws.
   *
   * @param source - A handle, `{ fd }`, or `{ path }`.
   * @param options - How it is to be mapped here.
   * @returns Another arena object over the same bytes.
   * @throws `ERR_ARENA_CLOSED` when no thread has it any more; `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` for another handle;
   *   what `open` throws.
   * @example
   * ```js
   * const shared = Arena.reserve(MiB, { shared: true })
   * const again = Arena.attach(shared.handle()) // in a worker: of what was posted
   * shared.view(Uint8Array, 0, 1)[0] = 7
   * again.view(Uint8Array, 0, 1)[0] // -> 7
   * ```
   */
  static attach(source: ArenaSource, options?: AttachOptions): Arena {
    const given = checkSource(source)
    const checked = checkOptions(options)
    return Arena.#of(attachTo(findSource(checked.os, given), checked), checked)
  }

  /** Whether `close` has been called. */
  get closed(): boolean {
    return this.#openState.closed
  }

  /** Whether other processes can have the arena: it was reserved with `shared`, or opened by name, or attached to such a one. */
  get shared(): boolean {
    return this.#locator.shared
  }

  /** The descriptor of its file, to be inherited by a child (`stdio`); undefined when it has none, or is closed. */
  get fd(): number | undefined {
    return this.#locator.fd
  }

  /** A path by which other processes can open it while we have it; undefined when they cannot, or it is closed. */
  get path(): string | undefined {
    return this.#locator.path
  }

  /**
   * A small value that survives `postMessage`, for `Arena.attach` in another thread: nothing is copied, both see the same bytes.
   * (Posting a view would copy its whole window, `windowBytes`.) It does not keep the arena open.
   *
   * @returns A plain object, to be posted.
   * @throws `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * const again = Arena.attach(structuredClone(arena.handle()))
   * again.byteLength === arena.byteLength // -> true
   * ```
   */
  handle(): ArenaHandle {
    return this.#locator.handle()
  }

  /**
   * Takes the name of a named arena away. Users that have the arena keep it; it cannot be opened any more. Whether the name was there.
   *
   * @returns Whether the name was still there.
   * @throws `ERR_UNSUPPORTED_OPERATION` of an arena without a name; what the kernel refuses; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * const named = Arena.open(`${path}.arena`, { create: true, byteLength: MiB })
   * named.unlink() // -> true
   * named.unlink() // -> false
   * ```
   */
  unlink(): boolean {
    return this.#locator.unlink()
  }

  /**
   * A view of `length` elements at `offset`, over whatever is there. A view across a window's end has a buffer of its own.
   * `offset` must be a multiple of the element's size; of a `DataView` or `Buffer` the elements are bytes.
   *
   * @param type - A typed-array constructor, `DataView` or `Buffer`.
   * @param offset - In bytes from the arena's start.
   * @param length - Elements; of a `DataView` or `Buffer` bytes.
   * @returns The view.
   * @throws `ERR_OUT_OF_RANGE` when it does not lie in the arena, or `offset` is no multiple of the element's size;
   *   `ERR_INVALID_ARG_TYPE` for another type; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * const plain = Arena.reserve(MiB)
   * plain.view(Float64Array, 4096, 10).fill(1)
   * plain.view(Uint8Array, 4096, 8).some((byte) => byte > 0) // -> true
   * ```
   */
  view<T extends TypedArray>(type: TypedArrayConstructor<T>, offset: number, length: number): T
  view(type: DataViewConstructor, offset: number, length: number): DataView
  view(type: NodeBufferConstructor, offset: number, length: number): NodeBuffer
  view(type: ViewConstructor, offset: number, length: number): View {
    return this.#views.view(type, offset, length)
  }

  /**
   * A Buffer over a range, for reading and writing at offsets without regard to windows; across a window's end it has a buffer of its own.
   * Asked for again, the same range may give the same object.
   *
   * @param offset - In bytes from the arena's start.
   * @param byteLength - Bytes.
   * @returns The Buffer.
   * @throws `ERR_OUT_OF_RANGE` when it does not lie in the arena; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * const offset = heap.malloc(100)
   * arena.bytes(offset, 100).writeUInt32LE(2026, 4)
   * arena.bytes(offset, 100).readUInt32LE(4) // -> 2026
   * ```
   */
  bytes(offset: number, byteLength: number): NodeBuffer {
    return this.#recent.find(offset, byteLength) ?? this.#makeBytes(offset, byteLength)
  }

  #makeBytes(offset: number, byteLength: number): NodeBuffer {
    return this.#views.bytes(offset, byteLength, this.#recent)
  }

  /**
   * A small plain value that stands for a view of this arena, and from which `viewOf` makes one wherever the arena is: it survives
   * `postMessage`, `structuredClone` and JSON, and copies nothing. It keeps neither arena nor block alive.
   *
   * @param view - A view of this arena.
   * @returns A plain frozen object, typed by the view: `ViewRef<'Float64Array'>`.
   * @throws `ERR_OUT_OF_RANGE` for a view of anything else.
   * @example
   * ```js
   * const view = heap.alloc(Float64Array, 12)
   * const ref = JSON.parse(JSON.stringify(arena.refOf(view)))
   * arena.viewOf(ref).length // -> 12
   * ```
   */
  refOf<V extends ArrayBufferView>(view: V): ViewRef<ViewNameOf<V>> {
    return makeRef(this.#locator.identity, view, this.offsetOf(view))
  }

  /**
   * The view that a reference stands for. Throws `ERR_OUT_OF_RANGE` for one of another arena, or of what does not lie in this one.
   *
   * @param ref - What `refOf` gave, here or in another thread or process that has the arena.
   * @returns A view of the type that the reference names.
   * @throws `ERR_OUT_OF_RANGE`; `ERR_INVALID_ARG_TYPE` when it is no reference; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * const view = heap.alloc(Int32Array, 3).fill(5)
   * arena.viewOf(arena.refOf(view))[2] // -> 5
   * ```
   */
  viewOf<Name extends ViewTypeName>(ref: ViewRef<Name>): ViewTypes[Name] {
    const { type, offset, length } = checkRef(ref, this.#locator.identity, this.#title, this.byteLength)
    return this.view(type as never, offset, length) as ViewTypes[Name]
  }

  /**
   * The long window that shows `offset`, of 1 GiB, and the offset in the arena where it starts: for code that indexes without making
   * a view for each block. `offset - start` is the index in bytes. V8 counts its whole length as external memory.
   *
   * @param offset - In bytes from the arena's start.
   * @returns The window, and the offset in bytes where it starts.
   * @throws `ERR_OUT_OF_RANGE`; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * const offset = heap.calloc(100)
   * const { buffer, start } = arena.window(offset)
   * new Uint8Array(buffer)[offset - start] // -> 0
   * ```
   */
  window(offset: number): { buffer: ArrayBuffer; start: number } {
    return this.#views.window(offset)
  }

  /**
   * The offset in the arena where a view starts. Throws `ERR_OUT_OF_RANGE` for a view of anything else.
   *
   * @param view - A view of this arena.
   * @returns Bytes from the arena's start.
   * @throws `ERR_OUT_OF_RANGE`; `ERR_INVALID_ARG_TYPE` when it is no view; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * const view = heap.alloc(Float64Array, 10)
   * heap.free(arena.offsetOf(view))
   * ```
   */
  offsetOf(view: ArrayBufferView): number {
    return this.#views.offsetOf(view)
  }

  /**
   * Faults every page of the range in now. Throws `ENOMEM` when the memory is not there, before it is taken.
   *
   * @param offset - In bytes.
   * @param byteLength - Bytes; up to the arena's end unless given.
   * @throws `ENOMEM`; `ERR_OUT_OF_RANGE`; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * const plain = Arena.reserve(MiB)
   * plain.populate(0, 65536)
   * plain.resident() >= 65536 // -> true
   * ```
   */
  populate(offset = 0, byteLength?: number): void {
    this.#pages.populate(offset, byteLength)
  }

  /**
   * Gives the range's pages back to the kernel; the range reads zero afterwards, to the byte. Throws `ERR_ARENA_BUSY` when an
   * allocator holds a part of it.
   *
   * @param offset - In bytes.
   * @param byteLength - Bytes; up to the arena's end unless given.
   * @throws `ERR_ARENA_BUSY`; `ERR_OUT_OF_RANGE`; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * const plain = Arena.reserve(MiB)
   * plain.view(Uint8Array, 0, MiB).fill(1)
   * plain.purge()
   * plain.resident() // -> 0
   * ```
   */
  purge(offset = 0, byteLength?: number): void {
    this.#pages.purge(offset, byteLength)
  }

  /**
   * Bytes of the range that are in memory now, exact to the page; of pages partly in the range, the part.
   *
   * @param offset - In bytes.
   * @param byteLength - Bytes; up to the arena's end unless given.
   * @returns Bytes.
   * @throws `ERR_OUT_OF_RANGE`; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * Arena.reserve(GiB).resident() // -> 0
   * ```
   */
  resident(offset = 0, byteLength?: number): number {
    return this.#pages.resident(offset, byteLength)
  }

  /**
   * Sleeps while the word at `offset` is `expected`, until `wake` is called for it, by any thread of any process that has the
   * arena. Blocks this thread; a worker can be terminated meanwhile. `'ok'`: woken, or the word has changed.
   *
   * @param offset - Of the word in bytes, a multiple of 4.
   * @param expected - A signed 32-bit number.
   * @param options - `timeoutMs`, in milliseconds.
   * @returns `'ok'`, `'not-equal'` when the word was another at once, or `'timed-out'`.
   * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` of an argument; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * const shared = Arena.reserve(MiB, { shared: true })
   * shared.wait(0, 1) // -> 'not-equal'
   * shared.wait(0, 0, { timeoutMs: 1 }) // -> 'timed-out'
   * ```
   */
  wait(offset: number, expected: number, options?: WaitOptions): WaitResult {
    return this.#waits.wait(offset, expected, options)
  }

  /**
   * As `wait`, without blocking: a promise, and the event loop goes on. Rejected when the arena is closed meanwhile.
   *
   * @param offset - Of the word in bytes, a multiple of 4.
   * @param expected - A signed 32-bit number.
   * @param options - `timeoutMs`, in milliseconds, and a `signal`.
   * @returns As `wait`, as a promise.
   * @throws As `wait`, as a rejection; the reason of the signal.
   * @example
   * ```js
   * const shared = Arena.reserve(MiB, { shared: true })
   * const word = shared.view(Int32Array, 0, 1)
   * const woken = shared.waitAsync(0, 0)
   * Atomics.store(word, 0, 1)
   * shared.wake(0)
   * ['ok', 'not-equal'].includes(await woken) // -> true
   * ```
   */
  waitAsync(offset: number, expected: number, options?: WaitAsyncOptions): Promise<WaitResult> {
    return this.#waits.waitAsync(offset, expected, options)
  }

  /**
   * Wakes up to `count` waiters for the word at `offset` (default all); says how many. Change the word first.
   *
   * @param offset - Of the word in bytes, a multiple of 4.
   * @param count - The most that are woken.
   * @returns How many were woken.
   * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` of an argument; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * Arena.reserve(MiB, { shared: true }).wake(0) // -> 0
   * ```
   */
  wake(offset: number, count?: number): number {
    return this.#waits.wake(offset, count)
  }

  /**
   * Holds the arena open: `close` refuses until every pin is disposed of. Disposing twice does nothing.
   *
   * @returns The pin; `using` or `[Symbol.dispose]()` ends it.
   * @throws `ERR_ARENA_CLOSED` after `close` or `closeWhenIdle`.
   * @example
   * ```js
   * const plain = Arena.reserve(MiB)
   * const pin = plain.pin()
   * plain.close() // -> throws ERR_ARENA_BUSY
   * pin[Symbol.dispose]()
   * plain.close()
   * ```
   */
  pin(): Disposable {
    return this.#openState.pin()
  }

  /**
   * Runs an operation on a view, and holds the arena open until its promise is settled. When the view starts in a live block, whichever
   * allocator has it, the block is pinned as `allocator.pin` does it.
   *
   * @param view - A view of this arena.
   * @param run - The operation; is given the view.
   * @returns What `run` gives.
   * @throws `ERR_OUT_OF_RANGE` for a view of anything else, and `ERR_ARENA_CLOSED`, as a rejection; what `run` throws.
   * @example
   * ```js
   * const view = heap.alloc(Uint8Array, 1000)
   * await arena.use(view, async (bytes) => bytes.byteLength) // -> 1000
   * ```
   */
  async use<V extends ArrayBufferView, R>(view: V, run: (view: V) => R | Promise<R>): Promise<R> {
    const offset = this.offsetOf(view)
    return this.#openState.use(view, run, () => this.#claims.pinBlock(offset))
  }

  /**
   * Closes the arena and every allocator on it. Its memory goes back to the kernel at once; its addresses do when the last view
   * is garbage, so a stale view reads zero or is empty and never faults. Closing again does nothing. When other threads or
   * processes have the arena, they keep it, and a stale view that is not empty shows what they do. An arena in a mapped file closes
   * the file with it, which keeps what is in it.
   *
   * `detach`: whether views become empty. @defaultValue true on Node 22 and later, false on Node 20, where a zlib call that is
   * running on a view would end the process.
   *
   * @param options - `detach`: whether views become empty.
   * @throws `ERR_ARENA_BUSY` when it is pinned; `ERR_BLOCK_PINNED` when a block in it is.
   * @example
   * ```js
   * arena.close()
   * arena.closed // -> true
   * ```
   */
  close(options?: { readonly detach?: boolean | undefined }): void {
    this.#openState.close(options)
  }

  /**
   * Closes the arena once every pin of it and of its blocks is disposed of. From the call on, new pins and `use` throw
   * `ERR_ARENA_CLOSED`; everything else works until it is closed. All calls that are waiting get the same outcome. Rejected with what the
   * kernel refuses: the arena is open then, and grants pins again.
   *
   * @returns A promise that is settled when it is closed.
   * @throws What the kernel refuses, as a rejection.
   * @example
   * ```js
   * await arena.closeWhenIdle()
   * arena.closed // -> true
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
   * arena[Symbol.dispose]()
   * arena.closed // -> true
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
   * await arena[Symbol.asyncDispose]()
   * arena.closed // -> true
   * ```
   */
  [Symbol.asyncDispose](): Promise<void> {
    return this.closeWhenIdle()
  }

  #facts(): Facts {
    const { closed, byteLength, shared, path } = this
    return { state: closed ? 'closed' : 'open', byteLength, shared, path: shared ? path : undefined }
  }
}
