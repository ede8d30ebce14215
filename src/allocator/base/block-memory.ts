/**
 * Filling and copying the bytes of blocks: the only place where an allocator writes into memory that its callers can see.
 *
 * A range is worked on through arrays of 8-byte cells, which are kept: every block starts on a multiple of 8 and has a multiple of 8
 * usable bytes, and an index into cells is a small integer where an offset may not be.
 *
 *     near     the first bytes of the arena, as far as a fill or copy has reached so far: a power of two up to 1 GiB, or to the claim's end
 *     others   the windows that views come from
 *
 * `near` is for hot paths, which compare its length and index it by offset. Its buffer is never handed out, so it cannot be detached. It
 * grows with use, because V8 counts its length as external memory: at least half of it has been reached, or lies before the claim. A claim
 * that begins far from the arena's start has none. A kept array of a window whose length has become 0 lies over a buffer that foreign code
 * has detached, and is made anew. Cost: a fill or copy of 64 bytes about 20 ns.
 * @module
 */
import { float64sIn } from '../../arena/buffer-range.ts'
import { WINDOW_BYTES } from '../../arena/format/layout.ts'
import type { ArenaInside } from '../../arena/inside.ts'
import { alignUp } from '../../bits.ts'
import { MiB } from '../../units.ts'
import type { Forgetful } from './hooks.ts'
import type { Lifecycle } from './lifecycle.ts'

/** The first place from `start` on where a block does not cross a window's end, or begins a window. */
export function placeInWindow(start: number, byteLength: number): number {
  const next = (Math.floor(start / WINDOW_BYTES) + 1) * WINDOW_BYTES
  return start + byteLength <= next || start % WINDOW_BYTES === 0 ? start : next
}

const enum Cells {
  /** Up to this many cells a loop is faster than `fill`, which takes 30 to 50 ns to begin, and than `copyWithin`, which takes 25. */
  ZERO_MOST = 32,
  COPY_MOST = 8,
}

/** A claim that begins beyond this has no near cells; they are at least this long. */
const NEAR_LEAST = 4 * MiB

/** Dirty memory is zeroed by filling it up to this length, and by purging above: filling is 20 times as fast for resident pages. */
const FILL_MOST = MiB

export class BlockMemory implements Forgetful {
  /** The cells of the arena's first bytes, for hot paths: as many as have been needed so far. */
  near: Float64Array = NO_CELLS
  readonly #life: Lifecycle
  readonly #arena: ArenaInside
  readonly #windowBytes: number
  /** Where near cells end at most; 0 when there are to be none. */
  readonly #nearEnd: number
  readonly #cells: Float64Array[] = []

  constructor(life: Lifecycle) {
    const { inside, claim } = life
    const { offset, byteLength } = claim
    this.#life = life
    this.#arena = inside
    this.#windowBytes = inside.windowBytes
    this.#nearEnd = offset > NEAR_LEAST ? 0 : Math.min(alignUp(offset + byteLength, inside.pageSize), WINDOW_BYTES)
  }

  /** Zeroes a new block, which is given back when its window cannot be made. */
  zeroNew(offset: number, byteLength: number): void {
    this.#life.assertInside(offset, byteLength)
    try {
      this.zero(offset, byteLength)
    } catch (error) {
      this.#life.hooks.undo(offset)
      throw error
    }
  }

  /** Copies into a new block, which is given back when its window cannot be made. */
  copyNew(to: number, from: number, byteLength: number): void {
    this.#life.assertInside(to, byteLength)
    this.#life.assertInside(from, byteLength)
    try {
      this.copy(to, from, byteLength)
    } catch (error) {
      this.#life.hooks.undo(to)
      throw error
    }
  }

  /** Makes `[offset, offset + byteLength)` read zero; both are multiples of 8. */
  zero(offset: number, byteLength: number): void {
    if (byteLength > FILL_MOST && this.#clear(offset, byteLength)) return
    this.#fill(offset, byteLength)
  }

  /** False when the kernel will not take the pages: locked in memory, say. The block must not be lost for that. */
  #clear(offset: number, byteLength: number): boolean {
    try {
      this.#life.claim.clear(offset, byteLength)
      return true
    } catch {
      return false
    }
  }

  /** Writes zeros over the cells of a range that starts on a multiple of 8. */
  #fill(offset: number, byteLength: number): void {
    if (this.#reach(offset + byteLength)) {
      zeroCells(this.near, offset >>> 3, (offset + byteLength + 7) >>> 3)
      return
    }
    for (let done = 0; done < byteLength; ) {
      const local = this.#local(offset + done)
      const part = Math.min(byteLength - done, this.#windowBytes - local)
      zeroCells(this.#window(offset + done - local), local >>> 3, (local + part + 7) >>> 3)
      done += part
    }
  }

  /** Copies cells between ranges that start on multiples of 8; they may overlap where both are near. */
  copy(to: number, from: number, byteLength: number): void {
    if (this.#reach(Math.max(to, from) + byteLength)) {
      copyCells(this.near, to >>> 3, this.near, from >>> 3, (byteLength + 7) >>> 3)
      return
    }
    for (let done = 0; done < byteLength; ) {
      const target = this.#local(to + done)
      const source = this.#local(from + done)
      const part = Math.min(byteLength - done, this.#windowBytes - target, this.#windowBytes - source)
      const targetCells = this.#window(to + done - target)
      const sourceCells = this.#window(from + done - source)
      copyCells(targetCells, target >>> 3, sourceCells, source >>> 3, (part + 7) >>> 3)
      done += part
    }
  }

  /** Lets go of the buffers, so that they can become garbage. */
  forget(): void {
    this.#cells.length = 0
    this.near = NO_CELLS
  }

  /** Whether the near cells go up to `end`; makes them longer where they can be. */
  #reach(end: number): boolean {
    if (end <= this.near.length << 3) return true
    if (end > this.#nearEnd) return false
    const wanted = Math.max(NEAR_LEAST, 2 ** Math.ceil(Math.log2(end)))
    this.near = float64sIn(this.#arena.privateRange(0, Math.min(wanted, this.#nearEnd)))
    return true
  }

  #local(offset: number): number {
    return offset & (this.#windowBytes - 1)
  }

  /** The cells of the window that starts at an offset. */
  #window(start: number): Float64Array {
    const index = start / this.#windowBytes
    const kept = this.#cells[index]
    if (kept !== undefined && kept.length !== 0) return kept
    while (this.#cells.length < index) this.#cells.push(NO_CELLS)
    const cells = new Float64Array(this.#arena.windowBuffer(index))
    this.#cells[index] = cells
    return cells
  }
}

const NO_CELLS = new Float64Array(0)

function zeroCells(cells: Float64Array, from: number, to: number): void {
  if (to - from > Cells.ZERO_MOST) cells.fill(0, from, to)
  else for (let index = from; index < to; index++) cells[index] = 0
}

function copyCells(target: Float64Array, to: number, source: Float64Array, from: number, count: number): void {
  if (count <= Cells.COPY_MOST && (target !== source || to < from))
    for (let i = 0; i < count; i++) target[to + i] = source[from + i]
  else if (count <= Cells.COPY_MOST) for (let i = count - 1; i >= 0; i--) target[to + i] = source[from + i]
  else if (target === source) target.copyWithin(to, from, from + count)
  else target.set(source.subarray(from, from + count), to)
}
