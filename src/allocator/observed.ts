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
  plainFloats,
  type TypedArray,
  type TypedArrayConstructor,
  type View,
  type ViewConstructor,
  viewByteLength,
} from '../views.ts'
import { checkMany } from './base/freeing.ts'
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
  /** Of the views that were handed out: one that has been detached does not say any more where it was. */
  readonly #places: WeakMap<ArrayBufferView, number> = new WeakMap()

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
    const offset = this.#placeOf(view)
    // Without one a callback has closed the allocator meanwhile.
    if (offset === undefined) return view
    this.#places.set(view, offset)
    this.#tell(offset, viewByteLength(view), zero, alignment > 8 ? alignment : 0)
    return view
  }

  /** Where a view starts; undefined when it is none of the arena, which the allocator inside will say, or the arena is closed. */
  #placeOf(view: ArrayBufferView): number | undefined {
    try {
      return this.#offsetOf(view)
    } catch {
      return undefined
    }
  }

  realloc(offset: number, byteLength: number): number {
    this.#check(byteLength)
    const moved = this.#inner.realloc(offset, byteLength)
    this.#observer.resized(offset, moved, byteLength)
    return moved
  }

  free(block: number | ArrayBufferView): void {
    // Looked for first: a free may take the view away.
    const offset = typeof block === 'number' ? block : (this.#places.get(block) ?? this.#placeOf(block))
    this.#inner.free(block)
    if (offset !== undefined) this.#observer.freed(offset)
  }

  mallocMany(byteLength: number, offsets: Float64Array): number {
    this.#check(byteLength)
    const plain = plainFloats('offsets', offsets)
    const count = this.#inner.mallocMany(byteLength, plain)
    for (let index = 0; index < count; index++) this.#tell(plain[index] as number, byteLength, false, 0)
    return count
  }

  freeMany(offsets: Float64Array, count?: number): void {
    // A copy: the offsets may lie in a block that is freed, and the caller's array may say anything of itself.
    const checked = checkMany(offsets, count).slice()
    this.#inner.freeMany(checked)
    for (const offset of checked) this.#observer.freed(offset)
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
