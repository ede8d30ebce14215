/**
 * An arena cut into chunks side by side, as most textbook allocators have it (boundary tags, Knuth 1962): each begins with a header of eight
 * bytes, so its neighbours on both sides are found without a search, and free ones are joined at once.
 *
 *     unit 0   | not used                                      offset 0 is never a block
 *     chunk    | length in units, times 2, plus 1 if it lives | length of the chunk before | payload, 8 bytes at least …
 *     a free chunk's payload begins with the links of its list: | next | previous |
 *     top      | from here to `touched`: was given out, and is in memory         from there to the end: never, or purged
 *
 *     touched - top < 128 KiB: more than that is given back, as glibc does (M_TRIM_THRESHOLD)
 *     lengths of all chunks + 1 = top          no two free chunks are neighbours          the last chunk lives
 *
 * All of it is in the arena's first window: 1 GiB. A policy says only which free chunk serves a request: `find`, and keeps its lists: `insert`
 * and `remove`.
 * @module
 */
import type { Arena } from '../../../arena/arena.ts'
import { KiB } from '../../../units.ts'
import type { Policy } from '../policy.ts'

const UNIT_BYTES = 8
const LEAST_UNITS = 2
const TRIM_BYTES = 128 * KiB

export abstract class ChunkPolicy implements Policy {
  readonly #words: Int32Array
  readonly #units: number
  readonly #pageBytes: number
  readonly #purge: (offset: number, byteLength: number) => void
  #top = 1
  #touched = 1
  #peak = 1
  /** Length of the last chunk, before the top; 0 when there is none. */
  #last = 0
  /** No free chunk is longer: a search that would be in vain is not made twice. */
  #longest = 0

  constructor(arena: Arena) {
    const { buffer } = arena.window(0)
    this.#words = new Int32Array(buffer)
    this.#units = Math.floor(buffer.byteLength / UNIT_BYTES)
    this.#pageBytes = arena.pageSize
    this.#purge = (offset, byteLength) => void arena.purge(offset, byteLength)
  }

  /** A free chunk of at least so many units, or 0. */
  protected abstract find(units: number): number
  /** Takes a free chunk into the lists. */
  protected abstract insert(chunk: number): void
  /** Takes it out again, before it changes its length or lives. */
  protected abstract remove(chunk: number): void

  malloc(byteLength: number): number {
    const units = unitsFor(byteLength)
    if (units > this.#longest) return this.#extend(units)
    const found = this.find(units)
    if (found === 0) {
      this.#longest = units - 1
      return this.#extend(units)
    }
    this.remove(found)
    this.#cut(found, units)
    return offsetOf(found)
  }

  free(offset: number): void {
    this.#release(this.#chunkAt(offset))
  }

  usableSize(offset: number): number {
    return this.length(this.#chunkAt(offset)) * UNIT_BYTES - UNIT_BYTES
  }

  /** In place where the chunk is long enough, or what follows it is free or the top. */
  realloc(offset: number, byteLength: number): number {
    const chunk = this.#chunkAt(offset)
    const units = unitsFor(byteLength)
    const length = this.length(chunk)
    const after = chunk + length
    if (length < units && after === this.#top && this.#raise(units - length)) this.#write(chunk, units, 1)
    else if (length < units && after < this.#top && !this.#lives(after) && length + this.length(after) >= units) {
      this.remove(after)
      this.#write(chunk, length + this.length(after), 1)
    }
    if (this.length(chunk) >= units) {
      this.#cut(chunk, units)
      return offset
    }
    const moved = this.malloc(byteLength)
    if (moved === 0) return 0
    const from = offset / 4
    this.#words.copyWithin(moved / 4, from, from + (length - 1) * 2)
    this.#release(chunk)
    return moved
  }

  heldBytes(): number {
    return this.#pages(this.#touched)
  }

  peakHeldBytes(): number {
    return this.#pages(this.#peak)
  }

  /** Walks all chunks and throws where the equations above do not hold. */
  check(): void {
    let before = 0
    let free = false
    for (let chunk = 1; chunk < this.#top; chunk += before) {
      const lives = this.#lives(chunk)
      if (this.#words[2 * chunk + 1] !== before) throw new Error(`the chunk at unit ${chunk} has a wrong neighbour`)
      if (!lives && free) throw new Error(`the free chunks before and at unit ${chunk} are not joined`)
      before = this.length(chunk)
      free = !lives
      if (before < LEAST_UNITS || chunk + before > this.#top)
        throw new Error(`the chunk at unit ${chunk} has a wrong length`)
    }
    if (free || before !== this.#last) throw new Error('the last chunk is not as it should be')
  }

  /** Length of a chunk in units, header included. */
  protected length(chunk: number): number {
    return this.#words[2 * chunk]! >>> 1
  }

  /** The links of a free chunk. */
  protected next(chunk: number): number {
    return this.#words[2 * chunk + 2]!
  }
  protected previous(chunk: number): number {
    return this.#words[2 * chunk + 3]!
  }
  protected link(chunk: number, next: number, previous: number): void {
    this.#words[2 * chunk + 2] = next
    this.#words[2 * chunk + 3] = previous
  }

  #lives(chunk: number): boolean {
    return (this.#words[2 * chunk]! & 1) === 1
  }

  #chunkAt(offset: number): number {
    const chunk = offset / UNIT_BYTES - 1
    if (!(chunk >= 1 && chunk < this.#top && Number.isInteger(chunk)) || !this.#lives(chunk))
      throw new Error(`no block lives at ${offset}`)
    return chunk
  }

  /** Writes a header, and what the chunk behind it says of it. */
  #write(chunk: number, units: number, lives: 0 | 1): void {
    this.#words[2 * chunk] = (units << 1) | lives
    if (chunk + units === this.#top) this.#last = units
    else this.#words[2 * (chunk + units) + 1] = units
  }

  /** Makes a chunk live with so many units; what is left over becomes free. */
  #cut(chunk: number, units: number): void {
    const rest = this.length(chunk) - units
    if (rest < LEAST_UNITS) {
      this.#write(chunk, units + rest, 1)
      return
    }
    this.#write(chunk, units, 1)
    this.#write(chunk + units, rest, 1)
    this.#release(chunk + units)
  }

  /** Joins a chunk with its free neighbours, or with the top. */
  #release(chunk: number): void {
    let start = chunk
    let units = this.length(chunk)
    const after = chunk + units
    const before = this.#words[2 * chunk + 1]!
    if (after < this.#top && !this.#lives(after)) {
      this.remove(after)
      units += this.length(after)
    }
    if (before > 0 && !this.#lives(chunk - before)) {
      start = chunk - before
      this.remove(start)
      units += before
    }
    if (start + units === this.#top) {
      this.#top = start
      this.#last = this.#words[2 * start + 1]!
      if ((this.#touched - start) * UNIT_BYTES >= TRIM_BYTES) this.#trim()
      return
    }
    this.#write(start, units, 0)
    if (units > this.#longest) this.#longest = units
    this.insert(start)
  }

  /** Gives the pages above the top back. */
  #trim(): void {
    const from = this.#pages(this.#top)
    const to = Math.min(this.#pages(this.#touched), this.#units * UNIT_BYTES)
    if (to > from) this.#purge(from, to - from)
    this.#touched = this.#top
  }

  #extend(units: number): number {
    const chunk = this.#top
    const before = this.#last
    if (!this.#raise(units)) return 0
    this.#words[2 * chunk + 1] = before
    this.#write(chunk, units, 1)
    return offsetOf(chunk)
  }

  #raise(units: number): boolean {
    if (this.#top + units > this.#units) return false
    this.#top += units
    this.#touched = Math.max(this.#touched, this.#top)
    this.#peak = Math.max(this.#peak, this.#touched)
    return true
  }

  #pages(units: number): number {
    return Math.ceil((units * UNIT_BYTES) / this.#pageBytes) * this.#pageBytes
  }
}

/** Units of a chunk for so many bytes: a header, and room for two links. */
function unitsFor(byteLength: number): number {
  return Math.max(LEAST_UNITS, 1 + Math.ceil(byteLength / UNIT_BYTES))
}

function offsetOf(chunk: number): number {
  return (chunk + 1) * UNIT_BYTES
}
