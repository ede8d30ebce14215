/**
 * Next fit: first fit on a ring that is searched from where the last search ended. Short chunks do not gather in front of every search, and
 * blocks are spread over all the memory there is, which fragments it.
 * @module
 */
import type { Arena } from '../../../arena/arena.ts'
import type { Policy } from '../policy.ts'
import { ChunkPolicy } from './chunks.ts'

export const summary = 'the next free chunk that is long enough, from where the last search ended'

export function create(arena: Arena): Policy {
  return new NextFit(arena)
}

class NextFit extends ChunkPolicy {
  /** Where the next search begins; 0 when there is no free chunk. */
  #rover = 0

  protected find(units: number): number {
    const start = this.#rover
    if (start === 0) return 0
    let chunk = start
    do {
      if (this.length(chunk) >= units) {
        this.#rover = chunk
        return chunk
      }
      chunk = this.next(chunk)
    } while (chunk !== start)
    return 0
  }

  /** Before the rover: the last that a search comes to. */
  protected insert(chunk: number): void {
    if (this.#rover === 0) {
      this.link(chunk, chunk, chunk)
      this.#rover = chunk
      return
    }
    const before = this.previous(this.#rover)
    this.link(chunk, this.#rover, before)
    this.link(this.#rover, this.next(this.#rover), chunk)
    this.link(before, chunk, this.previous(before))
  }

  protected remove(chunk: number): void {
    const [next, previous] = [this.next(chunk), this.previous(chunk)]
    if (this.#rover === chunk) this.#rover = next === chunk ? 0 : next
    if (next === chunk) return
    this.link(previous, next, this.previous(previous))
    this.link(next, this.next(next), previous)
  }
}
