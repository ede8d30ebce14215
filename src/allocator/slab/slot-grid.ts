/**
 * Where the slots of one size lie in a claim, and which bit stands for which. Pure arithmetic.
 *
 *     claim        | first                  |0                       |0            |
 *     slots        |  s s s s s s s s .     |s s s s s s s s s .     |s s s s      |      . = the rest that no slot fits in
 *     group        |  0                     |1                       |2            |
 *     words        |  0 … wordsInGroup - 1  |  wordsInGroup …        |
 *
 * A group is what starts in one window, or one slot when slots are longer than a window. The first group starts on a multiple of the
 * largest power of two in the slot's size if a slot still fits, so that slots of 64, 4096, … bytes are aligned to their size.
 * @module
 */
import { WINDOW_BYTES } from '../../arena/format/layout.ts'
import { wholeNumber } from '../../arguments.ts'
import { alignDown, alignUp } from '../../bits.ts'
import { InvalidArgumentTypeError, OutOfRangeError } from '../../errors.ts'
import { firstBit, firstClear, wordsFor } from '../base/bits/bitmap.ts'
import { placeInWindow } from '../base/block-memory.ts'

/** Words of a grid at most: 64 GiB of slots of 8 bytes. A longer claim is used as far as this reaches. */
const MOST_WORDS = 2 ** 28

/** The largest power of two that divides a whole number, up to a window. */
function powerIn(value: number): number {
  let power = 8
  while (power < WINDOW_BYTES && value % (power * 2) === 0) power *= 2
  return power
}

/** The slot size that options ask for, checked and rounded up to a multiple of 8. */
export function slotSizeOf(options: unknown): number {
  if (typeof options !== 'object' || options === null)
    throw new InvalidArgumentTypeError('options', 'an object with slotSize', options)
  const { slotSize } = options as { slotSize?: unknown }
  if (slotSize === undefined) throw new InvalidArgumentTypeError('options.slotSize', 'a number', slotSize)
  if (typeof slotSize === 'number' && slotSize < 8)
    throw new OutOfRangeError('options.slotSize', 'at least 8', slotSize)
  return alignUp(wholeNumber('options.slotSize', slotSize, 8), 8)
}

export class SlotGrid {
  readonly slotSize: number
  /** Start of the first slot. */
  readonly first: number
  /** No slot ends after this. */
  readonly end: number
  /** Every slot lies on a multiple of this. */
  readonly alignment: number
  /** Bytes from one group's start to the next, but for the first group, which may start late. */
  readonly groupBytes: number
  readonly wordsInGroup: number
  readonly wordCount: number
  readonly #origin: number

  constructor(offset: number, byteLength: number, slotSize: number) {
    const end = offset + byteLength
    const least = alignUp(Math.max(offset, 8), 8)
    const aligned = placeInWindow(alignUp(least, powerIn(slotSize)), slotSize)
    const first = aligned + slotSize <= end ? aligned : placeInWindow(least, slotSize)
    if (first + slotSize > end)
      throw new OutOfRangeError('options.slotSize', `a size that fits the claim of ${byteLength} bytes`, slotSize)
    this.slotSize = slotSize
    this.first = first
    this.alignment = Math.min(powerIn(slotSize), powerIn(first))
    this.groupBytes = alignUp(slotSize, WINDOW_BYTES)
    this.#origin = slotSize > WINDOW_BYTES ? first : alignDown(first, WINDOW_BYTES)
    const groups = Math.ceil((end - this.#origin) / this.groupBytes)
    const inWindow = groups === 1 ? end - first : this.groupBytes
    this.wordsInGroup = wordsFor(Math.max(1, Math.floor(inWindow / slotSize)))
    const groupCount = Math.min(groups, Math.floor(MOST_WORDS / this.wordsInGroup))
    this.wordCount = groupCount * this.wordsInGroup
    this.end = Math.min(end, this.#origin + groupCount * this.groupBytes)
  }

  /** The group that an offset of the grid lies in. */
  groupOf(offset: number): number {
    return Math.floor((offset - this.#origin) / this.groupBytes)
  }

  /** Start of a group's first slot. */
  groupStart(group: number): number {
    return group === 0 ? this.first : this.#origin + group * this.groupBytes
  }

  /** How many slots a group has. */
  slotsIn(group: number): number {
    const end = Math.min(this.end, this.#origin + (group + 1) * this.groupBytes)
    return Math.max(0, Math.floor((end - this.groupStart(group)) / this.slotSize))
  }

  /** Start of the slot that the first bit of a word stands for. */
  wordStart(word: number): number {
    const group = Math.floor(word / this.wordsInGroup)
    return this.groupStart(group) + (word - group * this.wordsInGroup) * 32 * this.slotSize
  }

  /** The place after a slot's: another slot's start, or past the end. */
  after(offset: number): number {
    return placeInWindow(offset + this.slotSize, this.slotSize)
  }

  /** Every group with a slot below `next`: its first slot, its first bit, and how many slots it has below `next`. */
  *groups(next: number): Generator<{ start: number; bit: number; count: number }> {
    for (let group = 0; this.groupStart(group) < next && group * this.wordsInGroup < this.wordCount; group++) {
      const start = this.groupStart(group)
      const count = Math.min(this.slotsIn(group), Math.floor((next - start) / this.slotSize))
      yield { start, bit: group * this.wordsInGroup * 32, count }
    }
  }

  /** The ranges without a live slot up to `end`, when the bits of `free` are those of freed slots below `next`. */
  *freeRanges(free: Int32Array, next: number, end: number): Generator<{ start: number; end: number }> {
    let tail = next
    for (const { start, bit, count } of this.groups(next)) {
      // Once a run reaches its group's end, the rest of the window is free with it.
      if (tail < next) yield { start: tail, end: start }
      tail = next
      for (let run = firstBit(free, bit, bit + count); run >= 0; ) {
        const clear = firstClear(free, run, bit + count)
        const from = start + (run - bit) * this.slotSize
        if (clear === bit + count) tail = from
        else yield { start: from, end: start + (clear - bit) * this.slotSize }
        run = firstBit(free, clear, bit + count)
      }
    }
    yield { start: tail, end }
  }
}
