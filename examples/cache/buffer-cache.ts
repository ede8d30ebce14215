/**
 * The same cache as a Map of Buffers, which keeps the order in which its keys were set: what the heap is compared with. The limit
 * counts the bytes of keys and values, since no call tells what Buffers take.
 * @module
 */
export class BufferCache {
  readonly #limit: number
  readonly #values: Map<string, Buffer> = new Map()
  #oldest: MapIterator<[string, Buffer]> = this.#values.entries()
  #byteLength = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#values.size
  }

  get byteLength(): number {
    return this.#byteLength
  }

  set(key: string, value: Uint8Array): boolean {
    this.delete(key)
    if (value.length > this.#limit / 4) return false
    while (this.#byteLength + key.length + value.length > this.#limit) this.#evict()
    this.#values.set(key, Buffer.from(value))
    this.#byteLength += key.length + value.length
    return true
  }

  get(key: string): Buffer | undefined {
    const value = this.#values.get(key)
    if (value === undefined) return undefined
    this.#values.delete(key)
    this.#values.set(key, value)
    return value
  }

  delete(key: string): boolean {
    const value = this.#values.get(key)
    if (value === undefined) return false
    this.#byteLength -= key.length + value.length
    return this.#values.delete(key)
  }

  #evict(): void {
    let next = this.#oldest.next()
    if (next.done) {
      this.#oldest = this.#values.entries()
      next = this.#oldest.next()
    }
    this.delete((next.value as [string, Buffer])[0])
  }
}
