/**
 * When an allocator may say that it is full: not while a gap between its blocks would do. How long a gap must be for that follows
 * from each kind's rules, so this is stated a kind at a time, and only where there is no limit.
 * @module
 */
import { GiB } from '../../src/units.ts'
import type { Lane } from './lane.ts'

/** A heap's slab around a live slot is at most this long, on either side of a gap. */
const SLAB_MOST = 32768
const TILE = 4096

/** Throws when there is a gap that must have done. */
export function requireFull(lane: Lane, size: number, alignment: number): void {
  if (lane.spec.limit !== undefined) return
  const need = needed(lane, size, alignment)
  lane.tally.holds('full', true, () => '')
  for (const [from, to] of gaps(lane, size))
    lane.tally.holds('full', to - from < need, () => `no room for ${size} bytes, and nothing from ${from} to ${to}`)
}

/** Free bytes in a row that are always enough. */
function needed({ spec }: Lane, size: number, alignment: number): number {
  switch (spec.kind) {
    case 'Bump':
      return size + alignment + 16
    case 'Slab':
      return 3 * (spec.slotSize ?? 8) + 16
    case 'Buddy':
      return buddyNeeded(spec.byteLength, spec.minBlock ?? 64, Math.max(size, alignment))
    case 'Heap':
      return size + alignment + 2 * SLAB_MOST + 3 * TILE
  }
}

/** Any range of twice a block's size has the block in it; the largest blocks have fewer places. */
function buddyNeeded(byteLength: number, minBlock: number, size: number): number {
  const block = Math.max(minBlock, 2 ** Math.ceil(Math.log2(Math.max(size, 1))))
  return block > byteLength / 2 || block > GiB / 2 ? Number.POSITIVE_INFINITY : 2 * block
}

/** Gaps, cut where windows end: blocks up to a window's length do not cross it. */
function* gaps(lane: Lane, size: number): Generator<[number, number]> {
  const { model, spec, bump } = lane
  const all = bump === undefined ? model.gaps(spec.offset, lane.end) : [[bump.mark(), lane.end] as const]
  for (const [start, end] of all) {
    if (size > GiB) {
      // A heap joins windows only where whole free ones follow; a bump allocator starts at a window.
      if (spec.kind === 'Heap' && lane.model.usedCount === 0) yield [start, end]
      continue
    }
    for (let at = start; at < end; ) {
      const stop = Math.min(end, (Math.floor(at / GiB) + 1) * GiB)
      yield [at, stop]
      at = stop
    }
  }
}
