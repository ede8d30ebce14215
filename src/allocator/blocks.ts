/**
 * What all allocators share: the view calls over the raw ones, the claim and its end, and the refusal of bad arguments.
 *
 *     alloc(type, length)  ->  calloc(bytes)  ->  offset  ->  the view that was there before (view-cache.ts), or
 *                                                            new type(window's buffer, offset in window, length)
 *     malloc(bytes)        ->  tryMalloc(bytes)  ->  offset, or 0: ERR_OUT_OF_MEMORY
 *
 * An allocator implements the three calls that begin with `try` and answer 0 when it is full, and a few hooks. `guard` is 0 as long
 * as nothing special holds, so a hot path pays one comparison for "not closed" and "no inner claim". A view that cannot be made (too
 * long for the runtime, say) gives its block back before the error goes on. Cost above the raw call: the typed array itself, 30 to
 * 60 ns, and 2 ns.
 *
 * Longer than other files: it is the whole contract of view calls, claims and endings, once for all allocators.
 * @module
 */
import { Arena } from '../arena/arena.ts'
import type { Claim, ClaimHolder } from '../arena/claim.ts'
import { step } from '../arena/ending.ts'
import { boolean, optionsObject, powerOfTwo, wholeNumber } from '../arguments.ts'
import {
  ArenaBusyError,
  ArenaClosedError,
  CorruptedError,
  InvalidArgumentTypeError,
  OutOfMemoryError,
  OutOfRangeError,
} from '../errors.ts'
import { GiB } from '../units.ts'
import { type TypedArray, type TypedArrayConstructor, typedArrayConstructor } from '../views.ts'
import type { Allocator, AllocatorOptions, AllocatorStats, SizeClassStats, StatsOptions } from './allocator.ts'
import { type HeaderFields, type Kind, type Layout, readHeader, State, verifyHeader, writeHeader } from './header.ts'
import { Memory, WINDOW_BYTES } from './memory.ts'
import { ViewCache } from './view-cache.ts'

/** Bits of `guard`. */
export const CLOSED = 1
export const INNER = 2
/** Another may change the blocks, we only look. */
export const READER = 4

/** The longest alignment: that of an arena in the address space. */
export const MOST_ALIGNMENT: number = GiB

/** Dirty memory is cleared by filling it up to this length, and by purging above: filling is 20 times as fast for resident pages. */
const FILL_MOST = 2 ** 20

export abstract class Blocks<Name extends string = string> implements Allocator, ClaimHolder {
  readonly kind: Kind
  protected readonly arena: Arena
  protected readonly claim: Claim
  protected readonly layout: Layout<Name>
  /** Committed bytes allowed; Infinity when there is no limit. */
  protected readonly limit: number
  /** Bits, or 0: the usual. */
  protected guard = 0
  protected readonly memory: Memory
  protected readonly cache: ViewCache = new ViewCache()
  readonly #fields: HeaderFields
  #ending = false

  /**
   * Claims the range. `layoutOf` gives the tables for a claim of so many bytes; it is called before the claim is granted, and may
   * throw to refuse it. With `adopt` the claim is one that has an allocator already, whose header is verified instead of written.
   */
  protected constructor(
    kind: Kind,
    arena: Arena,
    options: AllocatorOptions | undefined,
    layoutOf: (byteLength: number) => Layout<Name>,
    adopt?: (holder: ClaimHolder) => Claim
  ) {
    if (!(arena instanceof Arena)) throw new InvalidArgumentTypeError('arena', 'an Arena', arena)
    optionsObject('options', options)
    for (const name of ['offset', 'byteLength', 'limit'] as const)
      if (options?.[name] !== undefined) wholeNumber(`options.${name}`, options[name])
    this.kind = kind
    this.arena = arena
    this.memory = new Memory(arena)
    this.claim =
      adopt?.(this) ??
      arena.claim({
        holder: this,
        offset: options?.offset,
        byteLength: options?.byteLength,
        metadataBytes: (byteLength) => layoutOf(byteLength).byteLength,
      })
    const { offset, byteLength, metadata, zeroed } = this.claim
    this.layout = layoutOf(byteLength)
    const known = { kind, layoutHash: this.layout.hash, pageSize: arena.pageSize, offset, byteLength }
    if (adopt === undefined) {
      this.#fields = { ...known, zeroed, limit: options?.limit ?? Number.POSITIVE_INFINITY }
      writeHeader(metadata, this.#fields, kind === 'Heap' ? State.closed : State.open)
    } else this.#fields = this.#adopted(known)
    this.limit = this.#fields.limit
  }

  /** The header of an adopted claim. When it is none of ours the claim is left as it was. */
  #adopted(known: Omit<HeaderFields, 'zeroed' | 'limit'>): HeaderFields {
    try {
      return readHeader(this.claim.metadata, known)
    } catch (error) {
      this.claim.leave()
      throw error
    }
  }

  /** What a heap holds can be found again, by its roots; of the others nobody could take the blocks over. */
  get lasting(): boolean {
    return this.kind === 'Heap'
  }

  abstract tryMalloc(byteLength: number): number
  /** As `tryMalloc`, and the block reads zero. */
  protected abstract tryCalloc(byteLength: number): number
  /** As `tryMalloc`, on a multiple of `alignment`, which has been checked. */
  protected abstract tryMemalign(alignment: number, byteLength: number): number
  /** Takes back a block that was just handed out and that nobody has seen. */
  protected abstract undo(offset: number): void
  /** Drops what refers to the metadata, without touching it: called once, when the claim is gone. */
  protected abstract forget(): void
  abstract blockAround(offset: number, byteLength: number): { offset: number; byteLength: number } | undefined
  /** Frees every block: called when no claim lies in one. Throws nothing. */
  protected abstract dropBlocks(): void
  /** The figures without options. */
  protected abstract totals(): AllocatorStats
  /** The live blocks by size. */
  protected abstract sizeClasses(): SizeClassStats[]
  abstract check(): void

  malloc(byteLength: number): number {
    const offset = this.tryMalloc(byteLength)
    if (offset === 0) throw this.outOfMemory(byteLength)
    return offset
  }

  calloc(byteLength: number): number {
    // biome-ignore lint/complexity/noArguments: a rest parameter would build an array in every call.
    if (arguments.length > 1) throw tooManyArguments(arguments)
    const offset = this.tryCalloc(byteLength)
    if (offset === 0) throw this.outOfMemory(byteLength)
    return offset
  }

  memalign(alignment: number, byteLength: number): number {
    powerOfTwo('alignment', alignment, MOST_ALIGNMENT)
    const offset = this.tryMemalign(alignment, byteLength)
    if (offset === 0) throw this.outOfMemory(byteLength, `on a multiple of ${alignment}`)
    return offset
  }

  alloc<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number): T {
    const byteLength = viewBytes(type, length)
    return this.viewOf(type, this.calloc(byteLength), length, byteLength)
  }

  allocUnsafe<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number): T {
    const byteLength = viewBytes(type, length)
    return this.viewOf(type, this.malloc(byteLength), length, byteLength)
  }

  stats(options?: StatsOptions): AllocatorStats {
    this.assertOpen()
    const totals = this.totals()
    if (options === undefined) return totals
    optionsObject('options', options)
    for (const name of ['classes', 'resident'] as const) boolean(`options.${name}`, options[name])
    return {
      ...totals,
      ...(options.resident && this.claim.resident()),
      ...(options.classes && { classes: this.sizeClasses() }),
    }
  }

  reset(): void {
    this.assertWritable()
    // One step: what the end of inner claims calls finds no block left.
    step(() => {
      this.claim.revokeInner()
      this.dropBlocks()
    })
  }

  close(): void {
    this.endBy(() => this.claim.release())
  }

  /**
   * Ends this allocator: refuses, stores and gives back as the claim does it (arena/ending.ts), and only then forgets. What is refused
   * has changed nothing. Released metadata reads zero, which is what a closed header looks like.
   */
  protected endBy(giveBack: () => void): void {
    if (this.isClosed || this.#ending) return
    step(() => {
      this.#ending = true
      try {
        giveBack()
      } finally {
        this.#ending = false
      }
      this.revoked()
    })
  }

  [Symbol.dispose](): void {
    this.close()
  }

  innerClaims(count: number): void {
    if (this.isClosed) return
    this.guard = (this.guard & READER) | (count === 0 ? 0 : INNER)
  }

  revoked(): void {
    if (this.isClosed) return
    this.guard = CLOSED
    this.memory.forget()
    this.cache.forget()
    this.forget()
  }

  protected get isClosed(): boolean {
    return this.guard === CLOSED
  }

  /** Called where `guard` is not 0: an inner claim is no reason to refuse. */
  protected assertOpen(): void {
    if (this.isClosed) throw new ArenaClosedError(`${this.kind} is closed`)
  }

  /** The same, where blocks change. */
  protected assertWritable(): void {
    this.assertOpen()
    if (this.guard & READER) throw this.readOnly()
  }

  protected readOnly(): Error {
    return new ArenaBusyError(`${this.kind} is attached as a reader`)
  }

  /** Throws when an inner claim lies in the range. */
  protected assertNoInner(offset: number, byteLength: number): void {
    if (this.guard & INNER && this.claim.overlapsInner(offset, byteLength))
      throw new ArenaBusyError(`the ${byteLength} bytes at ${offset} are claimed by another allocator`)
  }

  /** Throws unless the header still says what it said at first. */
  protected checkHeader(): void {
    verifyHeader(this.claim.metadata, this.#fields)
  }

  /** Throws unless the figures are what they say they are. */
  protected checkTotals(): void {
    const totals = this.totals()
    const sum = totals.usedBytes + totals.freeSlotBytes + totals.freeDirtyBytes + totals.metadataBytes
    if (totals.committedBytes !== sum)
      throw new CorruptedError(`${this.kind}: ${totals.committedBytes} bytes committed, the parts add up to ${sum}`)
    const classes = this.sizeClasses()
    if (classes.length === 0) return
    for (const name of ['usedCount', 'usedBytes', 'freeSlotBytes'] as const) {
      const all = classes.reduce((total, one) => total + one[name], 0)
      if (all !== totals[name])
        throw new CorruptedError(`${this.kind}: ${name} is ${totals[name]}, the classes add up to ${all}`)
    }
  }

  protected outOfMemory(byteLength: number, where = ''): OutOfMemoryError {
    const limit = this.limit === Number.POSITIVE_INFINITY ? '' : `, limit ${this.limit}`
    return new OutOfMemoryError(
      `${this.kind} has no room for ${byteLength} bytes${where && ` ${where}`} (claim of ${this.claim.byteLength} bytes${limit})`
    )
  }

  /** Copies into a new block, which is given back when its window cannot be made. */
  protected copyNew(to: number, from: number, byteLength: number): void {
    try {
      this.copy(to, from, byteLength)
    } catch (error) {
      this.undo(to)
      throw error
    }
  }

  /** Zeroes a new block, which is given back when its window cannot be made. */
  protected zeroNew(offset: number, byteLength: number): void {
    try {
      this.zero(offset, byteLength)
    } catch (error) {
      this.undo(offset)
      throw error
    }
  }

  /** Makes `[offset, offset + byteLength)` read zero; both are multiples of 8. Throws nothing. */
  protected zero(offset: number, byteLength: number): void {
    if (byteLength > FILL_MOST && this.#clear(offset, byteLength)) return
    this.memory.zero(offset, byteLength)
  }

  /** False when the kernel will not take the pages: locked in memory, say. The block must not be lost for that. */
  #clear(offset: number, byteLength: number): boolean {
    try {
      this.claim.clear(offset, byteLength)
      return true
    } catch {
      return false
    }
  }

  /** Copies between two blocks. */
  protected copy(to: number, from: number, byteLength: number): void {
    this.memory.copy(to, from, byteLength)
  }

  /** A view over a new block: the one that a block had before at this place, or a new one. */
  protected viewOf<T extends TypedArray>(
    type: TypedArrayConstructor<T>,
    offset: number,
    length: number,
    byteLength: number
  ): T {
    const { cache } = this
    const at = cache.at(offset)
    // A view without elements has its length when it is detached, too: there is none in the cache.
    if (
      cache.offsets[at] === offset &&
      cache.types[at] === type &&
      (cache.views[at] as TypedArray).length === length &&
      length !== 0
    )
      return cache.views[at] as T
    return this.#newView(type, offset, length, byteLength)
  }

  /** A new view over a new block, which is given back when the view cannot be made. */
  #newView<T extends TypedArray>(
    type: TypedArrayConstructor<T>,
    offset: number,
    length: number,
    byteLength: number
  ): T {
    // A timer's callback closed this, or the arena, once the block was made: then the view is as it would be after that.
    if (this.isClosed) return new type(new ArrayBuffer(0), 0, 0)
    try {
      const window = Math.floor(offset / WINDOW_BYTES)
      const local = offset - window * WINDOW_BYTES
      if (local + byteLength > WINDOW_BYTES) return this.arena.view(type, offset, length)
      const view = new type(this.arena.windowBuffer(window), local, length)
      this.cache.put(offset, type, view)
      return view
    } catch (error) {
      this.undo(offset)
      throw error
    }
  }
}

/** Bytes of a view, after checks. The usual types are compared one by one: a look-up in a set takes longer than the allocation. */
function viewBytes(type: unknown, length: number): number {
  const elementBytes = bytesPerElement(type)
  // Whole numbers below 2^32 are the common case; everything else is looked at closely.
  if (typeof length !== 'number' || length >>> 0 !== length) wholeNumber('length', length)
  const byteLength = length * elementBytes
  if (byteLength > Number.MAX_SAFE_INTEGER)
    throw new OutOfRangeError('length', `a whole number of at most 2^53 bytes / ${elementBytes}`, length)
  return byteLength
}

function bytesPerElement(type: unknown): number {
  if (type === Uint8Array) return 1
  if (type === Float64Array) return 8
  if (type === Int32Array || type === Uint32Array || type === Float32Array) return 4
  if (type === Uint16Array || type === Int16Array) return 2
  typedArrayConstructor('type', type)
  return (type as TypedArrayConstructor).BYTES_PER_ELEMENT
}

function tooManyArguments(given: ArrayLike<unknown>): InvalidArgumentTypeError {
  return new InvalidArgumentTypeError('arguments', 'byteLength alone: calloc takes no count', given[1])
}
