/**
 * The blocks that live, by what a format calls them: an address or a number. Turns that into slots of a trace.
 *
 *     one entry for each name that has a live block: entries <= lines read
 *
 * A recording may begin in the middle of a program and lose an event, so three things are not errors, but are counted, and told by
 * `notes`: a free of a block that was never made (it is left out), a realloc of one (it makes the block), and a block that is made under
 * a name that has one (its free went missing, and is put in before).
 * @module
 */
import type { TraceBuilder } from '../builder.ts'

export class LiveBlocks<Name> {
  readonly #builder: TraceBuilder
  readonly #slots = new Map<Name, number>()
  #unknownFrees = 0
  #unknownReallocs = 0
  #missingFrees = 0

  constructor(builder: TraceBuilder) {
    this.#builder = builder
  }

  has(name: Name): boolean {
    return this.#slots.has(name)
  }

  malloc(name: Name, byteLength: number): void {
    this.#makeRoom(name)
    this.#slots.set(name, this.#builder.malloc(byteLength))
  }

  calloc(name: Name, byteLength: number): void {
    this.#makeRoom(name)
    this.#slots.set(name, this.#builder.calloc(byteLength))
  }

  memalign(name: Name, alignment: number, byteLength: number): void {
    this.#makeRoom(name)
    this.#slots.set(name, this.#builder.memalign(alignment, byteLength))
  }

  realloc(from: Name, to: Name, byteLength: number): void {
    const slot = this.#slots.get(from)
    if (slot === undefined) {
      this.#unknownReallocs++
      this.malloc(to, byteLength)
      return
    }
    this.#slots.delete(from)
    this.#makeRoom(to)
    this.#builder.realloc(slot, byteLength)
    this.#slots.set(to, slot)
  }

  free(name: Name): void {
    const slot = this.#slots.get(name)
    if (slot === undefined) this.#unknownFrees++
    else {
      this.#slots.delete(name)
      this.#builder.free(slot)
    }
  }

  /** What was not as it should be, in words. */
  get notes(): string[] {
    const notes: [number, string, string][] = [
      [this.#unknownFrees, 'free', 'of blocks whose allocation is not in the file: left out'],
      [this.#unknownReallocs, 'realloc', 'of blocks whose allocation is not in the file: taken as mallocs'],
      [this.#missingFrees, 'block', 'made where one was live: its free went missing, and is put in'],
    ]
    return notes.flatMap(([count, noun, text]) =>
      count === 0 ? [] : [`${count} ${noun}${count === 1 ? '' : 's'} ${text}`]
    )
  }

  #makeRoom(name: Name): void {
    const slot = this.#slots.get(name)
    if (slot === undefined) return
    this.#missingFrees++
    this.#builder.free(slot)
  }
}
