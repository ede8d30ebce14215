/**
 * An allocator that writes down what is asked of it: wrap one, run the program, keep the trace.
 *
 *     const recorder = new Recorder(heap, arena)
 *     program(recorder)
 *     writeTrace('program.mtrc.gz', recorder.trace())
 *
 * View calls are recorded as the raw calls they stand for; `reset` as a free of every block. A call that fails leaves no event.
 * Blocks made before the recording are unknown: their free is left out, their realloc recorded as a malloc. One Map lookup a
 * call: for recording, not for production.
 * @module
 */
import type { AllocatorStats, AllocOptions, FreeingAllocator, StatsOptions } from '../allocator/contract.ts'
import { checkAlignment } from '../allocator/options.ts'
import { wholeNumber } from '../arguments.ts'
import {
  elementBytes,
  type NodeBuffer,
  type NodeBufferConstructor,
  type TypedArray,
  type TypedArrayConstructor,
  type View,
  type ViewConstructor,
  viewByteLength,
} from '../views.ts'
import { TraceBuilder } from './builder.ts'
import { LARGEST, type Trace } from './trace.ts'

/** An allocator that records what is asked of it, and leaves the work to another. */
export class Recorder implements FreeingAllocator {
  readonly #inner: FreeingAllocator
  readonly #offsetOf: (view: ArrayBufferView) => number
  readonly #builder = new TraceBuilder()
  /** Offset of each live block to its slot. */
  readonly #slots = new Map<number, number>()

  /**
   * Wraps an allocator. Blocks that it has already are not known to the recorder.
   *
   * @param inner - The allocator that does the work.
   * @param arena - Its arena.
   * @throws Nothing.
   * @example
   * ```js
   * const recorder = new Recorder(heap, arena)
   * recorder.free(recorder.malloc(100))
   * recorder.trace().summary.events // -> 2
   * ```
   */
  constructor(inner: FreeingAllocator, arena: { offsetOf(view: ArrayBufferView): number }) {
    this.#inner = inner
    this.#offsetOf = (view) => arena.offsetOf(view)
  }

  /**
   * What was recorded so far.
   *
   * @returns A trace of its own; recording goes on.
   * @throws Nothing.
   * @example
   * ```js
   * const recorder = new Recorder(heap, arena)
   * recorder.malloc(100)
   * recorder.trace().summary.peakLiveBytes // -> 100
   * ```
   */
  trace(): Trace {
    return this.#builder.build()
  }

  malloc(byteLength: number): number {
    wholeNumber('byteLength', byteLength, 0, LARGEST)
    return this.#made(this.#inner.malloc(byteLength), this.#builder.malloc(byteLength))
  }

  tryMalloc(byteLength: number): number {
    wholeNumber('byteLength', byteLength, 0, LARGEST)
    const offset = this.#inner.tryMalloc(byteLength)
    return offset === 0 ? 0 : this.#made(offset, this.#builder.malloc(byteLength))
  }

  calloc(byteLength: number): number {
    wholeNumber('byteLength', byteLength, 0, LARGEST)
    return this.#made(this.#inner.calloc(byteLength), this.#builder.calloc(byteLength))
  }

  memalign(alignment: number, byteLength: number): number {
    wholeNumber('byteLength', byteLength, 0, LARGEST)
    return this.#made(this.#inner.memalign(alignment, byteLength), this.#builder.memalign(alignment, byteLength))
  }

  alloc<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number, options?: AllocOptions): T
  alloc(type: DataViewConstructor, length: number, options?: AllocOptions): DataView
  alloc(type: NodeBufferConstructor, length: number, options?: AllocOptions): NodeBuffer
  alloc(type: ViewConstructor, length: number, options?: AllocOptions): View {
    this.#checkLength(type, length)
    const alignment = checkAlignment(options)
    const view: View = this.#inner.alloc(type as TypedArrayConstructor, length, options && { alignment })
    return this.#viewed(view, alignment, (byteLength) => this.#builder.calloc(byteLength))
  }

  allocUnsafe<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number, options?: AllocOptions): T
  allocUnsafe(type: DataViewConstructor, length: number, options?: AllocOptions): DataView
  allocUnsafe(type: NodeBufferConstructor, length: number, options?: AllocOptions): NodeBuffer
  allocUnsafe(type: ViewConstructor, length: number, options?: AllocOptions): View {
    this.#checkLength(type, length)
    const alignment = checkAlignment(options)
    const view: View = this.#inner.allocUnsafe(type as TypedArrayConstructor, length, options && { alignment })
    return this.#viewed(view, alignment, (byteLength) => this.#builder.malloc(byteLength))
  }

  /** Notes the block of a view that was made: an aligned one as `memalign`, which is not said to be zeroed. */
  #viewed(view: View, alignment: number, plain: (byteLength: number) => number): View {
    const byteLength = viewByteLength(view)
    this.#made(this.#offsetOf(view), alignment > 8 ? this.#builder.memalign(alignment, byteLength) : plain(byteLength))
    return view
  }

  realloc(offset: number, byteLength: number): number {
    wholeNumber('byteLength', byteLength, 0, LARGEST)
    const moved = this.#inner.realloc(offset, byteLength)
    const slot = this.#slots.get(offset)
    if (slot === undefined) return this.#made(moved, this.#builder.malloc(byteLength))
    this.#builder.realloc(slot, byteLength)
    this.#slots.delete(offset)
    return this.#made(moved, slot)
  }

  free(block: number | ArrayBufferView): void {
    this.#inner.free(block)
    const offset = typeof block === 'number' ? block : this.#offsetOf(block)
    this.#freed(offset)
  }

  #freed(offset: number): void {
    const slot = this.#slots.get(offset)
    if (slot === undefined) return
    this.#slots.delete(offset)
    this.#builder.free(slot)
  }

  mallocMany(byteLength: number, offsets: Float64Array): number {
    wholeNumber('byteLength', byteLength, 0, LARGEST)
    const count = this.#inner.mallocMany(byteLength, offsets)
    for (const offset of offsets.subarray(0, count)) this.#made(offset, this.#builder.malloc(byteLength))
    return count
  }

  freeMany(offsets: Float64Array, count?: number): void {
    this.#inner.freeMany(offsets, count)
    for (const offset of offsets.subarray(0, count)) this.#freed(offset)
  }

  reset(): void {
    this.#inner.reset()
    for (const slot of this.#slots.values()) this.#builder.free(slot)
    this.#slots.clear()
  }

  pin(block: number | ArrayBufferView): Disposable {
    return this.#inner.pin(block)
  }

  use<V extends ArrayBufferView, R>(view: V, run: (view: V) => R | Promise<R>): Promise<R> {
    return this.#inner.use(view, run)
  }

  usableSize(block: number | ArrayBufferView): number {
    return this.#inner.usableSize(block)
  }

  purge(): number {
    return this.#inner.purge()
  }

  blocks(): Iterable<{ offset: number; byteLength: number }> {
    return this.#inner.blocks()
  }

  stats(options?: StatsOptions): AllocatorStats {
    return this.#inner.stats(options)
  }

  check(): void {
    this.#inner.check()
  }

  /** Closes the allocator inside. */
  close(): void {
    this.#inner.close()
  }

  /** Closes the allocator inside, when none of its blocks is pinned any more. */
  closeWhenIdle(): Promise<void> {
    return this.#inner.closeWhenIdle()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.closeWhenIdle()
  }

  /** Sizes that the format cannot hold are refused before the block is made. */
  #checkLength(type: ViewConstructor, length: number): void {
    wholeNumber('length', length, 0, Math.floor(LARGEST / elementBytes('type', type)))
  }

  #made(offset: number, slot: number): number {
    this.#slots.set(offset, slot)
    return offset
  }
}
