/**
 * Ranges that do not overlap, sorted by offset and found by bisection: the claims at one level.
 * @module
 */

export interface Range {
  readonly offset: number
  readonly byteLength: number
}

export class Ranges<T extends Range> {
  #items: T[]

  /** `sorted`: ranges that do not overlap, by offset. They are the new object's own from now on. */
  constructor(sorted: T[] = []) {
    this.#items = sorted
  }

  get count(): number {
    return this.#items.length
  }

  /** The first range that has a byte in common with `[offset, offset + byteLength)`. */
  overlapping(offset: number, byteLength: number): T | undefined {
    const item = this.#items[this.#indexAfter(offset)]
    return item !== undefined && item.offset < offset + byteLength ? item : undefined
  }

  /** Every range that has a byte in common with `[offset, offset + byteLength)`: a copy. */
  allOverlapping(offset: number, byteLength: number): T[] {
    const first = this.#indexAfter(offset)
    let last = first
    while (last < this.#items.length && (this.#items[last] as T).offset < offset + byteLength) last++
    return this.#items.slice(first, last)
  }

  /** Every range: a copy. */
  all(): T[] {
    return this.#items.slice()
  }

  add(item: T): void {
    this.#items.splice(this.#indexAfter(item.offset), 0, item)
  }

  remove(item: T): void {
    const index = this.#indexAfter(item.offset)
    if (this.#items[index] === item) this.#items.splice(index, 1)
  }

  /** Takes many out at once. */
  removeAll(gone: ReadonlySet<T>): void {
    this.#items = this.#items.filter((item) => !gone.has(item))
  }

  /** The index of the first range that ends above `offset`. */
  #indexAfter(offset: number): number {
    let low = 0
    let high = this.#items.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const item = this.#items[middle] as T
      if (item.offset + item.byteLength <= offset) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Whether `outer` contains `[offset, offset + byteLength)` wholly. */
export function contains(outer: Range, offset: number, byteLength: number): boolean {
  return offset >= outer.offset && offset + byteLength <= outer.offset + outer.byteLength
}
