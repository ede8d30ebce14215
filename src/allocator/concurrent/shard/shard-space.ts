/**
 * The spans and slabs of a shard: those of a plain heap (heap/space.ts), of which others have freed some, and cut some as guests.
 *
 *     refill     a word of the current slab, what others have freed in it, a partial slab, one that hints lead to, a new one
 *     release    under the shard's lock, as is all that touches spans and tiles
 *
 * Kept spans and current slabs are in lists that the owner uses without the lock, so only the owner gives them up. When the tables had to be
 * rebuilt as the lock was taken, all lists are new, and a release has nothing left to do. Cost: as those of a plain heap, and the lock.
 * @module
 */
import { alignUp } from '../../../bits.ts'
import { metadataInUse } from '../../heap/layout.ts'
import { HeapSpace } from '../../heap/space.ts'
import type { HeapListener } from '../../heap/spans/notices.ts'
import type { HeapMemory } from '../../heap/spans/span-pages.ts'
import { At, ClassWord, SlabWord, SpanWord } from '../../heap/words.ts'
import { ShardWord } from '../words.ts'
import type { ShardIndex, ShardLock, ShardTables } from './shard-index.ts'
import type { ShardSlabs } from './shard-slabs.ts'

/** What a shard's spans and slabs are made over. */
export interface ShardParts {
  readonly tables: ShardTables
  readonly memory: HeapMemory
  readonly listener: HeapListener
}

export class ShardSpace extends HeapSpace {
  readonly #m: Int32Array
  readonly #numbers: Float64Array
  readonly #index: ShardIndex
  readonly #tables: ShardTables
  readonly #shard: ShardLock

  constructor({ tables, memory, listener }: ShardParts, index: ShardIndex, slabs: ShardSlabs, shard: ShardLock) {
    super(tables, memory, listener, index, slabs)
    this.#m = tables.words
    this.#numbers = tables.numbers
    this.#index = index
    this.#tables = tables
    this.#shard = shard
  }

  /** Where the highest span that there ever was ended. */
  get everUsedEnd(): number {
    return this.#numbers[At.HIGHEST_END >> 1] as number
  }

  protected override metadataFor(records: number, end: number): number {
    return shardMetadataBytes(this.#tables, records, end)
  }

  override nextSlab(state: number): number {
    if (this.#m[state + ClassWord.PARTIAL] === 0 && this.#m[ShardWord.HINTED] !== 0) this.#shard.collectHinted()
    return super.nextSlab(state)
  }

  protected override newSlab(state: number): number {
    this.#shard.lock()
    try {
      // A rebuild may have found slabs of this class with free slots.
      return this.slabs.nextPartial(state) || super.newSlab(state)
    } finally {
      this.#shard.unlock()
    }
  }

  /** Keeps the span of a slab that was given up, or gives it back, under the lock. */
  protected override shelve(span: number): boolean {
    if (this.keptBelow > 0) return super.shelve(span)
    const rebuilt = this.#shard.lock()
    try {
      return rebuilt || super.shelve(span)
    } finally {
      this.#shard.unlock()
    }
  }

  override release(span: number): void {
    const rebuilt = this.#shard.lock()
    try {
      if (!rebuilt) super.release(span)
    } finally {
      this.#shard.unlock()
    }
  }

  override releaseKept(): boolean {
    return this.#index.owned && super.releaseKept()
  }

  override releaseEmpty(): boolean {
    return this.#index.owned && super.releaseEmpty()
  }

  /** Nothing: an empty shard is given back as a whole. */
  protected override shrink(): void {}

  /** No window is open, no record used, no slab there: before the shard is free for all. */
  empty(): void {
    this.emptyTables()
    this.resetSlabs()
  }
}

/** Bytes of a shard's metadata that may have been written. */
function shardMetadataBytes(tables: ShardTables, records: number, end: number): number {
  const { words: m, layout, pageSize } = tables
  const slabs = Math.max(m[At.SLAB_TOP] - layout.slabs, 0) + records * SlabWord.WORDS
  const remote = slabs === 0 ? 0 : alignUp(slabs * 4, pageSize) + pageSize
  const spans = Math.max(m[At.SPAN_TOP] - layout.spans, 0) + records * SpanWord.WORDS
  // Bits and the words above them, of spans and of slabs: each as far as there are records, on pages of its own where they are many.
  const bits = (spans / SpanWord.WORDS + slabs / SlabWord.WORDS) / 8
  const hints = Math.min(
    alignUp((layout.slabHints.end - layout.remoteEnd) * 4, pageSize),
    alignUp(bits, pageSize) + 4 * pageSize
  )
  const all = alignUp(layout.words * 4, pageSize)
  return Math.min(metadataInUse(tables, records, end) + remote + hints, all)
}
