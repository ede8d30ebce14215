/**
 * Where a program runs: the page size the kernel pretends, the arenas, and the allocators with their claims. Plain data, so that a
 * failure can be printed and pasted.
 *
 * A lane is one allocator on its claim. Programs with one lane look closely at one allocator; those with several look at what they do
 * to each other.
 * @module
 */
import { GiB, KiB, MiB } from '../../src/units.ts'
import type { Random } from './random.ts'

export type Kind = 'Bump' | 'Slab' | 'Buddy' | 'Heap'
export const KINDS: readonly Kind[] = ['Bump', 'Slab', 'Buddy', 'Heap']

export interface LaneSpec {
  readonly kind: Kind
  /** Index of the arena. */
  readonly arena: number
  readonly offset: number
  readonly byteLength: number
  readonly limit?: number
  readonly slotSize?: number
  readonly minBlock?: number
  /** Of a heap. @defaultValue the heap's */
  readonly decayMs?: number
}

export interface Scenario {
  readonly pageSize: number
  /** Lengths of the arenas. */
  readonly arenas: readonly number[]
  /** Whether the arenas were written to before the allocators came. */
  readonly dirty: boolean
  readonly lanes: readonly LaneSpec[]
}

const ARENA_BYTES = [64 * KiB, 64 * KiB, 256 * KiB, MiB, 16 * MiB, 256 * MiB, 3 * GiB, 3 * GiB]

/** One allocator on one arena. */
export function alone(random: Random, kind: Kind): Scenario {
  const arena = random.pick(ARENA_BYTES)
  const [offset, byteLength] = claimIn(random, arena)
  const pageSize = anyPageSize(random)
  const lane = laneOf(random, kind, 0, offset, Math.min(byteLength, arena - offset))
  return { pageSize, arenas: [arena], dirty: random.chance(20), lanes: [lane] }
}

/** A heap that has an arena, for blocks longer than a window. */
export function vast(random: Random): Scenario {
  const arena = random.pick([3, 4]) * GiB
  const lane: LaneSpec = { kind: 'Heap', arena: 0, offset: 0, byteLength: arena }
  return { pageSize: anyPageSize(random), arenas: [arena], dirty: random.chance(20), lanes: [lane] }
}

/** Two heaps on two arenas. */
export function apart(random: Random): Scenario {
  const arenas = [random.pick([MiB, 16 * MiB, 3 * GiB]), random.pick([256 * KiB, MiB])]
  const lanes = arenas.map((byteLength, arena) => laneOf(random, 'Heap', arena, 0, byteLength))
  return { pageSize: anyPageSize(random), arenas, dirty: random.chance(20), lanes }
}

/** Several allocators side by side on one or two arenas. */
export function together(random: Random): Scenario {
  const arenas = random.chance(50) ? [MiB] : [256 * KiB, random.pick([64 * KiB, 16 * MiB, 3 * GiB])]
  const lanes: LaneSpec[] = []
  arenas.forEach((arena, index) => {
    const cuts = [0, arena]
    for (let count = random.int(1, 2); count > 0; count--) cuts.push(8 * random.int(1, arena / 8 - 1))
    cuts.sort((a, b) => a - b)
    for (let at = 0; at + 1 < cuts.length; at++) {
      const offset = cuts[at] as number
      const byteLength = (cuts[at + 1] as number) - offset
      if (byteLength >= 16 * KiB) lanes.push(laneOf(random, random.pick(KINDS), index, offset, byteLength))
    }
    if (!lanes.some((lane) => lane.arena === index)) lanes.push(laneOf(random, 'Heap', index, 0, arena))
  })
  return { pageSize: anyPageSize(random), arenas, dirty: random.chance(20), lanes }
}

function anyPageSize(random: Random): number {
  return random.pick([4, 4, 4, 16, 64]) * KiB
}

/** The whole arena, or a part at odd places; in a long arena often around the end of a window. */
function claimIn(random: Random, arena: number): [number, number] {
  if (arena > GiB && random.chance(50)) {
    const byteLength = 8 * random.int(4096, 1024 * 1024)
    return [random.pick([1, 2]) * GiB - 8 * random.int(1, byteLength / 8), byteLength]
  }
  if (random.chance(50)) return [0, arena]
  const offset = 8 * random.int(0, arena / 32)
  return [offset, random.chance(50) ? arena - offset : 8 * random.int(arena / 32, (arena - offset) / 8)]
}

function laneOf(random: Random, kind: Kind, arena: number, offset: number, byteLength: number): LaneSpec {
  const limit = random.chance(25) ? Math.floor((byteLength / 8) * random.int(3, 8)) : undefined
  const base = { kind, arena, offset, byteLength, ...(limit === undefined ? {} : { limit }) }
  if (kind === 'Slab') return { ...base, slotSize: anySlotSize(random, byteLength) }
  if (kind === 'Buddy' && random.chance(50)) return { ...base, minBlock: 2 ** random.int(4, 13) }
  if (kind === 'Heap' && random.chance(50)) return { ...base, decayMs: random.pick([-1, 0, 10]) }
  return base
}

function anySlotSize(random: Random, byteLength: number): number {
  const size = random.pick([8, 16, 24, 40, 64, 100, 136, 1000, 1024, 4096, 4104, 5000, 65536, 300000])
  return Math.min(size, Math.max(8, Math.floor(byteLength / 16)))
}
