/**
 * Ranges that are free, first fit: the lowest range that has the room gives it. Neighbours are joined when given back.
 *
 *     starts[i] < ends[i] < starts[i + 1]        free ranges are sorted, and no two of them touch
 *
 * Cost: one range takes time in proportion to the number of free ranges, which are few. What comes out of a directory that others have
 * written, which may hold very many, is taken and given all at once.
 * @module
 */
import { alignUp } from '../../bits.ts'
import type { Range } from '../ranges.ts'

export class FreeRanges {
  readonly #starts: number[]
  readonly #ends: number[]

  constructor(offset: number, byteLength: number) {
    this.#starts = [offset]
    this.#ends = [offset + byteLength]
  }

  /** Takes ranges that are sorted. False when two of them overlap, or one is not free as a whole: this object is of no use then. */
  takeAll(sorted: Iterable<Range>): boolean {
    const [starts, ends] = [this.#starts.splice(0), this.#ends.splice(0)]
    let hole = 0
    let start = starts[0] ?? Infinity
    for (const { offset, byteLength } of sorted) {
      while (hole < ends.length && (ends[hole] as number) < offset + byteLength) {
        this.#append(start, ends[hole] as number)
        start = starts[++hole] ?? Infinity
      }
      if (offset < start) return false
      this.#append(start, offset)
      start = offset + byteLength
    }
    for (; hole < ends.length; start = starts[++hole] as number) this.#append(start, ends[hole] as number)
    return true
  }

  /** Gives ranges back that were taken, in any order. */
  giveAll(ranges: readonly Range[]): void {
    const all = ranges
      .filter(({ byteLength }) => byteLength > 0)
      .map(({ offset, byteLength }) => [offset, offset + byteLength] as [number, number])
    for (const [index, start] of this.#starts.entries()) all.push([start, this.#ends[index] as number])
    all.sort(([one], [other]) => one - other)
    this.#starts.length = this.#ends.length = 0
    for (const [start, end] of all) this.#append(start, end)
  }

  /** Adds a range behind all others, and joins it with the last one where they touch. */
  #append(start: number, end: number): void {
    if (start >= end) return
    const last = this.#ends.length - 1
    if (this.#ends[last] === start) this.#ends[last] = end
    else {
      this.#starts.push(start)
      this.#ends.push(end)
    }
  }

  /** Free bytes. */
  get byteLength(): number {
    return this.#starts.reduce((sum, start, index) => sum + (this.#ends[index] as number) - start, 0)
  }

  /** Takes the first room for `byteLength` bytes on a multiple of `alignment`; -1 when there is none. */
  take(byteLength: number, alignment: number): number {
    for (let index = 0; index < this.#starts.length; index++) {
      const start = this.#starts[index] as number
      const end = this.#ends[index] as number
      const taken = alignUp(start, alignment)
      if (taken + byteLength > end) continue
      this.#cut(index, taken, taken + byteLength)
      return taken
    }
    return -1
  }

  /** Gives a range back that was taken. */
  give(offset: number, byteLength: number): void {
    if (byteLength === 0) return
    const end = offset + byteLength
    let next = this.#starts.findIndex((start) => start >= end)
    if (next < 0) next = this.#starts.length
    const joinsPrevious = next > 0 && this.#ends[next - 1] === offset
    const joinsNext = this.#starts[next] === end
    if (joinsPrevious && joinsNext) {
      this.#ends[next - 1] = this.#ends[next] as number
      this.#starts.splice(next, 1)
      this.#ends.splice(next, 1)
    } else if (joinsPrevious) this.#ends[next - 1] = end
    else if (joinsNext) this.#starts[next] = offset
    else {
      this.#starts.splice(next, 0, offset)
      this.#ends.splice(next, 0, end)
    }
  }

  /** Takes `[from, to)` out of a free range that contains it. */
  #cut(index: number, from: number, to: number): void {
    const start = this.#starts[index] as number
    const end = this.#ends[index] as number
    const parts: [number, number][] = []
    if (start < from) parts.push([start, from])
    if (to < end) parts.push([to, end])
    this.#starts.splice(index, 1, ...parts.map((part) => part[0]))
    this.#ends.splice(index, 1, ...parts.map((part) => part[1]))
  }
}
