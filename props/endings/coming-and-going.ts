/**
 * Allocators of all kinds that come and go in one arena, and a model of them.
 *
 *     step   one of: open (anywhere, or in a live block), malloc, free, reset, purge, close, destroy, attach, a timer that is late
 *     model  each allocator's live blocks, each with a mark of its own in its first and last 8 bytes
 *
 * Before each use `check()` of the allocator holds, and every block that is freed has its marks: what was written after its end by an
 * allocator that has gone shows in one or the other. A step that throws an error with a code has changed nothing.
 * @module
 */
import * as assert from 'uvu/assert'
import { Buddy } from '../../src/allocator/buddy/buddy.ts'
import { Bump } from '../../src/allocator/bump/bump.ts'
import { Heap } from '../../src/allocator/heap/heap.ts'
import { Slab } from '../../src/allocator/slab/slab.ts'
import type { Arena } from '../../src/arena/arena.ts'
import { MiB } from '../../src/units.ts'
import type { FakeOs } from '../../test/helpers/fake-os.ts'

/** Bytes of the arena. */
export const ARENA: number = 64 * MiB

/** What a step does, and three draws for how. */
export type Step = readonly [number, number, number, number]

type Subject = Heap | Slab | Buddy | Bump

interface Living {
  readonly subject: Subject
  readonly offset: number
  readonly byteLength: number
  /** The block it lies in, and whose that is. */
  readonly outer: { readonly living: Living; readonly block: number } | undefined
  /** Live blocks: offset to length. */
  blocks: Map<number, number>
}

/** One draw for each step, 0 to 99: the step whose bound is the first above it. */
const STEPS = [
  ['open', 12],
  ['malloc', 52],
  ['free', 74],
  ['reset', 78],
  ['purge', 82],
  ['close', 91],
  ['destroy', 94],
  ['attach', 97],
  ['late timer', 100],
] as const

/** One program. */
export class ComingAndGoing {
  readonly #arena: Arena
  /** The kernel that fails, where it does. */
  readonly #os: FakeOs | undefined
  readonly #cells: Float64Array
  readonly #living: Living[] = []
  /** Heaps that were closed and stay. */
  readonly #left: Living[] = []
  /** Every timer that was ever set: a cancel does nothing here. */
  readonly #timers: (() => void)[] = []
  /** How often what happened. */
  readonly taken: Map<string, number>

  constructor(arena: Arena, taken: Map<string, number>, os?: FakeOs) {
    this.#arena = arena
    this.#os = os
    this.#cells = new Float64Array(arena.window(0).buffer)
    this.taken = taken
  }

  run(steps: readonly Step[]): void {
    for (const [what, ...draws] of steps) {
      const [name] = STEPS.find(([, below]) => what < below) ?? STEPS[0]
      const nth = 1 + (draws[0] % 4)
      if (this.#os !== undefined && draws[1] % 7 === 0) this.#os.fail('any', nth)
      try {
        this.#step(name, draws as unknown as readonly [number, number, number])
        this.#count(name)
      } catch (error) {
        const { code } = error as { code?: string }
        if (code === undefined || !this.#expected(code)) throw error
        this.#count(code)
      } finally {
        this.#os?.heal()
      }
    }
    for (const living of this.#living) this.#verify(living)
  }

  #expected(code: string): boolean {
    return (
      ['ERR_ARENA_BUSY', 'ERR_OUT_OF_MEMORY', 'ERR_OUT_OF_RANGE'].includes(code) ||
      (this.#os !== undefined && code === 'ENOMEM')
    )
  }

  #step(name: (typeof STEPS)[number][0], [one, two, three]: readonly [number, number, number]): void {
    if (name === 'open') this.#open(one, two, three)
    else if (name === 'attach') this.#attach(one)
    else if (name === 'late timer') this.#timers[one % (this.#timers.length || 1)]?.()
    else if (this.#living.length > 0) {
      const living = this.#living[one % this.#living.length] as Living
      this.#verify(living)
      if (name === 'malloc') this.#malloc(living, two)
      else if (name === 'free') this.#free(living, two)
      else if (name === 'reset') this.#reset(living)
      else if (name === 'purge') living.subject.purge()
      else if (name === 'destroy') this.#end(living, true)
      else this.#end(living, three % 2 === 0)
    }
  }

  #open(one: number, two: number, three: number): void {
    const outer = three % 3 === 0 ? this.#roomyBlock(one) : undefined
    const [from, most] =
      outer === undefined ? [0, ARENA] : [outer.block, outer.living.blocks.get(outer.block) as number]
    const byteLength = Math.max(8, Math.floor((most * ((two % 997) + 1)) / 998 / (1 + (two % 5)) / 8) * 8)
    const offset = from + Math.floor(((most - byteLength) * (one % 991)) / 990 / 8) * 8
    const subject = this.#make(three, offset, byteLength)
    this.#living.push({ subject, offset, byteLength, outer, blocks: new Map() })
  }

  #make(three: number, offset: number, byteLength: number): Subject {
    const kind = Math.floor(three / 3) % 5
    if (kind === 0) return new Slab(this.#arena, { offset, byteLength, slotSize: 8 + (three % 100) * 8 })
    if (kind === 1) return new Buddy(this.#arena, { offset, byteLength, minBlock: 16 << (three % 6) })
    if (kind === 2) return new Bump(this.#arena, { offset, byteLength })
    const schedule = (run: () => void): (() => void) => {
      this.#timers.push(run)
      return () => undefined
    }
    return new Heap(this.#arena, { offset, byteLength, schedule, decayMs: three % 2 === 0 ? 1000 : 0 })
  }

  #roomyBlock(one: number): { living: Living; block: number } | undefined {
    for (let at = 0; at < this.#living.length; at++) {
      const living = this.#living[(one + at) % this.#living.length] as Living
      for (const [block, byteLength] of living.blocks)
        if (byteLength >= 4096 && this.#inside(living, block).length === 0) return { living, block }
    }
    return undefined
  }

  /** Those in a block, or in all blocks, at any depth. */
  #inside(living: Living, block?: number): Living[] {
    const direct = this.#living.filter(
      ({ outer }) => outer?.living === living && (block === undefined || outer.block === block)
    )
    return [...direct, ...direct.flatMap((one) => this.#inside(one))]
  }

  #malloc(living: Living, two: number): void {
    const { subject } = living
    const wanted =
      subject instanceof Slab ? subject.slotSize : two % 4 === 0 ? 8 + (two % 100_000) : 8 + (two % 128) * 8
    const offset = subject.malloc(wanted)
    const byteLength =
      subject instanceof Bump ? Math.floor(wanted / 8) * 8 : Math.floor(subject.usableSize(offset) / 8) * 8
    assert.ok(offset >= living.offset && offset + byteLength <= living.offset + living.byteLength)
    for (const [block, length] of living.blocks)
      assert.ok(block + length <= offset || offset + byteLength <= block, `blocks at ${block} and ${offset} overlap`)
    living.blocks.set(offset, byteLength)
    this.#mark(offset, byteLength)
  }

  #free(living: Living, two: number): void {
    const { subject, blocks } = living
    if (subject instanceof Bump || blocks.size === 0) return
    const offset = [...blocks.keys()][two % blocks.size] as number
    const inner = this.#inside(living, offset)
    if (inner.length === 0) this.#requireMarks(offset, blocks.get(offset) as number)
    subject.free(offset)
    assert.is(inner.length, 0, 'a block with a claim inside was freed')
    blocks.delete(offset)
  }

  #reset(living: Living): void {
    living.subject.reset()
    for (const inner of this.#inside(living)) this.#forget(inner)
    living.blocks.clear()
  }

  #end(living: Living, closing: boolean): void {
    const { subject, outer, blocks } = living
    const heap = subject instanceof Heap
    // A range of the arena that is given back is cleared; blocks that stay keep their marks, if nothing else was written there.
    const inner = this.#inside(living)
    if (heap && !closing) subject.destroy()
    else subject.close()
    for (const one of inner) {
      for (const block of blocks.keys())
        if (one.outer?.living === living && one.outer.block === block) blocks.set(block, 0)
      this.#forget(one)
    }
    this.#forget(living)
    if (heap && closing && outer === undefined && this.#arena.shared) this.#left.push(living)
  }

  #attach(one: number): void {
    if (this.#left.length === 0) return
    const at = one % this.#left.length
    const { offset, byteLength, blocks } = this.#left[at] as Living
    const subject = Heap.attach(this.#arena, { offset, schedule: () => () => undefined })
    this.#left.splice(at, 1)
    assert.equal([subject.role, subject.recovered], ['writer', false])
    this.#count('found again')
    this.#living.push({ subject, offset, byteLength, outer: undefined, blocks })
  }

  #forget(living: Living): void {
    const at = this.#living.indexOf(living)
    if (at >= 0) this.#living.splice(at, 1)
  }

  #verify({ subject, blocks }: Living): void {
    subject.check()
    assert.is(subject.stats().usedCount, blocks.size)
    if (!(subject instanceof Bump)) for (const { offset } of subject.blocks()) assert.ok(blocks.has(offset))
  }

  #mark(offset: number, byteLength: number): void {
    if (byteLength < 8) return
    this.#cells[offset / 8] = offset
    this.#cells[(offset + byteLength) / 8 - 1] = offset
  }

  #requireMarks(offset: number, byteLength: number): void {
    if (byteLength < 8 || this.#cells[offset / 8] === 0) return
    const marks = [this.#cells[offset / 8], this.#cells[(offset + byteLength) / 8 - 1]]
    assert.equal(marks, [offset, offset], `the block at ${offset} was written to`)
  }

  #count(name: string): void {
    this.taken.set(name, (this.taken.get(name) ?? 0) + 1)
  }
}
