/**
 * Heap: the general allocator. Small requests get a slot in a slab, the rest a span, best fit; see `docs/heap.md`.
 *
 *     malloc(n)   n <= SMALL_MAX   class of n -> its current word of free bits -> lowest bit          (slab-table.ts)
 *                 else             smallest free span that fits, cut to length                        (span-table.ts)
 *     free(p)     tile of p        -> slab record -> slot -> its bit;   or -> span that starts at p -> joined with its neighbours
 *
 * Nothing is kept in the blocks: all state is in the claim's metadata (heap-layout.ts), so a stray write through a view can spoil a
 * neighbour's bytes but never the heap. Every free is checked: an offset that is not the start of a live block finds no such slot
 * or span. Cost: see docs/heap.md; 64 bytes of records for a slab of 4 to 32 KiB, 32 for a span.
 *
 * The two hot paths are written out in full, on 32-bit integers. What V8 can take for constants there it need not load: the fields they
 * read are set once, by their initialisers, and tables are local to this file (docs/heap.md, "Written for V8").
 * @module
 */
import type { Arena } from '../arena/arena.ts'
import { wholeNumber } from '../arguments.ts'
import { CLOSED, READER } from './blocks.ts'
import { ATTACH, checkAttach, type HeapAttachOptions } from './heap-attach.ts'
import { HeapBase, type HeapOptions } from './heap-base.ts'
import { blockAt } from './heap-blocks.ts'
import { At, Bin, Class, Slab, Tile, Window } from './heap-layout.ts'
import type { HugeSpanTable } from './huge-span-table.ts'
import * as sizes from './size-class.ts'
import { Size } from './size-class.ts'
import type { SlabTable } from './slab-table.ts'

// Local, so that V8 takes the tables for constants: an imported binding is read and checked anew at each use.
const { CLASS_OF, CLASS_SIZE } = sizes

const enum Hot {
  /** Blocks of so many bytes at most are zeroed, and copied, by a loop of their own: see memory.ts. */
  ZERO_MOST = 256,
  COPY_MOST = 64,
}

export class Heap extends HeapBase {
  readonly #m: Int32Array = this.parts.words
  readonly #spans: HugeSpanTable = this.parts.spans
  readonly #slabs: SlabTable = this.parts.slabs
  readonly #firstTile: number = this.parts.layout.firstTile
  /** The longest request that may take the fast path of `malloc`: -1 when closed. */
  #most: number = Size.SMALL_MAX
  /** How many tiles, from the claim's first, the fast path of `free` may look at: 0 while closed, and while there are inner claims. */
  #reach = 0

  /** The third parameter is for `attach`. */
  constructor(arena: Arena, options?: HeapOptions, attach?: typeof ATTACH) {
    super(arena, options, attach)
    this.#aim()
  }

  /**
   * The heap that is in an arena already: one that another thread or process has made, or that was left in a file. Its header is
   * verified first. One at a time is the writer; all others read: `root`, `blocks`, `usableSize`, `stats`, `check`. What a writer was
   * about to do is not to be seen half-done: whoever reads while another writes comes to an understanding with him (`arena.wait`).
   *
   * What a writer left that died is rebuilt (`recovered`). Throws ERR_OUT_OF_RANGE when no heap is there, ERR_ARENA_BUSY when
   * the role of the writer is asked for and taken, ERR_CORRUPTED when it is no heap of this version, or contradicts itself.
   */
  static attach(arena: Arena, options?: HeapAttachOptions): Heap {
    checkAttach(options)
    return new Heap(arena, options, ATTACH)
  }

  // ---- the fast paths ----

  override malloc(byteLength: number): number {
    if (typeof byteLength === 'number') {
      const size = byteLength >>> 0
      if (size === byteLength && size <= this.#most) {
        const m = this.#m
        const sizeClass = CLASS_OF[(size + 7) >>> 3]
        const state = At.CLASSES + (sizeClass << 3)
        const word = m[state + Class.WORD]
        const bits = m[word]
        if (bits !== 0) {
          m[word] = bits & (bits - 1)
          const start = (m[state + Class.ORIGIN] + Math.imul(31 - Math.clz32(bits & -bits), CLASS_SIZE[sizeClass])) | 0
          const window = m[state + Class.WINDOW]
          return window === 0 ? start : window * Window.BYTES + start
        }
      }
    }
    // The plus tells V8 that this is a number, so that the sum above is not made a float for its sake.
    return +this.#mallocSlow(byteLength)
  }

  override free(block: number | ArrayBufferView): void {
    const offset = typeof block === 'number' ? block : this.locate(block)
    const low = offset >>> 0
    const tile = (low === offset ? low >>> Size.TILE_BITS : tileOf(offset)) - this.#firstTile
    if (tile >>> 0 < this.#reach) {
      const m = this.#m
      const entry = m[At.TILES + tile]
      if (entry > 0) {
        const slab = entry & Tile.SLAB
        const info = m[slab + Slab.INFO]
        // In eighths: the distance from the slab's start.
        const product = (((entry & Tile.PLACE) << 9) | ((low >>> 3) & 511)) * (info >>> Slab.KNOWN_BITS)
        const slot = product >>> 20
        const start = ((product & Size.NOT_A_START) | (low & 7)) === 0
        if (start && (slot < (info & Slab.KNOWN) || this.#slabs.learn(slab, slot))) {
          const word = slab + Slab.BITS + (slot >>> 5)
          const bits = m[word]
          const bit = 1 << slot
          if ((bits & bit) === 0) {
            m[word] = bits | bit
            const left = (m[slab + Slab.COUNTDOWN] - 1) | 0
            m[slab + Slab.COUNTDOWN] = left
            if (left === 0) this.#slabs.settle(slab)
            return
          }
        }
      } else if (this.#spans.freeStart(-entry, low & Window.INSIDE)) return
    }
    this.#freeSlow(offset)
  }

  override tryMalloc(byteLength: number): number {
    return this.#allocate(byteLength, false)
  }

  override calloc(byteLength: number): number {
    // biome-ignore lint/complexity/noArguments: a rest parameter would build an array in every call.
    if (arguments.length !== 1 || typeof byteLength !== 'number' || !(byteLength <= Size.SMALL_MAX))
      // biome-ignore lint/complexity/noArguments: as above.
      return super.calloc.apply(this, arguments as never)
    const offset = this.malloc(byteLength)
    const cells = this.memory.near
    if (byteLength <= Hot.ZERO_MOST && offset < cells.length << 3) {
      const end = (offset + byteLength + 7) >>> 3
      for (let cell = offset >>> 3; cell < end; cell++) cells[cell] = 0
    } else this.zeroNew(offset, (byteLength + 7) & -8)
    return offset
  }

  override realloc(offset: number, byteLength: number): number {
    if (typeof offset === 'number' && typeof byteLength === 'number') {
      const low = offset >>> 0
      const size = byteLength >>> 0
      const tile = (low === offset ? low >>> Size.TILE_BITS : tileOf(offset)) - this.#firstTile
      if (tile >>> 0 < this.#reach && size === byteLength) {
        const m = this.#m
        const entry = m[At.TILES + tile]
        if (entry > 0) {
          // As in `free`.
          const slab = entry & Tile.SLAB
          const info = m[slab + Slab.INFO]
          const product = (((entry & Tile.PLACE) << 9) | ((low >>> 3) & 511)) * (info >>> Slab.KNOWN_BITS)
          const slot = product >>> 20
          const word = slab + Slab.BITS + (slot >>> 5)
          const start = ((product & Size.NOT_A_START) | (low & 7)) === 0
          const known = start && (slot < (info & Slab.KNOWN) || this.#slabs.learn(slab, slot))
          if (known && (m[word] & (1 << slot)) === 0) {
            const usable = CLASS_SIZE[(m[slab + Slab.CLASS] - At.CLASSES) >>> 3]
            // A slot stays while it is at least three quarters used: moving costs more than the rest is worth.
            if (size <= usable && size >= usable - (usable >>> 2)) return offset
            const moved = this.malloc(size)
            this.#copySlot(moved, offset, size < usable ? size : usable)
            m[word] |= 1 << slot
            const left = (m[slab + Slab.COUNTDOWN] - 1) | 0
            m[slab + Slab.COUNTDOWN] = left
            if (left === 0) this.#slabs.settle(slab)
            return moved
          }
        }
      }
    }
    return this.#reallocSlow(offset, byteLength)
  }

  /** Copies the bytes of a slot to a new block. */
  #copySlot(to: number, from: number, byteLength: number): void {
    const cells = this.memory.near
    const limit = cells.length << 3
    if (from >= limit || to >= limit) {
      this.copyNew(to, from, byteLength)
      return
    }
    let target = to >>> 3
    const start = from >>> 3
    const end = (from + byteLength + 7) >>> 3
    if (byteLength > Hot.COPY_MOST) cells.copyWithin(target, start, end)
    else for (let cell = start; cell < end; cell++) cells[target++] = cells[cell]
  }

  #reallocSlow(offset: number, byteLength: number): number {
    if (this.guard !== 0 || typeof offset !== 'number') return super.realloc(offset, byteLength)
    const found = blockAt(this.parts, offset)
    return found > 0 ? super.realloc(offset, byteLength) : this.reallocSpan(offset, -found, byteLength)
  }

  // ---- allocating ----

  #mallocSlow(byteLength: number): number {
    const offset = this.#allocate(byteLength, false)
    if (offset === 0) throw this.outOfMemory(byteLength)
    return offset
  }

  /** Any request; 0 when full. With `zero` the block reads zero. */
  #allocate(byteLength: number, zero: boolean): number {
    if (typeof byteLength === 'number' && byteLength >>> 0 === byteLength && (this.guard & (CLOSED | READER)) === 0) {
      const length = (byteLength + 7) & -8
      if (byteLength <= Size.SMALL_MAX) {
        const offset = this.#takeSlot(CLASS_OF[length >>> 3])
        if (zero && offset !== 0) this.zeroNew(offset, length)
        return offset
      }
      if (byteLength <= Bin.KEPT_BELOW - 8) {
        const span = this.#spans.take(length)
        if (span !== 0) {
          const offset = this.#spans.offset(span)
          if (zero) this.zeroNew(offset, length)
          return offset
        }
      }
    }
    if (this.guard !== 0) this.assertWritable()
    wholeNumber('byteLength', byteLength)
    return this.allocateSpan(8, byteLength, zero)
  }

  /** A slot of a class; 0 when full. */
  #takeSlot(sizeClass: number): number {
    const m = this.#m
    const state = At.CLASSES + (sizeClass << 3)
    if (m[m[state + Class.WORD]] === 0 && !this.#slabs.refill(state)) return 0
    const word = m[state + Class.WORD]
    const bits = m[word]
    m[word] = bits & (bits - 1)
    return (
      m[state + Class.WINDOW] * Window.BYTES +
      m[state + Class.ORIGIN] +
      (31 - Math.clz32(bits & -bits)) * CLASS_SIZE[sizeClass]
    )
  }

  protected override tryCalloc(byteLength: number): number {
    return this.#allocate(byteLength, true)
  }

  protected override tryMemalign(alignment: number, byteLength: number): number {
    if (this.guard !== 0) this.assertWritable()
    wholeNumber('byteLength', byteLength)
    if (alignment <= 8) return this.#allocate(byteLength, false)
    // Slabs start on tiles, so a slot whose size is a multiple of the alignment is aligned.
    const size = Math.ceil(Math.max(byteLength, 1) / alignment) * alignment
    if (size <= Size.SMALL_MAX && alignment <= Size.TILE) {
      const sizeClass = CLASS_OF[size >>> 3]
      if (CLASS_SIZE[sizeClass] % alignment === 0) return this.#takeSlot(sizeClass)
    }
    return this.allocateSpan(alignment, byteLength, false)
  }

  // ---- blocks that are there ----

  /** Frees what the fast path does not, or throws. */
  #freeSlow(offset: number): void {
    if (this.guard !== 0) this.assertFree(offset)
    this.freeAt(offset)
  }

  override innerClaims(count: number): void {
    super.innerClaims(count)
    this.#aim()
  }

  protected override forget(): void {
    super.forget()
    this.#most = -1
    this.#reach = 0
  }

  #aim(): void {
    this.#reach = this.guard === 0 ? this.parts.layout.tileCount : 0
    this.#most = this.guard & READER ? -1 : Size.SMALL_MAX
  }
}

/** The tile of an offset beyond 2^32; -1 for what is no offset. */
function tileOf(offset: number): number {
  return Number.isInteger(offset) && offset > 0 && offset < 2 ** 43 ? (offset / Size.TILE) | 0 : -1
}
