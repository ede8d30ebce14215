/**
 * The end of a program: every block is freed and everything purged, and the allocator must be as it was at first.
 * @module
 */
import { Bump } from '../../src/allocator/bump/bump.ts'
import { GiB } from '../../src/units.ts'
import type { Lane } from './lane.ts'
import { unpin } from './pinning.ts'
import type { LaneSpec } from './scenario.ts'

/** The largest block that an empty allocator must give, by its own rules; 0 where a limit makes it depend on the metadata. */
function largestBlock({ kind, offset, byteLength, limit, slotSize, minBlock = 64 }: LaneSpec): number {
  if (limit !== undefined) return 0
  const first = Math.max(offset, 8)
  const end = offset + byteLength
  if (kind === 'Slab') return slotSize as number
  if (kind === 'Buddy') {
    let block = minBlock * 2 ** Math.floor(Math.log2(byteLength / minBlock))
    while (Math.ceil(first / block) * block + block > end) block /= 2
    return block
  }
  // No block crosses a window's end, but one that is longer than a window.
  let largest = 0
  for (let at = first; at < end; at = (Math.floor(at / GiB) + 1) * GiB) {
    const whole = at % GiB === 0 || kind === 'Heap'
    const beyond = whole && end - at > GiB ? end - at : 0
    largest = Math.max(largest, Math.min(end, (Math.floor(at / GiB) + 1) * GiB) - at, beyond)
  }
  return largest
}

/** Looks at everything, frees everything, and asks for the first state. */
export function restore(lane: Lane): void {
  lane.verifyAll(false)
  lane.compareBlocks()
  freeAll(lane)
  lane.settle()
  lane.check()
  ;(lane.allocator as { purge(): number }).purge()
  lane.settle()
  lane.check()
  const { last, tally, spec } = lane
  const page = lane.ground.arena.pageSize
  // Parts of pages that the claim shares with its neighbours, and the page of offset 0 in all but heaps, are not given back.
  const starts = spec.offset % page === 0 && (spec.offset > 0 || spec.kind === 'Heap')
  const edges = (starts ? 0 : page) + (lane.end % page === 0 ? 0 : page)
  const free = last.freeSlotBytes + last.freeDirtyBytes
  const first = last.usedBytes === 0 && last.usedCount === 0 && free <= edges
  tally.holds('empty', first, () => `all freed and purged: ${JSON.stringify(last)}, edges ${edges}`)
  const largest = largestBlock(spec)
  if (largest === 0) return
  const offset = lane.allocator.tryMalloc(largest)
  tally.holds('empty', offset !== 0, () => `the largest block, ${largest} bytes, no longer fits`)
}

function freeAll(lane: Lane): void {
  const { model, allocator } = lane
  unpin(model.live)
  for (const block of model.live) {
    block.inner?.close()
    delete block.inner
  }
  if (allocator instanceof Bump) {
    allocator.reset()
    model.cut()
    return
  }
  // From both ends to the middle: neighbours are joined from either side.
  while (model.usedCount > 0) {
    const block = model.live.at(model.usedCount % 2 === 0 ? 0 : -1)
    if (block === undefined) break
    allocator.free(block.offset)
    model.remove(block)
  }
}
