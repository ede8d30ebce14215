/**
 * The commands that make blocks, and what must be true of a new one.
 * @module
 */
import { GiB } from '../../src/units.ts'
import type { TypedArray, TypedArrayConstructor } from '../../src/views.ts'
import type { Command } from '../commands.ts'
import type { LiveBlock } from '../model.ts'
import { requireFull } from './fullness.ts'
import type { Lane } from './lane.ts'
import { observe } from './observation.ts'
import { isKernelFailure, type Outcome, show } from './outcome.ts'

export const TYPES: readonly TypedArrayConstructor[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
]

/** malloc, tryMalloc, calloc, memalign. */
export function allocateRaw(lane: Lane, { name, a: byteLength, b }: Command): void {
  const { allocator } = lane
  const alignment = name === 'memalign' ? b : 8
  const purges = lane.ground.os.count('purge')
  const outcome = lane.call(() => {
    switch (name) {
      case 'tryMalloc':
        return allocator.tryMalloc(byteLength)
      case 'calloc':
        return allocator.calloc(byteLength)
      case 'memalign':
        return allocator.memalign(alignment, byteLength)
      default:
        return allocator.malloc(byteLength)
    }
  })
  if (name === 'memalign' && isUnsupported(lane, outcome, alignment)) return
  const offset = placed(lane, outcome, byteLength, alignment, name === 'tryMalloc')
  if (lane.ground.os.count('purge') > purges && name !== 'calloc') lane.tally.take('swept to make room')
  if (offset > 0) accept(lane, offset, byteLength, { alignment, zero: name === 'calloc' })
}

/** alloc, allocUnsafe. */
export function allocateView(lane: Lane, { name, a, b }: Command): void {
  const { allocator, ground, tally } = lane
  const type = TYPES[b % TYPES.length] as TypedArrayConstructor
  const length = Math.floor(a / type.BYTES_PER_ELEMENT)
  const byteLength = length * type.BYTES_PER_ELEMENT
  const outcome = lane.call(() =>
    name === 'alloc' ? allocator.alloc(type, length) : allocator.allocUnsafe(type, length)
  )
  let view: TypedArray | undefined
  if (outcome.code === undefined) view = outcome.value
  const found = view === undefined ? (outcome as Outcome<number>) : lane.call(() => ground.arena.offsetOf(view))
  const offset = placed(lane, found, byteLength, 8, false)
  if (offset === 0 || view === undefined) return
  const fits = view instanceof type && view.length === length && view.buffer.byteLength <= ground.arena.byteLength
  tally.holds(
    'inside',
    fits,
    () => `${type.name} of ${view.length} elements, ${length} asked for, or its buffer is too long`
  )
  const block = accept(lane, offset, byteLength, { alignment: 8, zero: name === 'alloc' })
  block.view = view
}

/** The offset of a new block; 0 when there was no room, which is looked into, or the kernel failed. */
export function placed(lane: Lane, outcome: Outcome<number>, size: number, alignment: number, trying: boolean): number {
  if (isKernelFailure(outcome)) return 0
  const full = trying ? outcome.code === undefined && outcome.value === 0 : outcome.code === 'ERR_OUT_OF_MEMORY'
  if (full) {
    lane.tally.take('out of memory')
    lane.requireUnchanged('unchanged', () => `no room for ${size} bytes`)
    requireFull(lane, size, alignment)
    return 0
  }
  lane.tally.holds('errors', outcome.code === undefined, () => `asked for ${size} bytes: ${show(outcome)}`)
  return outcome.code === undefined ? outcome.value : 0
}

interface Wanted {
  readonly alignment: number
  readonly zero: boolean
}

/** Takes a new block into the model, after everything that must be true of it. */
function accept(lane: Lane, offset: number, byteLength: number, { alignment, zero }: Wanted): LiveBlock {
  const block = enter(lane, offset, byteLength, alignment)
  const { contents } = lane.ground
  lane.notePeak()
  if (zero) {
    noteKnownZero(lane, block)
    lane.tally.holds('zero', contents.isZero(offset, byteLength), () => `${byteLength} bytes at ${offset} are not zero`)
  }
  contents.fill(block, lane.nextSeed())
  return block
}

/** Checks where a block lies and enters it into the model, without contents. */
export function enter(lane: Lane, offset: number, byteLength: number, alignment: number): LiveBlock {
  const { tally, model, spec, ground } = lane
  const usable = usableOf(lane, offset, byteLength)
  const where = (): string =>
    `${usable} bytes at ${offset} for ${byteLength}, alignment ${alignment}, ${JSON.stringify(spec)}`
  const inside = offset > 0 && offset >= spec.offset && offset + usable <= lane.end
  tally.holds('inside', inside && offset + usable <= ground.arena.byteLength, where)
  tally.holds('inside', offset % Math.max(alignment, 8) === 0 && (ground.base + offset) % alignment === 0, where)
  if (spec.kind === 'Buddy') tally.holds('inside', offset % Math.min(usable, GiB) === 0, where)
  const crosses = Math.floor(offset / GiB) !== Math.floor((offset + usable - 1) / GiB)
  tally.holds('inside', !crosses || byteLength > GiB, where)
  const other = model.overlapping(offset, usable)
  tally.holds('overlap', other === undefined, () => `${where()} overlaps ${other?.usable} bytes at ${other?.offset}`)
  const block: LiveBlock = { offset, byteLength, usable, seed: 0, written: [] }
  observe(lane, block, crosses)
  model.add(block)
  return block
}

/** Usable bytes, as the allocator says; a bump allocator does not, and rounds up. */
export function usableOf(lane: Lane, offset: number, byteLength: number): number {
  const { freeing, tally } = lane
  if (freeing === undefined) return Math.max(8, Math.ceil(byteLength / 8) * 8)
  const outcome = lane.call(() => freeing.usableSize(offset))
  const usable = outcome.code === undefined ? outcome.value : -1
  tally.holds(
    'usable',
    usable >= byteLength && usable > 0 && usable % 8 === 0,
    () => `${byteLength} at ${offset}: ${show(outcome)}`
  )
  return usable
}

/** Slots of a size lie where they lie: a slab may refuse to align further, and then nothing has changed. */
function isUnsupported(lane: Lane, outcome: Outcome<number>, alignment: number): boolean {
  if (lane.spec.kind !== 'Slab' || outcome.code !== 'ERR_UNSUPPORTED_OPERATION') return false
  const { slotSize = 8, offset } = lane.spec
  const rounded = Math.ceil(slotSize / 8) * 8
  const natural = rounded % alignment === 0 && offset % alignment === 0 && offset > 0
  lane.tally.holds('arguments', alignment > 8 && !natural, () => `alignment ${alignment}: ${show(outcome)}`)
  lane.requireUnchanged('arguments', () => `memalign to ${alignment}`)
  return true
}

/** A fresh block that no page was touched for can only have been known to be zero. */
function noteKnownZero(lane: Lane, block: LiveBlock): void {
  const { arena } = lane.ground
  const first = Math.ceil(block.offset / arena.pageSize) * arena.pageSize
  const last = Math.floor((block.offset + block.byteLength) / arena.pageSize) * arena.pageSize
  if (lane.faults || last <= first || last - first > GiB / 64) return
  const resident = arena.resident(first, last - first)
  if (resident === 0) lane.tally.take('known to be zero')
  else if (resident < last - first) lane.tally.take('zeroed in part')
}
