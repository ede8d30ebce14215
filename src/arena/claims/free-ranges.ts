/**
 * Ranges that are free, first fit: the lowest range that has the room gives it. Neighbours are joined when given back.
 * Two sorted arrays; as many entries as there are holes, which are few.
 * @module
 */
import { alignUp } from '../../bits.ts'

export class FreeRanges {
  readonly #starts: number[]
  readonly #ends: number[]

  constructor(offset: number, byteLength: number) {
    this.#starts = [offset]
    this.#ends = [offset + byteLength]
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

  /** Takes exactly this range, if it is free as a whole; says whether it was. */
  takeAt(offset: number, byteLength: number): boolean {
    if (byteLength === 0) return true
    const end = offset + byteLength
    const index = this.#starts.findIndex((start, at) => start <= offset && end <= (this.#ends[at] as number))
    if (index < 0) return false
    this.#cut(index, offset, end)
    return true
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
