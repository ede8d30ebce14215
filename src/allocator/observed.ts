/**
 * An allocator around another: every call is passed on, and an observer is told of it in raw calls.
 *
 *     malloc, tryMalloc, calloc, memalign, mallocMany, alloc, allocUnsafe   ->  the call, allocated
 *     realloc                                                               ->  the call, resized
 *     free, freeMany; reset                                                 ->  the call, freed; emptied
 *
 * View calls are told as the raw calls they stand for, so what records, counts or checks blocks is written once, over offsets. A call that
 * fails is not told. Works over any `FreeingAllocator`. Cost: a call more for each call, and what the observer does.
 * @module
 */
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
import type { AllocatorStats, AllocOptions, FreeingAllocator, StatsOptions } from './contract.ts'
import { checkAlignment } from './options.ts'

/** What is told of an observed allocator. */
export interface Observer {
  /** Longer requests are refused, with ERR_OUT_OF_RANGE. */
  readonly mostBytes: number
  /** A new block. With `zero` it reads zero; `alignment` is what `memalign` was asked for, or a view above 8; else 0. */
  allocated(offset: number, byteLength: number, zero: boolean, alignment: number): void
  /** A block has so many bytes now, and may have moved. */
  resized(from: number, to: number, byteLength: number): void
  freed(offset: number): void
  /** Every block was dropped. */
  emptied(): void
}

export class ObservedAllocator implements FreeingAllocator {
  readonly #inner: FreeingAllocator
  readonly #offsetOf: (view: ArrayBufferView) => number
  readonly #observer: Observer

  constructor(inner: FreeingAllocator, arena: { offsetOf(view: ArrayBufferView): number }, observer: Observer) {
    this.#inner = inner
    this.#offsetOf = (view) => arena.offsetOf(view)
    this.#observer = observer
  }

  malloc(byteLength: number): number {
    this.#check(byteLength)
    return this.#tell(this.#inner.malloc(byteLength), byteLength, false, 0)
  }

  tryMalloc(byteLength: number): number {
    this.#check(byteLength)
    const offset = this.#inner.tryMalloc(byteLength)
    return offset === 0 ? 0 : this.#tell(offset, byteLength, false, 0)
  }

  calloc(byteLength: number): number {
    this.#check(byteLength)
    return this.#tell(this.#inner.calloc(byteLength), byteLength, true, 0)
  }

  memalign(alignment: number, byteLength: number): number {
    this.#check(byteLength)
    return this.#tell(this.#inner.memalign(alignment, byteLength), byteLength, false, alignment)
  }

  #check(byteLength: number): void {
    wholeNumber('byteLength', byteLength, 0, this.#observer.mostBytes)
  }

  #tell(offset: number, byteLength: number, zero: boolean, alignment: number): number {
    this.#observer.allocated(offset, byteLength, zero, alignment)
    return offset
  }

  alloc<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number, options?: AllocOptions): T
  alloc(type: DataViewConstructor, length: number, options?: AllocOptions): DataView
  alloc(type: NodeBufferConstructor, length: number, options?: AllocOptions): NodeBuffer
  alloc(type: ViewConstructor, length: number, options?: AllocOptions): View {
    return this.#view(type, length, options, true)
  }

  allocUnsafe<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number, options?: AllocOptions): T
  allocUnsafe(type: DataViewConstructor, length: number, options?: AllocOptions): DataView
  allocUnsafe(type: NodeBufferConstructor, length: number, options?: AllocOptions): NodeBuffer
  allocUnsafe(type: ViewConstructor, length: number, options?: AllocOptions): View {
    return this.#view(type, length, options, false)
  }

  #view(type: ViewConstructor, length: number, options: AllocOptions | undefined, zero: boolean): View {
    wholeNumber('length', length, 0, Math.floor(this.#observer.mostBytes / elementBytes('type', type)))
    // Read once: the inner allocator sees what was checked here.
    const alignment = checkAlignment(options)
    const checked = options && { alignment }
    const view: View = zero
      ? this.#inner.alloc(type as TypedArrayConstructor, length, checked)
      : this.#inner.allocUnsafe(type as TypedArrayConstructor, length, checked)
    this.#tell(this.#offsetOf(view), viewByteLength(view), zero, alignment > 8 ? alignment : 0)
    return view
  }

  realloc(offset: number, byteLength: number): number {
    this.#check(byteLength)
    const moved = this.#inner.realloc(offset, byteLength)
    this.#observer.resized(offset, moved, byteLength)
    return moved
  }

  free(block: number | ArrayBufferView): void {
    this.#inner.free(block)
    this.#observer.freed(typeof block === 'number' ? block : this.#offsetOf(block))
  }

  mallocMany(byteLength: number, offsets: Float64Array): number {
    this.#check(byteLength)
    const count = this.#inner.mallocMany(byteLength, offsets)
    for (const offset of offsets.subarray(0, count)) this.#tell(offset, byteLength, false, 0)
    return count
  }

  freeMany(offsets: Float64Array, count?: number): void {
    this.#inner.freeMany(offsets, count)
    for (const offset of offsets.subarray(0, count)) this.#observer.freed(offset)
  }

  reset(): void {
    this.#inner.reset()
    this.#observer.emptied()
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
}
