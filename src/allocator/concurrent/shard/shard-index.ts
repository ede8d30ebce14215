/**
 * Where the spans of a shard are, as a plain heap finds them (heap/spans/span-index.ts), of which some were freed by peers that do not own it.
 *
 *     tag live, remote bit set     freed by another, and not yet collected: no live block any more, and not yet in a list
 *
 * Cost: a load more for the kind of a live span.
 * @module
 */
import type { HeapTables } from '../../heap/layout.ts'
import { SpanIndex } from '../../heap/spans/span-index.ts'
import { SpanTag } from '../../heap/words.ts'
import { type ShardLayout, SPAN_REMOTE } from '../words.ts'

/** What spans and slabs ask of their shard. */
export interface ShardLock {
  /** Takes the shard's lock; true: the tables were rebuilt. */
  lock(): boolean
  unlock(): void
  /** Collects what hints lead to. */
  collectHinted(): void
  /** Puts a slab where its bits say, when its countdown has passed zero. */
  settleAnew(slab: number): void
}

/** The tables of one shard. */
export interface ShardTables extends HeapTables {
  readonly layout: ShardLayout
}

export class ShardIndex extends SpanIndex {
  /** Whether this peer owns the shard. */
  owned = false

  /** What a span is, once what others have freed is taken into account. */
  override kind(span: number): number {
    const kind = super.kind(span)
    return kind === SpanTag.LIVE && (this.m[span + SPAN_REMOTE] & 1) !== 0 ? SpanTag.KEPT : kind
  }
}
