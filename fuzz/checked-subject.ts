/**
 * A slab, buddy or bump allocator in use, a word of whose tables is changed once, before `check`: it refuses, or the blocks that it says are
 * there are those that a program goes on with.
 * @module
 */
import { Arena, Buddy, Bump, type FreeingAllocator, MiB, Slab } from '../src/index.ts'
import { damage, type Table } from './damage.ts'
import { codeOf, Finding, type Subject, type Verdict } from './finding.ts'
import { Image } from './image.ts'
import { Program, type ProgramOptions } from './program.ts'
import type { Random } from './random.ts'

const BYTES = 256 * 1024
const STEPS = 120
const RANGE = { offset: 65536, byteLength: BYTES }
const usual = { most: 20_000, frees: true, alignments: [8, 64, 4096] }

interface Kind {
  readonly number: number
  readonly options: Omit<ProgramOptions, 'low' | 'high' | 'offsetOf'>
  make(arena: Arena): FreeingAllocator
}

export const checkedKinds: Readonly<Record<string, Kind>> = {
  Slab: {
    number: 2,
    options: { ...usual, most: 48, alignments: [8] },
    make: (arena) => new Slab(arena, { ...RANGE, slotSize: 48 }),
  },
  Buddy: { number: 3, options: usual, make: (arena) => new Buddy(arena, RANGE) },
  Bump: {
    number: 1,
    options: { ...usual, frees: false },
    make: (arena) => new Bump(arena, RANGE) as unknown as FreeingAllocator,
  },
}

export class CheckedSubject implements Subject {
  readonly kind: string
  readonly #arena: Arena = Arena.reserve(MiB, { shared: true })
  readonly #start: Kind
  #image: Image | undefined

  constructor(kind: string) {
    this.kind = kind
    this.#start = checkedKinds[kind] as Kind
  }

  run(random: Random, say: (what: string) => void): Verdict {
    const { options, make } = this.#start
    const allocator = make(this.#arena)
    try {
      const range = {
        low: RANGE.offset,
        high: RANGE.offset + BYTES,
        offsetOf: (view: Uint8Array) => this.#arena.offsetOf(view),
      }
      const before = new Program(allocator, random, { ...options, ...range })
      for (let step = 0; step < 60; step++) before.step()
      this.#damage(random, say)
      if (isRefused(allocator)) return 'refused'
      const program = new Program(allocator, random, { ...options, ...range })
      program.adopt()
      for (let step = 0; step < STEPS; step++) program.step()
      program.end()
      return 'harmless'
    } finally {
      allocator.close()
    }
  }

  dispose(): void {
    this.#arena.close()
  }

  #damage(random: Random, say: (what: string) => void): void {
    this.#image ??= new Image(this.#arena, this.#start.number)
    const image = this.#image
    const words = image.read(0, 4096)
    const used = [...words.keys()].filter((at) => words[at] !== 0)
    const tables: Table[] = [
      { name: 'header', start: 0, end: 64, record: 1 },
      { name: 'tables', start: 64, end: Math.max(72, (used.at(-1) as number) + 8), record: 1 },
    ]
    const { at, word, name } = damage(random, tables, (index) => words[index] as number)
    image.set(at, word)
    say(`checked: ${name}`)
  }
}

function isRefused(allocator: FreeingAllocator): boolean {
  try {
    allocator.check()
    return false
  } catch (error) {
    if (codeOf(error) === 'ERR_CORRUPTED') return true
    throw new Finding(`check: ${(error as Error).stack}`)
  }
}
