/**
 * An allocator in use, and stores into its tables between the calls of a program: every error has a code, every call ends,
 * nothing faults. The tables are put back now and then, so that programs get further than to the first contradiction.
 * @module
 */
import { Arena, Buddy, Bump, type FreeingAllocator, Heap, MiB, Slab } from '../src/index.ts'
import { damage, type Table } from './damage.ts'
import { attempt, type Subject, type Verdict } from './finding.ts'
import { Image } from './image.ts'
import { Program, type ProgramOptions } from './program.ts'
import type { Random } from './random.ts'

const BYTES = 2 * MiB
const STEPS = 150

interface Kind {
  readonly number: number
  readonly words: number
  readonly options: Omit<ProgramOptions, 'low' | 'high' | 'offsetOf'>
  make(arena: Arena): FreeingAllocator
}

const usual = { most: 200_000, frees: true, alignments: [8, 64, 4096, 65536], lenient: true }

/** `words` are those of the header and the tables as far as a program uses them, or nearly. */
export const liveKinds: Readonly<Record<string, Kind>> = {
  Heap: {
    number: 4,
    words: 2 ** 17,
    options: usual,
    make: (arena) => new Heap(arena, { byteLength: BYTES, decayMs: -1 }),
  },
  Concurrent: {
    number: 4,
    words: 2 ** 16,
    options: usual,
    make: (arena) => new Heap(arena, { byteLength: BYTES, decayMs: -1, concurrent: true }),
  },
  Slab: {
    number: 2,
    words: 1500,
    options: { ...usual, most: 64, alignments: [8, 64] },
    make: (arena) => new Slab(arena, { byteLength: BYTES, slotSize: 64 }),
  },
  Buddy: { number: 3, words: 2 ** 14, options: usual, make: (arena) => new Buddy(arena, { byteLength: BYTES }) },
  Bump: {
    number: 1,
    words: 2 ** 14,
    options: { ...usual, frees: false },
    make: (arena) => new Bump(arena, { byteLength: BYTES }) as unknown as FreeingAllocator,
  },
}

export class LiveSubject implements Subject {
  readonly kind: string
  readonly #arena: Arena
  readonly #allocator: FreeingAllocator
  readonly #image: Image
  readonly #saved: Int32Array
  readonly #used: Int32Array
  readonly #options: ProgramOptions

  constructor(kind: string, random: Random) {
    const { number, words, options, make } = liveKinds[kind] as Kind
    this.kind = kind
    this.#arena = Arena.reserve(2 * BYTES, { shared: true })
    this.#options = { ...options, low: 0, high: BYTES, offsetOf: (view) => this.#arena.offsetOf(view) }
    this.#allocator = make(this.#arena)
    const program = new Program(this.#allocator, random, { ...this.#options, lenient: false })
    for (let step = 0; step < 400; step++) program.step()
    this.#image = new Image(this.#arena, number)
    this.#saved = this.#image.read(0, words)
    // Most damage goes where something is.
    this.#used = Int32Array.from(this.#saved.keys()).filter((at) => at < 64 || this.#saved[at] !== 0)
  }

  run(random: Random, say: (what: string) => void): Verdict {
    const program = new Program(this.#allocator, random, this.#options)
    attempt(() => program.adopt())
    const often = 1 + random.below(12)
    for (let step = 0; step < STEPS; step++) {
      if (random.below(often) === 0) this.#damage(random, say)
      program.step()
    }
    attempt(() => program.end())
    if (this.#options.frees) for (const start of [...program.model.starts]) attempt(() => this.#allocator.free(start))
    attempt(() => this.#allocator.reset())
    this.#image.write(0, this.#saved)
    return 'harmless'
  }

  dispose(): void {
    this.#arena.close()
  }

  #damage(random: Random, say: (what: string) => void): void {
    const table: Table = { name: this.kind, start: 0, end: this.#saved.length, record: 8 }
    const read = (at: number) => this.#image.read(at, 1)[0] as number
    const { at, word, name } = damage(random, [table], read)
    const place = random.below(10) === 0 ? at : (this.#used[random.below(this.#used.length)] as number)
    this.#image.set(place, word)
    say(`in use: ${place} <- ${word} (${name})`)
  }
}
