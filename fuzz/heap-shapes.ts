/**
 * Heaps of all shapes to damage: what each of them has in its tables that the others have not.
 * @module
 */
import { Arena, Bump, GiB, type Heap, MiB } from '../src/index.ts'
import type { Random } from './random.ts'

export interface Shape {
  readonly name: string
  readonly arenaBytes: number
  readonly range: { readonly offset?: number; readonly byteLength?: number }
  /** The longest request of a program. */
  readonly most: number
  /** Blocks that a peer has pinned which died. */
  readonly pins?: number
  fill(heap: Heap, random: Random): void
}

/** An arena for a heap of this shape, and the range that the heap is to have. What lies in front of the range is taken. */
export function arenaFor({ arenaBytes, range }: Shape): { arena: Arena; offset: number; byteLength: number } {
  const arena = Arena.reserve(arenaBytes, { shared: true })
  const { offset = 0, byteLength = arenaBytes - offset } = range
  if (offset > 0) new Bump(arena, { byteLength: offset })
  return { arena, offset, byteLength }
}

const small = { arenaBytes: 4 * MiB, range: {}, most: 200_000 }

function sizeOf(random: Random): number {
  const kind = random.below(10)
  return kind < 7 ? random.below(1100) : random.below(kind < 9 ? 12_000 : 60_000)
}

function blocks(heap: Heap, random: Random, count: number): number[] {
  return Array.from({ length: count }, () => heap.malloc(sizeOf(random)))
}

export const shapes: readonly Shape[] = [
  { name: 'empty', ...small, fill: () => undefined },
  {
    name: '300 blocks',
    ...small,
    fill: (heap, random) => {
      const all = blocks(heap, random, 450)
      for (const block of all.filter((_, i) => i % 3 === 1)) heap.free(block)
      heap.setRoot('one', all[0] as number)
      heap.setRoot('a name of the most bytes'.padEnd(64, '.'), all[2] as number)
    },
  },
  {
    name: 'many roots',
    ...small,
    fill: (heap, random) => {
      const all = blocks(heap, random, 100)
      for (let i = 0; i < 400; i++) heap.setRoot(`root ${i}`, all[i % 100] as number)
      for (let i = 0; i < 400; i += 7) heap.setRoot(`root ${i}`, 0)
    },
  },
  {
    name: 'kept spans',
    ...small,
    fill: (heap, random) => {
      const all = Array.from({ length: 60 }, () => heap.malloc(1030 + random.below(30_000)))
      for (const block of all.filter((_, i) => i % 2 === 1)) heap.free(block)
    },
  },
  {
    name: 'slabs that come and go',
    ...small,
    fill: (heap, random) => {
      const all = Array.from({ length: 1500 }, () => heap.malloc(random.below(300)))
      for (const block of all.filter((_, i) => i % 4 !== 0)) heap.free(block)
    },
  },
  {
    name: 'purged',
    ...small,
    fill: (heap, random) => {
      const all = blocks(heap, random, 300)
      for (const block of all.filter((_, i) => i % 5 !== 0)) heap.free(block)
      heap.purge()
    },
  },
  {
    name: 'a range behind another allocator',
    arenaBytes: 8 * MiB,
    range: { offset: MiB + 72, byteLength: 3 * MiB + 8 },
    most: 100_000,
    fill: (heap, random) => void blocks(heap, random, 200),
  },
  {
    name: 'at the limit of its claim',
    arenaBytes: MiB,
    range: { byteLength: MiB / 4 },
    most: 100_000,
    fill: (heap, random) => {
      for (;;) if (heap.tryMalloc(1 + random.below(3000)) === 0) return
    },
  },
  {
    name: 'huge blocks in several windows',
    arenaBytes: 5 * GiB,
    range: {},
    most: 200_000,
    fill: (heap, random) => {
      blocks(heap, random, 40)
      const one = heap.malloc(GiB + 4096)
      heap.malloc(GiB + 8 * MiB)
      heap.memalign(4096, 700 * MiB)
      heap.free(one)
      blocks(heap, random, 40)
    },
  },
]

/** Shapes of concurrent heaps: those of small ones, and what only several shards have. */
export const concurrentShapes: readonly Shape[] = [
  ...shapes.filter(({ arenaBytes }) => arenaBytes < GiB),
  {
    name: 'blocks longer than a shard',
    ...small,
    fill: (heap, random) => {
      heap.malloc(700_000)
      const one = heap.malloc(300_000)
      heap.malloc(270_000)
      heap.free(one)
      blocks(heap, random, 60)
    },
  },
  {
    name: 'pinned blocks',
    ...small,
    pins: 7,
    fill: (heap, random) => void blocks(heap, random, 200),
  },
]
