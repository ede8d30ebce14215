/**
 * The entries of the shards in the common part of the metadata: what each shard is used for.
 *
 *     FREE    not in use: memory and tables read zero   LENGTH   up to here it was handed out in a life before
 *     USED    it has tables, and perhaps an owner
 *     BIG     a block begins in it that goes on ...     LENGTH, HIGH, START
 *     PART    ... in these
 *
 *     the block of BIG shard i lies in the shards i, i + 1, …, i + k; those behind i are PART, and no others are
 *
 * They change under the heap's lock. Cost: a load or two; an entry takes 16 bytes.
 * @module
 */
import { alignUp } from '../../../bits.ts'
import { Common, type ConcurrentLayout, ShardEntry, type ShardLayout, ShardState, ShardWord } from '../words.ts'

/** A block that is longer than a shard, or that no shard has room for. */
export interface BigBlock {
  readonly index: number
  readonly offset: number
  readonly byteLength: number
}

/** The claim that is cut into shards. */
export interface Bounds {
  readonly offset: number
  readonly byteLength: number
}

export class Entries {
  readonly layout: ConcurrentLayout
  /** All of the metadata. */
  readonly all: Int32Array
  readonly bounds: Bounds
  readonly pageSize: number

  constructor(all: Int32Array, layout: ConcurrentLayout, bounds: Bounds, pageSize: number) {
    this.all = all
    this.layout = layout
    this.bounds = bounds
    this.pageSize = pageSize
  }

  get count(): number {
    return this.layout.shards.length
  }

  shardLayout(index: number): ShardLayout {
    return this.layout.shards[index] as ShardLayout
  }

  /** The index of the shard that an offset lies in; -1 when it lies in none. */
  indexOf(offset: number): number {
    if (!Number.isInteger(offset)) return -1
    const { bounds, layout } = this
    if (offset < bounds.offset || offset >= bounds.offset + bounds.byteLength) return -1
    return Math.floor(offset / layout.unit) - layout.first
  }

  /** Where an entry is, in words. */
  at(index: number): number {
    return Common.SHARDS + index * Common.SHARD_WORDS
  }

  state(index: number): number {
    return this.all[this.at(index) + ShardEntry.STATE]
  }

  setState(index: number, state: ShardState): void {
    Atomics.store(this.all, this.at(index) + ShardEntry.STATE, state)
  }

  /** Of a free shard: up to here it was handed out in a life before, in bytes from its first. */
  everUsed(index: number): number {
    return (this.all[this.at(index) + ShardEntry.LENGTH] >>> 0) * 8
  }

  noteEverUsed(index: number, byteLength: number): void {
    this.all[this.at(index) + ShardEntry.LENGTH] = byteLength / 8
  }

  /** Whether a block in a shard is pinned. */
  isPinned(index: number): boolean {
    return this.all[(this.shardLayout(index).base >>> 2) + ShardWord.PINNED] !== 0
  }

  // ---- big blocks ----

  bigAt(index: number): BigBlock {
    const entry = this.at(index)
    const { all } = this
    const byteLength = ((all[entry + ShardEntry.LENGTH] >>> 0) + (all[entry + ShardEntry.HIGH] >>> 0) * 2 ** 32) * 8
    return { index, offset: this.shardLayout(index).offset + (all[entry + ShardEntry.START] >>> 0) * 8, byteLength }
  }

  /** Enters a big block, its first shard last: until then there are parts that no block begins. */
  enterBig({ index, offset, byteLength }: BigBlock): void {
    const entry = this.at(index)
    const { all } = this
    const units = byteLength / 8
    all[entry + ShardEntry.LENGTH] = (units % 2 ** 32) | 0
    all[entry + ShardEntry.HIGH] = Math.floor(units / 2 ** 32)
    all[entry + ShardEntry.START] = (offset - this.shardLayout(index).offset) / 8
    for (let part = this.indexOf(offset + byteLength - 1); part > index; part--) this.setState(part, ShardState.PART)
    this.setState(index, ShardState.BIG)
  }

  /** The pages of a big block. */
  pagesOf({ offset, byteLength }: BigBlock): Bounds {
    const { pageSize, bounds } = this
    const first = Math.max(Math.floor(offset / pageSize) * pageSize, bounds.offset)
    const end = Math.min(alignUp(offset + byteLength, pageSize), bounds.offset + bounds.byteLength)
    return { offset: first, byteLength: end - first }
  }

  /** The big block that an offset lies in, or undefined. */
  bigAround(offset: number): BigBlock | undefined {
    let index = this.indexOf(offset)
    while (index > 0 && this.state(index) === ShardState.PART) index--
    if (index < 0 || this.state(index) !== ShardState.BIG) return undefined
    const block = this.bigAt(index)
    return offset >= block.offset && offset < block.offset + block.byteLength ? block : undefined
  }

  *bigBlocks(): Generator<BigBlock> {
    for (let index = 0; index < this.count; index++) if (this.state(index) === ShardState.BIG) yield this.bigAt(index)
  }
}
