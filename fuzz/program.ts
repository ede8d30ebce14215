/**
 * A random program against an allocator and a model of it. Two ways to run it:
 *
 *     strict     the tables have been proved: everything must be as the model says, and ERR_CORRUPTED is a finding
 *     lenient    another thread stores into the tables meanwhile: every error must have a code, and a view the length that was asked for
 * @module
 */
import type { FreeingAllocator } from '../src/allocator/contract.ts'
import { attempt, codeOf, Finding } from './finding.ts'
import { Model } from './model.ts'
import type { Random } from './random.ts'

const FULL = ['ERR_OUT_OF_MEMORY']
const IN_USE = ['ERR_ARENA_BUSY']
const NOT_LIVE = ['ERR_INVALID_FREE', 'ERR_DOUBLE_FREE']

export interface ProgramOptions {
  readonly low: number
  readonly high: number
  /** The longest request. */
  readonly most: number
  /** Whether single blocks are freed: not by Bump. */
  readonly frees: boolean
  offsetOf(view: Uint8Array): number
  /** Multiples that memalign may be asked for. */
  readonly alignments: readonly number[]
  readonly lenient?: boolean
  /** Others use it as well: `check` may say that it did not prove all. */
  readonly shared?: boolean
}

export class Program {
  readonly model: Model
  readonly #allocator: FreeingAllocator
  readonly #random: Random
  readonly #options: ProgramOptions

  constructor(allocator: FreeingAllocator, random: Random, options: ProgramOptions) {
    this.#allocator = allocator
    this.#random = random
    this.#options = options
    this.model = new Model(options.low, options.high)
  }

  /** Takes the blocks that are there into the model. */
  adopt(): void {
    if (!this.#options.frees) return
    for (const { offset, byteLength } of this.#allocator.blocks()) this.#note(offset, byteLength)
  }

  step(): void {
    const choice = this.#random.below(100)
    const { frees, lenient } = this.#options
    if (choice < 45) this.#take(choice)
    else if (choice < 75 && frees && this.model.size > 0) this.#free(this.model.any(this.#random))
    else if (choice < 85 && frees && this.model.size > 0) this.#realloc(this.model.any(this.#random))
    else if (choice < 92 && frees) this.#refuse()
    else if (choice < 94) this.#expect([], () => this.#allocator.purge())
    else if (choice < 97) this.#expect([], () => this.#allocator.stats({ classes: true }))
    else if (lenient || choice === 97) this.#expect(this.#options.shared ? IN_USE : [], () => this.#allocator.check())
  }

  /** Frees all blocks, and looks whether nothing is left. */
  end(): void {
    for (const start of this.#options.frees ? [...this.model.starts] : []) this.#free(start)
    this.#expect(this.#options.shared ? IN_USE : [], () => this.#allocator.check())
    if (!this.#options.frees || this.#options.lenient) return
    const { usedCount } = this.#allocator.stats()
    if (usedCount !== 0) throw new Finding(`${usedCount} blocks are left, and the program has none`)
  }

  #size(): number {
    const kind = this.#random.below(12)
    const { most } = this.#options
    if (kind < 7) return this.#random.below(Math.min(1100, most + 1))
    return this.#random.below(Math.min(kind < 11 ? 20_000 : 200_000, most + 1))
  }

  #take(choice: number): void {
    const size = this.#size()
    const allocator = this.#allocator
    let start = 0
    const done = this.#expect(FULL, () => {
      if (choice < 20) start = allocator.malloc(size)
      else if (choice < 30) start = allocator.calloc(size)
      else if (choice < 35) start = allocator.memalign(this.#random.pick(this.#options.alignments), size)
      else {
        const length = Math.max(size, 1)
        const view = choice < 40 ? allocator.alloc(Uint8Array, length) : allocator.allocUnsafe(Uint8Array, length)
        if (view.length !== length) throw new Finding(`a view of ${view.length} bytes for ${length}`)
        start = this.#options.offsetOf(view)
      }
    })
    if (done && start !== 0) this.#note(start, size)
  }

  #note(start: number, size: number): void {
    if (!this.#options.lenient) this.model.add(start, size)
    else if (!this.model.has(start)) {
      // What a lenient program is given may be nonsense, but it may go on with it.
      try {
        this.model.add(start, size)
      } catch (error) {
        if (!(error instanceof Finding)) throw error
      }
    }
  }

  #free(start: number): void {
    this.model.delete(start)
    this.#expect(this.#options.lenient ? NOT_LIVE : [], () => this.#allocator.free(start))
  }

  #realloc(start: number): void {
    const size = this.#size()
    let moved = 0
    if (!this.#expect(FULL, () => (moved = this.#allocator.realloc(start, size)))) return
    this.model.delete(start)
    this.#note(moved, size)
  }

  /** Frees what is no block. */
  #refuse(): void {
    const { low, high } = this.#options
    const start = this.#random.below(4) === 0 ? this.#random.word() : low + this.#random.below((high - low) / 8) * 8
    if (this.model.has(start)) return
    const code = attempt(() => this.#allocator.free(start))
    if (this.#options.lenient || (code !== undefined && NOT_LIVE.includes(code))) return
    throw new Finding(`free(${start}), where no block begins, gave ${code}`)
  }

  /** Runs a call; false when it failed as it may. */
  #expect(codes: readonly string[], run: () => unknown): boolean {
    try {
      run()
      return true
    } catch (error) {
      const code = codeOf(error)
      if (this.#options.lenient || codes.includes(code)) return false
      throw new Finding(`${code}: ${(error as Error).stack}`)
    }
  }
}
