/**
 * An LRU cache of bytes that lies in a heap: V8 sees a key and a small number for each value, and no object.
 *
 *     Map     key ─> place of the entry, which is its offset / 8
 *     entry   [ older | newer | key length | value length | key | value ]       4 bytes each, then the bytes
 *     limit   >=  committed bytes of the heap  =  entries, rounded up to blocks, and the heap's tables
 *
 * Calls: `new Heap(arena, { limit, onFull })`, `tryMalloc`, `free`, `pin`, `arena.view`, `arena.bytes`. When an entry does not fit, the
 * heap calls `onFull`, which frees the oldest entries, and the heap tries again. `use` pins an entry while native code works on it.
 * Meanwhile the entry is in no list, so it is not evicted; when it was replaced or deleted, its last user frees it.
 *
 * Cost: 16 bytes, the key in UTF-16 and the rounding of a block for each value, and a copy in `get` and `set`.
 * @module
 */
import { Arena, GiB, Heap, KiB } from '../../src/index.ts'

/** Words of an entry. */
const OLDER = 0
const NEWER = 1
const KEY_BYTES = 2
const VALUE_BYTES = 3
const HEADER_BYTES = 16
/** Blocks start on multiples of 8, and no block is at 0. An eighth of an offset is a small integer to V8, and so no object. */
const UNIT = 8
const WORDS = UNIT / 4
/** So much is evicted at a time: a heap that asks for each value would search for room as often. */
const BATCH_BYTES = 64 * KiB

export class LruCache {
  readonly #arena: Arena
  readonly #heap: Heap
  /** All of the arena, twice. A view for each value would be an object for each value. */
  readonly #words: Uint32Array
  readonly #bytes: Buffer
  readonly #longest: number
  readonly #places: Map<string, number> = new Map()
  /** Places of the entries that were used first and last, 0 when there is none. */
  #oldest = 0
  #newest = 0
  /** How many use an entry now, by place. */
  readonly #users: Map<number, number> = new Map()

  /** `limit`: the most bytes that entries and tables take, 1 GiB at most. */
  constructor(limit: number) {
    if (!(limit >= KiB * KiB && limit <= GiB)) throw new RangeError(`limit expected 1 MiB to 1 GiB, got ${limit} bytes`)
    // Addresses cost nothing: twice as many leave room for what the heap cannot put side by side.
    this.#arena = Arena.reserve(2 * limit, { name: 'cache' })
    this.#heap = new Heap(this.#arena, { limit, onFull: () => this.#evict() })
    this.#words = this.#arena.view(Uint32Array, 0, this.#arena.byteLength / 4)
    this.#bytes = this.#arena.bytes(0, this.#arena.byteLength)
    this.#longest = Math.floor(limit / 4)
  }

  get size(): number {
    return this.#places.size
  }

  /** Bytes of memory, at most the limit. */
  get byteLength(): number {
    return this.#heap.stats().committedBytes
  }

  /** Whether the value is kept. It is not when it is longer than a quarter of the cache, or all others are in use. */
  set(key: string, value: Uint8Array): boolean {
    this.delete(key)
    const keyBytes = 2 * key.length
    const byteLength = HEADER_BYTES + keyBytes + value.length
    // Refused before anything is evicted for it.
    if (byteLength > this.#longest) return false
    const offset = this.#heap.tryMalloc(byteLength)
    if (offset === 0) return false
    const place = offset / UNIT
    this.#words[place * WORDS + KEY_BYTES] = keyBytes
    this.#words[place * WORDS + VALUE_BYTES] = value.length
    // Every string survives in UTF-16: eviction has to find it again in the Map.
    this.#bytes.write(key, offset + HEADER_BYTES, 'utf16le')
    this.#bytes.set(value, offset + HEADER_BYTES + keyBytes)
    this.#append(place)
    this.#places.set(key, place)
    return true
  }

  /** A copy of the value. */
  get(key: string): Buffer | undefined {
    const place = this.#places.get(key)
    if (place === undefined) return undefined
    this.#touch(place)
    const start = this.#valueStart(place)
    const value = Buffer.allocUnsafe(this.#word(place, VALUE_BYTES))
    this.#bytes.copy(value, 0, start, start + value.length)
    return value
  }

  /** Calls `run` with the value itself, which stays where it is until the promise of `run` is settled. */
  async use<R>(key: string, run: (value: Buffer) => R | Promise<R>): Promise<R | undefined> {
    const place = this.#places.get(key)
    if (place === undefined) return undefined
    const pin = this.#heap.pin(place * UNIT)
    const users = this.#users.get(place) ?? 0
    if (users === 0) this.#unlink(place)
    this.#users.set(place, users + 1)
    try {
      return await run(this.#arena.bytes(this.#valueStart(place), this.#word(place, VALUE_BYTES)))
    } finally {
      pin[Symbol.dispose]()
      this.#leave(key, place)
    }
  }

  delete(key: string): boolean {
    const place = this.#places.get(key)
    if (place === undefined) return false
    this.#places.delete(key)
    if (this.#users.has(place)) return true
    this.#unlink(place)
    this.#heap.free(place * UNIT)
    return true
  }

  /** Waits for values in use, and gives all memory back. */
  async close(): Promise<void> {
    await this.#arena.closeWhenIdle()
    this.#places.clear()
  }

  #word(place: number, field: number): number {
    return this.#words[place * WORDS + field] as number
  }

  #valueStart(place: number): number {
    return place * UNIT + HEADER_BYTES + this.#word(place, KEY_BYTES)
  }

  /** Makes an entry the one that was used last. */
  #touch(place: number): void {
    if (place === this.#newest || this.#users.has(place)) return
    this.#unlink(place)
    this.#append(place)
  }

  #append(place: number): void {
    this.#words[place * WORDS + OLDER] = this.#newest
    this.#words[place * WORDS + NEWER] = 0
    if (this.#newest === 0) this.#oldest = place
    else this.#words[this.#newest * WORDS + NEWER] = place
    this.#newest = place
  }

  #unlink(place: number): void {
    const older = this.#word(place, OLDER)
    const newer = this.#word(place, NEWER)
    if (older === 0) this.#oldest = newer
    else this.#words[older * WORDS + NEWER] = newer
    if (newer === 0) this.#newest = older
    else this.#words[newer * WORDS + OLDER] = older
  }

  /** One user less. */
  #leave(key: string, place: number): void {
    const users = (this.#users.get(place) as number) - 1
    if (users > 0) this.#users.set(place, users)
    else {
      this.#users.delete(place)
      if (this.#places.get(key) === place) this.#append(place)
      else this.#heap.free(place * UNIT)
    }
  }

  /** Frees the oldest entries that are not in use. False when there is none. */
  #evict(): boolean {
    let evicted = 0
    while (this.#oldest !== 0 && evicted < BATCH_BYTES) {
      const start = this.#oldest * UNIT + HEADER_BYTES
      const end = this.#valueStart(this.#oldest)
      evicted += HEADER_BYTES + end - start + this.#word(this.#oldest, VALUE_BYTES)
      this.delete(this.#bytes.toString('utf16le', start, end))
    }
    return evicted > 0
  }
}
