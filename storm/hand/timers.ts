/**
 * The `schedule` of the storm's heaps: timers that go off when the program says so, in one of the manners that a user's own may have.
 *
 *     'kept'     runs when told, unless cancelled                 as setTimeout does
 *     'deaf'     its cancel does nothing: it goes off after the heap was closed
 *     'eager'    runs inside the call that schedules it           as a test's clock may
 *     'hostile'  purges and allocates in the heap from inside `schedule`, and throws at last
 * @module
 */
import type { Schedule } from '../../src/allocator/heap/decay.ts'
import type { Heap } from '../../src/allocator/heap/heap.ts'

export const MANNERS = ['kept', 'kept', 'deaf', 'eager', 'hostile'] as const
export type Manner = (typeof MANNERS)[number]

export class Timers {
  readonly manner: Manner
  heap: Heap | undefined
  /** Those that wait. */
  readonly waiting: Set<() => void> = new Set()
  #depth = 0

  constructor(manner: Manner) {
    this.manner = manner
  }

  readonly schedule: Schedule = (run) => {
    if (this.manner === 'eager' && this.#depth < 3) this.#nested(run)
    else this.waiting.add(run)
    if (this.manner === 'hostile' && this.#depth === 0) this.#nested(() => this.#attack())
    return () => {
      if (this.manner !== 'deaf') this.waiting.delete(run)
    }
  }

  /** Time passes: whatever waits goes off, once. */
  tick(): void {
    for (const run of [...this.waiting]) {
      this.waiting.delete(run)
      run()
    }
  }

  #nested(run: () => void): void {
    this.#depth++
    try {
      run()
    } finally {
      this.#depth--
    }
  }

  #attack(): void {
    const { heap } = this
    if (heap === undefined) return
    heap.purge()
    const offset = heap.tryMalloc(100)
    if (offset !== 0) heap.free(offset)
  }
}
