/**
 * The memory that writers and claimers are killed over, as each comes to it, and the notes that say what must be there.
 *
 *     arena   | heap, 4 MiB                        | notes: 256 of them, 32 bytes each |
 *     note    | offset, or 0 | byteLength | seed | serial |        the offset is written last and cleared first
 *
 * A block that is noted was whole before the note was made, so it must be found with its bytes whatever happens to its writer.
 * @module
 */
import { Arena } from '../../src/arena/arena.ts'
import { mapFile } from '../../src/arena/file/map-file.ts'
import type { Os } from '../../src/ffi/os.ts'
import { KiB, MiB } from '../../src/units.ts'

export const HEAP_BYTES: number = 4 * MiB
export const NOTES = 256
const NOTE_WORDS = 4
export const ARENA_BYTES: number = HEAP_BYTES + 64 * KiB
/** Long enough for such an arena and its tables. */
const FILE_BYTES: number = 8 * MiB

/** How a process or thread comes to the memory. Plain data. */
export type Way =
  | { readonly by: 'fd' }
  | { readonly by: 'path'; readonly path: string }
  | { readonly by: 'file'; readonly path: string }
  | { readonly by: 'handle'; readonly handle: Parameters<typeof Arena.attach>[0] }

export function come(way: Way, os?: Os): Arena {
  const options = os === undefined ? {} : { os }
  switch (way.by) {
    case 'fd':
      return Arena.attach({ fd: 3 }, options)
    case 'path':
      return Arena.open(way.path, options)
    case 'file':
      return mapFile(way.path, { mode: 'write', create: true, byteLength: FILE_BYTES, ...options }).arena
    case 'handle':
      return Arena.attach(way.handle, options)
  }
}

export class Notes {
  readonly words: Float64Array

  constructor(arena: Arena) {
    this.words = arena.view(Float64Array, HEAP_BYTES, NOTES * NOTE_WORDS + 1)
  }

  offset(note: number): number {
    return this.words[note * NOTE_WORDS] as number
  }

  byteLength(note: number): number {
    return this.words[note * NOTE_WORDS + 1] as number
  }

  seed(note: number): number {
    return this.words[note * NOTE_WORDS + 2] as number
  }

  write(note: number, offset: number, byteLength: number, seed: number): void {
    this.words[note * NOTE_WORDS + 1] = byteLength
    this.words[note * NOTE_WORDS + 2] = seed
    this.words[note * NOTE_WORDS] = offset
  }

  clear(note: number): void {
    this.words[note * NOTE_WORDS] = 0
  }

  /** Whether a reset has begun and is not over: the notes are gone first, the blocks after them, all at once. */
  get resetting(): boolean {
    return this.words[NOTES * NOTE_WORDS] === 1
  }

  set resetting(value: boolean) {
    this.words[NOTES * NOTE_WORDS] = value ? 1 : 0
  }

  /** The notes that say something. */
  taken(): number[] {
    return Array.from({ length: NOTES }, (_, note) => note).filter((note) => this.offset(note) !== 0)
  }
}
