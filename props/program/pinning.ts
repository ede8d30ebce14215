/**
 * Pins: a block is pinned and stays so while the program goes on, until a command comes that would end, move or resize it. That one
 * must be refused, once, and change nothing; then the pins are disposed of and it is tried again.
 * @module
 */
import type { Command } from '../commands.ts'
import type { LiveBlock } from '../model.ts'
import type { Lane } from './lane.ts'
import { isKernelFailure, show } from './outcome.ts'

/** Pins a block: by its offset, by a view that starts in it, or by a block of the allocator inside it. */
export function pin(lane: Lane, { a, b }: Command): void {
  const { model, tally, ground } = lane
  const block = model.pick(a)
  if (block === undefined) return
  const inner = b % 3 === 0 ? block.inner : undefined
  const outcome = lane.call(() => {
    if (inner !== undefined) return inner.pin(ground.arena.view(Uint8Array, block.offset, 1))
    return lane.allocator.pin(
      b % 3 === 1 ? ground.arena.view(Uint8Array, block.offset + (b % block.usable), 0) : block.offset
    )
  })
  if (isKernelFailure(outcome)) return
  if (inner !== undefined && outcome.code === 'ERR_INVALID_FREE') return
  tally.holds('pinned', outcome.code === undefined, () => `pin of the block at ${block.offset}: ${show(outcome)}`)
  if (outcome.code !== undefined) return
  block.pins = [...(block.pins ?? []), outcome.value]
  tally.take('block pinned')
}

/** Where one of the blocks is pinned: that the call is refused; then disposes of the pins. */
export function leavePins(lane: Lane, blocks: readonly LiveBlock[], call: () => unknown): void {
  const pinned = blocks.filter(({ pins }) => pins !== undefined)
  if (pinned.length === 0) return
  const { tally } = lane
  // Blocks may have been freed since the command began.
  lane.last = lane.allocator.stats()
  const outcome = lane.call(call)
  const what = (): string => `a call that touches the pinned block at ${pinned[0]?.offset}: ${show(outcome)}`
  tally.holds('pinned', outcome.code === 'ERR_BLOCK_PINNED', what)
  lane.requireUnchanged('pinned', what)
  tally.take('ERR_BLOCK_PINNED')
  unpin(pinned)
}

/** Disposes of the pins of these blocks, each twice. */
export function unpin(blocks: readonly LiveBlock[]): void {
  for (const block of blocks) {
    for (const held of [...(block.pins ?? []), ...(block.pins ?? [])]) held[Symbol.dispose]()
    delete block.pins
  }
}
