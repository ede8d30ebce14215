/**
 * The figures and blocks of a concurrent heap: shard by shard, each under its lock, so that each is consistent in itself. What others have
 * freed counts as free.
 *
 *     committed = used + free slots + free dirty + metadata        summed over shards, big blocks and the common part
 *
 * The peak is the sum of the shards' peaks, which need not have been at the same time: a bound, kept below the limit.
 * @module
 */
import type { AllocatorStats, SizeClassStats } from '../contract.ts'
import { type Block, liveBlocks } from '../heap/find-block.ts'
import { heapSizeClasses, heapStats } from '../heap/report/stats.ts'
import type { Space } from './space/space.ts'
import { ShardState } from './words.ts'

export function concurrentStats(space: Space, reservedBytes: number): AllocatorStats {
  const metadata = space.shards.committed.metadataBytes
  const sum = {
    committedBytes: metadata,
    usedBytes: 0,
    freeSlotBytes: 0,
    freeDirtyBytes: 0,
    metadataBytes: metadata,
    usedCount: 0,
  }
  for (const shard of space.shards.used()) {
    const one = shard.within(() => heapStats(shard.seen))
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += one[name]
  }
  for (const block of space.entries.bigBlocks()) {
    const committed = space.entries.pagesOf(block).byteLength
    sum.committedBytes += committed
    sum.usedBytes += block.byteLength
    sum.freeDirtyBytes += committed - block.byteLength
    sum.usedCount++
  }
  return { reservedBytes, ...sum, peakCommittedBytes: Math.max(sum.committedBytes, space.shards.committed.peakBytes) }
}

export function concurrentClasses(space: Space): SizeClassStats[] {
  const all: Map<string, SizeClassStats> = new Map()
  const add = (one: SizeClassStats): void => {
    const key = `${one.kind} ${one.least}`
    const before = all.get(key)
    all.set(key, {
      ...one,
      usedCount: one.usedCount + (before?.usedCount ?? 0),
      usedBytes: one.usedBytes + (before?.usedBytes ?? 0),
      freeSlotBytes: one.freeSlotBytes + (before?.freeSlotBytes ?? 0),
    })
  }
  for (const shard of space.shards.used()) for (const one of shard.within(() => heapSizeClasses(shard.seen))) add(one)
  for (const { byteLength } of space.entries.bigBlocks()) {
    const least = 2 ** Math.floor(Math.log2(byteLength))
    add({ kind: 'span', least, most: 2 * least - 8, usedCount: 1, usedBytes: byteLength, freeSlotBytes: 0 })
  }
  return [...all.values()].sort((one, other) =>
    one.kind === other.kind ? one.least - other.least : one.kind === 'slot' ? -1 : 1
  )
}

export function* liveBlocksOf(space: Space): Generator<Block> {
  for (let index = 0; index < space.entries.count; index++) {
    if (space.entries.state(index) === ShardState.BIG) {
      const { offset, byteLength } = space.entries.bigAt(index)
      yield { offset, byteLength }
    } else if (space.entries.state(index) === ShardState.USED) {
      const shard = space.shards.at(index)
      yield* shard.within(() => (space.entries.state(index) === ShardState.USED ? [...liveBlocks(shard.seen)] : []))
    }
  }
}
