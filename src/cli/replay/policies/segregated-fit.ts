/**
 * Segregated fit: a list of free chunks for each power of two of lengths. A request takes the first that is long enough of its own list, else
 * the first of the next list that has any, all of which are: about best fit at the price of first fit.
 * @module
 */
import type { Arena } from '../../../arena/arena.ts'
import type { Policy } from '../policy.ts'
import { BinPolicy } from './bins.ts'

export const summary = 'the first free chunk that is long enough, from the lists by power of two'

export function create(arena: Arena): Policy {
  return new SegregatedFit(arena, 0)
}

class SegregatedFit extends BinPolicy {
  protected find(units: number): number {
    const own = this.binOf(units)
    let chunk = this.first(own)
    while (chunk !== 0 && this.length(chunk) < units) chunk = this.next(chunk)
    if (chunk !== 0) return chunk
    const bin = this.filled(own + 1)
    return bin < 0 ? 0 : this.first(bin)
  }
}
