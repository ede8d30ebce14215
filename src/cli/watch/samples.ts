/**
 * Memory over time, by owner. A run that is longer than expected keeps every second sample and takes them half as often, so memory and
 * page stay bounded.
 *
 *     resident of a sample  =  sum over its owners
 * @module
 */
import { MiB } from '../../units.ts'
import type { ArenaContents } from '../map/arena-contents.ts'
import type { MallocContents } from '../map/malloc-heaps.ts'
import { memoryMap } from '../map/memory-map.ts'
import type { Owner } from '../map/owners.ts'
import { lookForOffspring, type Offspring } from './offspring.ts'

export interface Sample {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly resident: number
  readonly swapped: number
  readonly owners: Readonly<Partial<Record<Owner, number>>>
}

const MOST_SAMPLES = 8000
/** No Node that runs has a smaller heap of V8. */
const LEAST_HEAP = MiB
/** Looking into heaps takes so much of the time at most. */
const INSIDE_SHARE = 0.05

export class Samples {
  readonly list: Sample[] = []
  /** The last look into heaps and arenas. */
  malloc: MallocContents | undefined
  arenas: readonly ArenaContents[] = []
  command = ''
  /** Processes that this one has started, by number. */
  readonly offspring: Map<number, Offspring> = new Map()
  intervalMs: number
  readonly #pid: number
  #nextInside = 0

  constructor(pid: number, intervalMs: number) {
    this.#pid = pid
    this.intervalMs = intervalMs
  }

  /** Throws a `Failure` when the process is not there any more. */
  take(): Sample {
    const begin = performance.now()
    const inside = begin >= this.#nextInside
    const time = Date.now()
    const map = memoryMap(this.#pid, { inside })
    lookForOffspring(this.#pid, this.offspring)
    if (inside) {
      this.malloc = map.malloc ?? this.malloc
      this.arenas = map.arenas
      const end = performance.now()
      this.#nextInside = end + (end - begin) / INSIDE_SHARE
    }
    this.command = map.command
    const owners = Object.fromEntries(map.owners.map(({ owner, resident }) => [owner, resident]))
    const sample = { time, resident: map.total.resident, swapped: map.total.swapped, owners }
    this.list.push(sample)
    if (this.list.length > MOST_SAMPLES) this.#thin()
    return sample
  }

  /**
   * Takes samples away that show a process which was still being loaded, before there was a heap of V8, or already taken apart: that heap
   * is gone before the rest.
   */
  dropEdges(): void {
    const heap = (sample: Sample | undefined): number => sample?.owners['v8-heap'] ?? 0
    const begun = this.list.findIndex((sample) => heap(sample) > 0)
    if (begun > 0) this.list.splice(0, begun)
    if (this.list.some((sample) => heap(sample) >= LEAST_HEAP))
      while (heap(this.list.at(-1)) < LEAST_HEAP) this.list.pop()
    if (heap(this.list.at(-1)) < heap(this.list.at(-2)) / 2) this.list.pop()
  }

  #thin(): void {
    this.list.splice(0, this.list.length, ...this.list.filter((_, index) => index % 2 === 0))
    this.intervalMs *= 2
  }
}

/** The owners that ever had anything, the largest at its peak first. */
export function ownersOf(samples: readonly Sample[]): Owner[] {
  const peaks = new Map<Owner, number>()
  for (const { owners } of samples)
    for (const [owner, bytes] of Object.entries(owners) as [Owner, number][])
      peaks.set(owner, Math.max(peaks.get(owner) ?? 0, bytes))
  return [...peaks]
    .filter(([, bytes]) => bytes > 0)
    .sort(([, one], [, other]) => other - one)
    .map(([owner]) => owner)
}
