/**
 * The tables of a concurrent heap that are damaged: the common part, and those of each shard as far as they are in use and a few words behind. Of
 * shards that were never used a few have damage of their own words, since most of it is to go where something is.
 * @module
 */
import { HEADER_BYTES } from '../src/allocator/base/header.ts'
import { Common, type ConcurrentLayout, type ShardLayout } from '../src/allocator/concurrent/words.ts'
import { At, Root, SlabWord, SpanWord } from '../src/allocator/heap/words.ts'
import type { Table } from './damage.ts'

export function concurrentTables({ shards, roots }: ConcurrentLayout, words: Int32Array): Table[] {
  const common = [
    table('header', HEADER_BYTES / 4, Common.PEERS),
    table('peers', Common.PEERS, Common.PEERS + 4 * Common.PEER_WORDS, Common.PEER_WORDS),
    table('shards', Common.SHARDS, Common.SHARDS + (shards.length + 1) * Common.SHARD_WORDS, Common.SHARD_WORDS),
    table('pins', Common.PINS, Common.PINS + 4 * Common.PIN_WORDS, Common.PIN_WORDS),
    table('roots', roots, roots + ((words[At.ROOT_TOP] as number) + 1) * Root.WORDS, Root.WORDS),
  ]
  return [...common, ...shards.flatMap((shard, index) => tablesOfShard(shard, index, words))]
}

function table(name: string, start: number, end: number, record = 1): Table {
  return { name, start, end, record }
}

function tablesOfShard(layout: ShardLayout, index: number, words: Int32Array): Table[] {
  const base = layout.base / 4
  const word = (at: number): number => words[base + at] as number
  const own = table(`shard ${index}`, base, base + At.ZERO)
  if (word(At.SPAN_TOP) === 0) return index % 4 === 0 ? [own] : []
  const slabs = base + layout.slabs
  const slabsEnd = base + Math.max(word(At.SLAB_TOP), layout.slabs) + SlabWord.WORDS
  const spansEnd = base + Math.max(word(At.SPAN_TOP), layout.spans) + SpanWord.WORDS
  return [
    own,
    table('counters', base + At.ZERO, base + At.ROOT_TOP + 1),
    table('classes', base + At.CLASSES, base + At.CLASSES_END, 8),
    table('bins', base + At.BIN_TOP_MAP, base + At.KEPT_END),
    table('tiles', base + At.TILES, base + At.TILES + Math.max(8, word(At.TILE_TOP))),
    table('pages', base + layout.pageBits, base + layout.pageBits + 4),
    table('spans', base + layout.spans, spansEnd, SpanWord.WORDS),
    table('slabs', slabs, slabsEnd, SlabWord.WORDS),
    table('remote', slabs + layout.remote, slabsEnd + layout.remote, SlabWord.WORDS),
    table('hints', base + layout.slabHints.bits, base + layout.slabHints.end),
  ]
}
