/**
 * The life of an allocator: its claim, what refuses which call, pins, and the end.
 *
 *     claimed -- innerClaims, pin --> guard has INNER, PINNED    a reader has READER from the start
 *        |
 *        +-- close, or revoked by what lies around it --> guard = CLOSED: every part forgets, nothing is touched any more
 *
 * `guard` is 0 as long as nothing special holds, so a hot path pays one comparison for all of it. The arena knows the allocator as a
 * `Holder`, which exists before the claim does. What the allocator does in its own way is in its `Hooks`: the parts that all allocators
 * share hold them, and no caller can reach them. Cost: one comparison a call.
 *
 * Longer than other files: `guard` and every change of it are here, with what each refuses.
 * @module
 */
import { type Arena, insideOf, requireArena } from '../../arena/arena.ts'
import type { Claim, ClaimHolder } from '../../arena/claim.ts'
import { step } from '../../arena/ending.ts'
import type { ArenaInside } from '../../arena/inside.ts'
import { disposable, pinned, type Release, WhenIdle } from '../../arena/pin.ts'
import type { Range } from '../../arena/ranges.ts'
import {
  ArenaBusyError,
  ArenaClosedError,
  bytes,
  CorruptedError,
  InvalidArgumentTypeError,
  InvalidFreeError,
} from '../../errors.ts'
import type { Facts } from '../../inspection.ts'
import { isView } from '../../views.ts'
import type { AllocatorStats, SizeClassStats, StatsOptions } from '../contract.ts'
import { checkStatsOptions } from '../options.ts'
import { type HeaderFields, type Kind, type Layout, readHeader, State, verifyHeader, writeHeader } from './header.ts'
import { Pins } from './pins.ts'

/** Bits of `guard`. */
export const CLOSED = 1
/** Another allocator has a claim in a block. */
export const INNER = 2
/** Another may change the blocks; this allocator only reads them. */
export const READER = 4
/** Blocks are pinned. */
export const PINNED = 8

/** What an allocator does in its own way. Called by the shared parts, and reachable from nowhere else. */
export interface Hooks {
  /** As `tryMalloc`, and the block reads zero. */
  tryCalloc(byteLength: number): number
  /** As `tryMalloc`, on a multiple of `alignment`, which has been checked. With `zero` the block reads zero. */
  tryMemalign(alignment: number, byteLength: number, zero: boolean): number
  /** Takes back a block that was just handed out and that no caller has seen. */
  undo(offset: number): void
  /** Drops what refers to the metadata, without touching it: called once, when the claim is gone. */
  forget(): void
  /** Frees every block: called when no claim lies in one. Throws nothing. */
  dropBlocks(): void
  /** The live block that wholly contains the range, or undefined. */
  blockAround(offset: number, byteLength: number): Range | undefined
  /** Usable bytes of the live block that starts here; throws when there is none. Only of allocators that free single blocks. */
  sizeAt?(offset: number): number
  /** The figures without options. */
  totals(): AllocatorStats
  /** The live blocks by size. */
  sizeClasses(): SizeClassStats[]
  /** Figures that need no walk. Bytes of slabs and slots count as used. */
  glance(): { usedBytes: number; committedBytes: number }
  /** `guard` has changed. */
  guarded?(): void
  /** Pins a live block against others that have the blocks as well. The answer is to be called once. */
  hold?(block: Range): Release
  /** Throws when one of them has pinned the block that starts here. */
  assertUnpinned?(offset: number): void
  /** Says which thread or process is the writer, for a reader's errors. */
  describeWriter?(): string
}

/** A part that refers to memory of the claim. */
export interface Forgetful {
  /** Drops those references. Touches nothing, throws nothing. */
  forget(): void
}

/** What the arena knows of an allocator: from before its claim on. */
export class Holder implements ClaimHolder {
  readonly kind: Kind
  /** A heap's blocks can be found again, by its roots; those of the others cannot. */
  readonly lasting: boolean
  life: Lifecycle | undefined

  constructor(kind: Kind) {
    this.kind = kind
    this.lasting = kind === 'Heap'
  }

  blockAround(offset: number, byteLength: number): Range | undefined {
    return this.life?.hooks.blockAround(offset, byteLength)
  }

  pin(offset: number, byteLength: number): Release | undefined {
    return this.life?.pinAround(offset, byteLength)
  }

  innerClaims(count: number): void {
    this.life?.setGuard(INNER, count !== 0)
  }

  revoked(): void {
    this.life?.revoke()
  }
}

/** What a lifecycle begins with. */
export interface Beginning {
  /** The public object, for what is published. */
  readonly allocator: object
  readonly arena: Arena
  readonly holder: Holder
  readonly claim: Claim
  /** Where the tables are in the claim's metadata. */
  readonly layout: Layout
  /** Committed bytes allowed; undefined: the claim has an allocator already, whose header is verified and has the limit. */
  readonly limit: number | undefined
  readonly hooks: Hooks
}

/** The inside of an arena, once it is known to be one. */
export function insideOfArena(arena: unknown): ArenaInside {
  requireArena(arena)
  return insideOf(arena)
}

export class Lifecycle {
  readonly kind: Kind
  readonly allocator: object
  readonly arena: Arena
  readonly inside: ArenaInside
  readonly claim: Claim
  readonly layout: Layout
  readonly hooks: Hooks
  readonly pins: Pins = new Pins()
  /** Bits, or 0: the usual. */
  guard = 0
  /** How often all blocks were dropped. */
  resets = 0
  readonly #fields: HeaderFields
  readonly #whenIdle = new WhenIdle()
  readonly #parts: Forgetful[] = []
  #ending = false

  constructor({ allocator, arena, holder, claim, layout, limit, hooks }: Beginning) {
    this.kind = holder.kind
    this.allocator = allocator
    this.arena = arena
    this.inside = insideOf(arena)
    this.claim = claim
    this.layout = layout
    this.hooks = hooks
    const { offset, byteLength, metadata, zeroed } = claim
    const known = { kind: holder.kind, layoutHash: layout.hash, pageSize: arena.pageSize, offset, byteLength }
    this.#fields = limit === undefined ? adopted(claim, known) : { ...known, zeroed, limit }
    if (limit !== undefined) writeHeader(metadata, this.#fields, holder.lasting ? State.closed : State.open)
    holder.life = this
  }

  /** Committed bytes allowed; Infinity when there is no limit. */
  get limit(): number {
    return this.#fields.limit
  }

  /** Notes a part that is to forget at the end. */
  keep<P extends Forgetful>(part: P): P {
    this.#parts.push(part)
    return part
  }

  // ---- what refuses ----

  get isClosed(): boolean {
    return this.guard === CLOSED
  }

  /** Called where `guard` is not 0: an inner claim is no reason to refuse. */
  assertOpen(): void {
    if (this.isClosed) throw new ArenaClosedError(`${this.kind} is closed`)
  }

  /** The same, where blocks change. */
  assertWritable(): void {
    this.assertOpen()
    if ((this.guard & READER) === 0) return
    const writer = this.hooks.describeWriter?.()
    throw new ArenaBusyError(
      `${this.kind} is attached as a reader and cannot change blocks${writer === undefined ? '' : `; its writer is ${writer}`}`
    )
  }

  /** Throws when an inner claim lies in the range. */
  assertNoInner(offset: number, byteLength: number): void {
    if (this.guard & INNER && this.claim.overlapsInner(offset, byteLength))
      throw new ArenaBusyError(`the block of ${bytes(byteLength)} at ${offset} has another allocator in it`)
  }

  /** Throws when the block that starts here is pinned. */
  assertBlockUnpinned(offset: number): void {
    if (this.guard & PINNED) this.pins.assertFree(offset)
    this.hooks.assertUnpinned?.(offset)
  }

  /** Throws when a block from `offset` on is pinned. `refused`: what the allocator cannot be asked for then. */
  assertUnpinned(refused: string, offset = 0): void {
    if (this.guard & PINNED) this.pins.assertNoneFrom(offset, `${this.kind} ${refused}`)
  }

  /** Throws unless a range that the tables gave lies in the claim. */
  assertInside(offset: number, byteLength: number): void {
    const { claim } = this
    if (!(offset >= claim.offset && byteLength >= 0 && offset + byteLength <= claim.offset + claim.byteLength))
      throw this.outside(offset)
  }

  /** For an offset that tables which others can write gave, and that lies outside the claim: nothing is done with it. */
  outside(offset: number): CorruptedError {
    return new CorruptedError(`${this.kind}: the tables lead to offset ${offset}, which lies outside the claim`)
  }

  // ---- pins ----

  pin(block: number | ArrayBufferView): Disposable {
    return disposable(this.#pin(this.#blockToPin(block)))
  }

  use<V extends ArrayBufferView, R>(view: V, run: (view: V) => R | Promise<R>): Promise<R> {
    this.assertOpen()
    if (!isView(view)) throw new InvalidArgumentTypeError('view', 'a view', view)
    return pinned(() => disposable(this.#pin(this.#blockToPin(view))), view, run)
  }

  /** Pins the live block that wholly contains a range, for an inner allocator. */
  pinAround(offset: number, byteLength: number): Release | undefined {
    const block = this.isClosed ? undefined : this.hooks.blockAround(offset, byteLength)
    return block && this.#pin(block)
  }

  /** The live block that an offset names, or that a view starts in. */
  #blockToPin(block: unknown): Range {
    this.assertOpen()
    const { claim, hooks, kind } = this
    const offset = typeof block === 'number' ? block : this.locateView(block)
    const inClaim = Number.isInteger(offset) && offset >= claim.offset && offset < claim.offset + claim.byteLength
    const found = inClaim ? hooks.blockAround(offset, 1) : undefined
    if (found !== undefined && (found.offset === offset || typeof block !== 'number')) return found
    // Of the allocators that free single blocks, this says whether it was freed.
    hooks.sizeAt?.(offset)
    throw new InvalidFreeError(`${offset} is not the start of a live block of ${kind}`)
  }

  /** Pins a live block and what lies around it. The answer is to be called once. */
  #pin(block: Range): Release {
    if (this.#whenIdle.awaited) throw new ArenaClosedError(`${this.kind} is closing and takes no new pins`)
    const releaseAround = this.claim.pinAround(block.offset, block.byteLength)
    const releaseHeld = this.#hold(block, releaseAround)
    const held = this.pins.add(block)
    this.#pinsChanged()
    return () => {
      this.pins.remove(held)
      this.#pinsChanged()
      releaseHeld?.()
      releaseAround()
    }
  }

  #hold(block: Range, releaseAround: Release): Release | undefined {
    try {
      return this.hooks.hold?.(block)
    } catch (error) {
      releaseAround()
      throw error
    }
  }

  #pinsChanged(): void {
    const pinned = this.pins.size > 0
    if (this.isClosed || pinned === ((this.guard & PINNED) !== 0)) return
    this.setGuard(PINNED, pinned)
    if (!pinned) this.#whenIdle.wake()
  }

  /** Sets or clears a bit of `guard`. */
  setGuard(bit: number, on: boolean): void {
    if (this.isClosed) return
    this.guard = on ? this.guard | bit : this.guard & ~bit
    this.hooks.guarded?.()
  }

  /** The offset where a view of this arena starts. */
  locateView(view: unknown): number {
    if (this.isClosed) this.assertOpen()
    if (!isView(view)) throw new InvalidArgumentTypeError('block', 'an offset or a view', view)
    try {
      return this.arena.offsetOf(view)
    } catch (error) {
      if (error instanceof ArenaClosedError) throw error
      throw new InvalidFreeError(
        'the view does not show memory of this arena, or its buffer has been detached: then free by offset'
      )
    }
  }

  // ---- figures ----

  stats(options?: StatsOptions): AllocatorStats {
    this.assertOpen()
    const { hooks, claim } = this
    if (options === undefined) return hooks.totals()
    const { classes, resident } = checkStatsOptions(options)
    return { ...hooks.totals(), ...(resident && claim.resident()), ...(classes && { classes: hooks.sizeClasses() }) }
  }

  /** What `console.log` shows. */
  facts(): Facts {
    const { guard, claim, hooks } = this
    const { offset, byteLength } = claim
    if (guard === CLOSED) return { state: 'closed', offset, byteLength }
    const { usedBytes, committedBytes } = hooks.glance()
    return { state: guard & READER ? 'open, to be read' : 'open', offset, byteLength, usedBytes, committedBytes }
  }

  /** Throws unless the header still says what it said at first. */
  checkHeader(): void {
    verifyHeader(this.claim.metadata, this.#fields)
  }

  /** Throws unless the figures are what they say they are. */
  checkTotals(): void {
    const { kind, hooks } = this
    const totals = hooks.totals()
    const sum = totals.usedBytes + totals.freeSlotBytes + totals.freeDirtyBytes + totals.metadataBytes
    if (totals.committedBytes !== sum)
      throw new CorruptedError(`${kind}: ${totals.committedBytes} bytes committed, the parts add up to ${sum}`)
    const classes = hooks.sizeClasses()
    if (classes.length === 0) return
    for (const name of ['usedCount', 'usedBytes', 'freeSlotBytes'] as const) {
      const all = classes.reduce((total, one) => total + one[name], 0)
      if (all !== totals[name])
        throw new CorruptedError(`${kind}: ${name} is ${totals[name]}, the classes add up to ${all}`)
    }
  }

  // ---- the end ----

  reset(): void {
    this.assertWritable()
    this.assertUnpinned('cannot be reset')
    // One step: what the end of inner claims calls finds no block left.
    step(() => {
      this.claim.revokeInner()
      this.hooks.dropBlocks()
      this.resets++
    })
  }

  /**
   * Ends the allocator: refuses, stores and gives back as the claim does it (arena/ending.ts), and only then forgets. What is refused has
   * changed nothing. Released metadata reads zero, which is what a closed header looks like.
   */
  close(giveBack: () => void = () => this.claim.release()): void {
    if (this.isClosed || this.#ending) return
    this.assertUnpinned('cannot be closed')
    step(() => {
      this.#ending = true
      try {
        giveBack()
      } finally {
        this.#ending = false
      }
      this.revoke()
    })
  }

  closeWhenIdle(close: () => void): Promise<void> {
    return this.#whenIdle.close(this.pins.size === 0, close)
  }

  /** The claim is gone: every part forgets it. */
  revoke(): void {
    if (this.isClosed) return
    this.guard = CLOSED
    for (const part of this.#parts) part.forget()
    this.pins.forget()
    this.hooks.forget()
    this.#whenIdle.wake()
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
