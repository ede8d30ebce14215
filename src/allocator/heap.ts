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
import { enter, leave } from '../arena/ending.ts'
import { wholeNumber } from '../arguments.ts'
import { CorruptedError } from '../errors.ts'
import { showAs } from '../inspection.ts'
import { plainFloats } from '../views.ts'
import { CLOSED, factsOf, PINNED, READER } from './blocks.ts'
import { publishFull } from './channels.ts'
import { checkMany, type FreeingHooks } from './freeing-blocks.ts'
import { ATTACH } from './heap-attach.ts'
import { HeapBase, heapHooks, type SlowHeap, slowHalfOf } from './heap-base.ts'
import { blockAt } from './heap-blocks.ts'
import { At, Bin, Class, Slab, Span, Tag, Window } from './heap-layout.ts'
import { freeBlocks, takeSlots, tileOf } from './heap-many.ts'
import { openHeap } from './heap-open.ts'
import type { HeapAttachOptions, HeapOpenOptions, HeapOptions } from './heap-options.ts'
import type { HeapParts } from './heap-parts.ts'
import type { HugeSpanTable } from './huge-span-table.ts'
import type { Memory } from './memory.ts'
import { CLASS_OF, Size } from './size-class.ts'
import type { SlabTable } from './slab-table.ts'

/**
 * The state of the class for a request of `n` bytes: `STATE_OF[(n + 7) >>> 3]`. Local, so that V8 takes the table for a constant: an imported
 * binding is read and checked anew at each use.
 */
const STATE_OF: Int32Array = Int32Array.from(CLASS_OF, (sizeClass) => At.CLASSES + sizeClass * Class.WORDS)

const enum Hot {
  /** Blocks of so many bytes at most are zeroed, and copied, by a loop of their own: see memory.ts. */
  ZERO_MOST = 256,
  COPY_MOST = 128,
}

/** The general allocator: blocks of any size, freed singly. Small ones are slots of slabs, others spans of pages. */
export class Heap extends HeapBase {
  readonly #slow: SlowHeap = slowHalfOf(this)
  readonly #own: SlowHeap['own'] = this.#slow.own
  readonly #memory: Memory = this.#own.memory
  readonly #parts: HeapParts = this.#slow.parts
  readonly #m: Int32Array = this.#parts.words
  readonly #spans: HugeSpanTable = this.#parts.spans
  readonly #slabs: SlabTable = this.#parts.slabs
  readonly #firstTile: number = this.#parts.layout.firstTile
  /** The claim: no block lies outside, whatever the tables say. */
  readonly #low: number = this.#own.claim.offset
  readonly #end: number = this.#own.claim.offset + this.#own.claim.byteLength
  /** The longest request that may take the fast path of `malloc`: -1 when closed, and for a reader. */
  #most: number = Size.SMALL_MAX
  /** How many tiles, from the claim's first, the fast path of `free` may look at: 0 while closed, and while there are inner claims or pins. */
  #reach = 0
  /** Whether an allocation is part of another step. */
  #quiet = false

  static readonly #hooks: FreeingHooks = heapHooks({
    tryCalloc: (self: Heap, byteLength) => self.#allocate(byteLength, true, false),
    tryMemalign: (self: Heap, alignment, byteLength, zero) => self.#tryMemalign(alignment, byteLength, zero),
    forget: (self: Heap) => self.#forget(),
    guarded: (self: Heap) => self.#aim(),
  })

  static {
    showAs(Heap.prototype, 'Heap', factsOf)
  }

  /**
   * Claims a range of an arena and makes an empty heap there.
   *
   * @param arena - The arena.
   * @param options - The range, the limit, when free pages go back to the kernel.
   * @throws `ERR_ARENA_BUSY` when the range is claimed, or a heap was left there; `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` of
   *   an option; `ERR_OTHER_INSTANCE` for an arena of another version.
   * @example
   * ```js
   * const small = new Heap(Arena.reserve(64 * MiB), { limit: 16 * MiB, decayMs: 1000 })
   * small.tryMalloc(32 * MiB) // -> 0
   * ```
   */
  constructor(arena: Arena, options?: HeapOptions)
  /** @internal */
  constructor(arena: Arena, options: HeapAttachOptions | undefined, attach: typeof ATTACH)
  constructor(arena: Arena, options?: HeapOptions | HeapAttachOptions, attach?: typeof ATTACH) {
    super(arena, Heap.#hooks, options, attach)
    this.#aim()
  }

  /**
   * The heap that is in an arena already: one that another thread or process has made, or that was left in a file. Its header is
   * verified first. One at a time is the writer; all others read: `root`, `blocks`, `usableSize`, `stats`, `check`. What a writer was
   * about to do is not to be seen half-done: whoever reads while another writes comes to an understanding with him (`arena.wait`).
   *
   * What a writer left that died is rebuilt (`recovered`). Throws ERR_NOT_FOUND when no heap is there, ERR_ARENA_BUSY when
   * the role of the writer is asked for and taken, ERR_CORRUPTED when it is no heap of this version, or contradicts itself.
   *
   * @param arena - The arena that has the heap.
   * @param options - Which heap of several, and the role.
   * @returns The heap, with the blocks that are in it.
   * @throws `ERR_NOT_FOUND` when the arena has no heap; `ERR_ARENA_BUSY` when it has a writer already and the role `'writer'` is
   *   asked for; `ERR_CORRUPTED` when its tables contradict themselves.
   * @example
   * ```js
   * const shared = Arena.reserve(64 * MiB, { shared: true })
   * const first = new Heap(shared)
   * first.setRoot('greeting', first.malloc(100))
   * const reader = Heap.attach(Arena.attach(shared.handle()), { role: 'reader' })
   * reader.root('greeting') > 0 // -> true
   * ```
   */
  static attach(arena: Arena, options?: HeapAttachOptions): Heap {
    return new Heap(arena, options, ATTACH)
  }

  /**
   * The heap that is in an arena, as by `attach`, or with `create` a new one where there is none. When several threads or processes do this
   * at the same time one makes the heap and the others attach to it. Throws ERR_NOT_FOUND without `create`, and what `attach` and the
   * constructor throw.
   *
   * @param arena - The arena.
   * @param options - `create`, and the options of a heap that is made.
   * @returns The heap, as its writer.
   * @throws `ERR_NOT_FOUND` when there is none and `create` is not asked for; otherwise as `attach` and `new Heap`.
   * @example
   * ```js
   * const named = Arena.reserve(64 * MiB, { shared: true })
   * const kept = Heap.open(named, { create: true })
   * kept.role // -> 'writer'
   * ```
   */
  static open(arena: Arena, options?: HeapOpenOptions): Heap {
    return openHeap(arena, options, {
      attach: (attaching) => new Heap(arena, attaching, ATTACH),
      make: (making) => new Heap(arena, making),
    })
  }

  // ---- the fast paths ----

  override malloc(byteLength: number): number {
    if (typeof byteLength === 'number') {
      const size = byteLength >>> 0
      if (size === byteLength && size <= this.#most) {
        const m = this.#m
        const state = STATE_OF[(size + 7) >>> 3]
        const word = m[state + Class.WORD]
        const bits = m[word]
        if (bits !== 0) {
          const place = Math.clz32(bits)
          m[word] = bits ^ (Slab.FIRST_BIT >>> place)
          const start = (m[state + Class.ORIGIN] + Math.imul(place, m[state + Class.SIZE])) | 0
          return start >= 0 ? start : m[state + Class.WINDOW] * Window.BYTES + (start & Window.INSIDE)
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
    let entry = 0
    if (tile >>> 0 < this.#reach) {
      const m = this.#m
      entry = m[At.TILES + tile]
      if (entry > 0) {
        // In eighths: the distance from slot 0.
        const product = Math.imul((low - m[entry + Slab.BASE]) >> 3, m[entry + Slab.RECIPROCAL])
        const slot = product >>> 20
        if (((product & Size.NOT_A_START) | (low & 7)) === 0 && slot < m[entry + Slab.COUNTS] >>> Slab.KNOWN_BITS) {
          const word = entry + Slab.BITS + (slot >>> 5)
          const bits = m[word]
          const bit = Slab.FIRST_BIT >>> slot
          if ((bits & bit) === 0) {
            m[word] = bits | bit
            const left = (m[entry + Slab.COUNTDOWN] - 1) | 0
            m[entry + Slab.COUNTDOWN] = left
            if (left === 0) this.#slabs.settle(entry)
            return
          }
        }
      }
    }
    this.#freeOther(offset, entry)
  }

  override tryMalloc(byteLength: number): number {
    const offset = this.#allocate(byteLength, false, false)
    return offset === 0 ? this.again(byteLength) : offset
  }

  /** As `malloc`, written out as well: too long for V8 to inline, for the sake of `free`. */
  override calloc(byteLength: number): number {
    // biome-ignore lint/complexity/noArguments: a rest parameter would build an array in every call.
    if (arguments.length === 1 && typeof byteLength === 'number') {
      const size = byteLength >>> 0
      if (size === byteLength && size <= this.#most) {
        const m = this.#m
        const state = STATE_OF[(size + 7) >>> 3]
        const word = m[state + Class.WORD]
        const bits = m[word]
        if (bits !== 0) {
          const place = Math.clz32(bits)
          m[word] = bits ^ (Slab.FIRST_BIT >>> place)
          const start = (m[state + Class.ORIGIN] + Math.imul(place, m[state + Class.SIZE])) | 0
          const { near } = this.#memory
          const end = (start + size + 7) >>> 3
          if (start >= 0 && end <= near.length) {
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
          const offset = m[state + Class.WINDOW] * Window.BYTES + (start & Window.INSIDE)
          this.zeroNew(offset, (size + 7) & -8)
          return offset
        }
        return +this.#allocate(byteLength, true, true)
      }
      if (size === byteLength && size <= Bin.KEPT_BELOW - 8 && this.#most >= 0) {
        // As in `#mallocSlow`.
        const m = this.#m
        const length = (size + 7) & -8
        const shift = 26 - Math.clz32(length)
        const at = At.KEPT - 160 + (shift << 5) + (length >>> shift)
        const span = m[at]
        const { near } = this.#memory
        if (span !== 0 && m[span + Span.SIZE] >= length && m[span + Span.TAG] === Tag.KEPT) {
          const start = m[span + Span.START]
          if (start >= this.#low && start + length <= this.#end && (start + length) >>> 3 <= near.length) {
            m[at] = m[span + Span.BIN_NEXT]
            m[span + Span.TAG] += Tag.LIVE - Tag.KEPT
            near.fill(0, start >>> 3, (start + length) >>> 3)
            return start
          }
        }
      }
    }
    // biome-ignore lint/complexity/noArguments: as above.
    return super.calloc.apply(this, arguments as never)
  }

  /** The common alignments, of slots and of kept spans that happen to lie on one; the rest as `tryMemalign`. */
  override memalign(alignment: number, byteLength: number): number {
    if (typeof alignment === 'number' && typeof byteLength === 'number' && this.#most >= 0) {
      const size = byteLength >>> 0
      if (
        size === byteLength &&
        size <= Bin.KEPT_BELOW - 8 &&
        alignment >>> 0 === alignment &&
        alignment <= Size.TILE
      ) {
        const m = this.#m
        const inside = alignment - 1
        if ((alignment & inside) === 0 && alignment !== 0) {
          // Slabs end on tiles, so a slot whose size is a multiple of the alignment is aligned.
          const padded = ((size === 0 ? 1 : size) + inside) & -alignment
          if (padded <= Size.SMALL_MAX) {
            const state = STATE_OF[(padded + 7) >>> 3]
            if ((m[state + Class.SIZE] & inside) === 0) {
              const offset = this.#takeSlot(state)
              if (this.#spans.news !== 0) this.#tell()
              if (offset !== 0) return offset
            }
          } else {
            const length = (size + 7) & -8
            if (length > Size.SMALL_MAX) {
              const shift = 26 - Math.clz32(length)
              const at = At.KEPT - 160 + (shift << 5) + (length >>> shift)
              const span = m[at]
              if (span !== 0 && m[span + Span.SIZE] >= length && (m[span + Span.START] & inside) === 0) {
                const tag = m[span + Span.TAG]
                const offset = (tag >> Tag.WINDOW_BITS) * Window.BYTES + m[span + Span.START]
                if ((tag & Tag.KIND) !== Tag.KEPT || offset < this.#low || offset >= this.#end)
                  throw this.#spans.corrupted(span)
                m[at] = m[span + Span.BIN_NEXT]
                m[span + Span.TAG] = tag + Tag.LIVE - Tag.KEPT
                return offset
              }
            }
          }
        }
      }
    }
    return super.memalign(alignment, byteLength)
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
          const product = Math.imul((low - m[entry + Slab.BASE]) >> 3, m[entry + Slab.RECIPROCAL])
          const slot = product >>> 20
          const word = entry + Slab.BITS + (slot >>> 5)
          const start = ((product & Size.NOT_A_START) | (low & 7)) === 0
          if (start && (m[word] & (Slab.FIRST_BIT >>> slot)) === 0) {
            const usable = m[m[entry + Slab.CLASS] + Class.SIZE]
            // A slot stays while it is at least three quarters used: moving costs more than the rest is worth. As a small integer where it
            // is one: a number that comes out of a Float64Array is none.
            if (size <= usable && size >= usable - (usable >>> 2)) return low === offset ? low : offset
            let moved = 0
            const state = size <= Size.SMALL_MAX ? STATE_OF[(size + 7) >>> 3] : At.CLASSES
            const from = m[state + Class.WORD]
            const bits = m[from]
            if (bits !== 0 && size <= Size.SMALL_MAX) {
              // As in `malloc`.
              const place = Math.clz32(bits)
              m[from] = bits ^ (Slab.FIRST_BIT >>> place)
              const first = (m[state + Class.ORIGIN] + Math.imul(place, m[state + Class.SIZE])) | 0
              moved = first >= 0 ? first : m[state + Class.WINDOW] * Window.BYTES + (first & Window.INSIDE)
            } else {
              // A timer's callback could do away with the slot: it is called at the end.
              this.#quiet = true
              moved = +this.#mallocSlow(size)
              this.#quiet = false
              if (moved === 0) return this.#reallocAsking(offset, byteLength)
            }
            const kept = size < usable ? size : usable
            const cells = this.#memory.near
            if (kept > Hot.COPY_MOST || low !== offset || low >= cells.length << 3 || moved >= cells.length << 3)
              this.copyNew(moved, offset, kept)
            else {
              let target = moved >>> 3
              let cell = low >>> 3
              const end = (low + kept + 7) >>> 3
              for (; cell < end - 3; cell += 4, target += 4) {
                cells[target] = cells[cell]
                cells[target + 1] = cells[cell + 1]
                cells[target + 2] = cells[cell + 2]
                cells[target + 3] = cells[cell + 3]
              }
              for (; cell < end; cell++) cells[target++] = cells[cell]
            }
            this.#slabs.know(entry, slot + 1)
            m[word] |= Slab.FIRST_BIT >>> slot
            const left = (m[entry + Slab.COUNTDOWN] - 1) | 0
            m[entry + Slab.COUNTDOWN] = left
            if (left === 0) this.#slabs.settle(entry)
            if (this.#spans.news !== 0) this.#spans.tell()
            return moved
          }
        }
      }
    }
    return this.#own.room === undefined
      ? this.#reallocSlow(offset, byteLength)
      : this.#reallocAsking(offset, byteLength)
  }

  /** Apart, since a function that makes a closure takes longer each time. */
  #reallocAsking(offset: number, byteLength: number): number {
    return this.untilFits(byteLength, () => this.#reallocSlow(offset, byteLength))
  }

  #reallocSlow(offset: number, byteLength: number): number {
    enter()
    try {
      const { guard } = this.#own
      if ((guard & ~PINNED) !== 0 || typeof offset !== 'number') return super.realloc(offset, byteLength)
      if (guard !== 0) this.assertBlockUnpinned(offset)
      const low = offset >>> 0
      const tile = (low >>> Size.TILE_BITS) - this.#firstTile
      if (low === offset && tile >>> 0 < this.#reach) {
        // The first span of its tile, as most are.
        const m = this.#m
        const span = -m[At.TILES + tile]
        if (span > 0 && m[span + Span.START] === (low & Window.INSIDE) && (m[span + Span.TAG] & Tag.KIND) === Tag.LIVE)
          return this.#slow.reallocSpan(low, this.#spans.sound(span), byteLength)
      }
      const found = blockAt(this.#parts, offset)
      return found > 0 ? super.realloc(offset, byteLength) : this.#slow.reallocSpan(offset, -found, byteLength)
    } finally {
      leave()
    }
  }

  // ---- allocating ----

  /**
   * `malloc` where its class's word has no free slot, or of a block above 1 KiB: the next word, the kept span that was freed last, or a cut of
   * committed memory. Written out, and so too long for V8 to inline.
   */
  #mallocSlow(byteLength: number): number {
    if (typeof byteLength === 'number' && (this.#own.guard & (CLOSED | READER)) === 0) {
      const m = this.#m
      const size = byteLength >>> 0
      if (size !== byteLength) return this.#allocate(byteLength, false, true)
      if (size <= Size.SMALL_MAX) {
        const state = STATE_OF[(size + 7) >>> 3]
        const word = this.#slabs.refill(state)
        if (word !== 0) {
          const bits = m[word]
          const place = Math.clz32(bits)
          m[word] = bits ^ (Slab.FIRST_BIT >>> place)
          const start = (m[state + Class.ORIGIN] + Math.imul(place, m[state + Class.SIZE])) | 0
          if (this.#spans.news !== 0) this.#tell()
          const offset = start >= 0 ? start : m[state + Class.WINDOW] * Window.BYTES + (start & Window.INSIDE)
          if (!(offset >= this.#low && offset < this.#end)) throw this.outside(offset)
          return offset
        }
      } else if (size <= Bin.KEPT_BELOW - 8) {
        const length = (size + 7) & -8
        // As `binOf`.
        const shift = 26 - Math.clz32(length)
        const at = At.KEPT - 160 + (shift << 5) + (length >>> shift)
        let span = m[at]
        if (span !== 0 && m[span + Span.SIZE] >= length) {
          const tag = m[span + Span.TAG]
          if ((tag & Tag.KIND) !== Tag.KEPT) throw this.#spans.corrupted(span)
          m[at] = m[span + Span.BIN_NEXT]
          m[span + Span.TAG] = tag + Tag.LIVE - Tag.KEPT
        } else span = this.#spans.takeFree(length, at - At.KEPT)
        if (span !== 0) {
          const start = m[span + Span.START]
          const window = m[span + Span.TAG] >> Tag.WINDOW_BITS
          const offset = window === 0 ? start : window * Window.BYTES + start
          if (!(offset >= this.#low && offset < this.#end)) throw this.outside(offset)
          return offset
        }
      }
    }
    return this.#allocate(byteLength, false, true)
  }

  /**
   * Any request; when full 0, or ERR_OUT_OF_MEMORY if it `must` be. With `zero` the block reads zero. Too long for V8 to inline: where it is
   * inlined, `free` is not (docs/heap.md, "Written for V8").
   */
  #allocate(byteLength: number, zero: boolean, must: boolean): number {
    if (
      typeof byteLength === 'number' &&
      byteLength >>> 0 === byteLength &&
      (this.#own.guard & (CLOSED | READER)) === 0
    ) {
      const m = this.#m
      const length = (byteLength + 7) & -8
      if (byteLength <= Size.SMALL_MAX) {
        const offset = this.#takeSlot(STATE_OF[length >>> 3])
        if (offset !== 0) {
          if (zero) this.zeroNew(offset, length)
          if (this.#spans.news !== 0) this.#tell()
          return offset
        }
        if (must) return this.#refuse(byteLength, zero)
        return 0
      }
      if (byteLength <= Bin.KEPT_BELOW - 8) {
        const taken = this.#spans.take(length)
        const span = taken === 0 ? this.#spans.allocate(length, 8, Tag.LIVE, zero) : taken
        if (span !== 0) {
          const offset = (m[span + Span.TAG] >> Tag.WINDOW_BITS) * Window.BYTES + m[span + Span.START]
          if (!(offset >= this.#low && offset < this.#end)) throw this.outside(offset)
          if (zero && taken !== 0) this.zeroNew(offset, length)
          if (this.#spans.news !== 0) this.#tell()
          return offset
        }
        if (must) return this.#refuse(byteLength, zero)
        return 0
      }
    }
    if (this.#own.guard !== 0) this.assertWritable()
    wholeNumber('byteLength', byteLength)
    const offset = this.#slow.allocateSpan(8, byteLength, zero)
    if (offset === 0 && must) return this.#refuse(byteLength, zero)
    if (this.#spans.news !== 0) this.#tell()
    return offset
  }

  /** A request that did not fit, once more, or ERR_OUT_OF_MEMORY. As part of another step 0, where that one asks for room. */
  #refuse(byteLength: number, zero: boolean): number {
    const quiet = this.#quiet
    this.#quiet = false
    if (quiet && this.#own.room !== undefined) return 0
    if (quiet) publishFull(this, byteLength, 8)
    const offset = quiet ? 0 : this.again(byteLength, 8, zero)
    if (offset === 0) throw this.outOfMemory(byteLength)
    return offset
  }

  /** At the end of a step: tells what there is to tell, unless it is part of another. */
  #tell(): void {
    if (!this.#quiet) this.#spans.tell()
  }

  /** A slot of a class; 0 when full. */
  #takeSlot(state: number): number {
    const m = this.#m
    if (m[m[state + Class.WORD]] === 0 && this.#slabs.refill(state) === 0) return 0
    const word = m[state + Class.WORD]
    const bits = m[word]
    const place = Math.clz32(bits)
    m[word] = bits ^ (Slab.FIRST_BIT >>> place)
    const offset =
      m[state + Class.WINDOW] * Window.BYTES +
      (m[state + Class.ORIGIN] & Window.INSIDE) +
      Math.imul(place, m[state + Class.SIZE])
    if (!(offset >= this.#low && offset < this.#end)) throw this.outside(offset)
    return offset
  }

  #tryMemalign(alignment: number, byteLength: number, zero: boolean): number {
    if (this.#own.guard !== 0) this.assertWritable()
    wholeNumber('byteLength', byteLength)
    if (alignment <= 8) return this.#allocate(byteLength, zero, false)
    // Slabs end on tiles, so a slot whose size is a multiple of the alignment is aligned.
    const size = Math.ceil(Math.max(byteLength, 1) / alignment) * alignment
    if (size <= Size.SMALL_MAX && alignment <= Size.TILE) {
      const state = STATE_OF[size >>> 3]
      if (this.#m[state + Class.SIZE] % alignment === 0) {
        const slot = this.#takeSlot(state)
        if (zero && slot !== 0) this.zeroNew(slot, (byteLength + 7) & -8)
        return slot
      }
    }
    const offset = this.#slow.allocateSpan(alignment, byteLength, zero)
    this.#spans.tell()
    return offset
  }

  // ---- blocks that are there ----

  /**
   * The frees that `free` hands on: of spans, of slots beyond what is known, and of what must be refused. Written out, and so too long for
   * V8 to inline.
   */
  #freeOther(offset: number, entry: number): void {
    const m = this.#m
    if (entry < 0) {
      const start = (offset | 0) & Window.INSIDE
      let span = -entry
      let last = -1
      while (m[span + Span.START] < start) {
        // Spans lie in address order: a list that does not might have no end.
        if (m[span + Span.START] <= last) throw this.#spans.corrupted(span)
        last = m[span + Span.START]
        span = m[span + Span.NEXT]
        if (span === 0) break
      }
      if (span !== 0 && m[span + Span.START] === start) {
        const tag = m[span + Span.TAG]
        if ((tag & Tag.KIND) === Tag.LIVE) {
          if ((tag >> Tag.WINDOW_BITS) * Window.BYTES + start !== offset) throw this.#spans.corrupted(span)
          const size = m[span + Span.SIZE]
          if (size < this.#spans.keptBelow && size >= Bin.SHORTEST_KEPT) {
            // As `SpanTable.free`.
            const shift = 26 - Math.clz32(size)
            const at = At.KEPT - 160 + (shift << 5) + (size >>> shift)
            const head = m[at]
            m[span + Span.TAG] = tag + Tag.KEPT - Tag.LIVE
            m[span + Span.BIN_NEXT] = head
            m[at] = span
            if (head === 0) this.#spans.noteFirstKept(at - At.KEPT)
          } else this.#spans.release(span)
          if (this.#spans.news !== 0) this.#spans.tell()
          return
        }
      }
    } else if (entry > 0) {
      const product = Math.imul(((offset | 0) - m[entry + Slab.BASE]) >> 3, m[entry + Slab.RECIPROCAL])
      const slot = product >>> 20
      const counts = m[entry + Slab.COUNTS]
      const slots = counts & Slab.SLOTS
      if (((product & Size.NOT_A_START) | (offset & 7)) === 0 && slot < slots) {
        const word = entry + Slab.BITS + (slot >>> 5)
        const bit = Slab.FIRST_BIT >>> slot
        if ((m[word] & bit) === 0) {
          // A live slot that is not known yet, or one that `free` did not look at because of a pin.
          if (slot >= counts >>> Slab.KNOWN_BITS) m[entry + Slab.COUNTS] = ((slot + 1) << Slab.KNOWN_BITS) | slots
          m[word] |= bit
          const left = (m[entry + Slab.COUNTDOWN] - 1) | 0
          m[entry + Slab.COUNTDOWN] = left
          if (left === 0) this.#slabs.settle(entry)
          return
        }
      }
    } else if (this.#own.guard === PINNED) {
      this.assertBlockUnpinned(offset)
      const found = this.#entryAt(offset)
      if (found !== 0) {
        this.#freeOther(offset, found)
        return
      }
    }
    if (this.#own.guard !== 0) this.assertFree(offset)
    this.#own.hooks.freeAt(this, offset)
  }

  /** The tile word of an offset, as `free` reads it where it may; 0 for what is no offset. */
  #entryAt(offset: number): number {
    const low = offset >>> 0
    const tile = (low === offset ? low >>> Size.TILE_BITS : tileOf(offset)) - this.#firstTile
    return tile >>> 0 < this.#parts.layout.tileCount ? this.#m[At.TILES + tile] : 0
  }

  override mallocMany(byteLength: number, offsets: Float64Array): number {
    if (this.#own.guard !== 0) this.assertWritable()
    if (typeof byteLength !== 'number' || !(byteLength <= Size.SMALL_MAX)) return super.mallocMany(byteLength, offsets)
    const plain = plainFloats('offsets', offsets)
    wholeNumber('byteLength', byteLength)
    return this.fillMany(byteLength, plain, (rest) => {
      const count = takeSlots(this.#parts, STATE_OF[(byteLength + 7) >>> 3], rest, rest.length)
      this.#spans.tell()
      return count
    })
  }

  override freeMany(offsets: Float64Array, count?: number): void {
    const checked = checkMany(offsets, count)
    if (this.#own.guard !== 0) this.assertManyFree(checked)
    const failed = freeBlocks(this.#parts, checked, checked.length)
    this.#spans.tell()
    if (failed >= 0) this.#refuseOne(checked, failed)
  }

  /** Says why one of many offsets could not be freed: it is no live block, or it comes twice. */
  #refuseOne(offsets: Float64Array, index: number): never {
    this.requireLive(offsets.subarray(0, index + 1))
    throw new CorruptedError(`Heap: the block at ${offsets[index]} is live and could not be freed`)
  }

  #forget(): void {
    this.#most = -1
    this.#reach = 0
  }

  #aim(): void {
    this.#reach = this.#own.guard === 0 ? this.#parts.layout.tileCount : 0
    this.#most = this.#own.guard & (CLOSED | READER) ? -1 : Size.SMALL_MAX
  }
}
