/**
 * An arena: one reserved, contiguous range of addresses and its life. Reserving it takes no memory; a page becomes resident
 * when it is first written, and goes back to the kernel with `purge` or `close`.
 *
 *     Arena ── Windows    the ArrayBuffers over its data                  window.ts
 *           ── Claims     which allocator holds which range               claims/claims.ts
 *           ── Holding    open, pinned, closed                            holding.ts
 *           ── Lifetime   closing, and unmapping when nobody looks        lifetime.ts
 *           ── Ground     its bytes: purging and clearing them            ground.ts
 *
 * Its memory is a mapping of its own, or that of a mapped file (file/file-arena.ts). It knows nothing of blocks. Reserving costs 10 us and no resident page; a view some 0.1 us; `offsetOf` some 20 ns, nearly
 * all of it V8's getter for a view's buffer.
 * @module
 */
import { wholeNumber } from '../arguments.ts'
import { alignDown } from '../bits.ts'
import { ArenaBusyError, InvalidArgumentTypeError, OutOfRangeError } from '../errors.ts'
import { type TypedArray, type TypedArrayConstructor, typedArrayConstructor } from '../views.ts'
import type { AdoptRequest, Claim, ClaimRequest, LeftClaim } from './claim.ts'
import { Claims } from './claims/claims.ts'
import type { Ground } from './ground.ts'
import { Holding } from './holding.ts'
import { type Layout, layoutOf, MOST_BYTES } from './layout.ts'
import { Lifetime } from './lifetime.ts'
import { type ArenaOptions, checkOptions } from './options.ts'
import { reserveGround } from './reservation.ts'
import { residentBytes } from './residency.ts'
import { WINDOW_BYTES, Windows, windowIndex } from './window.ts'

/** What an arena is made of. @internal */
export interface ArenaParts {
  /** For messages. */
  readonly title: string
  readonly layout: Layout
  readonly ground: Ground
  readonly lifetime: Lifetime
  readonly holding: Holding
  /** Whether the directory of claims is there already. @defaultValue false */
  readonly recorded?: boolean
  /** Whether something in a window may not read zero. @defaultValue never */
  readonly exposed?: (window: number) => boolean
}

/** A reserved range of memory. Make one with `Arena.reserve`. */
export class Arena {
  /** Bytes of data: what was asked for, rounded up to whole pages. */
  readonly byteLength: number
  /** Bytes in a page. */
  readonly pageSize: number
  readonly #title: string
  readonly #ground: Ground
  readonly #holding: Holding
  readonly #windows: Windows
  readonly #claims: Claims
  /** The windows' own arrays, here as well to save a step on hot paths. Both are empty after `close`. */
  readonly #buffers: (ArrayBuffer | undefined)[]
  readonly #bytes: Uint8Array[]

  private constructor(parts: ArenaParts) {
    const { title, layout, ground, lifetime, holding, recorded = false, exposed = () => false } = parts
    const windows = new Windows(lifetime, ground.base, layout.byteLength)
    this.byteLength = layout.byteLength
    this.pageSize = ground.pageSize
    this.#title = title
    this.#ground = ground
    this.#holding = holding
    this.#windows = windows
    this.#buffers = windows.buffers
    this.#bytes = windows.bytes
    const bytesAt = (offset: number, length: number): Uint8Array => this.#bytesAt(offset, length)
    const claims = new Claims({ title, layout, ground, lifetime, recorded, exposed, bytesAt })
    this.#claims = claims
    holding.onClose(() => claims.revokeAll())
  }

  /**
   * Reserves an arena of at least `byteLength` bytes. Nothing is resident afterwards (unless `populate` is asked for).
   * Throws a `SystemError` (`ENOMEM`) when there are no addresses left.
   */
  static reserve(byteLength: number, options?: ArenaOptions): Arena {
    wholeNumber('byteLength', byteLength, 1, MOST_BYTES)
    const checked = checkOptions(options)
    const layout = layoutOf(byteLength, checked.os.pageSize)
    const ground = reserveGround(layout, checked)
    const lifetime = new Lifetime(ground.os, ground.base, layout.mappingBytes)
    const title = checked.name === undefined ? 'the arena' : `arena "${checked.name}"`
    return new Arena({ title, layout, ground, lifetime, holding: new Holding(title, lifetime) })
  }

  /** An arena over memory that is there. Throws `ERR_CORRUPTED` when a directory is there that cannot be right. @internal */
  static over(parts: ArenaParts): Arena {
    return new Arena(parts)
  }

  /** Whether `close` has been called. */
  get closed(): boolean {
    return this.#holding.closed
  }

  /**
   * A view of `length` elements at `offset`, over whatever is there. A view across a window's end has a buffer of its own.
   * `offset` must be a multiple of the element's size.
   */
  view<T extends TypedArray>(type: TypedArrayConstructor<T>, offset: number, length: number): T {
    typedArrayConstructor('type', type)
    const byteLength = this.#requireElements(type.BYTES_PER_ELEMENT, offset, length)
    this.#claims.expose(offset, byteLength)
    return this.#windows.view(type, offset, length)
  }

  /**
   * The window that shows `offset`, and the offset in the arena where that window starts: for code that indexes without making
   * a view for each block. `offset - start` is the index in bytes.
   */
  window(offset: number): { buffer: ArrayBuffer; start: number } {
    this.#requireOpen()
    wholeNumber('offset', offset, 0, this.byteLength - 1)
    const start = alignDown(offset, WINDOW_BYTES)
    this.#claims.expose(start, Math.min(WINDOW_BYTES, this.byteLength - start))
    return { buffer: this.windowBuffer(start / WINDOW_BYTES), start }
  }

  /** The offset in the arena where a view starts. Throws `ERR_OUT_OF_RANGE` for a view of anything else. */
  offsetOf(view: ArrayBufferView): number {
    if (!ArrayBuffer.isView(view)) return this.#refuse(view)
    // Asked for once: V8's getter for it is nearly all that this costs.
    const { buffer } = view
    if (buffer === this.#buffers[0] && (this.#bytes[0] as Uint8Array).length !== 0) return view.byteOffset
    const start = this.#windows.startOf(buffer)
    return start < 0 ? this.#refuse(view) : start + view.byteOffset
  }

  /** Faults every page of the range in now. Throws `ENOMEM` when the memory is not there, before it is taken. */
  populate(offset = 0, byteLength: number = this.#rest(offset)): void {
    this.#requireRange(offset, byteLength)
    if (byteLength > 0) this.#ground.populate(offset, byteLength)
  }

  /**
   * Gives the range's pages back to the kernel; the range reads zero afterwards, to the byte. Throws `ERR_ARENA_BUSY` when an
   * allocator holds a part of it.
   */
  purge(offset = 0, byteLength: number = this.#rest(offset)): void {
    this.#requireRange(offset, byteLength)
    const claim = byteLength === 0 ? undefined : this.#claims.overlapping(offset, byteLength)
    if (claim !== undefined)
      throw new ArenaBusyError(
        `${this.#title}: a purge of ${byteLength} bytes at offset ${offset} would hit ${claim.describe()}`
      )
    if (byteLength > 0) this.#ground.clear(offset, byteLength, (at, length) => this.#bytesAt(at, length))
  }

  /** Bytes of the range that are in memory now, exact to the page; of pages partly in the range, the part. */
  resident(offset = 0, byteLength: number = this.#rest(offset)): number {
    this.#requireRange(offset, byteLength)
    return residentBytes(this.#ground.os, this.#ground.base, offset, byteLength)
  }

  /** Holds the arena open: `close` refuses until every pin is disposed of. Disposing twice does nothing. */
  pin(): Disposable {
    return this.#holding.pin()
  }

  /** Runs an operation on a view, and holds the arena open until its promise is settled. */
  async use<V extends ArrayBufferView, R>(view: V, run: (view: V) => R | Promise<R>): Promise<R> {
    this.offsetOf(view)
    return this.#holding.use(view, run)
  }

  /**
   * Closes the arena and every allocator on it. Its memory goes back to the kernel at once; its addresses do when the last view
   * is garbage, so a stale view reads zero or is empty and never faults. Closing again does nothing. An arena in a mapped file
   * closes the file with it, which keeps what is in it.
   *
   * `detach`: whether views become empty. @defaultValue true on Node 22 and later, false on Node 20, where a zlib call that is
   * running on a view would end the process.
   */
  close(options?: { readonly detach?: boolean | undefined }): void {
    this.#holding.close(options)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** Gives an allocator a range of its own. The contract is in claim.ts. @internal */
  claim(request: ClaimRequest): Claim {
    this.#requireOpen()
    return this.#claims.grant(request)
  }

  /** The claims that others left open in this memory, and that nobody has adopted yet. @internal */
  leftClaims(): LeftClaim[] {
    this.#requireOpen()
    return this.#claims.left()
  }

  /** Gives an allocator a claim that another left open, as it was left. Undefined when there is none. @internal */
  adopt(request: AdoptRequest): Claim | undefined {
    this.#requireOpen()
    return this.#claims.adopt(request)
  }

  /** Notes that others than the arena's users may write in a range from now on. @internal */
  expose(offset: number, byteLength: number): void {
    this.#claims.expose(offset, byteLength)
  }

  /** What an allocator holds of a range, for messages; undefined when none holds any of it. @internal */
  claimed(offset: number, byteLength: number): string | undefined {
    return this.#claims.overlapping(offset, byteLength)?.describe()
  }

  /** The buffer of a window, made at first need, and again when somebody has detached it. @internal */
  windowBuffer(index: number): ArrayBuffer {
    const bytes = this.#bytes[index]
    return bytes !== undefined && bytes.length !== 0 ? (this.#buffers[index] as ArrayBuffer) : this.#makeWindow(index)
  }

  #makeWindow(index: number): ArrayBuffer {
    this.#requireOpen()
    wholeNumber('index', index, 0, windowIndex(this.byteLength, this.byteLength))
    return this.#windows.make(index)
  }

  #refuse(view: unknown): never {
    this.#requireOpen()
    if (!ArrayBuffer.isView(view)) throw new InvalidArgumentTypeError('view', 'a view', view)
    throw new OutOfRangeError('view', `a view of ${this.#title}`, view)
  }

  /** Bytes of at most one page, which no window's end cuts. */
  #bytesAt(offset: number, byteLength: number): Uint8Array {
    const index = windowIndex(offset, this.byteLength)
    return new Uint8Array(this.windowBuffer(index), offset - index * WINDOW_BYTES, byteLength)
  }

  /** Throws unless the elements lie in the arena; gives their length in bytes. */
  #requireElements(elementBytes: number, offset: number, length: number): number {
    this.#requireOpen()
    wholeNumber('offset', offset, 0, this.byteLength)
    if (offset % elementBytes !== 0) throw new OutOfRangeError('offset', `a multiple of ${elementBytes}`, offset)
    wholeNumber('length', length, 0, Math.floor((this.byteLength - offset) / elementBytes))
    return length * elementBytes
  }

  #requireRange(offset: number, byteLength: number): void {
    this.#requireOpen()
    wholeNumber('offset', offset, 0, this.byteLength)
    wholeNumber('byteLength', byteLength, 0, this.byteLength - offset)
  }

  #requireOpen(): void {
    this.#holding.requireOpen()
  }

  /** What is left from `offset` on; of a nonsensical offset 0, which `#requireRange` then finds. */
  #rest(offset: number): number {
    return offset <= this.byteLength ? this.byteLength - offset : 0
  }
}
