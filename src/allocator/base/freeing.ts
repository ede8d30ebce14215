/**
 * What allocators have that free single blocks: `usableSize`, `realloc`, many blocks at once, and what refuses a free.
 *
 *     free(p)       ->  assertFree, where something special holds; the class does the rest, for speed
 *     realloc(p, n) ->  assertFree likewise; the rest is in resizing.ts
 *
 * `sizeAt` and `freeAt` throw unless the offset is the start of a block that is live now, so every path through here is checked.
 * Cost above the raw call: one comparison for an offset, a look-up of the view's buffer for a view.
 * @module
 */
import { isCommon } from '../../arena/buffer-range.ts'
import { step } from '../../arena/ending.ts'
import { wholeNumber } from '../../arguments.ts'
import { DoubleFreeError } from '../../errors.ts'
import { plainFloats } from '../../views.ts'
import type { SizeClassStats } from '../contract.ts'
import type { BlockMemory } from './block-memory.ts'
import type { Hooks } from './hooks.ts'
import { INNER, type Lifecycle } from './lifecycle.ts'
import { type Requests, requestOf } from './requests.ts'
import { type ResizableBlocks, Resizing } from './resizing.ts'
import type { Views } from './views.ts'

/** What an allocator does in its own way that frees single blocks. */
export interface FreeingHooks extends Hooks, Omit<ResizableBlocks, 'resizableAt'> {
  /** Usable bytes of the live block that starts here; throws as `freeAt` does. */
  sizeAt(offset: number): number
  /** Frees the live block that starts here; throws ERR_DOUBLE_FREE or ERR_INVALID_FREE when there is none. */
  freeAt(offset: number): void
}

/** The parts that freeing needs. */
export interface FreeingParts {
  readonly life: Lifecycle
  readonly requests: Requests
  readonly memory: BlockMemory
  readonly views: Views
  readonly hooks: FreeingHooks
}

export class Freeing {
  readonly #parts: FreeingParts
  readonly #life: Lifecycle
  readonly #requests: Requests
  readonly #hooks: FreeingHooks
  readonly resizing: Resizing

  constructor(parts: FreeingParts) {
    this.#parts = parts
    this.#life = parts.life
    this.#requests = parts.requests
    this.#hooks = parts.hooks
    const { life, hooks } = parts
    const resizableAt = (offset: number): number => {
      if (life.guard !== 0) this.assertFree(offset)
      return hooks.sizeAt(offset)
    }
    this.resizing = new Resizing({ ...hooks, resizableAt }, parts.requests, parts.memory)
  }

  usableSize(block: number | ArrayBufferView): number {
    const offset = typeof block === 'number' ? block : this.#parts.views.locate(block)
    if (this.#life.guard !== 0) this.#life.assertOpen()
    return this.#hooks.sizeAt(offset)
  }

  realloc(offset: number, byteLength: number): number {
    return this.resizing.realloc(offset, byteLength)
  }

  mallocMany(byteLength: number, offsets: Float64Array): number {
    // One step: what a timer's callback does comes when all blocks are there.
    return this.fillMany(byteLength, plainFloats('offsets', offsets), (rest) =>
      step(() => this.#take(byteLength, rest))
    )
  }

  #take(byteLength: number, rest: Float64Array): number {
    for (let count = 0; count < rest.length; count++) {
      const offset = this.#hooks.tryMemalign(8, byteLength, false)
      if (offset === 0) return count
      rest[count] = offset
    }
    return rest.length
  }

  /**
   * Fills an array by `take`, which puts as many blocks into what is left of it as there is room for, and again for as long as `onFull` makes
   * room; says how many there are. When the callback throws they are freed.
   */
  fillMany(byteLength: number, offsets: Float64Array, take: (rest: Float64Array) => number): number {
    const requests = this.#requests
    if (requests.asks) return this.#fillAsking(byteLength, offsets, take)
    const count = take(offsets)
    requests.tellPages()
    if (count !== offsets.length) requests.publishFull(byteLength, 8)
    return count
  }

  /** The callback has the caller's array as well, and may write to it, or detach it: so the offsets are kept apart until all is done. */
  #fillAsking(byteLength: number, target: Float64Array, take: (rest: Float64Array) => number): number {
    const offsets = new Float64Array(target.length)
    const count = this.#fillUntilFull(byteLength, offsets, take)
    const stored = Math.min(count, target.length)
    // Of a detached array nothing may be asked.
    if (stored > 0) target.set(offsets.subarray(0, stored))
    this.#takeBack(offsets.subarray(stored, count))
    return stored
  }

  #fillUntilFull(byteLength: number, offsets: Float64Array, take: (rest: Float64Array) => number): number {
    const life = this.#life
    const requests = this.#requests
    let count = take(offsets)
    requests.tellPages()
    if (count === offsets.length) return count
    requests.publishFull(byteLength, 8)
    const request = requestOf(byteLength)
    for (;;) {
      const { resets } = life
      let granted: boolean
      try {
        granted = requests.ask(request)
      } catch (error) {
        if (life.resets === resets) this.#takeBack(offsets.subarray(0, count))
        throw error
      }
      life.assertOpen()
      if (life.resets !== resets) count = 0
      if (!granted) return count
      const more = take(offsets.subarray(count))
      requests.tellPages()
      count += more
      if (count >= offsets.length) return count
      if (more > 0) request.answers = 0
    }
  }

  /** Frees blocks that the caller has not been told of. What the callback has freed already is passed by. */
  #takeBack(offsets: Float64Array): void {
    for (const offset of offsets) {
      if (this.#life.isClosed) return
      try {
        this.#hooks.freeAt(offset)
      } catch {}
    }
  }

  freeMany(offsets: Float64Array, count?: number): void {
    const checked = checkMany(offsets, count)
    if (this.#life.guard !== 0) this.#life.assertWritable()
    this.requireLive(checked)
    for (const offset of checked) this.#hooks.freeAt(offset)
  }

  /** Throws unless each of these is a live block that is not pinned and has no inner claim, and none comes twice. */
  requireLive(offsets: Float64Array): void {
    const seen: Set<number> = new Set()
    offsets.forEach((offset, index) => {
      try {
        if (seen.has(offset)) throw new DoubleFreeError(`the block at ${offset} is in the array twice`)
        seen.add(offset)
        const byteLength = this.#hooks.sizeAt(offset)
        this.#life.assertBlockUnpinned(offset)
        if (this.#life.guard !== 0) this.#life.assertNoInner(offset, byteLength)
      } catch (error) {
        throw withIndex(error, index)
      }
    })
  }

  /** Called where `guard` is not 0: refuses a block that is pinned, or that an inner claim lies in. */
  assertFree(offset: number): void {
    const life = this.#life
    life.assertWritable()
    life.assertBlockUnpinned(offset)
    if (life.guard & INNER) life.assertNoInner(offset, this.#hooks.sizeAt(offset))
  }

  /** Called where `guard` is not 0: the same of many blocks, of which the others are not looked at. */
  assertManyFree(offsets: Float64Array): void {
    this.#life.assertWritable()
    const { guard, pins } = this.#life
    if (guard & INNER || offsets.some((offset) => pins.has(offset))) this.requireLive(offsets)
  }
}

/** The live blocks by size, of an allocator that cuts no slots: each by itself. */
export function classesOfBlocks(blocks: Iterable<{ byteLength: number }>): SizeClassStats[] {
  const classes: Map<number, SizeClassStats> = new Map()
  for (const { byteLength } of blocks) {
    const usedCount = (classes.get(byteLength)?.usedCount ?? 0) + 1
    const usedBytes = usedCount * byteLength
    classes.set(byteLength, {
      kind: 'span',
      least: byteLength,
      most: byteLength,
      usedCount,
      usedBytes,
      freeSlotBytes: 0,
    })
  }
  return [...classes.values()].sort((a, b) => a.least - b.least)
}

/**
 * The first `count` of the offsets: a copy where they can change meanwhile. Another thread can change them, and so can the frees, where they
 * lie in a block that is freed.
 */
export function checkMany(offsets: unknown, count: unknown): Float64Array {
  const plain = plainFloats('offsets', offsets)
  const most = plain.length
  const length = count === undefined ? most : wholeNumber('count', count, 0, most)
  if (isCommon(plain.buffer)) return plain.slice(0, length)
  return length === most ? plain : plain.subarray(0, length)
}

/** An error of one offset of many, with its place among them. */
export function withIndex(error: unknown, index: number): unknown {
  if (error instanceof Error) {
    error.message = `offsets[${index}]: ${error.message}`
    Object.defineProperty(error, 'index', { value: index, enumerable: true })
  }
  return error
}
