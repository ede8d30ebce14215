/**
 * What allocators that free single blocks share: `free`, `usableSize` and `realloc` by offset or by view.
 *
 *     free(view)    ->  arena.offsetOf(view)  ->  freeAt(offset)
 *     realloc(p, n) ->  resizeAt(p, …) in place, or a new block, a copy, and freeAt(p)
 *
 * `sizeAt` and `freeAt` throw unless the offset is the start of a block that is live now, so every path through here is checked.
 * Cost above the raw call: one comparison for an offset, a look-up of the view's buffer for a view.
 * @module
 */
import { types } from 'node:util'
import { wholeNumber } from '../../arguments.ts'
import { DoubleFreeError, InvalidArgumentTypeError } from '../../errors.ts'
import { plainFloats } from '../../views.ts'
import type { FreeingAllocator, SizeClassStats } from '../contract.ts'
import { publishFull } from './channels.ts'
import { Blocks, type Hooks, INNER, type Own, ownOf } from './lifecycle.ts'
import { requestOf } from './room.ts'
import type { ViewCache } from './view-cache.ts'

/** What an allocator does in its own way that frees single blocks. @internal */
export interface FreeingHooks extends Hooks {
  /** Usable bytes of the live block that starts here; throws as `freeAt` does. */
  sizeAt(self: object, offset: number): number
  /** Frees the live block that starts here; throws ERR_DOUBLE_FREE or ERR_INVALID_FREE when there is none. */
  freeAt(self: object, offset: number): void
  /** Whether the live block of `usable` bytes could be given at least `byteLength` bytes, or fewer, where it is. Checks `byteLength`. */
  resizeAt(self: object, offset: number, usable: number, byteLength: number): boolean
}

export abstract class FreeingBlocks extends Blocks implements FreeingAllocator {
  readonly #own: Own<string, FreeingHooks> = ownOf(this)
  readonly #cache: ViewCache = this.#own.cache

  abstract purge(): number
  abstract blocks(): Iterable<{ offset: number; byteLength: number }>

  free(block: number | ArrayBufferView): void {
    const offset = typeof block === 'number' ? block : this.locate(block)
    if (this.#own.guard !== 0) this.assertFree(offset)
    this.#own.hooks.freeAt(this, offset)
  }

  usableSize(block: number | ArrayBufferView): number {
    const offset = typeof block === 'number' ? block : this.locate(block)
    if (this.#own.guard !== 0) this.assertOpen()
    return this.#own.hooks.sizeAt(this, offset)
  }

  realloc(offset: number, byteLength: number): number {
    if (typeof offset !== 'number') throw new InvalidArgumentTypeError('offset', 'a number', offset)
    const moved =
      this.#own.room === undefined ? this.#resize(offset, byteLength) : this.#resizeAsking(offset, byteLength)
    this.tellPages()
    return moved
  }

  /** Apart, since a function that makes a closure takes longer each time. */
  #resizeAsking(offset: number, byteLength: number): number {
    return this.untilFits(byteLength, () => this.#resize(offset, byteLength))
  }

  #resize(offset: number, byteLength: number): number {
    if (this.#own.guard !== 0) this.assertFree(offset)
    const usable = this.#own.hooks.sizeAt(this, offset)
    if (this.#own.hooks.resizeAt(this, offset, usable, byteLength)) return offset
    const moved = this.malloc(byteLength)
    this.copyNew(moved, offset, Math.min(usable, byteLength))
    this.#own.hooks.freeAt(this, offset)
    return moved
  }

  mallocMany(byteLength: number, offsets: Float64Array): number {
    return this.fillMany(byteLength, plainFloats('offsets', offsets), (rest) => {
      for (let count = 0; count < rest.length; count++) {
        const offset = this.#own.hooks.tryMemalign(this, 8, byteLength, false)
        if (offset === 0) return count
        rest[count] = offset
      }
      return rest.length
    })
  }

  /**
   * Fills an array by `take`, which puts as many blocks into what is left of it as there is room for, and again for as long as `onFull` makes
   * room; says how many there are. When the callback throws they are freed. @internal
   */
  protected fillMany(byteLength: number, offsets: Float64Array, take: (rest: Float64Array) => number): number {
    const own = this.#own
    let count = take(offsets)
    this.tellPages()
    const { room } = own
    if (count === offsets.length) return count
    publishFull(this, byteLength, 8)
    if (room === undefined) return count
    const request = requestOf(byteLength)
    for (;;) {
      const { resets } = own
      let granted: boolean
      try {
        granted = room.ask(request)
      } catch (error) {
        if (own.resets === resets) this.#takeBack(offsets.subarray(0, count))
        throw error
      }
      this.assertOpen()
      if (own.resets !== resets) count = 0
      if (!granted) return count
      const more = take(offsets.subarray(count))
      this.tellPages()
      count += more
      if (count >= offsets.length) return count
      if (more > 0) request.answers = 0
    }
  }

  /** Frees blocks that the caller has not been told of. What the callback has freed already is passed by. */
  #takeBack(offsets: Float64Array): void {
    for (const offset of offsets) {
      if (this.isClosed) return
      try {
        this.#own.hooks.freeAt(this, offset)
      } catch {}
    }
  }

  freeMany(offsets: Float64Array, count?: number): void {
    const checked = checkMany(offsets, count)
    if (this.#own.guard !== 0) this.assertWritable()
    this.requireLive(checked)
    for (const offset of checked) this.#own.hooks.freeAt(this, offset)
  }

  /** Throws unless each of these is a live block that is not pinned and has no inner claim, and none comes twice. @internal */
  protected requireLive(offsets: Float64Array): void {
    const { hooks } = this.#own
    const seen: Set<number> = new Set()
    offsets.forEach((offset, index) => {
      try {
        if (seen.has(offset)) throw new DoubleFreeError(`the block at ${offset} is in the array twice`)
        seen.add(offset)
        const byteLength = hooks.sizeAt(this, offset)
        this.assertBlockUnpinned(offset)
        if (this.#own.guard !== 0) this.assertNoInner(offset, byteLength)
      } catch (error) {
        throw withIndex(error, index)
      }
    })
  }

  /** The offset that a view stands for. @internal */
  protected locate(view: unknown): number {
    // What is in the table under the place that it says is a view that we have made, and that is where it lies: so a plain property,
    // 5 ns faster than the runtime's own getter on Node 24, is enough here. One that lies, or throws, is looked at closely.
    try {
      const place = (view as ArrayBufferView).byteOffset
      if (typeof place === 'number') {
        const cache = this.#cache
        const at = cache.at(place)
        if (cache.views[at] === view) return cache.offsets[at] as number
      }
    } catch {}
    return this.locateView(view)
  }

  /** Called where `guard` is not 0: refuses a block that is pinned, or that an inner claim lies in. @internal */
  protected assertFree(offset: number): void {
    this.assertWritable()
    this.assertBlockUnpinned(offset)
    if (this.#own.guard & INNER) this.assertNoInner(offset, this.#own.hooks.sizeAt(this, offset))
  }

  /** Called where `guard` is not 0: the same of many blocks, of which the others are not looked at. @internal */
  protected assertManyFree(offsets: Float64Array): void {
    this.assertWritable()
    const { guard, pins } = this.#own
    if (guard & INNER || offsets.some((offset) => pins.has(offset))) this.requireLive(offsets)
  }
}

/** The live blocks by size, of an allocator that cuts no slots: each by itself. @internal */
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

/** The first `count` of the offsets: a copy where another thread could change them meanwhile. @internal */
export function checkMany(offsets: unknown, count: unknown): Float64Array {
  const plain = plainFloats('offsets', offsets)
  const most = plain.length
  const length = count === undefined ? most : wholeNumber('count', count, 0, most)
  if (types.isSharedArrayBuffer(plain.buffer)) return plain.slice(0, length)
  return length === most ? plain : plain.subarray(0, length)
}

/** An error of one offset of many, with its place among them. @internal */
export function withIndex(error: unknown, index: number): unknown {
  if (error instanceof Error) {
    error.message = `offsets[${index}]: ${error.message}`
    Object.defineProperty(error, 'index', { value: index, enumerable: true })
  }
  return error
}
