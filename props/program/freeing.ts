/**
 * The commands that change or end blocks: free, realloc, purge, reset, and closing and opening again.
 * @module
 */
import type { Command } from '../commands.ts'
import { type LiveBlock, Model } from '../model.ts'
import { enter, placed, usableOf } from './allocation.ts'
import { type Lane, makeAllocator } from './lane.ts'
import { isKernelFailure, type Outcome, outcomeOf, show } from './outcome.ts'
import { leavePins } from './pinning.ts'

/** Blocks above this length are moved rarely: a move touches them whole. */
const MOVE_MOST = 4 * 2 ** 20

/** By offset. */
export function free(lane: Lane, { a }: Command): void {
  const block = lane.model.pick(a)
  if (block !== undefined) freeBlock(lane, block, block.offset)
}

/** By the view it was given out as, or by another one that starts where it starts. */
export function freeView(lane: Lane, { a, b }: Command): void {
  const block = lane.model.pick(a)
  if (block === undefined || lane.freeing === undefined) return
  const made = block.view ?? lane.call(() => lane.ground.arena.view(Uint8Array, block.offset, b % (block.usable + 1)))
  if ('code' in made && isKernelFailure(made)) return
  freeBlock(lane, block, 'code' in made ? (made as { value: Uint8Array }).value : made)
}

/** Up to 64 blocks side by side, so that whole spans fall free. */
export function freeRun(lane: Lane, { a, b }: Command): void {
  for (let left = b % 64; left >= 0; left--) {
    const block = lane.model.pick(a)
    if (block !== undefined) freeBlock(lane, block, block.offset)
  }
}

/** Every other of up to 64 blocks side by side: what falls free lies between what stays. */
export function freeComb(lane: Lane, { a, b }: Command): void {
  for (let tooth = 0; tooth <= b % 32; tooth++) {
    const block = lane.model.pick(a + tooth)
    if (block !== undefined) freeBlock(lane, block, block.offset)
  }
}

/** Frees a block, once what is inside it is closed. */
export function freeBlock(lane: Lane, block: LiveBlock, by: number | ArrayBufferView): void {
  const { freeing, model, tally } = lane
  if (freeing === undefined) return
  lane.verify(block)
  leavePins(lane, [block], () => freeing.free(by))
  if (block.inner !== undefined && !leaveNest(lane, block, () => freeing.free(by))) return
  const outcome = lane.call(() => freeing.free(by))
  if (isKernelFailure(outcome)) return
  tally.holds('errors', outcome.code === undefined, () => `free of the block at ${block.offset}: ${show(outcome)}`)
  model.remove(block)
}

/** That a call is refused while an allocator is inside; then closes that. False when the kernel would not let it. */
export function leaveNest(lane: Lane, block: LiveBlock, call: () => unknown): boolean {
  const refused = lane.call(call)
  lane.tally.take('ERR_ARENA_BUSY')
  lane.tally.holds('nested', refused.code === 'ERR_ARENA_BUSY', () => `at ${block.offset}, ${show(refused)}`)
  const closed = lane.call(() => block.inner?.close())
  if (isKernelFailure(closed)) return false
  delete block.inner
  return true
}

export function realloc(lane: Lane, { a, b: byteLength }: Command): void {
  const block = lane.bump === undefined ? lane.model.pick(a) : lane.model.live.at(a % 4 === 0 ? -2 : -1)
  if (block === undefined) return
  const kept = Math.min(block.usable, byteLength)
  if (kept > MOVE_MOST && !(byteLength <= block.usable && byteLength > block.usable / 2)) return
  lane.verify(block)
  const call = (): number => lane.allocator.realloc(block.offset, byteLength)
  const earlier = lane.bump !== undefined && block !== lane.model.live.at(-1)
  if (!earlier) leavePins(lane, [block], call)
  if (!earlier && block.inner !== undefined && !leaveNest(lane, block, call)) return
  const outcome = lane.call(call)
  if (earlier) {
    const refused = outcome.code === 'ERR_UNSUPPORTED_OPERATION'
    lane.tally.holds('refused', refused, () => `not the last block: ${show(outcome)}`)
    lane.tally.take('ERR_UNSUPPORTED_OPERATION')
    lane.requireUnchanged('refused', () => 'realloc of an earlier block')
    return
  }
  const offset = placedAgain(lane, outcome, block, byteLength)
  if (offset === 0) lane.verify(block)
  else if (offset === block.offset) stay(lane, block, byteLength)
  else move(lane, block, offset, byteLength)
}

/** Where a block is after `realloc`; 0 when it is as it was. */
function placedAgain(lane: Lane, outcome: Outcome<number>, block: LiveBlock, byteLength: number): number {
  // Room inside the block itself counts for a realloc in place, not for a new block: only the new block is asked about.
  if (outcome.code === 'ERR_OUT_OF_MEMORY') lane.tally.take('out of memory in realloc')
  const offset = placed(lane, outcome, byteLength, 8, false)
  if (offset !== 0) {
    const wrong = lane.ground.contents.firstWrong(block, offset, byteLength)
    lane.tally.holds('contents', wrong < 0, () => `byte ${wrong} was lost by realloc of ${block.offset} to ${offset}`)
  }
  return offset
}

function stay(lane: Lane, block: LiveBlock, byteLength: number): void {
  const usable = usableOf(lane, block.offset, byteLength)
  if (usable > block.usable) {
    const index = lane.model.indexOf(block.offset)
    const next = lane.model.live[index + 1]
    const free = next === undefined || block.offset + usable <= next.offset
    lane.tally.holds(
      'overlap',
      free,
      () => `${block.offset} grew to ${usable} bytes, over the block at ${next?.offset}`
    )
    lane.tally.holds('inside', block.offset + usable <= lane.end, () => `${block.offset} grew to ${usable} bytes`)
    lane.tally.take('grown in place')
  } else lane.tally.take('realloc in place')
  lane.model.resize(block, usable)
  // A mark above the block's start is one no more.
  lane.marks = lane.marks.filter(({ mark }) => mark <= block.offset)
  block.byteLength = byteLength
  delete block.view
  lane.ground.contents.fill(block, lane.nextSeed())
}

function move(lane: Lane, block: LiveBlock, offset: number, byteLength: number): void {
  lane.tally.take('realloc moved')
  lane.ground.contents.touch(
    offset,
    block.written.filter(([from]) => from < byteLength)
  )
  // A bump allocator leaves the old block where it is.
  if (lane.bump === undefined) lane.model.remove(block)
  const moved = enter(lane, offset, byteLength, 8)
  lane.ground.contents.fill(moved, lane.nextSeed())
}

export function purge(lane: Lane): void {
  const { os } = lane.ground
  const calls = os.count('purge')
  const outcome = lane.call(() => (lane.allocator as { purge(): number }).purge())
  if (outcome.code === undefined) {
    const given = outcome.value
    const after = lane.allocator.stats()
    const fallen = lane.last.committedBytes - after.committedBytes
    lane.tally.holds('purge', given === fallen, () => `gave ${given} bytes, committed fell by ${fallen}`)
    lane.tally.holds('purge', given > 0 === os.count('purge') > calls, () => `gave ${given} bytes, kernel not told`)
    if (given > 0) lane.tally.take('dirty run purged')
  }
  lane.verifyAll(true)
}

/** Time passes: less than a decay period, or so much that all that is free has gone back. */
export function pass(lane: Lane, { a }: Command): void {
  const { clock, spec, tally } = lane
  const { decayMs = 1000 } = spec
  if (spec.kind !== 'Heap') return
  const before = lane.allocator.stats().freeDirtyBytes
  const elapsed = lane.call(() => {
    for (let ticks = a % 2 === 0 ? 1 : 4; ticks > 0; ticks--) clock.advance(Math.max(decayMs, 1) / 2)
  })
  tally.holds('decay', elapsed.code === undefined, () => show(elapsed))
  lane.verifyAll(true)
  if (a % 2 === 0 || decayMs < 0 || lane.faults) return
  const left = lane.allocator.stats().freeDirtyBytes
  if (left < before) tally.take('decayed')
  const given = lane.call(() => (lane.allocator as { purge(): number }).purge())
  const none = given.code === undefined && given.value === 0
  tally.holds('decay', none, () => `${left} bytes were left free of ${before}, and a purge gave ${show(given)}`)
}

export function reset(lane: Lane): void {
  leavePins(lane, lane.model.live, () => lane.allocator.reset())
  const outcome = lane.call(() => lane.allocator.reset())
  if (isKernelFailure(outcome)) return
  lane.tally.holds('errors', outcome.code === undefined, () => show(outcome))
  for (const block of lane.model.cut())
    if (block.inner !== undefined) {
      const inner = outcomeOf(() => block.inner?.malloc(8))
      lane.tally.holds(
        'nested',
        inner.code === 'ERR_ARENA_CLOSED',
        () => `after reset of the outer one: ${show(inner)}`
      )
    }
  lane.marks = []
}

/** Closes the allocator and makes it anew in the same place: the contents are gone, and are not known to be. */
export function reopen(lane: Lane): void {
  const { allocator, tally } = lane
  leavePins(lane, lane.model.live, () => allocator.close())
  const outcome = lane.call(() => allocator.close())
  if (isKernelFailure(outcome)) return
  allocator.close()
  for (const late of [
    () => allocator.malloc(8),
    () => allocator.alloc(Uint8Array, 8),
    () => allocator.check(),
    () => allocator.stats(),
  ]) {
    const refused = outcomeOf(late)
    tally.holds('errors', refused.code === 'ERR_ARENA_CLOSED', () => `closed: ${show(refused)}`)
  }
  tally.take('ERR_ARENA_CLOSED')
  lane.model = new Model()
  lane.marks = []
  lane.tiles.clear()
  lane.ground.os.heal()
  lane.allocator = makeAllocator(lane.spec, lane.ground.arena, lane.clock)
  lane.fresh = lane.last = lane.allocator.stats()
}
