/**
 * What the steps of an experiment have at hand: the library, files that are removed afterwards, raw memory, and ways to add readings.
 *
 * A user's own experiment needs no import: all of it comes as the argument of `steps`.
 * @module
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Arena, type ArenaOptions, Buddy, Bump, GiB, Heap, KiB, MiB, mapFile, Slab } from '../../index.ts'
import { RawMemory } from './raw-memory.ts'

/** Facts of the machine, for experiments that depend on them. */
export interface Machine {
  readonly pageSize: number
  readonly hugePageSize: number
  /** `always`, `madvise` or `never`, and `absent` where the kernel has none. */
  readonly hugePages: string
  readonly nodeMajor: number
}

export class Lab {
  readonly Arena: typeof Arena = Arena
  readonly Heap: typeof Heap = Heap
  readonly Slab: typeof Slab = Slab
  readonly Buddy: typeof Buddy = Buddy
  readonly Bump: typeof Bump = Bump
  readonly mapFile: typeof mapFile = mapFile
  readonly KiB: number = KiB
  readonly MiB: number = MiB
  readonly GiB: number = GiB
  readonly machine: Machine
  readonly pageSize: number
  readonly #takeReading: () => void
  readonly #folder: string
  readonly #notes = new Map<string, number>()
  readonly #watched: { resident(): number }[] = []
  readonly #kept: unknown[] = []

  /** `folder` is for files; the caller has made it and removes it. */
  constructor(machine: Machine, folder: string, takeReading: () => void) {
    this.machine = machine
    this.#folder = folder
    this.pageSize = machine.pageSize
    this.#takeReading = takeReading
  }

  /** A new arena, whose pages in memory count in the figure `mincore`. */
  arena(byteLength: number, options: ArenaOptions = {}): Arena {
    return this.watch(Arena.reserve(byteLength, options))
  }

  /** Counts the pages of this in `mincore`, as long as it is open. */
  watch<T extends { resident(): number }>(memory: T): T {
    this.#watched.push(memory)
    return memory
  }

  /** Anonymous memory without an arena around it: for what arenas do not do, such as `MADV_FREE` and unmapping. */
  memory(byteLength: number): RawMemory {
    return this.keep(new RawMemory(byteLength))
  }

  /** A file of so many bytes, all of them written. Removed at the end. */
  file(byteLength: number): string {
    const path = join(this.#folder, `file-${this.#kept.length}`)
    this.#kept.push(path)
    writeFileSync(path, Buffer.alloc(byteLength, 1))
    return path
  }

  /** Keeps an object from being collected while the experiment runs. */
  keep<T>(value: T): T {
    this.#kept.push(value)
    return value
  }

  /** Stores 1 into one byte of every `stride`; without a stride, of every page. */
  touch(bytes: Uint8Array, stride: number = this.pageSize): void {
    for (let at = 0; at < bytes.length; at += stride) bytes[at] = 1
  }

  /** Loads one byte of every `stride`. Returns the sum, so that no load is left out. */
  read(bytes: Uint8Array, stride: number = this.pageSize): number {
    let sum = 0
    for (let at = 0; at < bytes.length; at += stride) sum += bytes[at]!
    return sum
  }

  /** A figure of the experiment's own, for this step. */
  note(name: string, value: number): void {
    this.#notes.set(name, value)
  }

  /** One more reading in the midst of a step. The time it takes does not count. */
  sample(): void {
    this.#takeReading()
  }

  async sleep(milliseconds: number): Promise<void> {
    await sleep(milliseconds)
  }

  /** Waits, with no deadline, until something is true. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await sleep(5)
  }

  /** Collects JavaScript's garbage, and lets finalizers run. */
  async collect(): Promise<void> {
    for (let round = 0; round < 4; round++) {
      globalThis.gc?.()
      await sleep(1)
    }
  }

  /** @internal */
  mincore(): number {
    return this.#watched.reduce((sum, memory) => sum + residentOf(memory), 0)
  }

  /** The notes since the last call. @internal */
  takeNotes(): Record<string, number> {
    const notes = Object.fromEntries(this.#notes)
    this.#notes.clear()
    return notes
  }
}

/** Nothing of what is closed counts. */
function residentOf(memory: { resident(): number }): number {
  try {
    return memory.resident()
  } catch {
    return 0
  }
}
