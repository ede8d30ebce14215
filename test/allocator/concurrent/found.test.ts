/**
 * What a peer finds that comes when no other is there: words of the metadata that a peer left which died, or that damage left. Each is proved,
 * made anew, or of no effect.
 * @module
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  Common,
  type ConcurrentLayout,
  concurrentLayout,
  ShardEntry,
  ShardState,
  ShardWord,
} from '../../../src/allocator/concurrent/words.ts'
import { At, Root } from '../../../src/allocator/heap/words.ts'
import { insideOf } from '../../../src/arena/arena.ts'
import { int32sIn } from '../../../src/arena/buffer-range.ts'
import { Arena, Heap, MiB } from '../../../src/index.ts'
import { throwsCode } from '../../helpers/errors.ts'

const test = suite('concurrent heap: what is found')

interface Found {
  readonly arena: Arena
  readonly layout: ConcurrentLayout
  /** All of the metadata. */
  readonly words: Int32Array
  readonly blocks: readonly number[]
}

/** A heap that all peers have left, with blocks of each kind. */
function leftHeap(run: (found: Found) => void): void {
  const arena = Arena.reserve(4 * MiB)
  arena.handle()
  try {
    const heap = new Heap(arena, { concurrent: true, decayMs: -1 })
    const blocks = [64, 500, 3000, 40_000, 600_000].map((size) => heap.malloc(size))
    heap.setRoot('here', blocks[1] as number)
    heap.close()
    const seen = insideOf(arena).adopt({
      holder: { kind: 'Heap', blockAround: () => undefined, innerClaims: () => undefined, revoked: () => undefined },
      readOnly: true,
    })
    if (seen === undefined) throw new Error('there is no claim')
    const words = int32sIn(seen.metadata)
    seen.leave()
    run({ arena, words, blocks, layout: concurrentLayout(0, 4 * MiB, arena.pageSize) })
  } finally {
    arena.close()
  }
}

function stateOf({ words }: Found, index: number): number {
  return words[Common.SHARDS + index * Common.SHARD_WORDS + ShardEntry.STATE] as number
}

/** A shard in a state. */
function shardIn(found: Found, state: ShardState): number {
  return found.layout.shards.findIndex((_, index) => stateOf(found, index) === state)
}

function baseOf({ layout }: Found, index: number): number {
  return (layout.shards[index] as { base: number }).base / 4
}

test('the tables of a free shard read zero, whatever they were', () => {
  leftHeap((found) => {
    const { arena, words, layout } = found
    const index = shardIn(found, ShardState.FREE)
    const base = baseOf(found, index)
    const { slabs, remote, pageBits, words: count } = layout.shards[index] as (typeof layout.shards)[number]
    for (const at of [At.COMMITTED, At.TILES + 3, pageBits, slabs + 8, slabs + remote, count - 1])
      words[base + at] = 0x1234
    const heap = Heap.attach(arena, { decayMs: -1 })
    assert.ok(words.subarray(base, base + count).every((word) => word === 0))
    for (;;) if (heap.tryMalloc(3000) === 0) break
    heap.check()
  })
})

test('a shard that is said to be free and has blocks is refused', () => {
  leftHeap((found) => {
    const index = shardIn(found, ShardState.USED)
    found.words[Common.SHARDS + index * Common.SHARD_WORDS] = ShardState.FREE
    throwsCode(() => Heap.attach(found.arena), 'ERR_CORRUPTED')
  })
})

test('a free shard was never used beyond its end', () => {
  leftHeap((found) => {
    const entry = Common.SHARDS + shardIn(found, ShardState.FREE) * Common.SHARD_WORDS
    found.words[entry + ShardEntry.LENGTH] = 1 + (found.layout.shards[1] as { byteLength: number }).byteLength / 8
    throwsCode(() => Heap.attach(found.arena), 'ERR_CORRUPTED')
  })
})

test('roots, and the peak, are proved as those of a plain heap', () => {
  leftHeap(({ arena, words, layout }) => {
    const restored = (at: number, word: number): void => {
      const before = words[at] as number
      words[at] = word
      throwsCode(() => Heap.attach(arena), 'ERR_CORRUPTED')
      words[at] = before
    }
    restored(At.ROOT_TOP, -1)
    restored(At.ROOT_TOP, 2000)
    restored(At.ROOT_TOP, 0)
    restored(layout.roots + Root.NAME_WORDS, 7)
    restored(layout.roots, 0)
    restored(Common.PEAK + 1, 0x7ff80000)
    restored(Common.PEAK + 1, -1)
    const heap = Heap.attach(arena, { decayMs: -1 })
    heap.check()
    words[layout.roots + Root.NAME_WORDS] = 7
    throwsCode(() => heap.check(), 'ERR_CORRUPTED')
  })
})

test('no peer is there, so nothing is pinned and nothing locked', () => {
  leftHeap((found) => {
    const { arena, words, blocks } = found
    // The number that the next peer gets.
    const coming = 1 | (2 << 7)
    words[Common.PIN_TOP] = 3
    new Float64Array(words.buffer, words.byteOffset + Common.PINS * 4, 1)[0] = blocks[0] as number
    words[Common.PINS + 2] = coming
    words[Common.PINS + 3] = 1
    words[Common.LOCK] = coming
    words[baseOf(found, shardIn(found, ShardState.USED)) + ShardWord.LOCK] = coming
    const heap = Heap.attach(arena, { decayMs: -1 })
    for (const block of blocks) heap.free(block)
    heap.check()
    assert.is(heap.stats().usedCount, 0)
  })
})

test('a stale number does not cost the peer that has it now its entry', () => {
  leftHeap((found) => {
    const { arena, words } = found
    const heap = Heap.attach(arena, { decayMs: -1 })
    // Of the same entry as the peer, and of one before it.
    words[baseOf(found, shardIn(found, ShardState.USED)) + ShardWord.LOCK] = 1
    words[Common.LOCK] = 1
    const block = heap.malloc(50_000)
    const other = Heap.attach(arena, { decayMs: -1 })
    other.free(block)
    assert.not(other.recovered, 'the first is there')
    other.close()
    heap.check()
  })
})

test.run()
