/**
 * Heaps in other circumstances than those of peer.ts, for benches that ask one question each about Heap itself.
 * @module
 */

import { Arena, Heap } from '../../src/index.ts'
import { GiB, KiB, MiB } from '../../src/units.ts'
import { importUnchecked } from '../unchecked.ts'
import type { PeerMaker, RawPeer } from './peer.ts'

const WINDOW = GiB

/** How many windows the blocks lie in, and the arena's length. */
export const WINDOWS = 40
const ARENA = 64 * GiB

const peer = (heap: Heap): RawPeer => ({
  make: (byteLength) => heap.malloc(byteLength),
  drop: (offset) => heap.free(offset),
})

/**
 * A heap whose live blocks lie in so many windows, spread evenly, in slabs and spans that are four fifths full. One long block, which nothing
 * writes to, takes all but an equal share of each window; the shares are filled to the last byte, and one block in five is freed again.
 */
function inWindows(count: number): PeerMaker<number> {
  return (byteLength, liveCount) => {
    const heap = new Heap(Arena.reserve(ARENA))
    const share = Math.ceil((1.25 * liveCount * byteLength) / count / (4 * KiB)) * 4 * KiB
    if (share > WINDOW / 2) return undefined
    for (let window = 0; window < count; window++) heap.malloc(WINDOW - share - 8)
    const made: number[] = []
    const windowOf = (offset: number) => Math.floor(offset / WINDOW)
    let next = heap.malloc(byteLength)
    for (; windowOf(next) < count; next = heap.malloc(byteLength)) made.push(next)
    heap.free(next)
    shuffle(made)
    for (const offset of made.splice(liveCount)) heap.free(offset)
    const used = new Set(made.map(windowOf)).size
    if (made.length !== liveCount || used !== count) throw new Error(`${made.length} blocks lie in ${used} windows`)
    return { ...peer(heap), first: made }
  }
}

/** In an order that looks random and is the same each time. */
function shuffle(values: number[]): void {
  let state = 88172645
  for (let i = values.length - 1; i > 0; i--) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    const other = (state >>> 0) % (i + 1)
    ;[values[i], values[other]] = [values[other]!, values[i]!]
  }
}

export const heapVariants: Readonly<Record<string, PeerMaker<number>>> = {
  'one window': inWindows(1),
  [`${WINDOWS} windows`]: inWindows(WINDOWS),
  checked: (byteLength, liveCount) => peer(new Heap(Arena.reserve(4 * byteLength * liveCount + 64 * MiB))),
  trusting: async (byteLength, liveCount) => {
    const { Arena, Heap } = await importUnchecked()
    return peer(new Heap(Arena.reserve(4 * byteLength * liveCount + 64 * MiB)))
  },
}
