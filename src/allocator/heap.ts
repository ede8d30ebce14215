/**
 * Heap: the general allocator. Small requests get a slot in a slab, the rest a span, best fit; see `docs/heap.md`.
 *
 *     malloc(n)   n <= SMALL_MAX   class of n -> its current word of free bits -> lowest bit          (slab-table.ts)
 *                 else             smallest free span that fits, cut to length                        (span.ts)
 *     free(p)     tile of p        -> slab record -> slot -> its bit;   or -> span that starts at p -> joined with its neighbours
 *
 * Nothing is kept in the blocks: all state is in the claim's metadata (heap-layout.ts), so a stray write through a view can spoil a
 * neighbour's bytes but never the heap. Every free is checked: an offset that is not the start of a live block finds no such slot
 * or span. Cost of a malloc and a free together: about 13 ns for a slot that is at hand, 25 ns for a kept span, 60 ns for one that is
 * cut and joined; 64 bytes of records for a slab of 4 to 32 KiB, 32 for a span.
 *
 * The two hot paths are written out in full, on 32-bit integers, for blocks in window 0; blocks in other windows take the general
 * path behind them.
 * @module
 */
import type { Arena } from '../arena/arena.ts'
import { wholeNumber } from '../arguments.ts'
import { CorruptedError, DoubleFreeError, InvalidFreeError } from '../errors.ts'
import type { AllocatorOptions, AllocatorStats } from './allocator.ts'
import { CLOSED } from './blocks.ts'
import { checkDecay, Decay, type Schedule, unreferencedTimer } from './decay.ts'
import { FreeingBlocks } from './freeing-blocks.ts'
import { checkHeap } from './heap-check.ts'
import * as layouts from './heap-layout.ts'
import { heapStats } from './heap-stats.ts'
import { HugeSpanTable } from './huge-span-table.ts'
import { Roots } from './roots.ts'
import * as classes from './size-class.ts'
import { SlabTable } from './slab-table.ts'
import type { SpanSource } from './span-map.ts'

// Local, so that the compiler takes them for constants: see span.ts.
const {
  BASE,
  BITS,
  CLASS_LOOKUP,
  COUNTDOWN,
  CURRENT_SLAB,
  FAR_WORD,
  FREE,
  HIGHEST,
  HUGE,
  INFO,
  KEPT,
  LIVE,
  ORIGIN,
  PART,
  SLAB,
  SLAB_SPAN,
  SLAB_TOP,
  SLOT,
  SPAN_TOP,
  TILE_TOP,
  TILES,
  WINDOW,
  WORD,
} = layouts
const { SMALL_MAX, TILE } = classes
const KEPT_MOST = layouts.KEPT_MOST
/** Offset within its window: the low 30 bits, of numbers beyond 2^32 too. */
const IN_WINDOW = WINDOW - 1

/** A block that grew to so many bytes and had to move goes where it can grow on. */
const ROOMY_LEAST = 65536

/** A heap without blocks gives its metadata back when a table of so many bytes has been used. */
const SHRINK_LEAST = 65536

/** Options of a heap. */
export interface HeapOptions extends AllocatorOptions {
  /**
   * Milliseconds after which freed memory that was not used again is given back: -1 never, 0 at once (slow).
   * @defaultValue 1000
   */
  readonly decayMs?: number | undefined
  /** What runs the timer of decay. @defaultValue setTimeout, unreferenced */
  readonly schedule?: Schedule | undefined
}

/** What a heap's parts need to know of each other: for heap-check.ts and heap-stats.ts. */
export interface HeapParts {
  readonly words: Int32Array
  readonly layout: layouts.HeapLayout
  readonly spans: HugeSpanTable
  readonly slabs: SlabTable
  readonly source: SpanSource
}

export class Heap extends FreeingBlocks {
  #words: Int32Array
  #parts: HeapParts
  #spans: HugeSpanTable
  #slabs: SlabTable
  /** Index in `#words` of the tile word for tile 0 of the arena. */
  #tiles: number
  /** Offsets below it may take the fast path of `free`: 0 while closed, and while inner claims make every free a special case. */
  #fastEnd = 0
  readonly #roots: Roots
  readonly #decay: Decay

  constructor(arena: Arena, options?: HeapOptions) {
    const decayMs = checkDecay(options?.decayMs)
    super('Heap', arena, options, heapTables)
    const { offset, byteLength, metadata, zeroed } = this.claim
    if (!zeroed) this.claim.clear(offset, byteLength)
    const layout = layouts.heapLayout(offset, byteLength, arena.pageSize)
    const words = new Int32Array(metadata)
    const source: SpanSource = {
      offset,
      byteLength,
      pageSize: arena.pageSize,
      limit: this.limit,
      purge: (at, length) => this.claim.purge(at, length),
      zero: (at, length) => this.zero(at, length),
      retire: () => this.#slabs.retire(),
      clearWords: (from, to) => this.#clearWords(from, to),
      freed: () => this.#decay.start(),
      metadataBytes: (more) => layouts.metadataInUse(words, layout, arena.pageSize, more),
    }
    this.#words = words
    this.#spans = new HugeSpanTable(words, new Float64Array(metadata, 0, layouts.ROOTS / 2), layout, source)
    this.#slabs = new SlabTable(words, this.#spans, layout, source.clearWords)
    this.#parts = { words, layout, spans: this.#spans, slabs: this.#slabs, source }
    this.#tiles = TILES - layout.firstTile
    this.#roots = new Roots(metadata)
    this.#slabs.reset()
    this.#spans.clear()
    this.#spans.open()
    this.#aimFast()
    const decaying = {
      freeDirtyBytes: () => this.#spans.committedBytes - this.#spans.usedBytes,
      purgeSome: (bytes: number) => this.#purge(bytes),
      watch: () => {
        this.#spans.watch = true
      },
    }
    this.#decay = new Decay(decaying, decayMs, options?.schedule ?? unreferencedTimer)
  }

  // ---- the fast paths ----

  override malloc(byteLength: number): number {
    if (typeof byteLength === 'number' && byteLength >>> 0 === byteLength && byteLength <= SMALL_MAX) {
      const m = this.#words
      const state = m[CLASS_LOOKUP + ((byteLength + 7) >>> 3)]
      const word = m[state + WORD]
      const bits = m[word]
      if (bits !== 0) {
        m[word] = bits & (bits - 1)
        return m[state + ORIGIN] + (31 - Math.clz32(bits & -bits)) * m[state + SLOT]
      }
    }
    const offset = this.#allocate(byteLength, false)
    if (offset === 0) throw this.outOfMemory(byteLength)
    return offset
  }

  override tryMalloc(byteLength: number): number {
    return this.#allocate(byteLength, false)
  }

  override free(block: number | ArrayBufferView): void {
    if (typeof block === 'number' && block >>> 0 === block && block < this.#fastEnd) {
      const m = this.#words
      const tile = m[TILES + (block >>> 12)]
      if (tile > 0) {
        const slab = tile & -16
        const info = m[slab + INFO]
        // In eighths: the distance from the slab's start, and the slot size.
        const distance = ((tile & 15) << 9) + ((block & 4095) >>> 3)
        const slot = Math.imul(distance, info >>> 17) >>> 15
        if (Math.imul(slot, (info >>> 9) & 255) === distance && slot < (info & 511) && (block & 7) === 0) {
          const word = slab + BITS + (slot >>> 5)
          const bits = m[word]
          const bit = 1 << (slot & 31)
          if ((bits & bit) === 0) {
            m[word] = bits | bit
            const left = m[slab + COUNTDOWN] - 1
            m[slab + COUNTDOWN] = left
            if (left === 0 || slot > m[slab + HIGHEST]) this.#slabs.noteFree(slab, slot)
            return
          }
        }
      }
    }
    this.#freeOther(block)
  }

  /** Frees what is no slot in window 0, or throws. */
  #freeOther(block: number | ArrayBufferView): void {
    const offset = typeof block === 'number' ? block : this.locate(block)
    const near = offset >>> 0 === offset && offset < this.#fastEnd
    const tile = near ? this.#words[TILES + (offset >>> 12)] : 0
    const span = tile < 0 ? this.#spans.find(0, offset) : 0
    if (span !== 0 && this.#spans.kind(span) === LIVE) this.#spans.free(span)
    else if (tile > 0 && offset !== block) this.free(offset)
    else {
      if (this.guard !== 0) this.assertFree(offset)
      this.freeAt(offset)
    }
  }

  override calloc(byteLength: number): number {
    // biome-ignore lint/complexity/noArguments: a rest parameter would build an array in every call.
    if (arguments.length === 1 && isOffset(byteLength) && byteLength <= SMALL_MAX) {
      const offset = this.malloc(byteLength)
      this.zeroNew(offset, (byteLength + 7) & -8)
      return offset
    }
    // biome-ignore lint/complexity/noArguments: as above.
    return super.calloc.apply(this, arguments as unknown as [number])
  }

  override realloc(offset: number, byteLength: number): number {
    if (isOffset(offset) && offset < this.#fastEnd && isOffset(byteLength)) {
      const usable = this.#usable(offset)
      if (usable > 0) {
        // A slot stays while it is at least three quarters used: moving costs more than the rest is worth.
        if (byteLength <= usable && byteLength >= usable - (usable >>> 2) && usable <= SMALL_MAX) return offset
        if (usable > SMALL_MAX && this.resizeAt(offset, usable, byteLength)) return offset
        const moved =
          byteLength > usable && byteLength >= ROOMY_LEAST ? this.#mallocRoomy(byteLength) : this.malloc(byteLength)
        this.copyNew(moved, offset, byteLength < usable ? byteLength : usable)
        this.free(offset)
        return moved
      }
    }
    return super.realloc(offset, byteLength)
  }

  #mallocRoomy(byteLength: number): number {
    const span = byteLength <= WINDOW / 4 ? this.#spans.allocateRoomy((byteLength + 7) & -8) : 0
    return span === 0 ? this.malloc(byteLength) : this.#spans.offset(span)
  }

  /** Usable bytes of a live block in window 0, or 0 when there is none at the offset. */
  #usable(offset: number): number {
    const m = this.#words
    const tile = m[TILES + (offset >>> 12)]
    if (tile > 0) {
      const info = m[(tile & -16) + INFO]
      const distance = ((tile & 15) << 9) + ((offset & 4095) >>> 3)
      const slot = Math.imul(distance, info >>> 17) >>> 15
      const size = (info >>> 6) & 2040
      return Math.imul(slot, size) === distance << 3 && (offset & 7) === 0 && this.#slabs.live(tile & -16, slot)
        ? size
        : 0
    }
    const span = this.#spans.find(0, offset)
    return span !== 0 && this.#spans.kind(span) === LIVE ? this.#spans.partLength(span) : 0
  }

  // ---- allocating ----

  /** Any request, anywhere; 0 when full. With `zero` the block reads zero. */
  #allocate(byteLength: number, zero: boolean): number {
    if (isOffset(byteLength) && byteLength <= SMALL_MAX && this.guard !== CLOSED) {
      const offset = this.#takeSlot(this.#words[CLASS_LOOKUP + ((byteLength + 7) >>> 3)])
      if (zero && offset !== 0) this.zeroNew(offset, (byteLength + 7) & -8)
      return offset
    }
    if (isOffset(byteLength) && byteLength <= KEPT_MOST && this.guard === 0) {
      const kept = this.#spans.takeKept((byteLength + 7) & -8, zero)
      if (kept !== 0) return this.#spans.offset(kept)
      const span = this.#spans.allocate((byteLength + 7) & -8, 8, LIVE, zero)
      return span === 0 ? 0 : this.#spans.offset(span)
    }
    if (this.guard !== 0) this.assertOpen()
    wholeNumber('byteLength', byteLength)
    return this.#allocateSpan(8, byteLength, zero)
  }

  #allocateSpan(alignment: number, byteLength: number, zero: boolean): number {
    if (byteLength > this.claim.byteLength) return 0
    const length = Math.max(8, Math.ceil(byteLength / 8) * 8)
    const span =
      length <= WINDOW
        ? this.#spans.allocate(length, alignment, LIVE, zero)
        : this.#spans.allocateHuge(length, alignment, zero)
    return span === 0 ? 0 : this.#spans.offset(span)
  }

  /** A slot of a class, in any window; 0 when full. */
  #takeSlot(state: number): number {
    const m = this.#words
    if (m[m[state + FAR_WORD]] === 0 && !this.#slabs.refill(state)) return 0
    const word = m[state + FAR_WORD]
    const bits = m[word]
    m[word] = bits & (bits - 1)
    const start = m[state + ORIGIN] + (31 - Math.clz32(bits & -bits)) * m[state + SLOT]
    return this.#spans.window(m[m[state + CURRENT_SLAB] + SLAB_SPAN]) * WINDOW + start
  }

  protected override tryCalloc(byteLength: number): number {
    return this.#allocate(byteLength, true)
  }

  protected override tryMemalign(alignment: number, byteLength: number): number {
    if (this.guard !== 0) this.assertOpen()
    wholeNumber('byteLength', byteLength)
    if (alignment <= 8) return this.#allocate(byteLength, false)
    // Slabs start on tiles, so a slot whose size is a multiple of the alignment is aligned.
    const size = Math.ceil(Math.max(byteLength, 1) / alignment) * alignment
    if (size <= SMALL_MAX && alignment <= TILE) {
      const state = this.#words[CLASS_LOOKUP + (size >>> 3)]
      if (this.#words[state + SLOT] % alignment === 0) return this.#takeSlot(state)
    }
    return this.#allocateSpan(alignment, byteLength, false)
  }

  // ---- blocks that are there ----

  /**
   * The record of the slab whose live slot starts at an offset, or minus the record of the live span that does; throws
   * ERR_DOUBLE_FREE or ERR_INVALID_FREE when there is none.
   */
  #find(offset: number): number {
    const start = offset & IN_WINDOW
    const window = (offset - start) / WINDOW
    const { offset: first, byteLength } = this.claim
    if (!Number.isInteger(offset) || offset < first || offset >= first + byteLength)
      throw new InvalidFreeError(`${offset} is not an offset in this heap`)
    const m = this.#words
    const tile = m[this.#tiles + Math.floor(offset / TILE)]
    if (tile > 0) {
      const slab = tile & -16
      const distance = start - m[slab + BASE]
      const slot = this.#slotOf(slab, offset)
      if (slot * this.#slabs.slotSize(slab) === distance && this.#slabs.live(slab, slot)) return slab
      throw this.#notLive(offset, slab, distance)
    }
    const span = this.#spans.find(window, start)
    const kind = span === 0 ? 0 : this.#spans.kind(span)
    if (kind === LIVE || kind === HUGE) return -span
    throw this.#notLiveSpan(offset, window, start)
  }

  /** The slot that an offset in a slab lies in. */
  #slotOf(slab: number, offset: number): number {
    return Math.floor(((offset & IN_WINDOW) - this.#words[slab + BASE]) / this.#slabs.slotSize(slab))
  }

  #notLive(offset: number, slab: number, distance: number): Error {
    const size = this.#slabs.slotSize(slab)
    const slot = Math.floor(distance / size)
    if (slot * size !== distance)
      return new InvalidFreeError(`${offset} lies ${distance - slot * size} bytes inside a slot of ${size} bytes`)
    if (this.#slabs.everUsed(slab, slot)) return new DoubleFreeError(`the block at ${offset} has already been freed`)
    return new InvalidFreeError(`no block was ever handed out at ${offset}`)
  }

  #notLiveSpan(offset: number, window: number, start: number): Error {
    if (offset % 8 !== 0) return new InvalidFreeError(`${offset} is not a multiple of 8: no block starts there`)
    const span = this.#spans.around(window, start)
    const kind = span === 0 ? 0 : this.#spans.kind(span)
    if (kind === LIVE || kind === HUGE || kind === PART) return new InvalidFreeError(`${offset} lies inside a block`)
    if (kind === KEPT || (kind === FREE && this.#spans.everUsed(window, start)))
      return new DoubleFreeError(`the block at ${offset} has already been freed`)
    return new InvalidFreeError(`no block was ever handed out at ${offset}`)
  }

  protected override freeAt(offset: number): void {
    if (this.guard !== 0) this.assertOpen()
    const slab = this.#find(offset)
    if (slab < 0) {
      if (this.#spans.kind(-slab) === HUGE) this.#spans.releaseHuge(-slab)
      else this.#spans.free(-slab)
      return
    }
    this.#slabs.free(slab, this.#slotOf(slab, offset))
  }

  protected override sizeAt(offset: number): number {
    const found = this.#find(offset)
    return found > 0 ? this.#slabs.slotSize(found) : this.#spans.length(-found)
  }

  protected override resizeAt(offset: number, usable: number, byteLength: number): boolean {
    wholeNumber('byteLength', byteLength)
    if (usable <= SMALL_MAX) return byteLength <= usable && byteLength >= usable - (usable >>> 2)
    if (byteLength <= SMALL_MAX) return false
    const span = -this.#find(offset)
    if (span < 0) return false
    // A huge block is not cut: it moves when it would keep less than half.
    if (this.#spans.kind(span) === HUGE) return byteLength <= usable && byteLength > usable / 2
    return byteLength <= WINDOW && this.#spans.resize(span, Math.ceil(byteLength / 8) * 8)
  }

  override blockAround(offset: number, byteLength: number): { offset: number; byteLength: number } | undefined {
    const start = offset & IN_WINDOW
    const window = (offset - start) / WINDOW
    const slab = this.#words[this.#tiles + Math.floor(offset / TILE)] & -16
    let block: { offset: number; byteLength: number }
    if (slab > 0) {
      const size = this.#slabs.slotSize(slab)
      const slot = Math.floor((start - this.#words[slab + BASE]) / size)
      if (!this.#slabs.live(slab, slot)) return undefined
      block = { offset: window * WINDOW + this.#words[slab + BASE] + slot * size, byteLength: size }
    } else {
      const span = this.#spans.headOf(this.#spans.around(window, start))
      if (span === 0) return undefined
      block = { offset: this.#spans.offset(span), byteLength: this.#spans.length(span) }
    }
    return offset + byteLength <= block.offset + block.byteLength ? block : undefined
  }

  /** Every live block. The one that was given last may be freed; what else changes may or may not be seen. */
  override *blocks(): Generator<{ offset: number; byteLength: number }> {
    this.assertOpen()
    for (const span of this.#spans.all()) {
      const kind = this.#spans.kind(span)
      if (kind === LIVE || kind === HUGE)
        yield { offset: this.#spans.offset(span), byteLength: this.#spans.length(span) }
      if (kind === SLAB) yield* this.#slabs.liveSlots(this.#spans.slabOf(span))
      this.assertOpen()
    }
  }

  // ---- roots ----

  /** Stores an offset under a name in the heap's header, where whoever attaches finds it. 0 removes it. */
  setRoot(name: string, offset: number): void {
    this.assertOpen()
    wholeNumber('offset', offset)
    if (offset !== 0) this.sizeAt(offset)
    this.#roots.set(name, offset)
  }

  /** The offset stored under a name, or 0. */
  root(name: string): number {
    this.assertOpen()
    return this.#roots.get(name)
  }

  // ---- the whole heap ----

  override purge(): number {
    this.assertOpen()
    return this.#purge(Number.POSITIVE_INFINITY)
  }

  #purge(most: number): number {
    this.#slabs.retire()
    const bytes = this.#spans.purge(most)
    if (this.#spans.usedBytes !== 0 || this.#spans.pages.committed !== 0) return bytes
    const { source } = this.#parts
    const metadata = source.metadataBytes(0)
    this.#shrink()
    return bytes + metadata - source.metadataBytes(0)
  }

  /** Makes metadata read zero: long tables by giving their pages back, the rest by filling. */
  #clearWords(from: number, to: number): void {
    const m = this.#words
    const pageWords = this.arena.pageSize / 4
    const first = Math.ceil(from / pageWords) * pageWords
    const last = Math.floor(to / pageWords) * pageWords
    if (to - from < SHRINK_LEAST / 4 || this.claim.metadata.byteLength < SHRINK_LEAST) m.fill(0, from, to)
    else {
      try {
        this.claim.purgeMetadata(first * 4, (last - first) * 4)
      } catch {
        // What the kernel will not take back is filled: a reset must not stop halfway.
        m.fill(0, first, last)
      }
      m.fill(0, from, first)
      m.fill(0, last, to)
    }
  }

  /** Gives back the metadata of a heap without blocks: all of it but the header reads zero again. */
  #shrink(): void {
    const m = this.#words
    const { layout } = this.#parts
    const used = Math.max(m[SPAN_TOP] - layout.spans, m[SLAB_TOP] - layout.slabs, m[TILE_TOP])
    if (used * 4 < SHRINK_LEAST) return
    this.#slabs.reset()
    this.#spans.clear()
    this.claim.purgeMetadata(TILES * 4, this.claim.metadata.byteLength - TILES * 4)
    this.#spans.open()
  }

  override reset(): void {
    this.assertOpen()
    this.claim.revokeInner()
    this.#slabs.reset()
    this.#spans.reset()
    this.#roots.clear()
  }

  override stats(): AllocatorStats {
    this.assertOpen()
    return heapStats(this.#parts)
  }

  override check(): void {
    this.assertOpen()
    this.checkHeader()
    const lie = checkHeap(this.#parts)
    if (lie !== undefined) throw new CorruptedError(`Heap: ${lie}`)
  }

  override innerClaims(count: number): void {
    super.innerClaims(count)
    this.#aimFast()
  }

  protected override forget(): void {
    this.#decay.stop()
    this.#fastEnd = 0
    this.#words = NO_WORDS
  }

  #aimFast(): void {
    const { offset, byteLength } = this.claim
    this.#fastEnd = this.guard === 0 && offset < TILE ? Math.min(WINDOW, offset + byteLength) : 0
  }
}

/** Whether a value is a whole number below 2^32. */
function isOffset(value: number): boolean {
  return typeof value === 'number' && value >>> 0 === value
}

/** What a closed heap looks at: a class for every size, and no free bit in it. */
const NO_WORDS: Int32Array = new Int32Array(layouts.ROOTS)

function heapTables(byteLength: number): { byteLength: number; at: Record<string, number>; hash: number } {
  return { byteLength: layouts.heapMetadataBytes(byteLength), at: {}, hash: layouts.LAYOUT_HASH }
}
