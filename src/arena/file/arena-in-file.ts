/**
 * The arena of one mapped file, from before it is opened on: what the file's other parts must know of it.
 *
 *     none yet  ── open() ─▶  the arena, which has the file's lifetime and open state      file-arena.ts
 *
 *     exposed   a view of the file exists: any code may write to the file through it, and the arena does not see it
 *
 * Cost: nothing until it is opened.
 * @module
 */
import { alignDown } from '../../bits.ts'
import { type Arena, insideOf } from '../arena.ts'
import type { Release } from '../pin.ts'
import type { Extent } from '../views/extent.ts'
import { type FileArenaSource, openFileArena } from './file-arena.ts'
import { unsupportedIn } from './file-options.ts'

/** What it is opened from, and the bytes that are mapped now. */
export interface ArenaInFileParts extends Omit<FileArenaSource, 'byteLength' | 'exposed'> {
  readonly extent: Extent
}

export class ArenaInFile {
  readonly #parts: ArenaInFileParts
  #exposed = false
  #arena: Arena | undefined

  constructor(parts: ArenaInFileParts) {
    this.#parts = parts
  }

  /** The arena, opened the first time. */
  open(): Arena {
    const { title, place, extent } = this.#parts
    extent.requireOpen()
    if (place.mode === 'read') throw unsupportedIn(title, place.mode, 'arena')
    this.#arena ??= openFileArena({ ...this.#parts, byteLength: extent.byteLength, exposed: this.#exposed })
    return this.#arena
  }

  get isOpened(): boolean {
    return this.#arena !== undefined
  }

  /** Notes that others than allocators may write in a range from now on. */
  expose(offset: number, byteLength: number): void {
    this.#exposed = true
    if (this.#arena !== undefined) insideOf(this.#arena).expose(offset, byteLength)
  }

  /** Pins the live block around a byte, where there is one. */
  pinBlock(offset: number): Release | undefined {
    return this.#arena && insideOf(this.#arena).pinBlock(offset)
  }

  /** The offset of a view in the arena's windows; below 0 when it lies in none. */
  find(view: ArrayBufferView): number {
    return this.#arena === undefined ? -1 : insideOf(this.#arena).find(view)
  }

  /** What the arena has in the pages of a range, for messages; undefined when it has nothing there. */
  heldIn(offset: number, byteLength: number): string | undefined {
    const arena = this.#arena
    if (arena === undefined) return undefined
    if (offset + byteLength > arena.byteLength) return "the arena's tables"
    const { pageSize } = arena
    return insideOf(arena).claimed(alignDown(offset, pageSize), byteLength + (offset % pageSize))
  }
}
