/**
 * What can be told of an allocator's inner steps from where its blocks lie: so that a run can say which paths it took without
 * looking inside.
 * @module
 */
import { GiB } from '../../src/units.ts'
import type { LiveBlock } from '../model.ts'
import type { Lane } from './lane.ts'

const TILE = 4096
/** No slot of a heap's slabs is longer. */
const SMALL = 1024

/** Notes what a new block tells. It is not in the model yet. */
export function observe(lane: Lane, block: LiveBlock, crosses: boolean): void {
  const { tally, spec, model } = lane
  if (crosses) tally.take('window edge crossed')
  if (block.usable > GiB) tally.take('block longer than a window')
  if (block.offset >= GiB) tally.take('block beyond the first window')
  if (model.history.has(block.offset)) tally.take('offset handed out again')
  if (spec.kind === 'Buddy') observeBuddy(lane, block)
  if (spec.kind === 'Heap') observeTile(lane, block)
}

/** Below a live block there is no fresh space, so a block of another size there was split off, or merged. */
function observeBuddy({ tally, model }: Lane, { offset, usable }: LiveBlock): void {
  const top = model.live.at(-1)
  if (top === undefined || top.offset < offset) return
  if ((model.history.get(offset) ?? 0) > usable) tally.take('split')
  if (model.history.has(offset + usable / 2)) tally.take('merged')
}

/** A tile that held slots of one size, and holds slots of another, was a free span in between. */
function observeTile({ tally, tiles }: Lane, { offset, usable }: LiveBlock): void {
  if (usable > SMALL) return
  const tile = Math.floor(offset / TILE)
  const before = tiles.get(tile)
  if (before !== undefined && before !== usable) tally.take('slab reused by another class')
  tiles.set(tile, usable)
}
