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
import { afterwards } from '../arena/ending.ts'
import { wholeNumber } from '../arguments.ts'
import { ArenaBusyError, CorruptedError } from '../errors.ts'
import { hooksOf, type Own, ownOf, READER } from './blocks.ts'
import { Decay, type Decaying } from './decay.ts'
import { FreeingBlocks, type FreeingHooks } from './freeing-blocks.ts'
import { ATTACH, adoptHeap, verifyForReader, verifyForWriter } from './heap-attach.ts'
import { blockAround, blockAt, liveBlocks } from './heap-blocks.ts'
import { checkHeap } from './heap-check.ts'
import { heapLayout, metadataInUse, Tag, Window } from './heap-layout.ts'
import {
  type CheckedAttachOptions,
  type CheckedHeapOptions,
  checkAttach,
  checkHeapOptions,
  type HeapAttachOptions,
  type HeapOptions,
  type HeapRole,
} from './heap-options.ts'
import { type HeapParts, heapParts } from './heap-parts.ts'
import { sealTables } from './heap-seal.ts'
import { heapGlance, heapSizeClasses, heapStats } from './heap-stats.ts'
import { clearWords, heapTables, shrinkTables } from './heap-tables.ts'
import { Roots } from './roots.ts'
import { Size } from './size-class.ts'
import type { SpanSource } from './span-map.ts'
import { WriterRole } from './writer-role.ts'

const NO_RANGE = { offset: undefined, byteLength: undefined, limit: undefined }

/** A block that grew to so many bytes and had to move goes where it can grow on. */
const ROOMY_LEAST = 65536

/** What `Heap` does in its own way: the rest of an allocator's hooks is here. @internal */
export type HeapHooks = Pick<FreeingHooks, 'tryCalloc' | 'tryMemalign' | 'forget' | 'guarded'>

/** Hooks of a heap: those of its class, and those that are here. @internal */
export function heapHooks(hooks: HeapHooks): FreeingHooks {
  return makeHooks(hooks)
}

let makeHooks: (hooks: HeapHooks) => FreeingHooks

/** What `Heap` has of the slow half of itself. @internal */
export interface SlowHeap {
  readonly own: Own<never, FreeingHooks>
  readonly parts: HeapParts
  allocateSpan(alignment: number, byteLength: number, zero: boolean): number
  reallocSpan(offset: number, span: number, byteLength: number): number
}

let slowHalf: (heap: HeapBase) => SlowHeap

/** The slow half of a heap. For `Heap`, once, when it is made. @internal */
export function slowHalfOf(heap: HeapBase): SlowHeap {
  return slowHalf(heap)
}

export abstract class HeapBase extends FreeingBlocks {
  readonly #own: Own<never, FreeingHooks> = ownOf(this)
  readonly #parts: HeapParts = this.#makeParts()
  readonly #roots: Roots = this.#makeRoots()
  readonly #decay: Decay
  readonly #role: WriterRole
  /** Whether a writer before this one died with the heap, so that it was rebuilt when this one attached. */
  readonly recovered: boolean

  static {
    makeHooks = (hooks) =>
      hooksOf<FreeingHooks>({
        ...hooks,
        forget: (self: HeapBase) => {
          self.#forget()
          hooks.forget(self)
        },
        undo: (self: HeapBase, offset) => self.#freeAt(offset),
        blockAround: (self: HeapBase, offset, byteLength) => blockAround(self.#parts, offset, byteLength),
        totals: (self: HeapBase) => heapStats(self.#parts),
        sizeClasses: (self: HeapBase) => heapSizeClasses(self.#parts),
        dropBlocks: (self: HeapBase) => self.#dropBlocks(),
        glance: (self: HeapBase) => heapGlance(self.#parts),
        sizeAt: (self: HeapBase, offset) => self.#sizeAt(offset),
        freeAt: (self: HeapBase, offset) => self.#freeAt(offset),
        resizeAt: (self: HeapBase, offset, usable, byteLength) => self.#resizeAt(offset, usable, byteLength),
      })
    slowHalf = (heap) => ({
      own: heap.#own,
      parts: heap.#parts,
      allocateSpan: (alignment, byteLength, zero) => heap.#allocateSpan(alignment, byteLength, zero),
      reallocSpan: (offset, span, byteLength) => heap.#reallocSpan(offset, span, byteLength),
    })
  }

  /** @internal */
  protected constructor(
    arena: Arena,
    hooks: FreeingHooks,
    options: HeapOptions | HeapAttachOptions | undefined,
    attach?: typeof ATTACH
  ) {
    const attaching = attach === ATTACH
    const asked = attaching ? checkAttach(options as HeapAttachOptions) : checkHeapOptions(options as HeapOptions)
    let role: HeapRole = 'writer'
    const adopt = (holder: ClaimHolder) => {
      const found = adoptHeap(arena, holder, asked as CheckedAttachOptions)
      role = found.role
      return found.claim
    }
    super(arena, {
      kind: 'Heap',
      // One that is there has its range and its limit already.
      options: attaching ? { ...NO_RANGE, onFull: asked.onFull } : (asked as CheckedHeapOptions),
      hooks,
      layoutOf: heapTables,
      adopt: attaching ? adopt : undefined,
    })
    const own = this.#own
    const { words, layout } = this.#parts
    this.#role = new WriterRole(own.inside, own.claim.metadata, () => sealTables(words, layout))
    this.recovered = attaching && this.#verify(role)
    if (!attaching) this.#begin()
    if (role === 'writer') {
      this.#role.take()
      own.claim.storeOnLeave(this.#role)
    } else own.guard |= READER
    this.#decay = new Decay(this.#decaying(), role === 'writer' ? asked.decayMs : -1, asked.schedule)
  }

  /** The state of a heap that was never used. When it cannot be had the claim is given back. */
  #begin(): void {
    const { claim } = this.#own
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
    this.#parts.slabs.reset()
    this.#parts.spans.clear()
    this.#parts.spans.open()
    // From here on a heap is there (writer-role.ts).
    sealTables(this.#parts.words, this.#parts.layout)
  }

  /**
   * Proves the tables that another has written, or rebuilds what a writer left that died: true then. When they contradict themselves the
   * claim is left as it was.
   */
  #verify(role: HeapRole): boolean {
    const parts = this.#parts
    const { claim } = this.#own
    try {
      return role === 'reader'
        ? verifyForReader(parts, () => this.#role.dirty)
        : verifyForWriter(parts, claim, this.#role.dirty)
    } catch (error) {
      this.#own.claim.leave()
      throw error
    }
  }

  #decaying(): Decaying {
    const { spans, slabs } = this.#parts
    return {
      freeDirtyBytes: () =>
        unasked(() => {
          // What waits to be taken again is free as well.
          slabs.retire()
          spans.dropKept()
          return spans.committedBytes - spans.usedBytes
        }),
      purgeSome: (bytes) => {
        unasked(() => this.#purge(bytes))
        this.tellPages()
      },
      watch: () => {
        unasked(() => {
          slabs.parkAll()
          // Of kept spans only the first in an empty list is told of.
          spans.dropKept()
          return 0
        })
        spans.watch = true
      },
    }
  }

  #makeParts(): HeapParts {
    const { claim, arena, limit, news } = this.#own
    const { offset, byteLength, metadata } = claim
    const { pageSize } = arena
    const words = new Int32Array(metadata)
    const layout = heapLayout(offset, byteLength, pageSize)
    const source: SpanSource = {
      offset,
      byteLength,
      pageSize,
      limit,
      purge: (at, length) => {
        claim.purge(at, length)
        news.gave(length)
        if (news.pending) this.#parts.spans.notePages()
      },
      grew: (length) => {
        news.grew(length)
        if (news.pending) this.#parts.spans.notePages()
      },
      tellPages: () => this.tellPages(),
      zero: (at, length) => this.zero(at, length),
      retire: () => this.#parts.slabs.retire(),
      clearWords: (from, to) => clearWords(claim, words, pageSize / 4, from, to),
      freed: () => afterwards(() => this.#decay.start()),
      stirred: () => afterwards(() => this.#decay.startLater()),
      metadataBytes: (records, end) => metadataInUse(words, layout, pageSize, records, end),
    }
    return heapParts(words, layout, source)
  }

  #makeRoots(): Roots {
    const { words, layout, spans, source } = this.#parts
    return new Roots(words, layout, () => spans.committedBytes + source.metadataBytes(0, 0) <= source.limit)
  }

  /** Whether this one may change the heap. */
  get role(): HeapRole {
    return this.#role.held ? 'writer' : 'reader'
  }

  // ---- allocating ----

  #allocateSpan(alignment: number, byteLength: number, zero: boolean): number {
    if (byteLength > this.#own.claim.byteLength) return 0
    const length = Math.max(8, Math.ceil(byteLength / 8) * 8)
    const span =
      length <= Window.BYTES
        ? this.#parts.spans.allocate(length, alignment, Tag.LIVE, zero)
        : this.#parts.spans.allocateHuge(length, alignment, zero)
    return span === 0 ? 0 : this.#parts.spans.offset(this.#parts.spans.sound(span))
  }

  // ---- blocks that are there ----

  #reallocSpan(offset: number, span: number, byteLength: number): number {
    wholeNumber('byteLength', byteLength)
    const resized = this.#resizeSpan(span, byteLength)
    this.#parts.spans.tell()
    if (resized) return offset
    const usable = this.#parts.spans.length(span)
    const roomy = byteLength > usable && byteLength >= ROOMY_LEAST
    const moved = roomy ? this.#mallocRoomy(byteLength) : this.malloc(byteLength)
    this.copyNew(moved, offset, byteLength < usable ? byteLength : usable)
    this.free(offset)
    return moved
  }

  #mallocRoomy(byteLength: number): number {
    const span = byteLength <= Window.BYTES / 4 ? this.#parts.spans.allocateRoomy((byteLength + 7) & -8) : 0
    return span === 0 ? this.malloc(byteLength) : this.#parts.spans.offset(this.#parts.spans.sound(span))
  }

  #freeAt(offset: number): void {
    if (this.#own.guard !== 0) this.assertWritable()
    const found = blockAt(this.#parts, offset)
    if (found > 0)
      this.#parts.slabs.free(found, this.#parts.slabs.slotAt(found, offset - this.#parts.slabs.firstSlot(found)))
    else if (this.#parts.spans.kind(-found) === Tag.HUGE) this.#parts.spans.releaseHuge(-found)
    else this.#parts.spans.free(-found)
    this.#parts.spans.tell()
  }

  #sizeAt(offset: number): number {
    const found = blockAt(this.#parts, offset)
    return found > 0 ? this.#parts.slabs.slotSize(found) : this.#parts.spans.length(-found)
  }

  #resizeAt(offset: number, usable: number, byteLength: number): boolean {
    wholeNumber('byteLength', byteLength)
    const found = blockAt(this.#parts, offset)
    if (found < 0) {
      const resized = this.#resizeSpan(-found, byteLength)
      this.#parts.spans.tell()
      return resized
    }
    return byteLength <= usable && byteLength >= usable - (usable >>> 2)
  }

  #resizeSpan(span: number, byteLength: number): boolean {
    if (byteLength <= Size.SMALL_MAX) return false
    // A huge block is not cut: it moves when it would keep less than half.
    if (this.#parts.spans.kind(span) === Tag.HUGE) {
      const usable = this.#parts.spans.length(span)
      return byteLength <= usable && byteLength > usable / 2
    }
    return byteLength <= Window.BYTES && this.#parts.spans.resize(span, Math.ceil(byteLength / 8) * 8)
  }

  /** Every live block. The one that was given last may be freed; what else changes may or may not be seen. */
  override *blocks(): Generator<{ offset: number; byteLength: number }> {
    this.assertOpen()
    for (const block of liveBlocks(this.#parts)) {
      yield block
      this.assertOpen()
    }
  }

  // ---- roots ----

  /**
   * Stores an offset under a name in the heap's tables, where whoever attaches finds it. 0 removes it.
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
    this.assertWritable()
    wholeNumber('offset', offset)
    if (offset !== 0) this.#sizeAt(offset)
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
    this.assertOpen()
    return this.#roots.get(name)
  }

  // ---- the whole heap ----

  override purge(): number {
    this.assertWritable()
    const given = this.#purge(Number.POSITIVE_INFINITY)
    this.#parts.spans.tell()
    return given
  }

  #purge(most: number): number {
    const { source, spans } = this.#parts
    const before = spans.committedBytes + source.metadataBytes(0, 0)
    this.#parts.slabs.retire()
    spans.purge(most)
    if (spans.usedBytes === 0 && spans.pages.committed === 0) shrinkTables(this.#parts, this.#own.claim)
    return before - spans.committedBytes - source.metadataBytes(0, 0)
  }

  override reset(): void {
    super.reset()
    this.#parts.spans.tell()
  }

  #dropBlocks(): void {
    // Spans first: without a span there is no block, whatever else is left undone.
    this.#parts.spans.reset()
    this.#parts.slabs.reset()
    this.#roots.clear()
    this.#parts.spans.noteRelease()
  }

  override check(): void {
    this.assertOpen()
    this.checkHeader()
    const lie = checkHeap(this.#parts)
    if (lie !== undefined) throw new CorruptedError(`Heap: ${lie}`)
    this.checkTotals()
  }

  // ---- the end ----

  /**
   * Ends this one's part in the heap. On memory that others can reach, or find again, the heap stays as it is, and its writer gives the
   * role up; elsewhere it is gone, as after `destroy`.
   */
  override close(): void {
    if (this.#role.held && !this.#own.claim.stays) super.close()
    else this.endBy(() => this.#own.claim.leave())
  }

  /**
   * Ends the heap itself, whoever else has it: all its blocks, its metadata, and its claim. Only the writer may.
   *
   * @throws `ERR_BLOCK_PINNED`, `ERR_ARENA_BUSY` as `close`; `ERR_UNSUPPORTED_OPERATION` of a reader.
   * @example
   * ```js
   * heap.destroy()
   * heap.malloc(100) // -> throws ERR_ARENA_CLOSED
   * ```
   */
  destroy(): void {
    this.assertWritable()
    super.close()
  }

  /** @internal */
  protected override readOnly(): ArenaBusyError {
    return new ArenaBusyError(`Heap is attached as a reader; its writer is ${this.#role.describe()}`)
  }

  #forget(): void {
    this.#role.forget()
    this.#decay.stop()
  }
}

/** What a timer does to tables that contradict themselves: nothing. The next call finds it, and can say so to its caller. */
function unasked(run: () => number): number {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof CorruptedError)) throw error
    return 0
  }
}
