/**
 * All of a heap but its fast paths (heap.ts): long blocks, blocks that are there already, roots, and the whole.
 *
 *     HeapBase   slow, thorough, any window, any offset    heap-blocks.ts finds blocks, span-table.ts and slab-table.ts change them
 *       Heap     fast, the usual block                     hands over to this at the first thing that is not usual
 *
 * Cost: what the tables cost; a call that comes through here takes some 20 ns more than one that does not.
 *
 * Longer than other files: it is one class, with all calls that are not hot.
 * @module
 */
import type { Arena } from '../arena/arena.ts'
import type { ClaimHolder } from '../arena/claim.ts'
import { wholeNumber } from '../arguments.ts'
import { ArenaBusyError, CorruptedError } from '../errors.ts'
import type { AllocatorStats, SizeClassStats } from './allocator.ts'
import { READER } from './blocks.ts'
import { checkDecay, Decay, type Decaying, unreferencedTimer } from './decay.ts'
import { FreeingBlocks } from './freeing-blocks.ts'
import { ATTACH, adoptHeap, recover } from './heap-attach.ts'
import { blockAround, blockAt, liveBlocks } from './heap-blocks.ts'
import { checkHeap } from './heap-check.ts'
import { heapLayout, metadataInUse, Tag, Window } from './heap-layout.ts'
import type { HeapAttachOptions, HeapOptions, HeapRole } from './heap-options.ts'
import { type HeapParts, heapParts } from './heap-parts.ts'
import { heapSizeClasses, heapStats } from './heap-stats.ts'
import { clearWords, heapTables, shrinkTables } from './heap-tables.ts'
import { Roots } from './roots.ts'
import { Size } from './size-class.ts'
import type { SpanSource } from './span-map.ts'
import { WriterRole } from './writer-role.ts'

/** A block that grew to so many bytes and had to move goes where it can grow on. */
const ROOMY_LEAST = 65536

export abstract class HeapBase extends FreeingBlocks {
  protected readonly parts: HeapParts = this.#makeParts()
  readonly #roots: Roots = new Roots(this.claim.metadata)
  readonly #decay: Decay
  readonly #role: WriterRole
  /** Whether a writer before this one died with the heap, so that it was rebuilt when this one attached. */
  readonly recovered: boolean

  protected constructor(arena: Arena, options?: HeapOptions | HeapAttachOptions, attach?: typeof ATTACH) {
    const decayMs = checkDecay(options?.decayMs)
    let role: HeapRole = 'writer'
    const adopt = (holder: ClaimHolder) => {
      const found = adoptHeap(arena, holder, options as HeapAttachOptions | undefined)
      role = found.role
      return found.claim
    }
    super('Heap', arena, options, heapTables, attach === ATTACH ? adopt : undefined)
    this.#role = new WriterRole(arena, this.claim.metadata)
    this.recovered = attach === ATTACH && role === 'writer' && this.#recover()
    if (attach !== ATTACH) this.#begin()
    if (role === 'writer') this.#role.take()
    else this.guard |= READER
    this.#decay = new Decay(this.#decaying(), role === 'writer' ? decayMs : -1, options?.schedule ?? unreferencedTimer)
  }

  /** The state of a heap that was never used. When it cannot be had the claim is given back. */
  #begin(): void {
    const { claim } = this
    try {
      if (!claim.zeroed) claim.clear(claim.offset, claim.byteLength)
    } catch (error) {
      try {
        claim.release()
      } catch {
        // What the kernel refused once it may refuse again. `attach` sees by the header that no heap is there, and gives the range back.
        claim.leave()
      }
      throw error
    }
    this.parts.slabs.reset()
    this.parts.spans.clear()
    this.parts.spans.open()
  }

  /** Puts right what a writer left that died; false when none did. When it cannot be, the claim is left as it was. */
  #recover(): boolean {
    if (!this.#role.dirty) return false
    try {
      recover(this.parts)
      return true
    } catch (error) {
      this.claim.leave()
      throw error
    }
  }

  #decaying(): Decaying {
    const { spans, slabs } = this.parts
    return {
      freeDirtyBytes: () => {
        // What waits to be taken again is free as well.
        slabs.retire()
        spans.dropKept()
        return spans.committedBytes - spans.usedBytes
      },
      purgeSome: (bytes) => this.#purge(bytes),
      watch: () => {
        slabs.parkAll()
        // Of kept spans only the first in an empty list is told of.
        spans.dropKept()
        spans.watch = true
      },
    }
  }

  #makeParts(): HeapParts {
    const { offset, byteLength, metadata } = this.claim
    const { pageSize } = this.arena
    const words = new Int32Array(metadata)
    const layout = heapLayout(offset, byteLength, pageSize)
    const source: SpanSource = {
      offset,
      byteLength,
      pageSize,
      limit: this.limit,
      purge: (at, length) => this.claim.purge(at, length),
      zero: (at, length) => this.zero(at, length),
      retire: () => this.parts.slabs.retire(),
      clearWords: (from, to) => clearWords(this.claim, words, pageSize / 4, from, to),
      freed: () => this.#decay.start(),
      stirred: () => this.#decay.startLater(),
      metadataBytes: (records, end) => metadataInUse(words, layout, pageSize, records, end),
    }
    return heapParts(words, layout, source)
  }

  /** Whether this one may change the heap. */
  get role(): HeapRole {
    return this.#role.held ? 'writer' : 'reader'
  }

  // ---- allocating ----

  protected allocateSpan(alignment: number, byteLength: number, zero: boolean): number {
    if (byteLength > this.claim.byteLength) return 0
    const length = Math.max(8, Math.ceil(byteLength / 8) * 8)
    const span =
      length <= Window.BYTES
        ? this.parts.spans.allocate(length, alignment, Tag.LIVE, zero)
        : this.parts.spans.allocateHuge(length, alignment, zero)
    return span === 0 ? 0 : this.parts.spans.offset(span)
  }

  // ---- blocks that are there ----

  protected reallocSpan(offset: number, span: number, byteLength: number): number {
    wholeNumber('byteLength', byteLength)
    if (this.#resizeSpan(span, byteLength)) return offset
    const usable = this.parts.spans.length(span)
    const roomy = byteLength > usable && byteLength >= ROOMY_LEAST
    const moved = roomy ? this.#mallocRoomy(byteLength) : this.malloc(byteLength)
    this.copyNew(moved, offset, byteLength < usable ? byteLength : usable)
    this.free(offset)
    return moved
  }

  #mallocRoomy(byteLength: number): number {
    const span = byteLength <= Window.BYTES / 4 ? this.parts.spans.allocateRoomy((byteLength + 7) & -8) : 0
    return span === 0 ? this.malloc(byteLength) : this.parts.spans.offset(span)
  }

  protected override freeAt(offset: number): void {
    if (this.guard !== 0) this.assertWritable()
    const found = blockAt(this.parts, offset)
    if (found > 0)
      this.parts.slabs.free(found, this.parts.slabs.slotAt(found, offset - this.parts.slabs.firstSlot(found)))
    else if (this.parts.spans.kind(-found) === Tag.HUGE) this.parts.spans.releaseHuge(-found)
    else this.parts.spans.free(-found)
  }

  protected override sizeAt(offset: number): number {
    const found = blockAt(this.parts, offset)
    return found > 0 ? this.parts.slabs.slotSize(found) : this.parts.spans.length(-found)
  }

  protected override resizeAt(offset: number, usable: number, byteLength: number): boolean {
    wholeNumber('byteLength', byteLength)
    const found = blockAt(this.parts, offset)
    if (found < 0) return this.#resizeSpan(-found, byteLength)
    return byteLength <= usable && byteLength >= usable - (usable >>> 2)
  }

  #resizeSpan(span: number, byteLength: number): boolean {
    if (byteLength <= Size.SMALL_MAX) return false
    // A huge block is not cut: it moves when it would keep less than half.
    if (this.parts.spans.kind(span) === Tag.HUGE) {
      const usable = this.parts.spans.length(span)
      return byteLength <= usable && byteLength > usable / 2
    }
    return byteLength <= Window.BYTES && this.parts.spans.resize(span, Math.ceil(byteLength / 8) * 8)
  }

  override blockAround(offset: number, byteLength: number): { offset: number; byteLength: number } | undefined {
    return blockAround(this.parts, offset, byteLength)
  }

  /** Every live block. The one that was given last may be freed; what else changes may or may not be seen. */
  override *blocks(): Generator<{ offset: number; byteLength: number }> {
    this.assertOpen()
    for (const block of liveBlocks(this.parts)) {
      yield block
      this.assertOpen()
    }
  }

  // ---- roots ----

  /** Stores an offset under a name in the heap's header, where whoever attaches finds it. 0 removes it. */
  setRoot(name: string, offset: number): void {
    this.assertWritable()
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
    this.assertWritable()
    return this.#purge(Number.POSITIVE_INFINITY)
  }

  #purge(most: number): number {
    const { source, spans } = this.parts
    const before = spans.committedBytes + source.metadataBytes(0, 0)
    this.parts.slabs.retire()
    spans.purge(most)
    if (spans.usedBytes === 0 && spans.pages.committed === 0) shrinkTables(this.parts, this.claim)
    return before - spans.committedBytes - source.metadataBytes(0, 0)
  }

  override reset(): void {
    this.assertWritable()
    this.claim.revokeInner()
    // Spans first: without a span there is no block, whatever else is left undone.
    this.parts.spans.reset()
    this.parts.slabs.reset()
    this.#roots.clear()
    this.parts.spans.noteRelease()
  }

  protected override totals(): AllocatorStats {
    return heapStats(this.parts)
  }

  protected override sizeClasses(): SizeClassStats[] {
    return heapSizeClasses(this.parts)
  }

  override check(): void {
    this.assertOpen()
    this.checkHeader()
    const lie = checkHeap(this.parts)
    if (lie !== undefined) throw new CorruptedError(`Heap: ${lie}`)
    this.checkTotals()
  }

  // ---- the end ----

  /**
   * Ends this one's part in the heap. On memory that others can reach, or find again, the heap stays as it is, and its writer gives the
   * role up; elsewhere it is gone, as after `destroy`.
   */
  override close(): void {
    if (this.isClosed) return
    if (this.#role.held && !this.claim.stays) super.close()
    else {
      this.#role.give()
      this.claim.leave()
      this.revoked()
    }
  }

  /** Ends the heap itself, whoever else has it: all its blocks, its metadata, and its claim. Only the writer may. */
  destroy(): void {
    this.assertWritable()
    super.close()
  }

  protected override readOnly(): ArenaBusyError {
    return new ArenaBusyError(`Heap is attached as a reader; its writer is ${this.#role.describe()}`)
  }

  protected override forget(): void {
    this.#decay.stop()
    this.#role.give()
  }
}
