/**
 * First fit: one list of free chunks, the one freed last in front; a request takes the first that is long enough. A search looks at every
 * chunk that is too short and lies before it: its time grows with the number of free chunks.
 * @module
 */
import type { Arena } from '../../../arena/arena.ts'
import type { Policy } from '../policy.ts'
import { ChunkPolicy } from './chunks.ts'

export const summary = 'the first free chunk that is long enough, from the one freed last'

export function create(arena: Arena): Policy {
  return new FirstFit(arena)
}

class FirstFit extends ChunkPolicy {
  #first = 0

  protected find(units: number): number {
    let chunk = this.#first
    while (chunk !== 0 && this.length(chunk) < units) chunk = this.next(chunk)
    return chunk
  }

  protected insert(chunk: number): void {
    this.link(chunk, this.#first, 0)
    if (this.#first !== 0) this.link(this.#first, this.next(this.#first), chunk)
    this.#first = chunk
  }

  protected remove(chunk: number): void {
    const [next, previous] = [this.next(chunk), this.previous(chunk)]
    if (previous === 0) this.#first = next
    else this.link(previous, next, this.previous(previous))
    if (next !== 0) this.link(next, this.next(next), previous)
  }
}
