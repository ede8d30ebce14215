/**
 * Heap: the general allocator. Small requests get a slot in a slab, the rest a span, best fit; see `docs/heap.md`.
 *
 *     malloc(n)   n <= SMALL_MAX   class of n -> its current word of free bits -> lowest bit          (slabs.ts)
 *                 else             smallest free span that fits, cut to length                        (spans/span-cache.ts)
 *     free(p)     tile of p        -> slab record -> slot -> its bit;   or -> span that starts at p -> joined with its neighbours
 *
 * Nothing is kept in the blocks: all state is in the claim's metadata (words.ts), so a stray write through a view can spoil a
 * neighbour's bytes but never the heap. Every free is checked: an offset that is not the start of a live block finds no such slot
 * or span. Cost: see docs/heap.md; 64 bytes of records for a slab of 4 to 32 KiB, 32 for a span.
 *
 * The hot paths are written out in full, on 32-bit integers. What V8 can take for constants there it need not load: the fields they
 * read are set once, by their initialisers, and tables are local to this file (docs/heap-v8.md).
 *
 * Longer than other files: what must not be a call is written out.
 * @module
 */

import type { Arena } from '../../arena/arena.ts'
import { int32sIn } from '../../arena/buffer-range.ts'
import { afterwards, beginStep, endStep } from '../../arena/ending.ts'
import { wholeNumber } from '../../arguments.ts'
import { CorruptedError } from '../../errors.ts'
import { showAs } from '../../inspection.ts'
import { plainFloats } from '../../views.ts'
import type { BlockMemory } from '../base/block-memory.ts'
import { checkMany, Freeing, type FreeingHooks } from '../base/freeing.ts'
import { CLOSED, type Lifecycle, PINNED, READER } from '../base/lifecycle.ts'
import type { Requests } from '../base/requests.ts'
import type { Views } from '../base/views.ts'
import { ConcurrentHeap } from '../concurrent/heap.ts'
import { findConcurrent, makeConcurrent } from '../concurrent/open.ts'
import type { FreeingAllocator } from '../contract.ts'
import { AllocatorFacade, factsOf, type Parts, partsOf } from '../facade.ts'
import { OpenedHeap, openHeap } from './attach/open.ts'
import { sealTables } from './attach/seal.ts'
import { beginHeap, verifyHeap } from './attach/verify.ts'
import { WriterRole } from './attach/writer.ts'
import { ClaimMemory } from './claim-memory.ts'
import { Decay, decayOf } from './decay.ts'
import { blockAround, blockAt, liveBlocks, tileOf } from './find-block.ts'
import { tablesOf } from './layout.ts'
import { freeBlocks, takeSlots } from './many.ts'
import {
  type CheckedAttachOptions,
  type CheckedHeapOptions,
  checkAttach,
  checkHeapOptions,
  type HeapAttachOptions,
  type HeapOpenOptions,
  type HeapOptions,
  type HeapRole,
} from './options.ts'
import { checkHeap } from './report/check.ts'
import { heapGlance, heapSizeClasses, heapStats } from './report/stats.ts'
import { Roots } from './roots.ts'
import { CLASS_OF, Size } from './size-classes.ts'
import type { Slabs } from './slabs.ts'
import { HeapSpace } from './space.ts'
import type { Notices } from './spans/notices.ts'
import { binOf } from './spans/records.ts'
import { At, Bin, ClassWord, SlabWord, SpanTag, SpanWord, Window } from './words.ts'

/**
 * The state of the class for a request of `n` bytes: `STATE_OF[(n + 7) >>> 3]`. Local, so that V8 takes the table for a constant: an imported
 * binding is read and checked anew at each use.
 */
const STATE_OF: Int32Array = Int32Array.from(CLASS_OF, (sizeClass) => At.CLASSES + sizeClass * ClassWord.WORDS)

/** The head of the list of kept spans for a length. */
function keptList(length: number): number {
  return At.KEPT + binOf(length)
}

const enum Hot {
  /** Blocks of so many bytes at most are zeroed, and copied, by a loop of their own: see base/block-memory.ts. */
  ZERO_MOST = 256,
  COPY_MOST = 128,
}

/** A block that grew to so many bytes and had to move goes where it can grow on. */
const ROOMY_LEAST = 65536

const isInstance = Function.prototype[Symbol.hasInstance]

/** The heap that is in an arena: of the other class, with the same contract, where it is a concurrent one. */
function attachHeap(arena: Arena, asked: CheckedAttachOptions): Heap {
  const { peer, unfinished } = findConcurrent(arena, asked)
  if (peer !== undefined) return concurrentHeap(new ConcurrentHeap(peer))
  return new Heap(OpenedHeap.find(arena, asked, unfinished))
}

function makeHeap(arena: Arena, asked: CheckedHeapOptions): Heap {
  return asked.concurrent
    ? concurrentHeap(new ConcurrentHeap(makeConcurrent(arena, asked)))
    : new Heap(OpenedHeap.make(arena, asked))
}

/** Of the same contract, and seen as a `Heap`. */
function concurrentHeap(heap: ConcurrentHeap): Heap {
  return heap as unknown as Heap
}

/** The general allocator: blocks of any size, freed singly. Small ones are slots of slabs, others spans of pages. */
export class Heap extends AllocatorFacade implements FreeingAllocator {
  readonly #parts: Parts<FreeingHooks> = partsOf(this)
  readonly #life: Lifecycle = this.#parts.life
  readonly #requests: Requests = this.#parts.requests
  readonly #memory: BlockMemory = this.#parts.memory
  readonly #views: Views = this.#parts.views
  readonly #freeing: Freeing = new Freeing(this.#parts)
  readonly #space: HeapSpace = this.#makeSpace()
  readonly #slabs: Slabs = this.#space.slabs
  readonly #notices: Notices = this.#space.notices
  readonly #m: Int32Array = this.#space.tables.words
  readonly #firstTile: number = this.#space.tables.layout.firstTile
  /** The claim: no block lies outside, whatever the tables say. */
  readonly #low: number = this.#space.tables.offset
  readonly #end: number = this.#low + this.#space.tables.byteLength
  readonly #roots: Roots = this.#makeRoots()
  readonly #role: WriterRole = this.#makeRole()
  readonly #decay!: Decay
  /** The longest request that may take the fast path of `malloc`: -1 when closed, and for a reader. */
  #most: number = Size.SMALL_MAX
  /** How many tiles, from the claim's first, the fast path of `free` may look at: 0 while closed, and while there are inner claims or pins. */
  #reach = 0
  /** Whether an allocation is part of another step. */
  #quiet = false
  /** Whether a writer before this one died with the heap, so that it was rebuilt when this one attached. */
  readonly recovered!: boolean

  static #hooksOf(self: Heap): FreeingHooks {
    return {
      malloc: (byteLength) => self.malloc(byteLength),
      tryCalloc: (byteLength) => self.#allocate(byteLength, true, false),
      tryMemalign: (alignment, byteLength, zero) => self.#tryMemalign(alignment, byteLength, zero),
      undo: (offset) => self.#freeAt(offset),
      forget: () => self.#forget(),
      guarded: () => self.#aim(),
      describeWriter: () => self.#role.describe(),
      freeAll: () => self.#freeAll(),
      blockAround: (offset, byteLength) => blockAround(self.#space, offset, byteLength),
      totals: () => heapStats(self.#space),
      sizeClasses: () => heapSizeClasses(self.#space),
      glance: () => heapGlance(self.#space),
      sizeAt: (offset) => self.#space.lengthOf(blockAt(self.#space, offset)),
      freeAt: (offset) => self.#freeAt(offset),
      resizeAt: (offset, _usable, byteLength) => self.#resizeAt(offset, byteLength),
    }
  }

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
  constructor(opened: OpenedHeap)
  // biome-ignore lint/correctness/noUnreachableSuper: what is returned instead has been made by its own constructor.
  constructor(from: Arena | OpenedHeap, options?: HeapOptions) {
    const asked = OpenedHeap.is(from) ? undefined : checkHeapOptions(options)
    // biome-ignore lint/correctness/noConstructorReturn: a heap for many threads is of another class, with the same contract.
    if (asked?.concurrent) return makeHeap(from as Arena, asked)
    const opened = asked === undefined ? (from as OpenedHeap) : OpenedHeap.make(from as Arena, asked)
    super(opened.claimed, Heap.#hooksOf)
    const { claim } = this.#life
    this.recovered = opened.found && verifyHeap(this.#space, claim, opened.role, this.#role)
    if (!opened.found) beginHeap(this.#space, claim, this.#role)
    else if (opened.role === 'writer') this.#role.take()
    if (opened.role === 'writer') claim.storeOnLeave(this.#role)
    else this.#life.setGuard(READER, true)
    this.#decay = new Decay(
      decayOf(this.#space, () => this.#requests.tellPages()),
      opened.decayMs,
      opened.schedule
    )
    this.#aim()
  }

  #makeSpace(): HeapSpace {
    const { claim, arena, limit } = this.#life
    const { offset, byteLength, metadata } = claim
    const { pageSize } = arena
    const memory = new ClaimMemory(claim, this.#memory, this.#requests.news, pageSize)
    return new HeapSpace(tablesOf(int32sIn(metadata), { offset, byteLength, pageSize, limit }), memory, {
      onFreed: () => afterwards(() => this.#decay.start()),
      onSlabSwitched: () => afterwards(() => this.#decay.startLater()),
      tellPages: () => this.#requests.tellPages(),
    })
  }

  #makeRoots(): Roots {
    const { tables } = this.#space
    return new Roots(tables.words, tables.layout, () => this.#space.committedBytes <= tables.limit)
  }

  #makeRole(): WriterRole {
    const { words, layout } = this.#space.tables
    return new WriterRole(this.#life.inside, this.#life.claim.metadata, () => sealTables(words, layout))
  }

  /**
   * The heap that is in an arena already: one that another thread or process has made, or that was left in a file. Its header is
   * verified first. One at a time is the writer; all others read: `root`, `blocks`, `usableSize`, `stats`, `check`. A reader may see what a
   * writer has half done: the two have to agree on when to read (`arena.wait`).
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
    return attachHeap(arena, checkAttach(options))
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
      attach: (attaching) => attachHeap(arena, attaching),
      make: (making) => makeHeap(arena, making),
    })
  }

  /** Whether this one may change the heap. */
  get role(): HeapRole {
    return this.#role.held ? 'writer' : 'reader'
  }

  // ---- the fast paths ----

  override malloc(byteLength: number): number {
    if (typeof byteLength === 'number') {
      const size = byteLength >>> 0
      if (size === byteLength && size <= this.#most) {
        const m = this.#m
        const state = STATE_OF[(size + 7) >>> 3]
        const word = m[state + ClassWord.WORD]
        const bits = m[word]
        if (bits !== 0) {
          const place = Math.clz32(bits)
          // Written out: take a slot.
          m[word] = bits ^ (SlabWord.FIRST_BIT >>> place)
          const start = (m[state + ClassWord.ORIGIN] + Math.imul(place, m[state + ClassWord.SIZE])) | 0
          return start >= 0 ? start : m[state + ClassWord.WINDOW] * Window.BYTES + (start & Window.INSIDE)
        }
      }
    }
    // The plus tells V8 that this is a number, so that the sum above is not made a float for its sake.
    return +this.#mallocSlow(byteLength)
  }

  free(block: number | ArrayBufferView): void {
    const offset = typeof block === 'number' ? block : this.#views.locate(block)
    const low = offset >>> 0
    const tile = (low === offset ? low >>> Size.TILE_BITS : tileOf(offset)) - this.#firstTile
    let entry = 0
    if (tile >>> 0 < this.#reach) {
      const m = this.#m
      entry = m[At.TILES + tile]
      if (entry > 0) {
        // Written out: find a slot.
        const product = Math.imul(low - m[entry + SlabWord.BASE], m[entry + SlabWord.INVERSE])
        const counts = m[entry + SlabWord.COUNTS]
        const slot = ((product >>> counts) | (product << (32 - counts))) >>> 0
        if (slot < ((counts >>> SlabWord.KNOWN_BITS) & SlabWord.NUMBER)) {
          const word = entry + SlabWord.BITS + (slot >>> 5)
          const bits = m[word]
          const bit = SlabWord.FIRST_BIT >>> slot
          if ((bits & bit) === 0) {
            m[word] = bits | bit
            const left = (counts - SlabWord.ONE_FREE) | 0
            m[entry + SlabWord.COUNTS] = left
            if (left >>> SlabWord.COUNTDOWN_BITS === 0) this.#slabs.settle(entry)
            return
          }
        }
      }
    }
    this.#freeOther(offset, entry)
  }

  override tryMalloc(byteLength: number): number {
    const offset = this.#allocate(byteLength, false, false)
    return offset === 0 ? this.#requests.again(byteLength) : offset
  }

  /** As `malloc`, written out as well: too long for V8 to inline, for the sake of `free`. */
  override calloc(byteLength: number): number {
    // biome-ignore lint/complexity/noArguments: a rest parameter would build an array in every call.
    if (arguments.length === 1 && typeof byteLength === 'number') {
      const size = byteLength >>> 0
      if (size === byteLength && size <= this.#most) {
        const m = this.#m
        const state = STATE_OF[(size + 7) >>> 3]
        const word = m[state + ClassWord.WORD]
        const bits = m[word]
        if (bits !== 0) {
          const place = Math.clz32(bits)
          // Written out: take a slot.
          m[word] = bits ^ (SlabWord.FIRST_BIT >>> place)
          const start = (m[state + ClassWord.ORIGIN] + Math.imul(place, m[state + ClassWord.SIZE])) | 0
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
          const offset = m[state + ClassWord.WINDOW] * Window.BYTES + (start & Window.INSIDE)
          this.#memory.zeroNew(offset, (size + 7) & -8)
          return offset
        }
        return +this.#allocate(byteLength, true, true)
      }
      if (size === byteLength && size <= Bin.KEPT_BELOW - 8 && this.#most >= 0) {
        // As in `#mallocSlow`.
        const m = this.#m
        const length = (size + 7) & -8
        const at = keptList(length)
        const span = m[at]
        const { near } = this.#memory
        if (span !== 0 && m[span + SpanWord.SIZE] >= length && m[span + SpanWord.TAG] === SpanTag.KEPT) {
          const start = m[span + SpanWord.START]
          if (start >= this.#low && start + length <= this.#end && (start + length) >>> 3 <= near.length) {
            m[at] = m[span + SpanWord.BIN_NEXT]
            m[span + SpanWord.TAG] += SpanTag.LIVE - SpanTag.KEPT
            near.fill(0, start >>> 3, (start + length) >>> 3)
            return start
          }
        }
      }
    }
    // biome-ignore lint/complexity/noArguments: as above.
    return super.calloc.apply(this, arguments as never)
  }

  /** The common alignments, of slots and of kept spans that happen to lie on one. Too long for V8 to inline, like `calloc`. */
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
            if ((m[state + ClassWord.SIZE] & inside) === 0) {
              const offset = this.#takeSlot(state)
              if (this.#notices.pending !== 0) this.#tell()
              if (offset !== 0) return offset
            }
          } else {
            const length = (size + 7) & -8
            if (length > Size.SMALL_MAX) {
              const at = keptList(length)
              const span = m[at]
              if (span !== 0 && m[span + SpanWord.SIZE] >= length && (m[span + SpanWord.START] & inside) === 0) {
                const tag = m[span + SpanWord.TAG]
                const start = m[span + SpanWord.START]
                const window = tag >> SpanTag.WINDOW_BITS
                const offset = window === 0 ? start : window * Window.BYTES + start
                if ((tag & SpanTag.KIND) !== SpanTag.KEPT || offset < this.#low || offset >= this.#end)
                  throw this.#space.index.corrupted(span)
                m[at] = m[span + SpanWord.BIN_NEXT]
                m[span + SpanWord.TAG] = tag + SpanTag.LIVE - SpanTag.KEPT
                return offset
              }
            }
          }
        }
      }
    }
    return super.memalign(alignment, byteLength)
  }

  realloc(offset: number, byteLength: number): number {
    if (typeof offset === 'number' && typeof byteLength === 'number') {
      const low = offset >>> 0
      const size = byteLength >>> 0
      const tile = (low === offset ? low >>> Size.TILE_BITS : tileOf(offset)) - this.#firstTile
      if (tile >>> 0 < this.#reach && size === byteLength) {
        const m = this.#m
        const entry = m[At.TILES + tile]
        if (entry > 0) {
          // Written out: find a slot.
          const product = Math.imul(low - m[entry + SlabWord.BASE], m[entry + SlabWord.INVERSE])
          const counts = m[entry + SlabWord.COUNTS]
          const slot = ((product >>> counts) | (product << (32 - counts))) >>> 0
          const word = entry + SlabWord.BITS + (slot >>> 5)
          if (slot < (m[entry + SlabWord.SLOTS] & SlabWord.NUMBER) && (m[word] & (SlabWord.FIRST_BIT >>> slot)) === 0) {
            const usable = m[m[entry + SlabWord.CLASS] + ClassWord.SIZE]
            // `staysInSlot`, written out. As a small integer where it is one: a number that comes out of a Float64Array is none.
            if (size <= usable && size >= usable - (usable >>> 2)) return low === offset ? low : offset
            let moved = 0
            const state = size <= Size.SMALL_MAX ? STATE_OF[(size + 7) >>> 3] : At.CLASSES
            const bits = m[m[state + ClassWord.WORD]]
            if (bits !== 0 && size <= Size.SMALL_MAX) {
              const word = m[state + ClassWord.WORD]
              const place = Math.clz32(bits)
              // Written out: take a slot.
              m[word] = bits ^ (SlabWord.FIRST_BIT >>> place)
              const start = (m[state + ClassWord.ORIGIN] + Math.imul(place, m[state + ClassWord.SIZE])) | 0
              moved = start >= 0 ? start : m[state + ClassWord.WINDOW] * Window.BYTES + (start & Window.INSIDE)
            } else {
              // A timer's callback could do away with the slot: it is called at the end.
              moved = +this.#mallocQuietly(size)
              if (moved === 0) return this.#reallocAsking(offset, byteLength)
            }
            const kept = size < usable ? size : usable
            const cells = this.#memory.near
            if (kept > Hot.COPY_MOST || low !== offset || low >= cells.length << 3 || moved >= cells.length << 3)
              this.#memory.copyNew(moved, offset, kept)
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
            m[word] |= SlabWord.FIRST_BIT >>> slot
            const left = (m[entry + SlabWord.COUNTS] - SlabWord.ONE_FREE) | 0
            m[entry + SlabWord.COUNTS] = left
            if (left >>> SlabWord.COUNTDOWN_BITS === 0) this.#slabs.settle(entry)
            if (this.#notices.pending !== 0) this.#notices.tell()
            return moved
          }
        }
      }
    }
    return this.#requests.asks ? this.#reallocAsking(offset, byteLength) : this.#reallocSlow(offset, byteLength)
  }

  /** Apart, since a function that makes a closure takes longer each time. */
  #reallocAsking(offset: number, byteLength: number): number {
    return this.#requests.untilFits(byteLength, () => this.#reallocSlow(offset, byteLength))
  }

  #reallocSlow(offset: number, byteLength: number): number {
    beginStep()
    try {
      const { guard } = this.#life
      if ((guard & ~PINNED) !== 0 || typeof offset !== 'number') return this.#freeing.realloc(offset, byteLength)
      if (guard !== 0) this.#life.assertBlockUnpinned(offset)
      const low = offset >>> 0
      const tile = (low >>> Size.TILE_BITS) - this.#firstTile
      if (low === offset && tile >>> 0 < this.#reach) {
        // The first span of its tile, as most are.
        const m = this.#m
        const span = -m[At.TILES + tile]
        if (
          span > 0 &&
          m[span + SpanWord.START] === (low & Window.INSIDE) &&
          (m[span + SpanWord.TAG] & SpanTag.KIND) === SpanTag.LIVE
        )
          return this.#reallocSpan(low, this.#space.index.sound(span), byteLength)
      }
      const found = blockAt(this.#space, offset)
      return found > 0 ? this.#freeing.realloc(offset, byteLength) : this.#reallocSpan(offset, -found, byteLength)
    } finally {
      endStep()
    }
  }

  // ---- allocating ----

  /**
   * `malloc` where its class's word has no free slot, or of a block above 1 KiB: the next word, the kept span that was freed last, or a cut of
   * committed memory. Written out, and so too long for V8 to inline.
   */
  #mallocSlow(byteLength: number): number {
    if (typeof byteLength === 'number' && (this.#life.guard & (CLOSED | READER)) === 0) {
      const m = this.#m
      const size = byteLength >>> 0
      if (size !== byteLength) return this.#allocate(byteLength, false, true)
      if (size <= Size.SMALL_MAX) {
        const state = STATE_OF[(size + 7) >>> 3]
        const word = this.#slabs.nextWord(state) || this.#space.nextSlab(state)
        if (word !== 0) {
          const bits = m[word]
          const place = Math.clz32(bits)
          // Written out: take a slot.
          m[word] = bits ^ (SlabWord.FIRST_BIT >>> place)
          const start = (m[state + ClassWord.ORIGIN] + Math.imul(place, m[state + ClassWord.SIZE])) | 0
          if (this.#notices.pending !== 0) this.#tell()
          const offset = start >= 0 ? start : m[state + ClassWord.WINDOW] * Window.BYTES + (start & Window.INSIDE)
          if (!(offset >= this.#low && offset < this.#end)) throw this.#life.outside(offset)
          return offset
        }
      } else if (size <= Bin.KEPT_BELOW - 8) {
        const length = (size + 7) & -8
        const at = keptList(length)
        let span = m[at]
        if (span !== 0 && m[span + SpanWord.SIZE] >= length) {
          const tag = m[span + SpanWord.TAG]
          if ((tag & SpanTag.KIND) !== SpanTag.KEPT) throw this.#space.index.corrupted(span)
          m[at] = m[span + SpanWord.BIN_NEXT]
          m[span + SpanWord.TAG] = tag + SpanTag.LIVE - SpanTag.KEPT
        } else span = this.#space.takeFree(length, at - At.KEPT)
        if (span !== 0) {
          const start = m[span + SpanWord.START]
          const window = m[span + SpanWord.TAG] >> SpanTag.WINDOW_BITS
          const offset = window === 0 ? start : window * Window.BYTES + start
          if (!(offset >= this.#low && offset < this.#end)) throw this.#life.outside(offset)
          return offset
        }
      }
    }
    return this.#allocate(byteLength, false, true)
  }

  /** `#mallocSlow` as part of another step, which tells what there is to tell. */
  #mallocQuietly(byteLength: number): number {
    this.#quiet = true
    try {
      return this.#mallocSlow(byteLength)
    } finally {
      this.#quiet = false
    }
  }

  /**
   * Any request; when full 0, or ERR_OUT_OF_MEMORY if it `must` be. With `zero` the block reads zero. Too long for V8 to inline: where it is
   * inlined, `free` is not (docs/heap-v8.md).
   */
  #allocate(byteLength: number, zero: boolean, must: boolean): number {
    if (
      typeof byteLength === 'number' &&
      byteLength >>> 0 === byteLength &&
      (this.#life.guard & (CLOSED | READER)) === 0
    ) {
      const m = this.#m
      const length = (byteLength + 7) & -8
      if (byteLength <= Size.SMALL_MAX) {
        const offset = this.#takeSlot(STATE_OF[length >>> 3])
        if (offset !== 0) {
          if (zero) this.#memory.zeroNew(offset, length)
          if (this.#notices.pending !== 0) this.#tell()
          return offset
        }
        if (must) return this.#refuse(byteLength, zero)
        return 0
      }
      if (byteLength <= Bin.KEPT_BELOW - 8) {
        const taken = this.#space.take(length)
        const span = taken === 0 ? this.#space.allocate(length, 8, SpanTag.LIVE, zero) : taken
        if (span !== 0) {
          const offset = (m[span + SpanWord.TAG] >> SpanTag.WINDOW_BITS) * Window.BYTES + m[span + SpanWord.START]
          if (!(offset >= this.#low && offset < this.#end)) throw this.#life.outside(offset)
          if (zero && taken !== 0) this.#memory.zeroNew(offset, length)
          if (this.#notices.pending !== 0) this.#tell()
          return offset
        }
        if (must) return this.#refuse(byteLength, zero)
        return 0
      }
    }
    if (this.#life.guard !== 0) this.#life.assertWritable()
    wholeNumber('byteLength', byteLength)
    const offset = this.#allocateSpan(8, byteLength, zero)
    if (offset === 0 && must) return this.#refuse(byteLength, zero)
    if (this.#notices.pending !== 0) this.#tell()
    return offset
  }

  /** A request that did not fit, once more, or ERR_OUT_OF_MEMORY. As part of another step 0, where that one asks for room. */
  #refuse(byteLength: number, zero: boolean): number {
    const quiet = this.#quiet
    this.#quiet = false
    if (quiet && this.#requests.asks) return 0
    if (quiet) this.#requests.publishFull(byteLength, 8)
    const offset = quiet ? 0 : this.#requests.again(byteLength, 8, zero)
    if (offset === 0) throw this.#requests.outOfMemory(byteLength)
    return offset
  }

  /** At the end of a step: tells what there is to tell, unless it is part of another. */
  #tell(): void {
    if (!this.#quiet) this.#notices.tell()
  }

  /** A slot of a class; 0 when full. */
  #takeSlot(state: number): number {
    const m = this.#m
    if (m[m[state + ClassWord.WORD]] === 0 && this.#space.refill(state) === 0) return 0
    const word = m[state + ClassWord.WORD]
    const bits = m[word]
    const place = Math.clz32(bits)
    m[word] = bits ^ (SlabWord.FIRST_BIT >>> place)
    const offset =
      m[state + ClassWord.WINDOW] * Window.BYTES +
      (m[state + ClassWord.ORIGIN] & Window.INSIDE) +
      Math.imul(place, m[state + ClassWord.SIZE])
    if (!(offset >= this.#low && offset < this.#end)) throw this.#life.outside(offset)
    return offset
  }

  #tryMemalign(alignment: number, byteLength: number, zero: boolean): number {
    if (this.#life.guard !== 0) this.#life.assertWritable()
    wholeNumber('byteLength', byteLength)
    if (alignment <= 8) return this.#allocate(byteLength, zero, false)
    // Slabs end on tiles, so a slot whose size is a multiple of the alignment is aligned.
    const size = Math.ceil(Math.max(byteLength, 1) / alignment) * alignment
    if (size <= Size.SMALL_MAX && alignment <= Size.TILE) {
      const state = STATE_OF[size >>> 3]
      if (this.#m[state + ClassWord.SIZE] % alignment === 0) {
        const slot = this.#takeSlot(state)
        if (zero && slot !== 0) this.#memory.zeroNew(slot, (byteLength + 7) & -8)
        return slot
      }
    }
    const offset = this.#allocateSpan(alignment, byteLength, zero)
    this.#notices.tell()
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
      while (m[span + SpanWord.START] < start) {
        // Spans lie in address order: a list that does not might have no end.
        if (m[span + SpanWord.START] <= last) throw this.#space.index.corrupted(span)
        last = m[span + SpanWord.START]
        span = m[span + SpanWord.NEXT]
        if (span === 0) break
      }
      if (span !== 0 && m[span + SpanWord.START] === start) {
        const tag = m[span + SpanWord.TAG]
        if ((tag & SpanTag.KIND) === SpanTag.LIVE) {
          if ((tag >> SpanTag.WINDOW_BITS) * Window.BYTES + start !== offset) throw this.#space.index.corrupted(span)
          const size = m[span + SpanWord.SIZE]
          if (size < this.#space.keptBelow && size >= Bin.SHORTEST_KEPT) {
            // As `HeapSpace.freeSpan`.
            const at = keptList(size)
            const head = m[at]
            m[span + SpanWord.TAG] = tag + SpanTag.KEPT - SpanTag.LIVE
            m[span + SpanWord.BIN_NEXT] = head
            m[at] = span
            if (head === 0) this.#space.noteFirstKept(at - At.KEPT)
          } else this.#space.release(span)
          if (this.#notices.pending !== 0) this.#notices.tell()
          return
        }
      }
    } else if (entry > 0) {
      const low = offset | 0
      // Written out: find a slot.
      const product = Math.imul(low - m[entry + SlabWord.BASE], m[entry + SlabWord.INVERSE])
      const counts = m[entry + SlabWord.COUNTS]
      const slot = ((product >>> counts) | (product << (32 - counts))) >>> 0
      if (slot < (m[entry + SlabWord.SLOTS] & SlabWord.NUMBER)) {
        const word = entry + SlabWord.BITS + (slot >>> 5)
        const bit = SlabWord.FIRST_BIT >>> slot
        if ((m[word] & bit) === 0) {
          // A live slot that is not known yet, or one that `free` did not look at because of a pin.
          this.#slabs.know(entry, slot + 1)
          m[word] |= bit
          const left = (m[entry + SlabWord.COUNTS] - SlabWord.ONE_FREE) | 0
          m[entry + SlabWord.COUNTS] = left
          if (left >>> SlabWord.COUNTDOWN_BITS === 0) this.#slabs.settle(entry)
          return
        }
      }
    } else if (this.#life.guard === PINNED) {
      this.#life.assertBlockUnpinned(offset)
      const found = this.#entryAt(offset)
      if (found !== 0) {
        this.#freeOther(offset, found)
        return
      }
    }
    if (this.#life.guard !== 0) this.#freeing.assertFree(offset)
    this.#freeAt(offset)
  }

  /** The tile word of an offset, as `free` reads it where it may; 0 for what is no offset. */
  #entryAt(offset: number): number {
    const low = offset >>> 0
    const tile = (low === offset ? low >>> Size.TILE_BITS : tileOf(offset)) - this.#firstTile
    return tile >>> 0 < this.#space.tables.layout.tileCount ? this.#m[At.TILES + tile] : 0
  }

  mallocMany(byteLength: number, offsets: Float64Array): number {
    if (this.#life.guard !== 0) this.#life.assertWritable()
    if (typeof byteLength !== 'number' || !(byteLength <= Size.SMALL_MAX))
      return this.#freeing.mallocMany(byteLength, offsets)
    const plain = plainFloats('offsets', offsets)
    wholeNumber('byteLength', byteLength)
    return this.#freeing.fillMany(byteLength, plain, (rest) => {
      const count = takeSlots(this.#space, STATE_OF[(byteLength + 7) >>> 3], rest, rest.length)
      this.#notices.tell()
      return count
    })
  }

  freeMany(offsets: Float64Array, count?: number): void {
    const checked = checkMany(offsets, count)
    if (this.#life.guard !== 0) this.#freeing.assertManyFree(checked)
    const failed = freeBlocks(this.#space, checked, checked.length)
    this.#notices.tell()
    if (failed >= 0) this.#refuseOne(checked, failed)
  }

  /** Says why one of many offsets could not be freed: it is no live block, or it comes twice. */
  #refuseOne(offsets: Float64Array, index: number): never {
    this.#freeing.requireLive(offsets.subarray(0, index + 1))
    throw new CorruptedError(`Heap: the block at ${offsets[index]} is live and could not be freed`)
  }

  usableSize(block: number | ArrayBufferView): number {
    return this.#freeing.usableSize(block)
  }

  /** Every live block. The one that was given last may be freed; what else changes may or may not be seen. */
  *blocks(): Generator<{ offset: number; byteLength: number }> {
    this.#life.assertOpen()
    for (const block of liveBlocks(this.#space)) {
      yield block
      this.#life.assertOpen()
    }
  }

  // ---- the slow and thorough side ----

  /** A span for a block of any length and alignment; 0 when full. */
  #allocateSpan(alignment: number, byteLength: number, zero: boolean): number {
    const span = this.#space.allocateBlock(alignment, byteLength, zero)
    return span === 0 ? 0 : this.#offsetOf(span)
  }

  #offsetOf(span: number): number {
    return this.#space.index.offset(this.#space.index.sound(span))
  }

  #reallocSpan(offset: number, span: number, byteLength: number): number {
    wholeNumber('byteLength', byteLength)
    if (this.#space.resizeFound(-span, byteLength)) return offset
    const usable = this.#space.lengthOf(-span)
    const roomy = byteLength > usable && byteLength >= ROOMY_LEAST
    const moved = roomy ? this.#mallocRoomy(byteLength) : this.malloc(byteLength)
    this.#memory.copyNew(moved, offset, byteLength < usable ? byteLength : usable)
    this.free(offset)
    return moved
  }

  #mallocRoomy(byteLength: number): number {
    const span = byteLength <= Window.BYTES / 4 ? this.#space.allocateRoomy((byteLength + 7) & -8) : 0
    return span === 0 ? this.malloc(byteLength) : this.#offsetOf(span)
  }

  #freeAt(offset: number): void {
    if (this.#life.guard !== 0) this.#life.assertWritable()
    this.#space.freeFound(blockAt(this.#space, offset), offset)
  }

  #resizeAt(offset: number, byteLength: number): boolean {
    wholeNumber('byteLength', byteLength)
    return this.#space.resizeFound(blockAt(this.#space, offset), byteLength)
  }

  // ---- roots ----

  /**
   * Stores an offset under a name in the heap's tables, where a later `attach` finds it. 0 removes it.
   *
   * @param name - A string of 1 to 64 bytes in UTF-8.
   * @param offset - In bytes, of a live block; 0 removes the root.
   * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` of an argument; `ERR_OUT_OF_MEMORY` when the table of roots is full;
   *   `ERR_UNSUPPORTED_OPERATION` of a reader.
   * @example
   * ```js
   * heap.setRoot('index', heap.malloc(100))
   * heap.root('index') > 0 // -> true
   * ```
   */
  setRoot(name: string, offset: number): void {
    this.#life.assertWritable()
    wholeNumber('offset', offset)
    if (offset !== 0) blockAt(this.#space, offset)
    this.#roots.set(name, offset)
  }

  /**
   * The offset stored under a name, or 0.
   *
   * @param name - The name.
   * @returns The offset in bytes, or 0 when there is no such root.
   * @throws `ERR_INVALID_ARG_TYPE`; `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * heap.root('nothing') // -> 0
   * ```
   */
  root(name: string): number {
    this.#life.assertOpen()
    return this.#roots.get(name)
  }

  // ---- the whole heap ----

  purge(): number {
    this.#life.assertWritable()
    const given = this.#space.purge(Number.POSITIVE_INFINITY)
    this.#notices.tell()
    return given
  }

  override reset(): void {
    super.reset()
    this.#notices.tell()
  }

  #freeAll(): void {
    this.#space.reset()
    this.#roots.clear()
    this.#notices.noteRelease()
  }

  override check(): void {
    this.#life.assertOpen()
    this.#life.checkHeader()
    const lie = checkHeap(this.#space)
    if (lie !== undefined) throw new CorruptedError(`Heap: ${lie}`)
    this.#life.checkTotals()
  }

  // ---- the end ----

  /**
   * Ends this one's part in the heap. On memory that others can reach, or find again, the heap stays as it is, and its writer gives the
   * role up; elsewhere it is gone, as after `destroy`.
   */
  override close(): void {
    const { claim } = this.#life
    if (this.#role.held && !claim.stays) this.#life.close()
    else this.#life.close(() => claim.leave())
  }

  /**
   * Ends the heap itself, for everything that is attached to it: all its blocks, its metadata, and its claim. Only the writer may.
   *
   * @throws `ERR_BLOCK_PINNED`, `ERR_ARENA_BUSY` as `close`; `ERR_UNSUPPORTED_OPERATION` of a reader.
   * @example
   * ```js
   * heap.destroy()
   * heap.malloc(100) // -> throws ERR_ARENA_CLOSED
   * ```
   */
  destroy(): void {
    this.#life.assertWritable()
    this.#life.close()
  }

  /**
   * Of a concurrent heap: leaves all that this peer holds to the others, before its thread sleeps for long. The next request takes a part
   * of the heap again. Of a plain heap nothing, since nothing that is free there is of use to another.
   *
   * @throws `ERR_ARENA_CLOSED` after `close`.
   * @example
   * ```js
   * heap.rest()
   * heap.malloc(100) > 0 // -> true
   * ```
   */
  rest(): void {
    this.#life.assertOpen()
  }

  #forget(): void {
    this.#role.forget()
    this.#decay.forget()
    this.#most = -1
    this.#reach = 0
  }

  #aim(): void {
    this.#reach = this.#life.guard === 0 ? this.#space.tables.layout.tileCount : 0
    this.#most = this.#life.guard & (CLOSED | READER) ? -1 : Size.SMALL_MAX
  }
}

/** A concurrent heap is one too. */
Object.defineProperty(Heap, Symbol.hasInstance, {
  value(this: unknown, value: unknown): boolean {
    return isInstance.call(this, value) || (this === Heap && value instanceof ConcurrentHeap)
  },
})
