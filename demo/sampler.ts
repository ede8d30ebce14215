/**
 * Reads everything that is watched at a moment: what the program asked for, what the heap says, what the kernel says.
 * @module
 */
import { getHeapStatistics } from 'node:v8'
import { readStatm } from '../src/ffi/procfs.ts'
import type { AllocatorStats, Arena, FreeingAllocator } from '../src/index.ts'

export interface Sample {
  readonly phase: string
  /** Seconds since the sampler was made. */
  readonly seconds: number
  /** Bytes of addresses that the arena holds. */
  readonly reservedBytes: number
  /** Requested bytes of live blocks. */
  readonly liveBytes: number
  /** The heap's own books; undefined while there is none. */
  readonly stats: AllocatorStats | undefined
  /** Bytes of the arena that the kernel has in RAM (mincore). */
  readonly residentBytes: number
  /** RAM of the whole process (statm). */
  readonly rssBytes: number
  /** Of it, pages of JavaScript's own heap: the views, among others. */
  readonly scriptBytes: number
}

export class Sampler {
  readonly samples: Sample[] = []
  arena: Arena | undefined
  heap: FreeingAllocator | undefined
  readonly #pageSize: number
  readonly #start = performance.now()

  constructor(pageSize: number) {
    this.#pageSize = pageSize
  }

  /** One reading. `settled` collects JavaScript's garbage first, so that RSS tells of the arena and less of the rest. */
  take(phase: string, options: { liveBytes?: number; settled?: boolean } = {}): Sample {
    // Twice: what the first round finds dead may have held more.
    if (options.settled) for (let i = 0; i < 2; i++) globalThis.gc?.()
    // RSS first: the other readings make garbage.
    const rssBytes = readStatm(this.#pageSize).residentBytes
    const sample = {
      phase,
      seconds: (performance.now() - this.#start) / 1000,
      reservedBytes: this.arena?.byteLength ?? 0,
      liveBytes: options.liveBytes ?? 0,
      stats: this.heap?.stats(),
      residentBytes: this.arena?.resident() ?? 0,
      rssBytes,
      scriptBytes: getHeapStatistics().total_physical_size,
    }
    this.samples.push(sample)
    return sample
  }
}
