/**
 * Which slots of a slab are live: the questions about its bits that no hot path asks.
 *
 *     slot     below next, bit clear    live
 *              below next, bit set      freed
 *              from next on             never handed out, and its bit is clear
 *
 * Cost: a few comparisons for a slot; a walk reads 32 bits at once.
 * @module
 */
import { CorruptedError, DoubleFreeError, InvalidFreeError } from '../../errors.ts'
import { firstBit, firstClear } from '../base/bits/bitmap.ts'
import { OWN_NUMBER } from '../base/header.ts'
import type { SlotGrid } from './slot-grid.ts'

/** The lowest slot that was never handed out: which number of the header. */
export const NEXT: number = OWN_NUMBER

export class SlotBits {
  readonly #grid: SlotGrid
  #free: Int32Array
  #numbers: Float64Array

  constructor(grid: SlotGrid, free: Int32Array, numbers: Float64Array) {
    this.#grid = grid
    this.#free = free
    this.#numbers = numbers
  }

  /** Offsets of live slots. */
  *live(): Generator<number> {
    const { slotSize } = this.#grid
    for (const { start, bit, count } of this.#groups())
      for (let slot = firstClear(this.#free, bit, bit + count); slot < bit + count; ) {
        yield start + (slot - bit) * slotSize
        slot = firstClear(this.#free, slot + 1, bit + count)
      }
  }

  /** The lowest freed slot that `fits`; 0 when none does. */
  findFreed(fits: (offset: number) => boolean): number {
    const { slotSize } = this.#grid
    for (const { start, bit, count } of this.#groups())
      for (let slot = firstBit(this.#free, bit, bit + count); slot >= 0; ) {
        const offset = start + (slot - bit) * slotSize
        if (fits(offset)) return offset
        slot = firstBit(this.#free, slot + 1, bit + count)
      }
    return 0
  }

  /** Makes a freed slot live. */
  take(offset: number): void {
    const { grid, group, slot } = this.#place(offset)
    this.#free[group * grid.wordsInGroup + (slot >>> 5)] &= ~(1 << slot)
  }

  /** The live slot that wholly contains a range. */
  around(offset: number, byteLength: number): { offset: number; byteLength: number } | undefined {
    if (offset < this.#grid.first) return undefined
    const { start, slot } = this.#place(offset)
    const { slotSize } = this.#grid
    const around = start + Math.floor(slot) * slotSize
    if (offset + byteLength > around + slotSize || this.whyNot(around) !== undefined) return undefined
    return { offset: around, byteLength: slotSize }
  }

  notLive(offset: number): Error {
    return this.whyNot(offset) ?? new CorruptedError(`the slot at ${offset} is live and could not be freed`)
  }

  /** The error for an offset that is not the start of a live slot. */
  whyNot(offset: number): Error | undefined {
    const { first, end, slotSize } = this.#grid
    if (!(offset >= first && offset < end)) return new InvalidFreeError(`${offset} lies outside the slots of the slab`)
    const { grid, group, slot } = this.#place(offset)
    if (!Number.isInteger(slot) || slot >= grid.slotsIn(group))
      return new InvalidFreeError(`${offset} is not the start of a slot of ${slotSize} bytes`)
    if (offset >= this.#numbers[NEXT]) return new InvalidFreeError(`the slot at ${offset} was never allocated`)
    if ((this.#free[group * grid.wordsInGroup + (slot >>> 5)] & (1 << slot)) === 0) return undefined
    return new DoubleFreeError(`the slot at ${offset} is free already`)
  }

  /** Words that stand for a slot below `next`, rounded up to whole words. */
  get wordEnd(): number {
    let end = 0
    for (const { bit, count } of this.#groups()) end = Math.ceil((bit + count) / 32)
    return end
  }

  forget(): void {
    this.#free = new Int32Array(0)
    this.#numbers = new Float64Array(0)
  }

  #groups(): Iterable<{ start: number; bit: number; count: number }> {
    return this.#grid.groups(this.#numbers[NEXT])
  }

  /** The group of an offset, where its first slot begins, and which slot of it the offset is: not whole inside one. */
  #place(offset: number): { grid: SlotGrid; group: number; start: number; slot: number } {
    const grid = this.#grid
    const group = grid.groupOf(offset)
    const start = grid.groupStart(group)
    return { grid, group, start, slot: (offset - start) / grid.slotSize }
  }
}
