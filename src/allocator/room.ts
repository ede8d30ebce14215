/**
 * Asking the caller for room when a request does not fit: the option `onFull`.
 *
 *     request does not fit  ->  onFull(byteLength)  true   ->  tried again, and so on
 *                                                   else   ->  ERR_OUT_OF_MEMORY, or 0
 *
 * The callback runs between two tries, when the tables are consistent and no step is under way (arena/ending.ts): what is part of a step
 * fails, and its outermost call asks. It may free, purge, reset and close. A request that it makes itself, and that does not fit, fails
 * without asking again. It is asked as often as it says true; where PATIENCE answers in a row have freed nothing, by the sum of used and
 * committed bytes, the request fails.
 *
 * Cost: nothing while requests fit. The sum is taken once in PATIENCE answers, since a heap walks its spans for it.
 * @module
 */
import { inStep } from '../arena/ending.ts'

/** Told of a request that does not fit; true: it is tried again. */
export type OnFull = (byteLength: number) => boolean

/** One request, over all its tries. */
export interface RoomRequest {
  readonly byteLength: number
  /** How often the answer was true. */
  answers: number
  /** Used and committed bytes when they were last looked at. */
  level: number
}

export function requestOf(byteLength: number): RoomRequest {
  return { byteLength, answers: 0, level: Number.POSITIVE_INFINITY }
}

const PATIENCE = 64

export class Room {
  readonly #onFull: OnFull
  readonly #level: () => number
  #asking = false

  /** `level`: bytes used and committed now. */
  constructor(onFull: OnFull, level: () => number) {
    this.#onFull = onFull
    this.#level = level
  }

  /** Whether to try again. What the callback throws goes through. */
  ask(request: RoomRequest): boolean {
    if (this.#asking || inStep()) return false
    if (request.answers >= PATIENCE && request.answers % PATIENCE === 0) {
      const level = this.#level()
      if (level >= request.level) return false
      request.level = level
    }
    this.#asking = true
    try {
      const answer = this.#onFull(request.byteLength) === true
      if (answer) request.answers++
      return answer
    } finally {
      this.#asking = false
    }
  }
}
