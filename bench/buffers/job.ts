/**
 * What a job of the buffers bench is: the same work, done by several sides, each of which keeps its bytes elsewhere.
 *
 * A side does the whole job in a process of its own and answers with a checksum, which is the same for every side of the job. So a side
 * that leaves work out is found. Work is done in batches with a turn of the event loop in between, as in a server: that is when a pause of
 * the collector is reported.
 * @module
 */

/** Which kind of memory a side uses; the front page shows one side of each kind. */
export type Kind = 'sorites' | 'Buffer' | 'Uint8Array' | 'other'

export interface Outcome {
  /** Operations that were done: the unit of the times. */
  readonly operations: number
  readonly checksum: number
  /** Milliseconds from the start of the side to the first answer, where the job asks for it. */
  readonly readyMs?: number
  /** From when on CPU time counts, where that is not the start of the side. */
  readonly cpuStart?: NodeJS.CpuUsage
}

export interface Side {
  readonly name: string
  readonly kind: Kind
  /** Whether the front page shows it. */
  readonly front: boolean
  run(scale: Scale): Promise<Outcome>
}

export interface Job {
  readonly name: string
  /** The work in one sentence, for the page. */
  readonly title: string
  /** What the time of one is given for: `a search`. */
  readonly operation: string
  /** Makes what all sides need, before the first of them starts. */
  prepare?(scale: Scale): void
  readonly sides: readonly Side[]
}

export interface Scale {
  /** 1 for figures that mean something, less for a first look. */
  readonly factor: number
  /** A folder for files, removed when the bench ends. */
  readonly folder: string
}

/** The same numbers for every side: xorshift, 32 bits. */
export class Numbers {
  #state = 88172645

  /** A whole number from 0 to `end - 1`. */
  below(end: number): number {
    let state = this.#state
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    this.#state = state
    return (state >>> 0) % end
  }
}

const BATCH = 10_000

/** Runs `step` for 0 to `count - 1`, with a turn of the event loop after each batch. */
export async function inBatches(count: number, step: (index: number) => void): Promise<void> {
  for (let start = 0; start < count; start += BATCH) {
    const end = Math.min(count, start + BATCH)
    for (let index = start; index < end; index++) step(index)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
