/**
 * Pins of the live blocks of one allocator, and closing it when the last of them is gone.
 *
 *     block, or a view in it  ─▶  the live block around it  ─▶  + 1 in each allocator around, in the arena, here      (pins.ts, arena/pin.ts)
 *
 *     home has PINNED  <=>  a block is pinned
 *     view in an allocator in the block  ─▶  the innermost live block is the one that is pinned
 *
 * What is pinned stays where it is: the lifecycle refuses to free, move or drop it. Cost: a look-up, and an object for a pin.
 * @module
 */
import type { Claim } from '../../../arena/claim.ts'
import type { ArenaInside } from '../../../arena/inside.ts'
import { disposable, pinned, type Release, WhenIdle } from '../../../arena/pin.ts'
import type { Range } from '../../../arena/ranges.ts'
import { InvalidArgumentTypeError, InvalidFreeError } from '../../../errors.ts'
import { isView } from '../../../views.ts'
import type { Kind } from '../header.ts'
import type { Forgetful, Hooks } from '../hooks.ts'
import { Pins } from './pins.ts'

/** The allocator whose blocks are pinned. */
export interface PinHome {
  readonly kind: Kind
  readonly inside: ArenaInside
  readonly claim: Claim
  readonly hooks: Hooks
  readonly isClosed: boolean
  /** Whether it knows that a block is pinned. */
  readonly isPinned: boolean
  assertOpen(): void
  /** The offset where a view starts. */
  locateView(view: unknown): number
  /** A block is pinned now, or none is any more. */
  pinsChanged(any: boolean): void
}

export class Pinning implements Forgetful {
  readonly pins: Pins = new Pins()
  readonly #home: PinHome
  readonly #whenIdle = new WhenIdle()

  constructor(home: PinHome) {
    this.#home = home
  }

  pin(block: number | ArrayBufferView): Disposable {
    const range = this.#blockOf(block)
    return disposable(this.#holdInside(block, range) ?? this.#hold(range))
  }

  /**
   * Of a view that starts in an allocator in this block: pins the innermost live block there is, and with it this one, or that
   * allocator could hand its bytes out again. An offset names a block of this allocator.
   */
  #holdInside(block: number | ArrayBufferView, { offset, byteLength }: Range): Release | undefined {
    const { claim, inside } = this.#home
    if (typeof block === 'number' || !claim.overlapsInner(offset, byteLength)) return undefined
    this.#whenIdle.requirePinnable(this.#home.kind)
    return inside.pinBlock(this.#home.locateView(block))
  }

  use<V extends ArrayBufferView, R>(view: V, run: (view: V) => R | Promise<R>): Promise<R> {
    this.#home.assertOpen()
    if (!isView(view)) throw new InvalidArgumentTypeError('view', 'a view', view)
    return pinned(() => this.pin(view), view, run)
  }

  /** Pins the live block that wholly contains a range, for an inner allocator. */
  pinAround(offset: number, byteLength: number): Release | undefined {
    const { isClosed, hooks } = this.#home
    const block = isClosed ? undefined : hooks.blockAround(offset, byteLength)
    return block && this.#hold(block)
  }

  /** The live block that an offset names, or that a view starts in. */
  #blockOf(block: unknown): Range {
    const { claim, hooks, kind } = this.#home
    this.#home.assertOpen()
    const offset = typeof block === 'number' ? block : this.#home.locateView(block)
    const inClaim = Number.isInteger(offset) && offset >= claim.offset && offset < claim.offset + claim.byteLength
    const found = inClaim ? hooks.blockAround(offset, 1) : undefined
    if (found !== undefined && (found.offset === offset || typeof block !== 'number')) return found
    // Of the allocators that free single blocks, this says whether it was freed.
    hooks.sizeAt?.(offset)
    throw new InvalidFreeError(`${offset} is not the start of a live block of ${kind}`)
  }

  /** Pins a live block and what lies around it. The answer is to be called once. */
  #hold(block: Range): Release {
    const { claim, kind } = this.#home
    this.#whenIdle.requirePinnable(kind)
    const releaseAround = claim.pinAround(block.offset, block.byteLength)
    const releaseOthers = this.#holdAgainstOthers(block, releaseAround)
    const held = this.pins.add(block)
    this.#changed()
    return () => {
      this.pins.remove(held)
      this.#changed()
      releaseOthers?.()
      releaseAround()
    }
  }

  #holdAgainstOthers(block: Range, releaseAround: Release): Release | undefined {
    try {
      return this.#home.hooks.hold?.(block)
    } catch (error) {
      releaseAround()
      throw error
    }
  }

  #changed(): void {
    const any = this.pins.size > 0
    if (this.#home.isClosed || any === this.#home.isPinned) return
    this.#home.pinsChanged(any)
    if (!any) this.#whenIdle.wake()
  }

  /** Calls `close` once nothing is pinned, and refuses new pins until then. */
  closeWhenIdle(close: () => void): Promise<void> {
    return this.#whenIdle.close(this.pins.size === 0, close)
  }

  forget(): void {
    this.pins.forget()
  }

  /** The allocator is closed: what waits for the last pin waits no longer. */
  wake(): void {
    this.#whenIdle.wake()
  }
}
