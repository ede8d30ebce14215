/**
 * Commands with a second claim: an allocator inside a block, claims where none may be, and the marks of a bump allocator.
 * @module
 */
import { Bump } from '../../src/allocator/bump/bump.ts'
import type { Command } from '../commands.ts'
import type { LiveBlock } from '../model.ts'
import type { Lane } from './lane.ts'
import { isKernelFailure, show } from './outcome.ts'
import { leavePins } from './pinning.ts'

/** The shortest block that an allocator is put into. */
const LEAST = 256

/** Puts a bump allocator into a block and uses it; it stays until the block is freed. */
export function nest(lane: Lane, { a, b }: Command): void {
  refuseClaims(lane, b)
  const block = lane.model.pick(a)
  if (block === undefined || block.usable < LEAST || block.inner !== undefined) return
  const { arena } = lane.ground
  const outcome = lane.call(
    () => new Bump(arena, { offset: block.offset, byteLength: Math.floor(block.byteLength / 8) * 8 || 8 })
  )
  if (outcome.code !== undefined) {
    // Metadata for the inner claim may not be there.
    const expected = isKernelFailure(outcome) || outcome.code === 'ERR_OUT_OF_MEMORY'
    lane.tally.holds('nested', expected, () => `Bump in ${block.usable} bytes at ${block.offset}: ${show(outcome)}`)
    return
  }
  block.inner = outcome.value
  block.written = []
  delete block.view
  lane.tally.take('allocator inside a block')
  useInner(lane, block, outcome.value, b)
  if (b % 8 === 0) closeInner(lane, block)
}

function useInner(lane: Lane, outer: LiveBlock, inner: Bump, size: number): void {
  const { contents } = lane.ground
  let top = outer.offset
  for (let count = 0; count < 4; count++) {
    const outcome = lane.call(() => (count % 2 === 0 ? inner.calloc(size % 300) : inner.malloc(size % 50)))
    if (outcome.code !== undefined) continue
    const offset = outcome.value
    const byteLength = count % 2 === 0 ? size % 300 : size % 50
    const inside = offset >= top && offset + byteLength <= outer.offset + outer.usable
    lane.tally.holds(
      'inside',
      inside,
      () => `${byteLength} bytes at ${offset}, inside ${outer.usable} at ${outer.offset}`
    )
    if (count % 2 === 0)
      lane.tally.holds('zero', contents.isZero(offset, byteLength), () => `inner calloc at ${offset}`)
    contents.fill({ offset, byteLength, usable: byteLength, seed: 0, written: [] }, lane.nextSeed())
    top = offset + byteLength
  }
  const checked = lane.call(() => inner.check())
  lane.tally.holds('check', checked.code === undefined, () => `inner: ${show(checked)}`)
}

function closeInner(lane: Lane, block: LiveBlock): void {
  const closed = lane.call(() => block.inner?.close())
  if (isKernelFailure(closed)) return
  lane.tally.holds('nested', closed.code === undefined, () => show(closed))
  delete block.inner
}

/** A claim beside a live block, and a purge of claimed pages by the user, are refused. */
function refuseClaims(lane: Lane, number: number): void {
  const { arena } = lane.ground
  const { model, tally, spec } = lane
  const block = model.pick(number)
  const purge = lane.call(() => arena.purge(spec.offset, Math.min(spec.byteLength, 8 + number)))
  tally.holds('nested', purge.code === 'ERR_ARENA_BUSY', () => `purge of a claim: ${show(purge)}`)
  if (block === undefined || lane.bump !== undefined) return
  const byteLength = block.usable + 8
  const claim = lane.call(() => new Bump(arena, { offset: block.offset, byteLength }))
  const refused =
    claim.code === 'ERR_ARENA_BUSY' ||
    (claim.code === 'ERR_OUT_OF_RANGE' && block.offset + byteLength > arena.byteLength)
  tally.holds('nested', refused || isKernelFailure(claim), () => `claim across the end of a block: ${show(claim)}`)
}

export function mark(lane: Lane): void {
  const { bump, model } = lane
  if (bump !== undefined) lane.marks.push({ mark: bump.mark(), count: model.usedCount })
}

/** Goes back to a mark; or to none, which is refused. */
export function release(lane: Lane, { a, b }: Command): void {
  const { bump, model, tally } = lane
  if (bump === undefined) return
  if (b % 5 === 0) refuseMarks(lane, bump, a)
  const chosen = lane.marks[Math.max(a % (lane.marks.length + 1), lane.marks.length - 3)]
  if (chosen === undefined) return
  leavePins(lane, model.live.slice(chosen.count), () => bump.release(chosen.mark))
  const outcome = lane.call(() => bump.release(chosen.mark))
  if (model.live.slice(chosen.count).some((block) => block.inner !== undefined)) {
    tally.holds('nested', outcome.code === 'ERR_ARENA_BUSY', () => `release below an inner allocator: ${show(outcome)}`)
    tally.take('ERR_ARENA_BUSY')
    for (const block of model.live.slice(chosen.count)) if (block.inner !== undefined) closeInner(lane, block)
    return
  }
  if (isKernelFailure(outcome)) return
  tally.holds('marks', outcome.code === undefined, () => `release to ${chosen.mark}: ${show(outcome)}`)
  const dropped = model.live.slice(chosen.count)
  model.cut(dropped[0]?.offset ?? Number.POSITIVE_INFINITY)
  lane.marks = lane.marks.filter(({ mark: at }) => at <= chosen.mark)
  tally.holds('marks', bump.mark() === chosen.mark, () => `released to ${chosen.mark}, the mark is ${bump.mark()}`)
  tally.take('released to a mark')
}

function refuseMarks(lane: Lane, bump: Bump, number: number): void {
  const top = bump.mark()
  const last = lane.model.live.at(-1)
  const inside = last !== undefined && last.usable > 8 ? last.offset + 8 : top + 8
  const bad = [top + 8, -8, Number.NaN, top - 4, inside, lane.end + 8][number % 6] as number
  if (bad === top) return
  const outcome = lane.call(() => bump.release(bad))
  lane.tally.holds(
    'marks',
    outcome.code === 'ERR_OUT_OF_RANGE',
    () => `release to ${bad}, which is no mark: ${show(outcome)}`
  )
}
