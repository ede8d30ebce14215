/**
 * Filling and copying the bytes of blocks: the only place where an allocator writes into memory that its callers can see.
 *
 * A range is worked on window by window through arrays of 8-byte cells, which are kept: every block starts on a multiple of 8 and
 * has a multiple of 8 usable bytes, and an index into cells is a small integer where an offset may not be. A kept array whose length
 * has become 0 lies over a buffer that foreign code has detached, and is made anew. Cost: a fill or copy of 64 bytes about 20 ns.
 * @module
 */
import type { ArenaInside } from '../arena/inside.ts'
import { GiB } from '../units.ts'

/** Bytes of a window; no block crosses a multiple of it unless it is longer. */
export const WINDOW_BYTES: number = GiB

/** The first place from `start` on where a block does not cross a window's end, or begins a window. */
export function placeInWindow(start: number, byteLength: number): number {
  const next = (Math.floor(start / WINDOW_BYTES) + 1) * WINDOW_BYTES
  return start + byteLength <= next || start % WINDOW_BYTES === 0 ? start : next
}

const enum Cells {
  /** Up to this many cells a loop is faster than `fill`, which takes 30 to 50 ns to begin, and than `copyWithin`, which takes 25. */
  ZERO_MOST = 32,
  COPY_MOST = 8,
  WINDOW_BYTES = 0x40000000,
  IN_WINDOW = 0x3fffffff,
}

export class Memory {
  /** The cells of window 0, for hot paths: empty until they are first needed, and when foreign code has detached the window. */
  near: Float64Array = NO_CELLS
  readonly #arena: ArenaInside
  readonly #cells: Float64Array[] = []

  constructor(arena: ArenaInside) {
    this.#arena = arena
  }

  /** Writes zeros over the cells of a range that starts on a multiple of 8. */
  zero(offset: number, byteLength: number): void {
    for (let done = 0; done < byteLength; ) {
      const local = (offset + done) & Cells.IN_WINDOW
      const part = Math.min(byteLength - done, Cells.WINDOW_BYTES - local)
      zeroCells(this.#window((offset + done - local) / Cells.WINDOW_BYTES), local >>> 3, (local + part + 7) >>> 3)
      done += part
    }
  }

  /** Copies cells between ranges that start on multiples of 8; they may overlap inside one window. */
  copy(to: number, from: number, byteLength: number): void {
    for (let done = 0; done < byteLength; ) {
      const target = (to + done) & Cells.IN_WINDOW
      const source = (from + done) & Cells.IN_WINDOW
      const part = Math.min(byteLength - done, Cells.WINDOW_BYTES - target, Cells.WINDOW_BYTES - source)
      const targetCells = this.#window((to + done - target) / Cells.WINDOW_BYTES)
      const sourceCells = this.#window((from + done - source) / Cells.WINDOW_BYTES)
      copyCells(targetCells, target >>> 3, sourceCells, source >>> 3, (part + 7) >>> 3)
      done += part
    }
  }

  /** Lets go of the windows, so that they can become garbage. */
  forget(): void {
    this.#cells.length = 0
    this.near = NO_CELLS
  }

  #window(index: number): Float64Array {
    const kept = this.#cells[index]
    if (kept !== undefined && kept.length !== 0) return kept
    while (this.#cells.length < index) this.#cells.push(NO_CELLS)
    const cells = new Float64Array(this.#arena.windowBuffer(index))
    this.#cells[index] = cells
    if (index === 0) this.near = cells
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
