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
 * The hot paths are written out in full, on 32-bit integers. What V8 can take for constants there it need not load: the fields they
 * read are set once, by their initialisers, and tables are local to this file (docs/heap.md, "Written for V8").
 *
 * Longer than other files: what must not be a call is written out.
 * @module
 */
import type { Arena } from '../arena/arena.ts'
import { wholeNumber } from '../arguments.ts'
import { CLOSED, READER } from './blocks.ts'
import { ATTACH } from './heap-attach.ts'
import { HeapBase } from './heap-base.ts'
import { blockAt } from './heap-blocks.ts'
import { At, Bin, Class, Slab, Span, Tag, Tile, Window } from './heap-layout.ts'
import { checkAttach, type HeapAttachOptions, type HeapOptions } from './heap-options.ts'
import type { HugeSpanTable } from './huge-span-table.ts'
import * as sizes from './size-class.ts'
import { Size } from './size-class.ts'
import type { SlabTable } from './slab-table.ts'
import { binOf } from './span.ts'

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
  /** The claim: no block lies outside, whatever the tables say. */
  readonly #low: number = this.claim.offset
  readonly #end: number = this.claim.offset + this.claim.byteLength
  /** The longest request that may take the fast path of `malloc`: -1 when closed, and for a reader. */
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
    return +this.#allocate(byteLength, false, true)
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
        if (((product & Size.NOT_A_START) | (low & 7)) === 0 && slot < (info & Slab.KNOWN)) {
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
      }
    }
    this.#freeOther(offset)
  }

  override tryMalloc(byteLength: number): number {
    return this.#allocate(byteLength, false, false)
  }

  /** As `malloc`, written out as well: too long for V8 to inline, for the sake of `free`. */
  override calloc(byteLength: number): number {
    // biome-ignore lint/complexity/noArguments: a rest parameter would build an array in every call.
    if (arguments.length === 1 && typeof byteLength === 'number') {
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
          const { near } = this.memory
          if (m[state + Class.WINDOW] === 0 && near.length !== 0) {
            const end = (start + size + 7) >>> 3
            let cell = start >>> 3
            if (size > Hot.ZERO_MOST) near.fill(0, cell, end)
            else {
              for (; cell < end - 3; cell += 4) {
                near[cell] = 0
                near[cell + 1] = 0
                near[cell + 2] = 0
                near[cell + 3] = 0
              }
              if (cell < end) near[cell++] = 0
              if (cell < end) near[cell++] = 0
              if (cell < end) near[cell] = 0
            }
            return start
          }
          const offset = m[state + Class.WINDOW] * Window.BYTES + start
          this.zeroNew(offset, (size + 7) & -8)
          return offset
        }
        return +this.#allocate(byteLength, true, true)
      }
    }
    // biome-ignore lint/complexity/noArguments: as above.
    return super.calloc.apply(this, arguments as never)
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

  /**
   * Any request; when full 0, or ERR_OUT_OF_MEMORY if it `must` be. With `zero` the block reads zero. Too long for V8 to inline: where it is
   * inlined, `free` is not (docs/heap.md, "Written for V8").
   */
  #allocate(byteLength: number, zero: boolean, must: boolean): number {
    if (typeof byteLength === 'number' && byteLength >>> 0 === byteLength && (this.guard & (CLOSED | READER)) === 0) {
      const m = this.#m
      const length = (byteLength + 7) & -8
      if (byteLength <= Size.SMALL_MAX) {
        const sizeClass = CLASS_OF[length >>> 3]
        const state = At.CLASSES + (sizeClass << 3)
        if (m[m[state + Class.WORD]] !== 0 || this.#slabs.refill(state)) {
          const word = m[state + Class.WORD]
          const bits = m[word]
          m[word] = bits & (bits - 1)
          const start = m[state + Class.ORIGIN] + (31 - Math.clz32(bits & -bits)) * CLASS_SIZE[sizeClass]
          const offset = m[state + Class.WINDOW] * Window.BYTES + start
          if (!(offset >= this.#low && offset < this.#end)) throw this.outside(offset)
          if (zero) this.zeroNew(offset, length)
          return offset
        }
        if (must) throw this.outOfMemory(byteLength)
        return 0
      }
      if (byteLength <= Bin.KEPT_BELOW - 8) {
        const taken = this.#spans.take(length)
        const span = taken === 0 ? this.#spans.allocate(length, 8, Tag.LIVE, zero) : taken
        if (span !== 0) {
          const offset = (m[span + Span.TAG] >> Tag.WINDOW_BITS) * Window.BYTES + m[span + Span.START]
          if (!(offset >= this.#low && offset < this.#end)) throw this.outside(offset)
          if (zero && taken !== 0) this.zeroNew(offset, length)
          return offset
        }
        if (must) throw this.outOfMemory(byteLength)
        return 0
      }
    }
    if (this.guard !== 0) this.assertWritable()
    wholeNumber('byteLength', byteLength)
    const offset = this.allocateSpan(8, byteLength, zero)
    if (offset === 0 && must) throw this.outOfMemory(byteLength)
    return offset
  }

  /** A slot of a class; 0 when full. */
  #takeSlot(sizeClass: number): number {
    const m = this.#m
    const state = At.CLASSES + (sizeClass << 3)
    if (m[m[state + Class.WORD]] === 0 && !this.#slabs.refill(state)) return 0
    const word = m[state + Class.WORD]
    const bits = m[word]
    m[word] = bits & (bits - 1)
    const start = m[state + Class.ORIGIN] + (31 - Math.clz32(bits & -bits)) * CLASS_SIZE[sizeClass]
    const offset = m[state + Class.WINDOW] * Window.BYTES + start
    if (!(offset >= this.#low && offset < this.#end)) throw this.outside(offset)
    return offset
  }

  protected override tryCalloc(byteLength: number): number {
    return this.#allocate(byteLength, true, false)
  }

  protected override tryMemalign(alignment: number, byteLength: number): number {
    if (this.guard !== 0) this.assertWritable()
    wholeNumber('byteLength', byteLength)
    if (alignment <= 8) return this.#allocate(byteLength, false, false)
    // Slabs start on tiles, so a slot whose size is a multiple of the alignment is aligned.
    const size = Math.ceil(Math.max(byteLength, 1) / alignment) * alignment
    if (size <= Size.SMALL_MAX && alignment <= Size.TILE) {
      const sizeClass = CLASS_OF[size >>> 3]
      if (CLASS_SIZE[sizeClass] % alignment === 0) return this.#takeSlot(sizeClass)
    }
    return this.allocateSpan(alignment, byteLength, false)
  }

  // ---- blocks that are there ----

  /**
   * The frees that `free` hands on: of spans, of slots beyond what is known, and of what must be refused. Written out, and so too long for
   * V8 to inline.
   */
  #freeOther(offset: number): void {
    const m = this.#m
    const low = offset >>> 0
    const tile = (low === offset ? low >>> Size.TILE_BITS : tileOf(offset)) - this.#firstTile
    const entry = tile >>> 0 < this.#reach ? m[At.TILES + tile] : 0
    if (entry < 0) {
      const start = low & Window.INSIDE
      let span = -entry
      let last = -1
      while (span !== 0 && m[span + Span.START] < start) {
        // Spans lie in address order: a list that does not might have no end.
        if (m[span + Span.START] <= last) throw this.#spans.corrupted(span)
        last = m[span + Span.START]
        span = m[span + Span.NEXT]
      }
      if (span !== 0 && m[span + Span.START] === start && (m[span + Span.TAG] & Tag.KIND) === Tag.LIVE) {
        const size = m[span + Span.SIZE]
        if (size < Bin.KEPT_BELOW && size >= Bin.SHORTEST_KEPT) {
          // As `SpanTable.free`.
          const bin = binOf(size)
          const head = m[At.KEPT + bin]
          if ((m[span + Span.TAG] >> Tag.WINDOW_BITS) * Window.BYTES + start !== offset)
            throw this.#spans.corrupted(span)
          m[span + Span.TAG] += Tag.KEPT - Tag.LIVE
          m[span + Span.BIN_NEXT] = head
          m[span + Span.BIN_PREVIOUS] = 0
          if (head !== 0) m[head + Span.BIN_PREVIOUS] = span
          m[At.KEPT + bin] = span
          m[At.KEPT_MAP + (bin >>> 5)] |= 1 << bin
          m[At.KEPT_NOW]++
          if (this.#spans.watch) this.#spans.noteRelease()
        } else this.#spans.release(span)
        return
      }
    } else if (entry > 0) {
      const slab = entry & Tile.SLAB
      const distance = ((entry & Tile.PLACE) << 9) | ((low >>> 3) & 511)
      const product = distance * (m[slab + Slab.INFO] >>> Slab.KNOWN_BITS)
      const slot = product >>> 20
      if (((product & Size.NOT_A_START) | (low & 7)) === 0 && this.#slabs.learn(slab, slot)) {
        m[slab + Slab.BITS + (slot >>> 5)] |= 1 << slot
        const left = (m[slab + Slab.COUNTDOWN] - 1) | 0
        m[slab + Slab.COUNTDOWN] = left
        if (left === 0) this.#slabs.settle(slab)
        return
      }
    }
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
    this.#most = this.guard & (CLOSED | READER) ? -1 : Size.SMALL_MAX
  }
}

/** The tile of an offset beyond 2^32; -1 for what is no offset. */
function tileOf(offset: number): number {
  return Number.isInteger(offset) && offset > 0 && offset < 2 ** 43 ? (offset / Size.TILE) | 0 : -1
}
