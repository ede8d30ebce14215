/**
 * The allocators that the benches compare, each reduced to two functions: make a block, drop it.
 *
 * `raw` peers speak numbers (an offset, a pointer), `view` peers typed arrays. A peer that cannot do a size says so by being
 * undefined; garbage-collected peers drop a block by forgetting it, and pay for that in the collector's own time.
 * @module
 */
import { MemPool } from '@thi.ng/malloc'
import koffi from 'koffi'
import { Buddy } from '../../src/allocator/buddy/buddy.ts'
import type { FreeingAllocator } from '../../src/allocator/contract.ts'
import { Heap } from '../../src/allocator/heap/heap.ts'
import { Slab } from '../../src/allocator/slab/slab.ts'
import { Arena } from '../../src/arena/arena.ts'
import { GiB, KiB, MiB } from '../../src/units.ts'

export interface Peer<B> {
  readonly make: (byteLength: number) => B
  readonly drop: (block: B) => void
  /** The live blocks to begin with, where it matters how they were made. */
  readonly first?: readonly B[]
}

export type RawPeer = Peer<number>
export type ViewPeer = Peer<Uint8Array>

/** Makes a peer for blocks of one size, so many of them live at once; undefined where it cannot be. */
export type PeerMaker<B> = (byteLength: number, liveCount: number) => Peer<B> | undefined | Promise<Peer<B> | undefined>

const nothing = () => {}

/** Address space for the blocks and again as much for rounding up. */
const room = (byteLength: number, liveCount: number) => 4 * byteLength * liveCount + 64 * MiB

const allocators: Readonly<Record<string, (arena: Arena, byteLength: number) => FreeingAllocator | undefined>> = {
  Heap: (arena) => new Heap(arena),
  Slab: (arena, byteLength) => (byteLength <= 64 * KiB ? new Slab(arena, { slotSize: byteLength }) : undefined),
  Buddy: (arena) => new Buddy(arena),
}

function onArena<B>(kind: string, peer: (allocator: FreeingAllocator) => Peer<B>): PeerMaker<B> {
  return (byteLength, liveCount) => {
    const arena = Arena.reserve(room(byteLength, liveCount))
    const allocator = allocators[kind]!(arena, byteLength)
    if (allocator !== undefined) return peer(allocator)
    arena.close()
    return undefined
  }
}

/** The pool needs its whole buffer at once; past 1 GiB it is left out. */
function pool(byteLength: number, liveCount: number): MemPool | undefined {
  const size = 2 * (byteLength + 16) * liveCount + MiB
  return size > GiB ? undefined : new MemPool({ size })
}

const libc = koffi.load(null)
const libcMalloc = libc.func('intptr_t malloc(size_t)') as (byteLength: number) => number
const libcFree = libc.func('void free(intptr_t)') as (pointer: number) => void

const raw = (allocator: FreeingAllocator): RawPeer => ({
  make: (byteLength) => allocator.malloc(byteLength),
  drop: (offset) => allocator.free(offset),
})

export const rawPeers: Readonly<Record<string, PeerMaker<number>>> = {
  Heap: onArena('Heap', raw),
  Slab: onArena('Slab', raw),
  Buddy: onArena('Buddy', raw),
  '@thi.ng/malloc': (byteLength, liveCount) => {
    const memory = pool(byteLength, liveCount)
    if (memory === undefined) return undefined
    return { make: (n) => memory.malloc(n), drop: (offset) => memory.free(offset) }
  },
  'libc by koffi': () => ({ make: libcMalloc, drop: libcFree }),
}

const unsafe = (allocator: FreeingAllocator): ViewPeer => ({
  make: (byteLength) => allocator.allocUnsafe(Uint8Array, byteLength),
  drop: (view) => allocator.free(view),
})

const zeroed = (allocator: FreeingAllocator): ViewPeer => ({
  make: (byteLength) => allocator.alloc(Uint8Array, byteLength),
  drop: (view) => allocator.free(view),
})

export const viewPeers: Readonly<Record<string, PeerMaker<Uint8Array>>> = {
  'Heap allocUnsafe': onArena('Heap', unsafe),
  'Heap alloc': onArena('Heap', zeroed),
  'Slab allocUnsafe': onArena('Slab', unsafe),
  'Buddy allocUnsafe': onArena('Buddy', unsafe),
  'new Uint8Array': () => ({ make: (n) => new Uint8Array(n), drop: nothing }),
  'Buffer.allocUnsafe': () => ({ make: (n) => Buffer.allocUnsafe(n), drop: nothing }),
  'Buffer.allocUnsafeSlow': () => ({ make: (n) => Buffer.allocUnsafeSlow(n), drop: nothing }),
  '@thi.ng/malloc': (byteLength, liveCount) => {
    const memory = pool(byteLength, liveCount)
    if (memory === undefined) return undefined
    return {
      make: (n) => memory.mallocAs('u8', n) as Uint8Array,
      drop: (view) => memory.free(view),
    }
  },
}
