/**
 * Roots: named offsets in a heap's metadata, so that a program that attaches to it finds its data.
 *
 *     entry   | name, UTF-8, zero-padded (64 bytes) | offset (a 64-bit float) |        1,024 of them in a heap of 1 MiB and more
 *
 *     entries below ROOT_TOP    taken: the offset is not 0    free: it is 0, and the name may be anything
 *     entries from there on     never used: the offset is 0
 *
 * A root comes and goes with the one store of its offset: the name is written before, and cleared after. ROOT_TOP never goes back, so it
 * says how far the table has been touched. A look-up compares one word of each name, the last one that the name has: names of one program begin alike ("user:17", "user:18") and
 * end differently. 3 to 7 us for a thousand. Boost.Interprocess keeps a map of any size for this; here a thousand names are enough to hang
 * directories of the program's own on.
 * @module
 */
import { Buffer } from 'node:buffer'
import { InvalidArgumentTypeError, OutOfMemoryError, OutOfRangeError } from '../../errors.ts'
import type { HeapLayout } from './layout.ts'
import { At, Root } from './words.ts'

/** Half a surrogate pair: a code point that is a surrogate. */
const HALF_PAIR = /\p{Surrogate}/u

export class Roots {
  readonly #words: Int32Array
  readonly #offsets: Float64Array
  readonly #first: number
  readonly #count: number
  readonly #fits: () => boolean

  /** `layout`: where their table is. `fits`: whether the heap is within its limit. */
  constructor(words: Int32Array, layout: Pick<HeapLayout, 'roots' | 'rootsEnd'>, fits: () => boolean) {
    this.#words = words
    this.#first = layout.roots
    this.#count = (layout.rootsEnd - layout.roots) / Root.WORDS
    this.#offsets = new Float64Array(
      words.buffer as ArrayBuffer,
      words.byteOffset + layout.roots * 4,
      (layout.rootsEnd - layout.roots) / 2
    )
    this.#fits = fits
  }

  /** The offset under a name, or 0. */
  get(name: string): number {
    const entry = this.#find(encode(name))
    return entry < 0 ? 0 : (this.#offsets[offsetIndex(entry)] as number)
  }

  /** Puts an offset under a name; 0 removes the name. Throws ERR_OUT_OF_MEMORY when all entries are taken, or past the limit. */
  set(name: string, offset: number): void {
    const wanted = encode(name)
    let entry = this.#find(wanted)
    if (entry < 0) {
      if (offset === 0) return
      entry = this.#free()
      const at = this.#first + entry * Root.WORDS
      for (let i = 0; i < Root.NAME_WORDS; i++) this.#words[at + i] = wanted[i] as number
    }
    this.#offsets[offsetIndex(entry)] = offset
    if (offset === 0) this.#clearName(entry)
  }

  /** Removes every name. */
  clear(): void {
    for (let entry = this.#top(); entry-- > 0; ) {
      this.#offsets[offsetIndex(entry)] = 0
      this.#clearName(entry)
    }
  }

  /** Entries used so far: others may be able to write there. */
  #top(): number {
    return Math.min(Math.max(this.#words[At.ROOT_TOP], 0), this.#count)
  }

  #find(wanted: Int32Array): number {
    const words = this.#words
    const top = this.#top()
    let last = Root.NAME_WORDS - 1
    while (wanted[last] === 0) last--
    const lastWord = wanted[last]
    for (let entry = 0, at = this.#first; entry < top; entry++, at += Root.WORDS) {
      if (words[at + last] !== lastWord || this.#offsets[offsetIndex(entry)] === 0) continue
      let same = 0
      while (same < Root.NAME_WORDS && words[at + same] === wanted[same]) same++
      if (same === Root.NAME_WORDS) return entry
    }
    return -1
  }

  /** A free entry, below the top, or the next one. */
  #free(): number {
    const top = this.#top()
    for (let entry = 0; entry < top; entry++) if (this.#offsets[offsetIndex(entry)] === 0) return entry
    if (top >= this.#count) throw new OutOfMemoryError(`all ${this.#count} roots of the heap are taken`)
    this.#words[At.ROOT_TOP] = top + 1
    if (!this.#fits()) {
      this.#words[At.ROOT_TOP] = top
      throw new OutOfMemoryError('one more root would take the heap past its limit')
    }
    return top
  }

  #clearName(entry: number): void {
    const at = this.#first + entry * Root.WORDS
    this.#words.fill(0, at, at + Root.NAME_WORDS)
  }
}

function offsetIndex(entry: number): number {
  return (entry * Root.WORDS + Root.NAME_WORDS) / 2
}

/** A name as the words of an entry. */
function encode(name: unknown): Int32Array {
  if (typeof name !== 'string') throw new InvalidArgumentTypeError('name', 'a string', name)
  // Of half a surrogate pair UTF-8 has only the replacement character, which is another name.
  if (HALF_PAIR.test(name)) throw new OutOfRangeError('name', 'whole characters, without half a surrogate pair', name)
  const bytes = name.length > Root.NAME ? 0 : Buffer.byteLength(name)
  if (bytes === 0 || bytes > Root.NAME || name.includes('\0'))
    throw new OutOfRangeError('name', `1 to ${Root.NAME} bytes of UTF-8 without NUL`, name)
  const padded = new Uint8Array(Root.NAME)
  Buffer.from(padded.buffer).write(name)
  return new Int32Array(padded.buffer, 0, Root.NAME_WORDS)
}
