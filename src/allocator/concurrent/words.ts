/**
 * Where a concurrent heap keeps its metadata: a common part, and complete tables of a plain heap for each shard.
 *
 *     bytes    0        256                                                     a page each from here on
 *     | header | lock, counts | peers      | shards    | pins      | roots | tables of shard 0 | tables of shard 1 | …
 *                               16 words     4 words     4 words
 *
 *     a shard  | its own words, 0 … 63 | counters … kept spans | tiles | page bits | spans | slabs | remote bits | hints |
 *                                        as in heap/words.ts, from word 64 on                        16 a slab
 *
 * Shards are equal parts of the address range: shard `i` is the part of the claim in `[(first + i) * unit, + unit)` of the arena, with `unit`
 * a power of two, so the first and the last may be shorter. Each lies on pages and tiles of its own, but for the claim's edges.
 *
 * The remote bits of the slab with the record `s` are at `s + remote`, since both tables have 16 words a record: one word for the upper half of
 * each word of bits, then one for each lower half. So those of the bits in `word` are at `word + remote - SlabWord.BITS`, and 8 words on.
 * @module
 */
import { alignUp } from '../../bits.ts'
import { type HeapLayout, heapLayout, LAYOUT_HASH, rootWords, SLABS_MOST, SPANS_MOST } from '../heap/layout.ts'
import { Size } from '../heap/size-classes.ts'
import { At, SlabWord, SpanWord } from '../heap/words.ts'

/** Words of the common part. */
export const enum Common {
  /** A peer's number, or 0. */
  LOCK = 64,
  /** How many entries of the table of pins were ever used. */
  PIN_TOP = 81,
  /** The most bytes that were committed at a time, as far as shards do not say so that are in use (a 64-bit float). */
  PEAK = 84,
  /** The peers: of each its thread (arena/format/thread-id.ts), 8 words, how often the entry was taken, and its number once it has joined. */
  PEERS = 128,
  PEER_WORDS = 16,
  PEERS_MOST = 64,
  /** The shards, 33 at most: see `ShardEntry`. */
  SHARDS = 1152,
  SHARD_WORDS = 4,
  /** The pinned blocks: see pins.ts. */
  PINS = 1424,
  PIN_WORDS = 4,
  PINS_MOST = 1024,
  PINS_END = PINS + PINS_MOST * PIN_WORDS,
}

/** Words of a shard's entry in the common part. `LENGTH` is also that of a free shard: see space/entries.ts. */
export const enum ShardEntry {
  STATE = 0,
  /** Of a big block: its length and where it begins, in units of 8 bytes, low and high words by 2^32. */
  LENGTH = 1,
  HIGH = 2,
  /** Bytes from the shard's first, in units of 8. */
  START = 3,
}

/** States of a shard. */
export const enum ShardState {
  /** Its memory reads zero, its tables as well. */
  FREE = 0,
  /** It has tables of its own. */
  USED = 1,
  /** A block longer than a shard begins in it. */
  BIG = 2,
  /** Such a block goes on in it. */
  PART = 3,
}

/** A shard's own words, in front of its counters. Those that different peers write lie 64 bytes apart. */
export const enum ShardWord {
  /** A peer's number, or 0. */
  LOCK = 0,
  /** The owner's number, or 0. */
  OWNER = 1,
  /** Not 0: the holder of the lock, or the owner, died. The tables are to be rebuilt before they are relied on. */
  REBUILD = 2,
  /** Not 0: there may be hints. */
  HINTED = 16,
  /** Pinned blocks. */
  PINNED = 32,
  /** Frees that came at the same moment as another of the same block. */
  LATE = 33,
}

/** The word of a span's record that others write: bit 0 is set by a free, the rest is a generation. */
export const SPAN_REMOTE = 7

/** Words of remote bits of a slab. */
const REMOTE_WORDS: number = SlabWord.WORDS
/** From the remote bits of the upper half of a word of bits to those of its lower half. */
export const HALF = 8

/** Bits, one a record, and above them one bit for each word of them. */
export interface Hints {
  readonly bits: number
  readonly words: number
  readonly end: number
}

/** The tables of one shard, as indices into its own words. */
export interface ShardLayout extends HeapLayout {
  /** From a slab's record to its remote bits. */
  readonly remote: number
  readonly remoteEnd: number
  readonly spanHints: Hints
  readonly slabHints: Hints
  readonly offset: number
  readonly byteLength: number
  /** Where its words begin in the metadata, in bytes. */
  readonly base: number
  readonly words: number
}

export interface ConcurrentLayout {
  /** Bytes of a whole shard. */
  readonly unit: number
  /** The number of the first shard's unit in the arena. */
  readonly first: number
  readonly shards: readonly ShardLayout[]
  readonly roots: number
  readonly rootsEnd: number
  readonly byteLength: number
}

const UNIT_LEAST = 2 ** 18
const SHARDS_WANTED = 32

/** Bytes of a shard for a claim. */
function unitOf(byteLength: number): number {
  return Math.max(UNIT_LEAST, 2 ** Math.ceil(Math.log2(byteLength / SHARDS_WANTED)))
}

/** The layout for a claim. */
export function concurrentLayout(offset: number, byteLength: number, pageSize: number): ConcurrentLayout {
  return layOutShards(offset, byteLength, pageSize, unitOf(byteLength), byteLength)
}

function layOutShards(
  offset: number,
  byteLength: number,
  pageSize: number,
  unit: number,
  claim: number
): ConcurrentLayout {
  const first = Math.floor(offset / unit)
  const end = offset + byteLength
  const count = Math.ceil(end / unit) - first
  const roots = alignUp(Common.PINS_END, 16)
  const rootsEnd = roots + rootWords(claim)
  let base = alignUp(rootsEnd * 4, pageSize)
  const shards: ShardLayout[] = []
  for (let i = 0; i < count; i++) {
    const from = Math.max(offset, (first + i) * unit)
    const to = Math.min(end, (first + i + 1) * unit)
    const shard = shardLayout(from, to - from, pageSize, base, claim)
    shards.push(shard)
    base = alignUp(base + shard.words * 4, pageSize)
  }
  return { unit, first, shards, roots, rootsEnd, byteLength: base }
}

function shardLayout(offset: number, byteLength: number, pageSize: number, base: number, claim: number): ShardLayout {
  const plain = heapLayout(offset, byteLength, pageSize)
  const share = byteLength / claim
  const { spans, tileCount } = plain
  const spanCount = Math.ceil(Math.min(SPANS_MOST * share, byteLength / Size.SMALL_MAX + tileCount)) + 8
  const slabCount = Math.ceil(Math.min(SLABS_MOST * share, tileCount))
  const spansEnd = spans + spanCount * SpanWord.WORDS
  const slabs = alignUp(spansEnd, 16)
  const slabsEnd = slabs + slabCount * SlabWord.WORDS
  const remoteEnd = slabsEnd + slabCount * REMOTE_WORDS
  const spanHints = hintsAt(remoteEnd, spanCount)
  const slabHints = hintsAt(spanHints.end, slabCount)
  // A shard has no roots of its own: the table is empty, and lies where metadataInUse does not count it twice.
  const roots = slabsEnd
  return {
    ...plain,
    spansEnd,
    slabs,
    slabsEnd,
    roots,
    rootsEnd: roots,
    remote: slabsEnd - slabs,
    remoteEnd,
    spanHints,
    slabHints,
    offset,
    byteLength,
    base,
    words: slabHints.end,
  }
}

function hintsAt(bits: number, records: number): Hints {
  const words = alignUp(bits + Math.ceil(records / 32), 16)
  return { bits, words, end: alignUp(words + Math.ceil(records / 1024), 16) }
}

/** Upper bound of the metadata of a claim of so many bytes, wherever it lies. */
export function concurrentMetadataBytes(byteLength: number, pageSize: number): number {
  const unit = unitOf(byteLength)
  // The worst place: it begins just before a shard's end, and takes a tile more.
  return layOutShards(unit - 8, byteLength + Size.TILE, pageSize, unit, byteLength).byteLength
}

/** Differs between builds that would read the tables differently, and from that of a plain heap. */
export const CONCURRENT_HASH: number = [
  LAYOUT_HASH,
  0x434f4e43,
  Common.PEERS,
  Common.SHARDS,
  Common.PINS,
  Common.PINS_MOST,
  UNIT_LEAST,
  SHARDS_WANTED,
  REMOTE_WORDS,
  // The bits of the upper half stand above their generation.
  HALF,
  SPAN_REMOTE,
  At.TILES,
].reduce((hash, value) => Math.imul(hash ^ value, 0x01000193), 0x811c9dc5 | 0)
