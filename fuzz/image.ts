/**
 * The metadata of one allocator in a shared arena, read and written by the arena's descriptor, as another process would: nothing of the
 * library is between. All positions are in 32-bit words from the allocator's header.
 * @module
 */
import { readSync, writeSync } from 'node:fs'
import { MAGIC } from '../src/allocator/base/header.ts'
import type { Arena } from '../src/arena/arena.ts'
import { MiB } from '../src/units.ts'

/** Claims' metadata lies on multiples of this, in the first bytes of the file. */
const GRANULE = 64
const SEARCHED = 16 * MiB

export class Image {
  readonly #fd: number
  readonly #start: number

  constructor(arena: Arena, kind: number) {
    this.#fd = arena.fd as number
    this.#start = find(this.#fd, kind)
  }

  read(at: number, count: number): Int32Array {
    const words = new Int32Array(count)
    readSync(this.#fd, words, 0, count * 4, this.#start + at * 4)
    return words
  }

  write(at: number, words: Int32Array): void {
    if (words.length > 0) writeSync(this.#fd, words, 0, words.byteLength, this.#start + at * 4)
  }

  set(at: number, word: number): void {
    this.write(at, Int32Array.of(word))
  }
}

function find(fd: number, kind: number): number {
  const words = new Int32Array(MiB / 4)
  for (let chunk = 0; chunk < SEARCHED; chunk += MiB) {
    const read = readSync(fd, words, 0, MiB, chunk)
    for (let at = 0; at < read / 4; at += GRANULE / 4)
      if (words[at] === MAGIC && words[at + 2] === kind) return chunk + at * 4
  }
  throw new Error('no header of this kind')
}
