/**
 * One shard, as one peer has it: a plain heap's parts over the shard's tables, its lock, and what others have freed in it.
 *
 *     as owner      takes, cuts, collects, keeps; lists and slabs without the lock, spans and tiles under it
 *     as another    looks, purges, cuts a block as a guest: under the lock; lists, slabs and kept spans are not touched
 *
 * When the lock was taken over from a peer that died the tables are rebuilt before they are used: by the owner, or, where there is none, by
 * the holder of the lock. Where a living owner has not come by yet, others only look, record by record.
 *
 * Cost: the lock, 26 ns uncontended, around each cut and join.
 * @module
 */
import { rebuildHeap } from '../../heap/attach/recovery.ts'
import { Size } from '../../heap/size-classes.ts'
import { slotOf } from '../../heap/slabs.ts'
import type { HeapView } from '../../heap/space.ts'
import { At, Bin, SlabWord, SpanTag, SpanWord, Window } from '../../heap/words.ts'
import type { Peers } from '../peers.ts'
import { collectSpan, findSpan, freeSlot, freeSpan, hint, renewSpan, takeHints, tryLock, unlock } from '../steps.ts'
import { type ShardLayout, ShardWord, SPAN_REMOTE } from '../words.ts'
import { ShardIndex, type ShardLock } from './shard-index.ts'
import { SeenSlabs, ShardSlabs } from './shard-slabs.ts'
import { type ShardParts, ShardSpace } from './shard-space.ts'

export class Shard implements ShardLock {
  readonly number: number
  readonly m: Int32Array
  readonly layout: ShardLayout
  readonly space: ShardSpace
  readonly index: ShardIndex
  readonly slabs: ShardSlabs
  /** What figures and errors are read from: what others have freed is free. */
  readonly seen: HeapView
  readonly #peers: Peers
  readonly #limited: boolean
  #held = 0

  /** `number`: which one it is. */
  constructor(number: number, parts: ShardParts, peers: Peers, limited: boolean) {
    const { tables } = parts
    this.number = number
    this.layout = tables.layout
    this.#peers = peers
    this.#limited = limited
    this.m = tables.words
    this.index = new ShardIndex(tables)
    this.slabs = new ShardSlabs(tables, this.index, this)
    this.space = new ShardSpace(parts, this.index, this.slabs, this)
    this.seen = seenOf(this.space, new SeenSlabs(tables, this.index))
  }

  // ---- lock and owner ----

  /** Whether this peer owns it. */
  get owned(): boolean {
    return this.index.owned
  }

  set owned(owned: boolean) {
    this.index.owned = owned
  }

  /** The owner's number, or 0. */
  get owner(): number {
    return Atomics.load(this.m, ShardWord.OWNER)
  }

  /** Whether the tables are to be rebuilt first, which a living owner will do. Under the lock. */
  get isBroken(): boolean {
    return this.m[ShardWord.REBUILD] !== 0
  }

  /** Takes the lock, which may be nested; true: the tables were rebuilt. With a limit the heap's lock as well. */
  lock(): boolean {
    if (this.#held === 0) this.#peers.acquire(this.m, ShardWord.LOCK, ShardWord.REBUILD)
    this.#held++
    try {
      if (this.#held === 1 && this.#limited) this.#peers.lock()
    } catch (error) {
      this.#held = 0
      unlock(this.m, ShardWord.LOCK)
      throw error
    }
    if (this.m[ShardWord.REBUILD] === 0 || this.#held > 1 || !(this.owned || this.owner === 0)) return false
    this.rebuild()
    return true
  }

  unlock(): void {
    if (--this.#held > 0) return
    if (this.#limited) this.#peers.unlock()
    unlock(this.m, ShardWord.LOCK)
  }

  within<R>(run: () => R): R {
    this.lock()
    try {
      return run()
    } finally {
      this.unlock()
    }
  }

  /** Makes everything anew from the live spans and the bits. As owner, or where there is none; under the lock. */
  rebuild(): void {
    const { owned } = this
    this.owned = true
    try {
      this.slabs.takeAllRemote()
      rebuildHeap(this.space)
      this.m[ShardWord.REBUILD] = 0
    } finally {
      this.owned = owned
    }
  }

  /** The state of a shard that was never used. */
  begin(): void {
    this.space.begin()
    this.m[ShardWord.REBUILD] = 0
    this.m[ShardWord.HINTED] = 0
  }

  // ---- the owner ----

  /** As `HeapSpace.takeFree`, with the lock, where it is to be had at once and nothing special holds; 0 otherwise. */
  takeFree(length: number, bin: number): number {
    const { m } = this
    if (this.#held !== 0 || this.#limited || !tryLock(m, ShardWord.LOCK, this.#peers.me)) return 0
    this.#held = 1
    try {
      if (m[ShardWord.REBUILD] !== 0) return 0
      const span = this.space.takeFree(length, bin)
      if (span !== 0) renewSpan(m, span)
      return span
    } finally {
      this.#held = 0
      unlock(m, ShardWord.LOCK)
    }
  }

  /** A live span of `length` bytes, a multiple of 8 above `Size.SMALL_MAX`; 0 when there is no room. */
  cut(length: number, alignment: number, zero: boolean): number {
    const { space, index } = this
    if (length > this.layout.byteLength) return 0
    this.lock()
    try {
      let span = 0
      if (!zero && alignment <= 8 && length < Bin.KEPT_BELOW && length > Size.SMALL_MAX && this.owned)
        span = space.take(length)
      if (span === 0) span = space.allocateBlock(alignment, length, zero)
      if (span !== 0 && renewSpan(this.m, index.sound(span))) this.m[ShardWord.LATE]++
      return span
    } finally {
      this.unlock()
    }
  }

  /** Gives a span that is tagged as kept, and hangs in no list, to where it belongs. */
  giveKept(span: number): void {
    this.space.freeTagged(span)
  }

  settleAnew(slab: number): void {
    this.space.settleAnew(slab)
  }

  /** Collects what hints lead to. */
  collectHinted(): void {
    const { m, layout } = this
    Atomics.exchange(m, ShardWord.HINTED, 0)
    takeHints(m, layout.slabHints, (this.slabs.end - layout.slabs) / SlabWord.WORDS, (record) => {
      const slab = layout.slabs + record * SlabWord.WORDS
      if (this.slabs.isTaken(slab)) this.slabs.collect(slab)
    })
    takeHints(m, layout.spanHints, (this.#spansEnd - layout.spans) / SpanWord.WORDS, (record) =>
      this.#collectSpan(layout.spans + record * SpanWord.WORDS)
    )
  }

  /** Where the records of spans end that were ever used. */
  get #spansEnd(): number {
    return Math.min(Math.max(this.m[At.SPAN_TOP], this.layout.spans), this.layout.spansEnd)
  }

  #collectSpan(span: number): void {
    const { m } = this
    if (!this.index.isRecord(span) || (m[span + SPAN_REMOTE] & 1) === 0) return
    if (collectSpan(m, span)) this.giveKept(span)
    else m[ShardWord.LATE]++
  }

  /** Collects everything, hints or not. */
  collectAll(): void {
    const { m, layout } = this
    if (m[ShardWord.HINTED] !== 0) this.collectHinted()
    this.slabs.collectAll()
    for (let span = layout.spans, end = this.#spansEnd; span < end; span += SpanWord.WORDS) this.#collectSpan(span)
  }

  /** Collects all, and gives up what is kept and what stands empty: all tables are in order, and every free byte is in a free span. */
  tidy(): void {
    this.collectAll()
    this.within(() => this.space.park())
  }

  /** Whether no record of a shard that is not in use says that a block is there. */
  get isUnused(): boolean {
    for (let span = this.layout.spans, end = this.#spansEnd; span < end; span += SpanWord.WORDS)
      if (![0, SpanTag.FREE].includes(this.index.kind(span))) return false
    return true
  }

  /** Whether it has no block. */
  get isEmpty(): boolean {
    return this.index.usedBytes === 0
  }

  // ---- another ----

  /** Frees a block for a peer that does not own the shard, without the lock; false where it is not seen to be live. */
  freeByOther(offset: number): boolean {
    const { m, layout } = this
    const tileAt = At.TILES + Math.floor(offset / Size.TILE) - layout.firstTile
    const entry = m[tileAt]
    if (entry > 0) {
      const slab = freeSlot(m, tileAt, offset >>> 0, layout)
      if (slab === 0) return false
      hint(m, layout.slabHints, ShardWord.HINTED, (slab - layout.slabs) / SlabWord.WORDS)
      return true
    }
    if (entry === 0 || (offset & 7) !== 0) return false
    const span = freeSpan(m, tileAt, Math.floor(offset / Window.BYTES), offset & Window.INSIDE, layout)
    if (span === 0) return false
    hint(m, layout.spanHints, ShardWord.HINTED, (span - layout.spans) / SpanWord.WORDS)
    return true
  }

  /** Usable bytes of the live block at an offset, looked for without the lock: 0 where it is not seen to be live. */
  sizeSeen(offset: number): number {
    const { m, layout, seen } = this
    const tileAt = At.TILES + Math.floor(offset / Size.TILE) - layout.firstTile
    const entry = m[tileAt]
    if (entry > 0) {
      if (!seen.slabs.isRecord(entry)) return 0
      return seen.slabs.live(entry, slotOf(m, entry, offset)) ? seen.slabs.slotSize(entry) : 0
    }
    const span = entry < 0 && offset % 8 === 0 ? findSpan(m, tileAt, offset & Window.INSIDE, layout) : 0
    return span !== 0 && this.index.kind(span) === SpanTag.LIVE ? m[span + SpanWord.SIZE] : 0
  }

  /** The record of the live span or of the slab with the live slot at an offset, in tables that are to be rebuilt: looked for in all records. */
  findInRecords(offset: number): { span: number; slab: number; slot: number } | undefined {
    const { m, layout, index, seen } = this
    for (let span = layout.spans, end = this.#spansEnd; span < end; span += SpanWord.WORDS) {
      const kind = index.kind(span)
      if (kind !== SpanTag.LIVE && kind !== SpanTag.SLAB && kind !== SpanTag.HUGE) continue
      const start = index.offset(span)
      if (kind !== SpanTag.SLAB) {
        if (start === offset) return { span, slab: 0, slot: -1 }
      } else if (offset >= start && offset < start + m[span + SpanWord.SIZE]) {
        const slab = index.slabOf(span)
        if (!seen.slabs.isRecord(slab)) return undefined
        const slot = seen.slabs.slotAt(slab, offset - seen.slabs.firstSlot(slab))
        return slot >= 0 && seen.slabs.live(slab, slot) ? { span, slab, slot } : undefined
      }
    }
    return undefined
  }
}

function seenOf(space: ShardSpace, slabs: SeenSlabs): HeapView {
  const { tables, index, pages } = space
  return {
    tables,
    index,
    pages,
    slabs,
    get metadataBytes() {
      return space.metadataBytes
    },
    get peakBytes() {
      return space.peakBytes
    },
  }
}
