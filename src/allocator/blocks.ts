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

import { type Arena, insideOf, requireArena } from '../arena/arena.ts'
import type { Claim, ClaimHolder } from '../arena/claim.ts'
import { inStep, step } from '../arena/ending.ts'
import type { ArenaInside } from '../arena/inside.ts'
import { disposable, pinned, type Release, WhenIdle } from '../arena/pin.ts'
import type { Range } from '../arena/ranges.ts'
import { powerOfTwo, wholeNumber } from '../arguments.ts'
import {
  ArenaBusyError,
  ArenaClosedError,
  bytes,
  CorruptedError,
  InvalidArgumentTypeError,
  InvalidFreeError,
  OutOfMemoryError,
  OutOfRangeError,
  UnsupportedOperationError,
} from '../errors.ts'
import type { Facts } from '../inspection.ts'
import {
  elementBytes,
  isView,
  makeView,
  type NodeBuffer,
  type NodeBufferConstructor,
  type TypedArray,
  type TypedArrayConstructor,
  type View,
  type ViewConstructor,
} from '../views.ts'
import type { Allocator, AllocatorStats, AllocOptions, SizeClassStats, StatsOptions } from './allocator.ts'
import { PageNews, publishFull } from './channels.ts'
import { type HeaderFields, type Kind, type Layout, readHeader, State, verifyHeader, writeHeader } from './header.ts'
import { Memory } from './memory.ts'
import { type CheckedAllocatorOptions, checkAlignment, checkStatsOptions, MOST_ALIGNMENT } from './options.ts'
import { Pins } from './pins.ts'
import { Room, requestOf } from './room.ts'
import { ViewCache } from './view-cache.ts'

/** Bits of `guard`. @internal */
export const CLOSED = 1
/** @internal */
export const INNER = 2
/** Another may change the blocks, we only look. @internal */
export const READER = 4
/** Blocks are pinned. @internal */
export const PINNED = 8

/** Dirty memory is cleared by filling it up to this length, and by purging above: filling is 20 times as fast for resident pages. */
const FILL_MOST = 2 ** 20

/**
 * What an allocator does in its own way. Called by what all share, with the allocator itself, and reachable from nowhere else: a caller
 * who could call these could spoil the tables.
 * @internal
 */
export interface Hooks {
  /** As `tryMalloc`, and the block reads zero. */
  tryCalloc(self: object, byteLength: number): number
  /** As `tryMalloc`, on a multiple of `alignment`, which has been checked. With `zero` the block reads zero. */
  tryMemalign(self: object, alignment: number, byteLength: number, zero: boolean): number
  /** Takes back a block that was just handed out and that nobody has seen. */
  undo(self: object, offset: number): void
  /** Drops what refers to the metadata, without touching it: called once, when the claim is gone. */
  forget(self: object): void
  /** Frees every block: called when no claim lies in one. Throws nothing. */
  dropBlocks(self: object): void
  /** As a claim's holder: claim.ts. */
  blockAround(self: object, offset: number, byteLength: number): { offset: number; byteLength: number } | undefined
  /** Usable bytes of the live block that starts here; throws when there is none. Only of those that free single blocks. */
  sizeAt?(self: object, offset: number): number
  /** The figures without options. */
  totals(self: object): AllocatorStats
  /** The live blocks by size. */
  sizeClasses(self: object): SizeClassStats[]
  /** Figures that need no walk. Bytes of slabs and slots count as used. */
  glance(self: object): { usedBytes: number; committedBytes: number }
  /** `guard` has changed. */
  guarded?(self: object): void
}

/** What an allocator keeps to itself, and its own classes have from `ownOf`. @internal */
export interface Own<Name extends string, H extends Hooks> {
  readonly kind: Kind
  readonly arena: Arena
  readonly inside: ArenaInside
  readonly claim: Claim
  readonly layout: Layout<Name>
  /** Committed bytes allowed; Infinity when there is no limit. */
  readonly limit: number
  readonly memory: Memory
  readonly cache: ViewCache
  readonly pins: Pins
  readonly hooks: H
  /** Asks the caller for room, where it wants to be asked. */
  room: Room | undefined
  /** How often all blocks were dropped. */
  resets: number
  /** What is to be published of pages. */
  readonly news: PageNews
  /** Bits, or 0: the usual. */
  guard: number
  /** The claim is gone: closes the allocator, and touches nothing. */
  revoked(): void
}

/** How a class makes its part of an allocator. @internal */
export interface Making<Name extends string, H extends Hooks> {
  readonly kind: Kind
  readonly options: CheckedAllocatorOptions
  readonly hooks: H
  /** The tables for a claim of so many bytes. Called before the claim is granted, and may throw to refuse it. */
  readonly layoutOf: (byteLength: number) => Layout<Name>
  /** Gives a claim that has an allocator already, whose header is verified instead of written. */
  readonly adopt?: ((holder: ClaimHolder) => Claim) | undefined
}

/** Hooks of our own classes: an allocator is made with no others. */
const ours: WeakSet<Hooks> = new WeakSet()

/** Notes the hooks of a class of ours. @internal */
export function hooksOf<H extends Hooks>(hooks: H): H {
  ours.add(hooks)
  return hooks
}

let own: (blocks: Blocks) => unknown
let facts: (blocks: Blocks) => Facts

/** What is shown of an allocator. @internal */
export function factsOf(blocks: Blocks): Facts {
  return facts(blocks)
}

/** What an allocator keeps to itself. For its own classes, once, when it is made. @internal */
export function ownOf<Name extends string = string, H extends Hooks = Hooks>(blocks: Blocks): Own<Name, H> {
  return own(blocks) as Own<Name, H>
}

export abstract class Blocks implements Allocator {
  readonly #own: Own<string, Hooks>
  readonly #cache: ViewCache
  readonly #fields: HeaderFields
  readonly #whenIdle = new WhenIdle()
  #ending = false

  static {
    own = (blocks) => blocks.#own
    facts = (blocks) => blocks.#facts()
  }

  /** Claims the range. @internal */
  protected constructor(arena: Arena, making: Making<string, Hooks>) {
    if (!ours.has(making?.hooks))
      throw new UnsupportedOperationError('an allocator is made with new Heap, Slab, Buddy or Bump')
    requireArena(arena)
    const { kind, options, hooks, layoutOf, adopt } = making
    const inside = insideOf(arena)
    const holder = this.#holder(kind, hooks)
    const claim =
      adopt?.(holder) ??
      inside.claim({
        holder,
        offset: options.offset,
        byteLength: options.byteLength,
        metadataBytes: (byteLength) => layoutOf(byteLength).byteLength,
      })
    const { offset, byteLength, metadata, zeroed } = claim
    const layout = layoutOf(byteLength)
    const known = { kind, layoutHash: layout.hash, pageSize: arena.pageSize, offset, byteLength }
    if (adopt === undefined) {
      this.#fields = { ...known, zeroed, limit: options.limit ?? Number.POSITIVE_INFINITY }
      writeHeader(metadata, this.#fields, kind === 'Heap' ? State.closed : State.open)
    } else this.#fields = adopted(claim, known)
    const { limit } = this.#fields
    const memory = new Memory(inside, offset, byteLength)
    const revoked = (): void => this.#revoked()
    const cache = new ViewCache(inside.windowBytes)
    this.#cache = cache
    const room = options.onFull && new Room(options.onFull, () => this.#level())
    this.#own = {
      kind,
      arena,
      inside,
      claim,
      layout,
      limit,
      memory,
      cache,
      pins: new Pins(),
      hooks,
      room,
      resets: 0,
      news: new PageNews(),
      guard: 0,
      revoked,
    }
  }

  #holder(kind: Kind, hooks: Hooks): ClaimHolder {
    return {
      kind,
      // What a heap holds can be found again, by its roots; of the others nobody could take the blocks over.
      lasting: kind === 'Heap',
      blockAround: (offset, byteLength) => hooks.blockAround(this, offset, byteLength),
      pin: (offset, byteLength) => {
        const block = this.isClosed ? undefined : hooks.blockAround(this, offset, byteLength)
        return block && this.#pin(block)
      },
      innerClaims: (count) => this.#innerClaims(count),
      revoked: () => this.#revoked(),
    }
  }

  abstract tryMalloc(byteLength: number): number
  abstract check(): void

  malloc(byteLength: number): number {
    const offset = this.tryMalloc(byteLength)
    if (offset === 0) throw this.outOfMemory(byteLength)
    return offset
  }

  calloc(byteLength: number): number {
    // biome-ignore lint/complexity/noArguments: a rest parameter would build an array in every call.
    if (arguments.length > 1) throw tooManyArguments(arguments)
    const offset = this.#own.hooks.tryCalloc(this, byteLength)
    return offset === 0 || this.#own.news.pending ? this.#must(offset, 8, byteLength, true) : offset
  }

  memalign(alignment: number, byteLength: number): number {
    powerOfTwo('alignment', alignment, MOST_ALIGNMENT)
    const offset = this.#own.hooks.tryMemalign(this, alignment, byteLength, false)
    return offset === 0 || this.#own.news.pending ? this.#must(offset, alignment, byteLength, false) : offset
  }

  alloc<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number, options?: AllocOptions): T
  alloc(type: DataViewConstructor, length: number, options?: AllocOptions): DataView
  alloc(type: NodeBufferConstructor, length: number, options?: AllocOptions): NodeBuffer
  alloc(type: ViewConstructor, length: number): View {
    // biome-ignore lint/complexity/noArguments: a third parameter makes the call with two 2 to 3 ns slower.
    if (arguments.length > 2) return this.#allocOn(type, length, arguments[2], true)
    const byteLength = viewBytes(type, length)
    return this.#viewOf(type, this.calloc(byteLength), length, byteLength)
  }

  allocUnsafe<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number, options?: AllocOptions): T
  allocUnsafe(type: DataViewConstructor, length: number, options?: AllocOptions): DataView
  allocUnsafe(type: NodeBufferConstructor, length: number, options?: AllocOptions): NodeBuffer
  allocUnsafe(type: ViewConstructor, length: number): View {
    // biome-ignore lint/complexity/noArguments: as above.
    if (arguments.length > 2) return this.#allocOn(type, length, arguments[2], false)
    const byteLength = viewBytes(type, length)
    return this.#viewOf(type, this.malloc(byteLength), length, byteLength)
  }

  /** A view over a new block on a multiple of the alignment that is asked for. */
  #allocOn(type: ViewConstructor, length: number, options: AllocOptions | undefined, zero: boolean): View {
    const byteLength = viewBytes(type, length)
    const alignment = checkAlignment(options)
    return this.#viewOf(type, this.#blockOn(alignment, byteLength, zero), length, byteLength)
  }

  #blockOn(alignment: number, byteLength: number, zero: boolean): number {
    if (alignment <= 8) return zero ? this.calloc(byteLength) : this.malloc(byteLength)
    if (!zero) return this.memalign(alignment, byteLength)
    const offset = this.#own.hooks.tryMemalign(this, alignment, byteLength, true)
    return offset === 0 || this.#own.news.pending ? this.#must(offset, alignment, byteLength, true) : offset
  }

  /** The end of a request that must be met: as `settle`, and ERR_OUT_OF_MEMORY when there is no room. */
  #must(found: number, alignment: number, byteLength: number, zero: boolean): number {
    const offset = this.settle(found, byteLength, alignment, zero)
    if (offset === 0) throw this.outOfMemory(byteLength, alignment > 8 ? `on a multiple of ${alignment}` : '')
    return offset
  }

  /**
   * The end of a request: asks for room where there was none, and publishes what happened to pages. The block, or 0. @internal
   */
  protected settle(found: number, byteLength: number, alignment = 8, zero = false): number {
    const offset = found === 0 ? this.again(byteLength, alignment, zero) : found
    this.tellPages()
    return offset
  }

  /** Publishes what happened to pages: the last thing that a step does. @internal */
  protected tellPages(): void {
    const { news } = this.#own
    if (news.pending) news.publish(this)
  }

  /** What did not fit, tried again for as long as `onFull` makes room; 0 in the end. @internal */
  protected again(byteLength: number, alignment = 8, zero = false): number {
    const { room, hooks } = this.#own
    // As part of another step: that one asks, and says so.
    if (room !== undefined && inStep()) return 0
    publishFull(this, byteLength, alignment)
    if (room === undefined) return 0
    for (const request = requestOf(byteLength); room.ask(request); ) {
      const offset = hooks.tryMemalign(this, alignment, byteLength, zero)
      if (offset !== 0) return offset
    }
    this.assertOpen()
    return 0
  }

  /**
   * Runs a call that throws when it finds no room: as one step, in which nothing is asked, and again for as long as `onFull` makes room in
   * between. @internal
   */
  protected untilFits(byteLength: number, run: () => number): number {
    const { room } = this.#own
    if (room === undefined) return run()
    for (const request = requestOf(byteLength); ; ) {
      try {
        return step(run)
      } catch (error) {
        if (!(error instanceof OutOfMemoryError)) throw error
        if (request.answers === 0) publishFull(this, byteLength, 8)
        const granted = room.ask(request)
        this.assertOpen()
        if (!granted) throw error
      }
    }
  }

  /** Bytes used and committed: what making room lowers. */
  #level(): number {
    const { usedBytes, committedBytes } = this.#own.hooks.totals(this)
    return usedBytes + committedBytes
  }

  stats(options?: StatsOptions): AllocatorStats {
    this.assertOpen()
    const { hooks, claim } = this.#own
    if (options === undefined) return hooks.totals(this)
    const { classes, resident } = checkStatsOptions(options)
    return {
      ...hooks.totals(this),
      ...(resident && claim.resident()),
      ...(classes && { classes: hooks.sizeClasses(this) }),
    }
  }

  pin(block: number | ArrayBufferView): Disposable {
    return disposable(this.#pin(this.#blockToPin(block)))
  }

  async use<V extends ArrayBufferView, R>(view: V, run: (view: V) => R | Promise<R>): Promise<R> {
    this.assertOpen()
    if (!isView(view)) throw new InvalidArgumentTypeError('view', 'a view', view)
    return pinned(() => disposable(this.#pin(this.#blockToPin(view))), view, run)
  }

  /** The live block that an offset names, or that a view starts in. */
  #blockToPin(block: unknown): Range {
    this.assertOpen()
    const { claim, hooks, kind } = this.#own
    const offset = typeof block === 'number' ? block : this.locateView(block)
    const inClaim = Number.isInteger(offset) && offset >= claim.offset && offset < claim.offset + claim.byteLength
    const found = inClaim ? hooks.blockAround(this, offset, 1) : undefined
    if (found !== undefined && (found.offset === offset || typeof block !== 'number')) return found
    // Of the allocators that free single blocks, this says whether it was freed.
    hooks.sizeAt?.(this, offset)
    throw new InvalidFreeError(`${offset} is not the start of a live block of ${kind}`)
  }

  /** Pins a live block and what lies around it. The answer is to be called once. */
  #pin(block: Range): Release {
    const own = this.#own
    if (this.#whenIdle.awaited) throw new ArenaClosedError(`${own.kind} is closing and takes no new pins`)
    const releaseAround = own.claim.pinAround(block.offset, block.byteLength)
    const held = own.pins.add(block)
    this.#pinsChanged()
    return () => {
      own.pins.remove(held)
      this.#pinsChanged()
      releaseAround()
    }
  }

  #pinsChanged(): void {
    const own = this.#own
    const guard = own.pins.size === 0 ? own.guard & ~PINNED : own.guard | PINNED
    if (this.isClosed || guard === own.guard) return
    own.guard = guard
    own.hooks.guarded?.(this)
    if (own.pins.size === 0) this.#whenIdle.wake()
  }

  reset(): void {
    this.assertWritable()
    this.assertUnpinned('cannot be reset')
    // One step: what the end of inner claims calls finds no block left.
    step(() => {
      this.#own.claim.revokeInner()
      this.#own.hooks.dropBlocks(this)
      this.#own.resets++
    })
  }

  close(): void {
    this.endBy(() => this.#own.claim.release())
  }

  /**
   * Ends this allocator: refuses, stores and gives back as the claim does it (arena/ending.ts), and only then forgets. What is refused
   * has changed nothing. Released metadata reads zero, which is what a closed header looks like. @internal
   */
  protected endBy(giveBack: () => void): void {
    if (this.isClosed || this.#ending) return
    this.assertUnpinned('cannot be closed')
    step(() => {
      this.#ending = true
      try {
        giveBack()
      } finally {
        this.#ending = false
      }
      this.#revoked()
    })
  }

  closeWhenIdle(): Promise<void> {
    return this.#whenIdle.close(this.#own.pins.size === 0, () => this.close())
  }

  [Symbol.dispose](): void {
    this.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.closeWhenIdle()
  }

  #facts(): Facts {
    const { guard, claim, hooks } = this.#own
    const { offset, byteLength } = claim
    if (guard === CLOSED) return { state: 'closed', offset, byteLength }
    const { usedBytes, committedBytes } = hooks.glance(this)
    return { state: guard & READER ? 'open, to be read' : 'open', offset, byteLength, usedBytes, committedBytes }
  }

  #innerClaims(count: number): void {
    if (this.isClosed) return
    const own = this.#own
    own.guard = (own.guard & ~INNER) | (count === 0 ? 0 : INNER)
    own.hooks.guarded?.(this)
  }

  #revoked(): void {
    if (this.isClosed) return
    const own = this.#own
    own.guard = CLOSED
    own.memory.forget()
    own.cache.forget()
    own.pins.forget()
    own.room = undefined
    own.hooks.forget(this)
    this.#whenIdle.wake()
  }

  /** @internal */
  protected get isClosed(): boolean {
    return this.#own.guard === CLOSED
  }

  /** Called where `guard` is not 0: an inner claim is no reason to refuse. @internal */
  protected assertOpen(): void {
    if (this.isClosed) throw new ArenaClosedError(`${this.#own.kind} is closed`)
  }

  /** The same, where blocks change. @internal */
  protected assertWritable(): void {
    this.assertOpen()
    if (this.#own.guard & READER) throw this.readOnly()
  }

  /** @internal */
  protected readOnly(): Error {
    return new ArenaBusyError(`${this.#own.kind} is attached as a reader`)
  }

  /** Throws when an inner claim lies in the range. @internal */
  protected assertNoInner(offset: number, byteLength: number): void {
    const { guard, claim } = this.#own
    if (guard & INNER && claim.overlapsInner(offset, byteLength))
      throw new ArenaBusyError(`the block of ${bytes(byteLength)} at ${offset} has another allocator in it`)
  }

  /** Throws when the block that starts here is pinned. @internal */
  protected assertBlockUnpinned(offset: number): void {
    if (this.#own.guard & PINNED) this.#own.pins.assertFree(offset)
  }

  /** Throws when a block from `offset` on is pinned. `refused`: what the allocator cannot be asked for then. @internal */
  protected assertUnpinned(refused: string, offset = 0): void {
    if (this.#own.guard & PINNED) this.#own.pins.assertNoneFrom(offset, `${this.#own.kind} ${refused}`)
  }

  /** Throws unless the header still says what it said at first. @internal */
  protected checkHeader(): void {
    verifyHeader(this.#own.claim.metadata, this.#fields)
  }

  /** Throws unless the figures are what they say they are. @internal */
  protected checkTotals(): void {
    const { kind, hooks } = this.#own
    const totals = hooks.totals(this)
    const sum = totals.usedBytes + totals.freeSlotBytes + totals.freeDirtyBytes + totals.metadataBytes
    if (totals.committedBytes !== sum)
      throw new CorruptedError(`${kind}: ${totals.committedBytes} bytes committed, the parts add up to ${sum}`)
    const classes = hooks.sizeClasses(this)
    if (classes.length === 0) return
    for (const name of ['usedCount', 'usedBytes', 'freeSlotBytes'] as const) {
      const all = classes.reduce((total, one) => total + one[name], 0)
      if (all !== totals[name])
        throw new CorruptedError(`${kind}: ${name} is ${totals[name]}, the classes add up to ${all}`)
    }
  }

  /** @internal */
  protected outOfMemory(byteLength: number, where = ''): OutOfMemoryError {
    const { kind, claim, limit } = this.#own
    const limited = limit === Number.POSITIVE_INFINITY ? '' : `, limit ${limit}`
    return new OutOfMemoryError(
      `${kind} has no room for ${bytes(byteLength)}${where && ` ${where}`} (claim of ${bytes(claim.byteLength)}${limited})`
    )
  }

  /** For an offset that tables which others can write gave, and that lies outside the claim: nothing is done with it. @internal */
  protected outside(offset: number): CorruptedError {
    return new CorruptedError(`${this.#own.kind}: the tables lead to offset ${offset}, which lies outside the claim`)
  }

  /** Throws unless a range that the tables gave lies in the claim. @internal */
  protected assertInside(offset: number, byteLength: number): void {
    const { claim } = this.#own
    if (!(offset >= claim.offset && byteLength >= 0 && offset + byteLength <= claim.offset + claim.byteLength))
      throw this.outside(offset)
  }

  /** Copies into a new block, which is given back when its window cannot be made. @internal */
  protected copyNew(to: number, from: number, byteLength: number): void {
    this.assertInside(to, byteLength)
    this.assertInside(from, byteLength)
    try {
      this.copy(to, from, byteLength)
    } catch (error) {
      this.#own.hooks.undo(this, to)
      throw error
    }
  }

  /** Zeroes a new block, which is given back when its window cannot be made. @internal */
  protected zeroNew(offset: number, byteLength: number): void {
    this.assertInside(offset, byteLength)
    try {
      this.zero(offset, byteLength)
    } catch (error) {
      this.#own.hooks.undo(this, offset)
      throw error
    }
  }

  /** Makes `[offset, offset + byteLength)` read zero; both are multiples of 8. Throws nothing. @internal */
  protected zero(offset: number, byteLength: number): void {
    if (byteLength > FILL_MOST && this.#clear(offset, byteLength)) return
    this.#own.memory.zero(offset, byteLength)
  }

  /** False when the kernel will not take the pages: locked in memory, say. The block must not be lost for that. */
  #clear(offset: number, byteLength: number): boolean {
    try {
      this.#own.claim.clear(offset, byteLength)
      return true
    } catch {
      return false
    }
  }

  /** The offset where a view starts. @internal */
  protected locateView(view: unknown): number {
    if (this.isClosed) this.assertOpen()
    if (!isView(view)) throw new InvalidArgumentTypeError('block', 'an offset or a view', view)
    try {
      return this.#own.arena.offsetOf(view)
    } catch (error) {
      if (error instanceof ArenaClosedError) throw error
      throw new InvalidFreeError('the view is not one of this arena, or its buffer has been detached')
    }
  }

  /** Copies between two blocks. @internal */
  protected copy(to: number, from: number, byteLength: number): void {
    this.#own.memory.copy(to, from, byteLength)
  }

  /** A view over a new block: the one that a block had before at this place, or a new one. */
  #viewOf(type: ViewConstructor, offset: number, length: number, byteLength: number): View {
    const cache = this.#cache
    const at = cache.at(offset)
    // A plain property, for speed: the caller may have put a getter of its own on the view. A view without elements has its length when it
    // is detached, too: there is none in the cache.
    try {
      if (
        cache.offsets[at] === offset &&
        cache.types[at] === type &&
        (cache.views[at] as TypedArray).length === length &&
        length !== 0
      )
        return cache.views[at] as View
    } catch {}
    return this.#newView(type, offset, length, byteLength)
  }

  /** A new view over a new block, which is given back when the view cannot be made. */
  #newView(type: ViewConstructor, offset: number, length: number, byteLength: number): View {
    // A timer's callback closed this, or the arena, once the block was made: then the view is as it would be after that.
    if (this.isClosed) return makeView(type, new ArrayBuffer(0), 0, 0)
    this.assertInside(offset, byteLength)
    try {
      const cached = this.#cache.dataView(offset, type, length)
      if (cached !== undefined) return cached
      const { inside } = this.#own
      const { windowBytes } = inside
      const window = Math.floor(offset / windowBytes)
      const local = offset - window * windowBytes
      if (local + byteLength > windowBytes) return inside.view(type, offset, length, byteLength)
      const view = makeView(type, inside.windowBuffer(window), local, length)
      this.#cache.put(offset, type, view, length)
      return view
    } catch (error) {
      this.#own.hooks.undo(this, offset)
      throw error
    }
  }
}

/** The header of an adopted claim. When it is none of ours the claim is left as it was. */
function adopted(claim: Claim, known: Omit<HeaderFields, 'zeroed' | 'limit'>): HeaderFields {
  try {
    return readHeader(claim.metadata, known)
  } catch (error) {
    claim.leave()
    throw error
  }
}

/** Bytes of a view, after checks. The usual types are compared one by one: a look-up in a map takes longer than the allocation. */
function viewBytes(type: unknown, length: number): number {
  const size = sizeOfElement(type)
  // Whole numbers below 2^32 are the common case; everything else is looked at closely.
  if (typeof length !== 'number' || length >>> 0 !== length) wholeNumber('length', length)
  const byteLength = length * size
  if (byteLength > Number.MAX_SAFE_INTEGER)
    throw new OutOfRangeError('length', `a whole number of at most 2^53 bytes / ${size}`, length)
  return byteLength
}

function sizeOfElement(type: unknown): number {
  if (type === Uint8Array) return 1
  if (type === Float64Array) return 8
  if (type === Int32Array || type === Uint32Array || type === Float32Array) return 4
  if (type === Uint16Array || type === Int16Array) return 2
  return elementBytes('type', type)
}

function tooManyArguments(given: ArrayLike<unknown>): InvalidArgumentTypeError {
  return new InvalidArgumentTypeError('arguments', 'byteLength alone: calloc takes no count', given[1])
}
