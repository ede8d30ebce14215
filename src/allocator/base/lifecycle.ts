/**
 * The life of an allocator: its claim, what refuses which call, and the end.
 *
 *     claimed -- innerClaims, pin --> guard has INNER, PINNED    a reader has READER from the start
 *        |
 *        +-- close, or revoked by what lies around it --> guard = CLOSED: every part forgets, nothing is touched any more
 *
 *     Lifecycle ── Hooks     what the allocator does in its own way      hooks.ts
 *               ── Pinning   pins of its blocks                          pins/pinning.ts
 *               ── Figures   stats, and the proof that they add up       figures.ts
 *
 * `guard` is 0 as long as nothing special holds, so a hot path pays one comparison for all of it. The arena knows the allocator as a
 * `Holder`, which exists before the claim does. Cost: one comparison a call.
 * @module
 */
import { type Arena, insideOf, requireArena } from '../../arena/arena.ts'
import type { Claim, ClaimHolder } from '../../arena/claim.ts'
import { step } from '../../arena/ending.ts'
import type { ArenaInside } from '../../arena/inside.ts'
import type { Release } from '../../arena/pin.ts'
import type { Range } from '../../arena/ranges.ts'
import {
  ArenaBusyError,
  ArenaClosedError,
  bytes,
  CorruptedError,
  InvalidArgumentTypeError,
  InvalidFreeError,
} from '../../errors.ts'
import { isView } from '../../views.ts'
import { Figures, type FiguresHome } from './figures.ts'
import { type HeaderFields, type Kind, type Layout, readHeader, State, verifyHeader, writeHeader } from './header.ts'
import type { Forgetful, Hooks } from './hooks.ts'
import { type PinHome, Pinning } from './pins/pinning.ts'
import type { Pins } from './pins/pins.ts'

/** Bits of `guard`. */
export const CLOSED = 1
/** Another allocator has a claim in a block. */
export const INNER = 2
/** Another may change the blocks; this allocator only reads them. */
export const READER = 4
/** Blocks are pinned. */
export const PINNED = 8

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
    return this.life?.pinning.pinAround(offset, byteLength)
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

export class Lifecycle implements PinHome, FiguresHome {
  readonly kind: Kind
  readonly allocator: object
  readonly arena: Arena
  readonly inside: ArenaInside
  readonly claim: Claim
  readonly layout: Layout
  readonly hooks: Hooks
  readonly pinning: Pinning
  readonly pins: Pins
  readonly figures: Figures
  /** Bits, or 0: the usual. */
  guard = 0
  /** How often all blocks were dropped. */
  resets = 0
  readonly #fields: HeaderFields
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
    this.pinning = new Pinning(this)
    this.pins = this.pinning.pins
    this.figures = new Figures(this)
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

  get isPinned(): boolean {
    return (this.guard & PINNED) !== 0
  }

  get isReader(): boolean {
    return (this.guard & READER) !== 0
  }

  /** Called where `guard` is not 0: an inner claim is no reason to refuse. */
  assertOpen(): void {
    if (this.isClosed) throw new ArenaClosedError(`${this.kind} is closed`)
  }

  /** The same, where blocks change. */
  assertWritable(): void {
    this.assertOpen()
    if (!this.isReader) return
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

  /** Sets or clears a bit of `guard`. */
  setGuard(bit: number, on: boolean): void {
    if (this.isClosed) return
    this.guard = on ? this.guard | bit : this.guard & ~bit
    this.hooks.guarded?.()
  }

  pinsChanged(any: boolean): void {
    this.setGuard(PINNED, any)
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

  /** Throws unless the header still says what it said at first. */
  checkHeader(): void {
    verifyHeader(this.claim.metadata, this.#fields)
  }

  /** Throws unless the figures are what they say they are. */
  checkTotals(): void {
    this.figures.check()
  }

  // ---- the end ----

  reset(): void {
    this.assertWritable()
    this.assertUnpinned('cannot be reset')
    // One step: what the end of inner claims calls finds no block left.
    step(() => {
      this.claim.revokeInner()
      this.hooks.freeAll()
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

  /** The claim is gone: every part forgets it. */
  revoke(): void {
    if (this.isClosed) return
    this.guard = CLOSED
    for (const part of this.#parts) part.forget()
    this.pinning.forget()
    this.hooks.forget()
    this.pinning.wake()
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
