/**
 * Which threads of this process have one mapping: a table with a row for each of them, in memory that all of them have
 * (table-memory.ts).
 *
 *     row         free ──take──▶ held ──close──▶ left ──drained──▶ free
 *                                  └───────────close───────────────▶
 *
 *     held   the thread has the arena open, or has views of an arena that became garbage without being closed
 *     left   the thread has closed the arena; stale ArrayBuffers of it may be alive
 *
 *     mapping     open ──no row held──▶ closed ──no row taken──▶ gone ──used for another mapping──▶ open
 *
 * The last thread that holds empties the mapping, the last one that has left unmaps it. A thread that has ended cannot have a buffer
 * any more: the first thread that finds this out frees its row. All of it happens under the table's mutex, and the rows alone are the
 * truth, so a thread may be terminated at any point. A call costs a few microseconds.
 * @module
 */
import { ArenaClosedError, OutOfMemoryError } from '../../errors.ts'
import type { Os } from '../../ffi/os.ts'
import { PROCESS_ID } from '../../runtime.ts'
import { currentThread, livenessOf, type ThreadId } from '../format/thread-id.ts'
import {
  END_TABLE,
  FIRST_TABLE,
  type MappingFacts,
  MappingState,
  MOST_MAPPINGS,
  MOST_THREADS,
  statesOf,
  TableMemory,
  Word,
  wordOf,
} from './table-memory.ts'

/** States of a row. */
export const RowState = { free: 0, held: 1, left: 2 } as const
export type RowState = (typeof RowState)[keyof typeof RowState]

/** Where a table is, for other threads. */
export interface TablePlace {
  readonly number: number
  readonly uses: number
}

export class ThreadTable {
  readonly place: TablePlace
  readonly facts: MappingFacts
  readonly #memory: TableMemory

  private constructor(memory: TableMemory) {
    this.#memory = memory
    this.place = { number: memory.number, uses: memory.uses }
    this.facts = memory.facts()
  }

  /** A table for a mapping that only the calling thread has so far. No row is taken yet. Throws ERR_OUT_OF_MEMORY. */
  static create(os: Os, facts: MappingFacts): ThreadTable {
    const states = statesOf(os)
    for (let number = FIRST_TABLE; number < END_TABLE; number++) {
      const state = Atomics.load(states, number)
      if (state === MappingState.open || state === MappingState.closed) continue
      const memory = new TableMemory(os, number)
      if (memory.found(facts)) return new ThreadTable(memory)
    }
    throw new OutOfMemoryError(
      `the threads of this process share ${MOST_MAPPINGS} arenas already, the most that they can`
    )
  }

  /** The table at a place that another thread has named; undefined when there is none, or it is of another mapping by now. */
  static at(os: Os, { number, uses }: TablePlace): ThreadTable | undefined {
    if (number < FIRST_TABLE || number >= END_TABLE) return undefined
    const table = new ThreadTable(new TableMemory(os, number))
    // The facts are changed after the uses: if these are the same now, those were read whole.
    return table.place.uses === uses && table.state !== MappingState.gone ? table : undefined
  }

  /** One of `MappingState`; `gone` as well when the table is of another mapping by now. */
  get state(): number {
    const { uses, state } = this.#memory
    return uses === this.place.uses && state !== MappingState.none ? state : MappingState.gone
  }

  set state(state: number) {
    this.#memory.state = state
  }

  /** Memory of the mapping is in use by a buffer that this library does not know: the mapping is never unmapped. */
  get moved(): boolean {
    return Atomics.load(this.#memory.words, Word.moved) !== 0
  }

  set moved(moved: boolean) {
    Atomics.store(this.#memory.words, Word.moved, moved ? 1 : 0)
  }

  /**
   * Runs `run` while no other thread of the process does. Throws ERR_ARENA_BUSY when the mutex cannot be had within seconds: then the
   * thread that has it is stopped, or gives very much memory back. Not to be nested.
   */
  locked<R>(run: () => R): R {
    this.#memory.lock()
    try {
      return run()
    } finally {
      this.#memory.unlock()
    }
  }

  /**
   * Takes a row for the calling thread, as held; its number. When all are taken those of threads that have ended are freed first.
   * Throws ERR_OUT_OF_MEMORY when there are too many.
   */
  take(os: Os): number {
    const row = this.#tryTake(os) ?? this.#freeAndTake(os, false) ?? this.#freeAndTake(os, true)
    if (row === undefined)
      throw new OutOfMemoryError(`${MOST_THREADS} threads have the arena open already, the most that can`)
    return row
  }

  #freeAndTake(os: Os, closely: boolean): number | undefined {
    this.freeEndedRows(os, closely)
    return this.#tryTake(os)
  }

  #tryTake(os: Os): number | undefined {
    const { words, lengths } = this.#memory
    const { threadId, startTime } = currentThread(os)
    for (let row = 0; row < MOST_THREADS; row++) {
      const word = wordOf(row)
      if (words[word] !== RowState.free) continue
      words[word + 1] = threadId
      lengths[word / 2 + 1] = startTime
      words[word] = RowState.held
      return row
    }
    return undefined
  }

  set(row: number, state: RowState): void {
    this.#memory.words[wordOf(row)] = state
  }

  /** How many rows are in a state. */
  count(state: RowState): number {
    let count = 0
    for (let row = 0; row < MOST_THREADS; row++) if (this.#memory.words[wordOf(row)] === state) count++
    return count
  }

  /**
   * Frees the rows of threads that have ended: a microsecond a row. `closely`: also of those whose number another thread has got
   * meanwhile, which takes reading a file for each.
   */
  freeEndedRows(os: Os, closely = false): void {
    const self = currentThread(os).threadId
    for (let row = 0; row < MOST_THREADS; row++) {
      const word = wordOf(row)
      if (this.#memory.words[word] === RowState.free) continue
      const threadId = this.#memory.words[word + 1] as number
      const alive = closely
        ? livenessOf(os, this.#threadOf(row, os)) !== 'dead'
        : threadId === self || os.threads.exists(PROCESS_ID, threadId)
      if (!alive) this.set(row, RowState.free)
    }
  }

  #threadOf(row: number, os: Os): ThreadId {
    const word = wordOf(row)
    const threadId = this.#memory.words[word + 1] as number
    const startTime = this.#memory.lengths[word / 2 + 1] as number
    return { processId: PROCESS_ID, threadId, startTime, ...os.threads.place() }
  }
}

/** The arena of a handle is closed in every thread of this process. */
export function closedInAllThreads(): ArenaClosedError {
  return new ArenaClosedError('the arena of this handle is closed: no thread has it any more')
}
