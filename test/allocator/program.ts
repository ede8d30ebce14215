/**
 * Random programs against a plain map: whatever an allocator is told, its blocks never overlap, keep what was written, and its
 * books balance.
 * @module
 */
import * as assert from 'uvu/assert'
import type { FreeingAllocator } from '../../src/allocator/contract.ts'
import type { Arena } from '../../src/arena/arena.ts'
import { balance, bytesAt, type Subject } from './subject.ts'

/** Whole numbers below a bound, the same for the same seed. */
export function randomOf(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return Math.floor(((state >>> 0) / 2 ** 32) * bound)
  }
}

interface Block {
  readonly byteLength: number
  readonly stamp: number
}

/** Runs so many random calls. */
export function runProgram(
  subject: Subject,
  allocator: FreeingAllocator,
  arena: Arena,
  seed: number,
  steps = 400
): void {
  const program = new Program(subject, allocator, arena, seed)
  for (let step = 0; step < steps; step++) program.step()
  program.end()
}

class Program {
  readonly #subject: Subject
  readonly #allocator: FreeingAllocator
  readonly #arena: Arena
  readonly #random: (bound: number) => number
  readonly #live: Map<number, Block> = new Map()
  #stamp = 0
  #steps = 0

  constructor(subject: Subject, allocator: FreeingAllocator, arena: Arena, seed: number) {
    this.#subject = subject
    this.#allocator = allocator
    this.#arena = arena
    this.#random = randomOf(seed)
  }

  step(): void {
    const choice = this.#random(100)
    const { frees } = this.#subject.abilities
    if (choice < 50) this.#take()
    else if (choice < 52) this.#reset()
    else if (frees && this.#live.size > 0) {
      if (choice < 82) this.#free()
      else if (choice < 95) this.#resize()
      else this.#allocator.purge()
    }
    balance(this.#allocator)
    if (frees) assert.is(this.#allocator.stats().usedCount, this.#live.size)
    if (++this.#steps % 16 === 0) this.#allocator.check()
  }

  end(): void {
    for (const [offset, block] of this.#live) this.#verify(offset, block)
    if (!this.#subject.abilities.frees) return
    const blocks = [...this.#allocator.blocks()]
    assert.equal(new Map(blocks.map((block) => [block.offset, block.byteLength])), this.#usable())
    for (const offset of this.#live.keys()) this.#allocator.free(offset)
    assert.is(this.#allocator.stats().usedBytes, 0)
    this.#allocator.check()
  }

  #length(): number {
    const small = this.#random(4) > 0
    return this.#subject.fit(small ? this.#random(200) : Math.floor(2 ** (this.#random(1500) / 100)))
  }

  #take(): void {
    const byteLength = this.#length()
    const zeroed = this.#random(2) === 0
    let offset = 0
    try {
      offset = zeroed ? this.#allocator.calloc(byteLength) : this.#allocator.tryMalloc(byteLength)
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_OUT_OF_MEMORY') throw error
    }
    if (offset === 0) return
    assert.is(offset % 8, 0)
    this.#assertApart(offset, byteLength)
    if (zeroed)
      assert.ok(
        bytesAt(this.#arena, offset, byteLength).every((byte) => byte === 0),
        `calloc(${byteLength}) at ${offset}`
      )
    this.#write(offset, byteLength)
  }

  #free(): void {
    const [offset, block] = this.#pick()
    this.#verify(offset, block)
    this.#allocator.free(offset)
    this.#live.delete(offset)
  }

  #resize(): void {
    const [offset, block] = this.#pick()
    const byteLength = this.#length()
    let moved = 0
    try {
      moved = this.#allocator.realloc(offset, byteLength)
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_OUT_OF_MEMORY') throw error
      return
    }
    this.#live.delete(offset)
    this.#assertApart(moved, byteLength)
    this.#verify(moved, { byteLength: Math.min(byteLength, block.byteLength), stamp: block.stamp })
    this.#write(moved, byteLength)
  }

  #reset(): void {
    this.#allocator.reset()
    this.#live.clear()
    assert.is(this.#allocator.stats().usedCount, 0)
  }

  #pick(): [number, Block] {
    return [...this.#live][this.#random(this.#live.size)] as [number, Block]
  }

  #write(offset: number, byteLength: number): void {
    this.#stamp = (this.#stamp % 255) + 1
    bytesAt(this.#arena, offset, byteLength).fill(this.#stamp)
    this.#live.set(offset, { byteLength, stamp: this.#stamp })
  }

  #verify(offset: number, { byteLength, stamp }: Block): void {
    assert.ok(
      bytesAt(this.#arena, offset, byteLength).every((byte) => byte === stamp),
      `the block at ${offset} has changed`
    )
  }

  #assertApart(offset: number, byteLength: number): void {
    for (const [other, block] of this.#live) {
      assert.is.not(offset, other)
      assert.ok(
        offset + byteLength <= other || other + block.byteLength <= offset,
        `${offset} lies in the block at ${other}`
      )
    }
  }

  #usable(): Map<number, number> {
    const offsets = [...this.#live.keys()].sort((a, b) => a - b)
    return new Map(offsets.map((offset) => [offset, this.#allocator.usableSize(offset)]))
  }
}
