/**
 * Calls on allocators. Those that make or end blocks also write, read or compare the bytes, so that a step is one order.
 * @module
 */

import { Buddy } from '../../src/allocator/buddy/buddy.ts'
import { Bump } from '../../src/allocator/bump/bump.ts'
import type { Allocator, FreeingAllocator } from '../../src/allocator/contract.ts'
import { Heap } from '../../src/allocator/heap/heap.ts'
import { Slab } from '../../src/allocator/slab/slab.ts'
import type { Arena } from '../../src/arena/arena.ts'
import type { TypedArray, TypedArrayConstructor } from '../../src/views.ts'
import { fill, firstNotZero, firstWrong } from './bytes.ts'
import { type Manner, Timers } from './timers.ts'
import type { Calls, Order, Tools } from './tools.ts'

export const TYPES: readonly TypedArrayConstructor[] = [
  Uint8Array,
  Float64Array,
  Int32Array,
  Uint16Array,
  BigInt64Array,
  Int8Array,
  Float32Array,
  Uint8ClampedArray,
]

const KINDS = { Bump, Buddy, Slab, Heap } as const

function enter(tools: Tools, order: Order, timers: Timers | undefined, make: () => Allocator): Allocator {
  const allocator = tools.call(order, make)
  if (timers !== undefined) timers.heap = allocator as Heap
  tools.allocators.set(order.allocator as number, { allocator, arena: order.arena as number, timers })
  return allocator
}

const timersOf = ({ manner }: Order): Timers | undefined =>
  manner === undefined ? undefined : new Timers(manner as Manner)

function allocate(allocator: Allocator, { how, byteLength = 0, alignment, choice = 0 }: Order): number | TypedArray {
  const type = TYPES[choice % TYPES.length] as TypedArrayConstructor
  switch (how) {
    case 'tryMalloc':
      return allocator.tryMalloc(byteLength)
    case 'calloc':
      return allocator.calloc(byteLength)
    case 'memalign':
      return allocator.memalign(alignment, byteLength)
    case 'alloc':
      return allocator.alloc(type, Math.floor(byteLength / type.BYTES_PER_ELEMENT))
    case 'allocUnsafe':
      return allocator.allocUnsafe(type, Math.floor(byteLength / type.BYTES_PER_ELEMENT))
    default:
      return allocator.malloc(byteLength)
  }
}

/** A new block, not written yet: where, how long, and whether what must be zero is. */
function measure(
  allocator: Allocator,
  arena: Arena,
  made: number | TypedArray,
  { how, byteLength = 0 }: Order
): object {
  const offset = typeof made === 'number' ? made : arena.offsetOf(made)
  if (offset === 0) return { offset }
  const asked = typeof made === 'number' ? byteLength : made.byteLength
  const usable = allocator instanceof Bump ? -1 : (allocator as FreeingAllocator).usableSize(offset)
  const zero = how === 'calloc' || how === 'alloc'
  return { offset, byteLength: asked, usable, notZero: zero ? firstNotZero(arena, offset, asked) : -1 }
}

/** The block as `free` takes it: an offset, or one of the views that start there. */
function named(tools: Tools, order: Order): number | ArrayBufferView {
  const offset = order.offset as number
  const arena = tools.arenas.get(tools.allocation(order).arena) as Arena
  return order.by === 'view' ? arena.view(Uint8Array, offset, (order.choice as number) % 2) : offset
}

const freeing = (tools: Tools, order: Order): FreeingAllocator =>
  tools.allocation(order).allocator as unknown as FreeingAllocator
const heap = (tools: Tools, order: Order): Heap => tools.allocation(order).allocator as Heap
const bump = (tools: Tools, order: Order): Bump => tools.allocation(order).allocator as unknown as Bump

export const allocatorCalls: Calls = {
  make(tools, order) {
    const timers = timersOf(order)
    const options = { ...order.options, ...(timers && { schedule: timers.schedule }) }
    const kind = KINDS[order.kind as keyof typeof KINDS] as new (arena: Arena, options: object) => Allocator
    enter(tools, order, timers, () => new kind(tools.arena(order), options))
  },
  attachHeap(tools, order) {
    const timers = timersOf(order)
    const options = { ...order.options, ...(timers && { schedule: timers.schedule }) }
    const made = enter(tools, order, timers, () => Heap.attach(tools.arena(order), options)) as Heap
    return { role: made.role, recovered: made.recovered }
  },
  allocate(tools, order) {
    const { allocator, arena } = tools.allocation(order)
    const made = tools.call(order, () => allocate(allocator, order))
    return measure(allocator, tools.arenas.get(arena) as Arena, made, order)
  },
  free(tools, order) {
    const block = named(tools, order)
    tools.call(order, () => freeing(tools, order).free(block))
  },
  usableSize: (tools, order) => freeing(tools, order).usableSize(named(tools, order)),
  realloc(tools, order) {
    const { allocator, arena } = tools.allocation(order)
    const { offset = 0, byteLength = 0, old = 0, seed = 0 } = order
    const moved = tools.call(order, () => (allocator as FreeingAllocator).realloc(offset, byteLength))
    const place = tools.arenas.get(arena) as Arena
    const wrong = firstWrong(place, moved, old as number, seed, byteLength)
    return { ...measure(allocator, place, moved, order), wrong }
  },
  pinBlock: (tools, order) =>
    void tools.pins.set(order.name as number, tools.allocation(order).allocator.pin(named(tools, order))),
  mallocMany(tools, order) {
    const allocator = freeing(tools, order)
    const offsets = new Float64Array(order.count as number)
    const got = tools.call(order, () => allocator.mallocMany(order.byteLength as number, offsets))
    return [...offsets.subarray(0, got)].map((offset) => ({ offset, usable: allocator.usableSize(offset) }))
  },
  freeMany(tools, order) {
    const offsets = Float64Array.from(order.offsets as number[])
    tools.call(order, () => freeing(tools, order).freeMany(offsets))
  },
  purge: (tools, order) => tools.call(order, () => freeing(tools, order).purge()),
  reset: (tools, order) => tools.call(order, () => tools.allocation(order).allocator.reset()),
  stats: (tools, order) => tools.call(order, () => tools.allocation(order).allocator.stats(order.options)),
  check: (tools, order) => tools.allocation(order).allocator.check(),
  blocks: (tools, order) => [...freeing(tools, order).blocks()].map(({ offset }) => offset),
  mark: (tools, order) => bump(tools, order).mark(),
  release: (tools, order) => tools.call(order, () => bump(tools, order).release(order.mark)),
  setRoot: (tools, order) => heap(tools, order).setRoot(order.root, order.offset as number),
  root: (tools, order) => heap(tools, order).root(order.root),
  closeAllocator: (tools, order) => tools.call(order, () => tools.allocation(order).allocator.close()),
  destroy: (tools, order) => tools.call(order, () => heap(tools, order).destroy()),
  forgetAllocator: (tools, order) => void tools.allocators.delete(order.allocator as number),

  /** The timers of one heap, or of all that this hand ever had and has not forgotten. */
  tick: (tools, order) => tools.call(order, () => tools.allocation(order).timers?.tick()),
  /** How many timers of a heap wait that can be cancelled. */
  timers(tools, order) {
    const timers = tools.allocation(order).timers
    return timers === undefined || timers.manner === 'deaf' ? 0 : timers.waiting.size
  },
  /** Writes and reads a block. */
  fillBlock(tools, order) {
    const arena = tools.arenas.get(tools.allocation(order).arena) as Arena
    fill(arena, order.offset as number, order.byteLength as number, order.seed as number)
  },
  blockWrong(tools, order) {
    const arena = tools.arenas.get(tools.allocation(order).arena) as Arena
    return firstWrong(arena, order.offset as number, order.byteLength as number, order.seed as number)
  },
  /** A call that must be refused, by name and with arguments out of a list that plain data cannot hold. */
  misuse(tools, order) {
    const loose = tools.allocation(order).allocator as unknown as Record<string, (...given: unknown[]) => unknown>
    return loose[order.method as string]?.(...misuseArguments(order))
  },
}

/** Arguments that are none. */
export const ODD: readonly unknown[] = [
  -1,
  1.5,
  Number.NaN,
  2 ** 53,
  -(2 ** 32),
  Infinity,
  '8',
  null,
  8n,
  {},
  Symbol('x'),
]

function misuseArguments({ method, choice = 0, offset = 0 }: Order): unknown[] {
  const odd = ODD[choice % ODD.length]
  if (method === 'memalign') return choice & 64 ? [odd, 8] : [8, odd]
  if (method === 'alloc' || method === 'allocUnsafe') return choice & 64 ? [odd, 8] : [Uint8Array, odd]
  if (method === 'realloc') return choice & 64 ? [odd, 8] : [offset, odd]
  if (method === 'calloc' && choice & 64) return [8, 8]
  return [odd]
}
