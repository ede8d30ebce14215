/**
 * Best fit: the shortest free chunk that is long enough. Chunks are kept in bins of nearly one length, so that a search looks at one bin, or
 * two: the request's own, where chunks may be too short, and the next that has any.
 * @module
 */
import type { Arena } from '../../../arena/arena.ts'
import type { Policy } from '../policy.ts'
import { BinPolicy } from './bins.ts'

export const summary = 'the shortest free chunk that is long enough'

const LOG2_STEPS = 5

export function create(arena: Arena): Policy {
  return new BestFit(arena, LOG2_STEPS)
}

class BestFit extends BinPolicy {
  protected find(units: number): number {
    const own = this.binOf(units)
    const found = this.#shortest(this.first(own), units)
    if (found !== 0) return found
    const bin = this.filled(own + 1)
    return bin < 0 ? 0 : this.#shortest(this.first(bin), units)
  }

  /** The shortest chunk of a list that is long enough, or 0. */
  #shortest(first: number, units: number): number {
    let best = 0
    let bestLength = Infinity
    for (let chunk = first; chunk !== 0; chunk = this.next(chunk)) {
      const length = this.length(chunk)
      if (length < units || length >= bestLength) continue
      best = chunk
      bestLength = length
      if (length === units) break
    }
    return best
  }
}
