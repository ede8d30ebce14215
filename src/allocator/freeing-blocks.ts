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
import { isFloat64Array, isSharedArrayBuffer } from 'node:util/types'
import { wholeNumber } from '../arguments.ts'
import { ArenaClosedError, DoubleFreeError, InvalidArgumentTypeError, InvalidFreeError } from '../errors.ts'
import type { FreeingAllocator, SizeClassStats } from './allocator.ts'
import { Blocks } from './blocks.ts'

export abstract class FreeingBlocks<Name extends string = string> extends Blocks<Name> implements FreeingAllocator {
  /** Usable bytes of the live block that starts here; throws as `freeAt` does. */
  protected abstract sizeAt(offset: number): number
  /** Frees the live block that starts here; throws ERR_DOUBLE_FREE or ERR_INVALID_FREE when there is none. */
  protected abstract freeAt(offset: number): void
  /** Whether the live block of `usable` bytes could be given at least `byteLength` bytes, or fewer, where it is. Checks `byteLength`. */
  protected abstract resizeAt(offset: number, usable: number, byteLength: number): boolean
  abstract purge(): number
  abstract blocks(): Iterable<{ offset: number; byteLength: number }>

  free(block: number | ArrayBufferView): void {
    const offset = typeof block === 'number' ? block : this.locate(block)
    if (this.guard !== 0) this.assertFree(offset)
    this.freeAt(offset)
  }

  usableSize(block: number | ArrayBufferView): number {
    const offset = typeof block === 'number' ? block : this.locate(block)
    if (this.guard !== 0) this.assertOpen()
    return this.sizeAt(offset)
  }

  realloc(offset: number, byteLength: number): number {
    if (typeof offset !== 'number') throw new InvalidArgumentTypeError('offset', 'a number', offset)
    if (this.guard !== 0) this.assertFree(offset)
    const usable = this.sizeAt(offset)
    if (this.resizeAt(offset, usable, byteLength)) return offset
    const moved = this.malloc(byteLength)
    this.copyNew(moved, offset, Math.min(usable, byteLength))
    this.freeAt(offset)
    return moved
  }

  mallocMany(byteLength: number, offsets: Float64Array): number {
    checkOffsets(offsets)
    const most = offsets.length
    for (let count = 0; count < most; count++) {
      const offset = this.tryMalloc(byteLength)
      if (offset === 0) return count
      offsets[count] = offset
    }
    return most
  }

  freeMany(offsets: Float64Array, count?: number): void {
    const checked = checkMany(offsets, count)
    if (this.guard !== 0) this.assertWritable()
    this.requireLive(checked)
    for (const offset of checked) this.freeAt(offset)
  }

  /** Throws unless each of these is a live block without an inner claim, and none comes twice. */
  protected requireLive(offsets: Float64Array): void {
    const seen: Set<number> = new Set()
    offsets.forEach((offset, index) => {
      try {
        if (seen.has(offset)) throw new DoubleFreeError(`the block at ${offset} comes twice`)
        seen.add(offset)
        const byteLength = this.sizeAt(offset)
        if (this.guard !== 0) this.assertNoInner(offset, byteLength)
      } catch (error) {
        throw withIndex(error, index)
      }
    })
  }

  protected override sizeClasses(): SizeClassStats[] {
    const classes: Map<number, SizeClassStats> = new Map()
    for (const { byteLength } of this.blocks()) {
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

  /** The offset that a view stands for. */
  protected locate(view: unknown): number {
    if (ArrayBuffer.isView(view)) {
      const { cache } = this
      const at = cache.at(view.byteOffset)
      if (cache.views[at] === view) return cache.offsets[at] as number
    }
    return this.#locateSlowly(view)
  }

  #locateSlowly(view: unknown): number {
    if (this.isClosed) this.assertOpen()
    if (!ArrayBuffer.isView(view)) throw new InvalidArgumentTypeError('block', 'an offset or a view', view)
    try {
      return this.arena.offsetOf(view)
    } catch (error) {
      if (error instanceof ArenaClosedError) throw error
      throw new InvalidFreeError('the view is not one of this arena, or its buffer has been detached')
    }
  }

  protected override undo(offset: number): void {
    this.freeAt(offset)
  }

  /** Called where `guard` is not 0: refuses a block that an inner claim lies in. */
  protected assertFree(offset: number): void {
    this.assertWritable()
    this.assertNoInner(offset, this.sizeAt(offset))
  }
}

/** Throws unless it is an array that offsets can be written to. */
export function checkOffsets(offsets: unknown): void {
  if (!isFloat64Array(offsets)) throw new InvalidArgumentTypeError('offsets', 'a Float64Array', offsets)
}

/** The first `count` of the offsets: a copy where another thread could change them meanwhile. */
export function checkMany(offsets: Float64Array, count: unknown): Float64Array {
  checkOffsets(offsets)
  const most = offsets.length
  const length = count === undefined ? most : wholeNumber('count', count, 0, most)
  if (isSharedArrayBuffer(offsets.buffer)) return offsets.slice(0, length)
  return length === most ? offsets : offsets.subarray(0, length)
}

/** An error of one offset of many, with its place among them. */
export function withIndex(error: unknown, index: number): unknown {
  if (error instanceof Error) {
    error.message = `offsets[${index}]: ${error.message}`
    Object.defineProperty(error, 'index', { value: index, enumerable: true })
  }
  return error
}
