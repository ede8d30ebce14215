/**
 * The end of a program: every block is freed and everything purged, and the allocator must be as it was at first.
 * @module
 */
import { Bump } from '../../src/allocator/bump.ts'
import { Arena } from '../../src/arena/arena.ts'
import { FakeOs } from '../../test/helpers/fake-os.ts'
import { type Lane, makeAllocator } from './lane.ts'
import type { LaneSpec, Scenario } from './scenario.ts'

/** The largest block that an empty allocator of this kind gives; 0 where a limit makes it depend on the metadata. */
export function largestBlock(spec: LaneSpec, { pageSize, arenas }: Scenario): number {
  if (spec.limit !== undefined) return 0
  if (spec.slotSize !== undefined) return spec.slotSize
  const arena = Arena.reserve(arenas[spec.arena] as number, { os: new FakeOs({ pageSize }) })
  const allocator = makeAllocator(spec, arena)
  let low = 0
  let high = spec.byteLength / 8
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (allocator.tryMalloc(middle * 8) === 0) high = middle - 1
    else low = middle
    allocator.reset()
  }
  arena.close()
  return low * 8
}

/** Looks at everything, frees everything, and asks for the first state. */
export function restore(lane: Lane, largest: number): void {
  lane.verifyAll(false)
  lane.compareBlocks()
  freeAll(lane)
  lane.settle()
  ;(lane.allocator as { purge(): number }).purge()
  lane.settle()
  const { last, tally, spec } = lane
  const page = lane.ground.arena.pageSize
  // Parts of pages that the claim shares with its neighbours, and the page of offset 0 in all but heaps, are not given back.
  const starts = spec.offset % page === 0 && (spec.offset > 0 || spec.kind === 'Heap')
  const edges = (starts ? 0 : page) + (lane.end % page === 0 ? 0 : page)
  const free = last.freeSlotBytes + last.freeDirtyBytes
  const first = last.usedBytes === 0 && last.usedCount === 0 && free <= edges
  tally.holds('empty', first, () => `all freed and purged: ${JSON.stringify(last)}, edges ${edges}`)
  if (largest === 0) return
  const offset = lane.allocator.tryMalloc(largest)
  tally.holds('empty', offset !== 0, () => `the largest block, ${largest} bytes, no longer fits`)
  lane.allocator.reset()
}

function freeAll(lane: Lane): void {
  const { model, allocator } = lane
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
