/**
 * Roots: a few named offsets in a heap's header, so that whoever attaches to it finds the data.
 *
 *     entry   | name, UTF-8, zero-padded (24 bytes) | offset (a 64-bit float) |        16 of them
 *
 * An entry is free when its offset is 0. Boost.Interprocess keeps a map of any size for this; a heap needs one name to hang a
 * directory of its own on.
 * @module
 */
import { InvalidArgumentTypeError, OutOfMemoryError, OutOfRangeError } from '../errors.ts'
import { At, Root } from './heap-layout.ts'

export class Roots {
  readonly #names: Uint8Array
  readonly #offsets: Float64Array

  constructor(metadata: ArrayBuffer) {
    this.#names = new Uint8Array(metadata, At.ROOTS * 4, Root.COUNT * Root.WORDS * 4)
    this.#offsets = new Float64Array(metadata, At.ROOTS * 4, (Root.COUNT * Root.WORDS) / 2)
  }

  /** The offset under a name, or 0. */
  get(name: string): number {
    const entry = this.#find(encode(name))
    return entry < 0 ? 0 : this.#offsets[offsetIndex(entry)]
  }

  /** Puts an offset under a name; 0 removes the name. Throws ERR_OUT_OF_MEMORY when all entries are taken. */
  set(name: string, offset: number): void {
    const bytes = encode(name)
    let entry = this.#find(bytes)
    if (entry < 0) {
      if (offset === 0) return
      entry = this.#free()
      if (entry < 0) throw new OutOfMemoryError(`all ${Root.COUNT} roots of the heap are taken`)
      this.#names.set(bytes, entry * Root.WORDS * 4)
    }
    this.#offsets[offsetIndex(entry)] = offset
    if (offset === 0) this.#names.fill(0, entry * Root.WORDS * 4, entry * Root.WORDS * 4 + Root.NAME)
  }

  clear(): void {
    this.#names.fill(0)
  }

  /** Every root that is set. */
  *all(): Generator<{ name: string; offset: number }> {
    for (let entry = 0; entry < Root.COUNT; entry++) {
      const offset = this.#offsets[offsetIndex(entry)]
      const name = this.#names.subarray(entry * Root.WORDS * 4, entry * Root.WORDS * 4 + Root.NAME)
      if (offset !== 0) yield { name: new TextDecoder().decode(name).replace(/\0+$/, ''), offset }
    }
  }

  #find(bytes: Uint8Array): number {
    for (let entry = 0; entry < Root.COUNT; entry++) {
      if (this.#offsets[offsetIndex(entry)] === 0) continue
      const at = entry * Root.WORDS * 4
      if (bytes.every((byte, i) => this.#names[at + i] === byte)) return entry
    }
    return -1
  }

  #free(): number {
    for (let entry = 0; entry < Root.COUNT; entry++) if (this.#offsets[offsetIndex(entry)] === 0) return entry
    return -1
  }
}

function offsetIndex(entry: number): number {
  return (entry * Root.WORDS + Root.NAME / 4) / 2
}

function encode(name: unknown): Uint8Array {
  if (typeof name !== 'string') throw new InvalidArgumentTypeError('name', 'a string', name)
  const bytes = new TextEncoder().encode(name)
  if (bytes.length === 0 || bytes.length > Root.NAME || name.includes('\0'))
    throw new OutOfRangeError('name', `1 to ${Root.NAME} bytes of UTF-8 without NUL`, name)
  const padded = new Uint8Array(Root.NAME)
  padded.set(bytes)
  return padded
}
