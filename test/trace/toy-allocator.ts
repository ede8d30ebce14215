/**
 * A small allocator over one ArrayBuffer, for tests of the trace tools: honest unless told to break its contract. It never gives
 * out a freed range again, except to a block of the same rounded size.
 * @module
 */
import type { AllocatorStats, AllocOptions, FreeingAllocator } from '../../src/allocator/contract.ts'
import { alignUp } from '../../src/bits.ts'
import { InvalidFreeError, OutOfMemoryError } from '../../src/errors.ts'
import {
  elementBytes,
  makeView,
  type TypedArray,
  type TypedArrayConstructor,
  type View,
  type ViewConstructor,
} from '../../src/views.ts'

/** Ways to break the contract. */
export type Fault = 'overlap' | 'dirty calloc' | 'lost contents' | 'misaligned'

export class ToyAllocator implements FreeingAllocator {
  readonly buffer: ArrayBuffer
  fault: Fault | undefined
  #top = 64
  readonly #live = new Map<number, number>()
  readonly #free = new Map<number, number[]>()

  constructor(byteLength: number, fault?: Fault) {
    this.buffer = new ArrayBuffer(byteLength)
    this.fault = fault
  }

  tryMalloc(byteLength: number, alignment = 8): number {
    const rounded = alignUp(Math.max(8, byteLength), 8)
    let offset = alignment > 8 ? undefined : this.#free.get(rounded)?.pop()
    if (offset === undefined) {
      offset = alignUp(this.#top, alignment) + (this.fault === 'misaligned' && alignment > 8 ? 8 : 0)
      if (offset + rounded > this.buffer.byteLength) return 0
      this.#top = offset + rounded - (this.fault === 'overlap' && rounded > 64 ? 16 : 0)
    }
    this.#live.set(offset, rounded)
    return offset
  }

  malloc(byteLength: number): number {
    return this.memalign(8, byteLength)
  }

  memalign(alignment: number, byteLength: number): number {
    const offset = this.tryMalloc(byteLength, alignment)
    if (offset === 0) throw new OutOfMemoryError('full')
    return offset
  }

  calloc(byteLength: number): number {
    const offset = this.malloc(byteLength)
    if (this.fault !== 'dirty calloc') new Uint8Array(this.buffer, offset, byteLength).fill(0)
    return offset
  }

  realloc(offset: number, byteLength: number): number {
    const old = this.usableSize(offset)
    const moved = this.malloc(byteLength)
    const bytes = new Uint8Array(this.buffer)
    if (this.fault !== 'lost contents') bytes.copyWithin(moved, offset, offset + Math.min(old, byteLength))
    this.free(offset)
    return moved
  }

  free(block: number | ArrayBufferView): void {
    const offset = this.#offset(block)
    const rounded = this.usableSize(offset)
    this.#live.delete(offset)
    const list = this.#free.get(rounded)
    if (list === undefined) this.#free.set(rounded, [offset])
    else list.push(offset)
  }

  mallocMany(byteLength: number, offsets: Float64Array): number {
    for (let count = 0; count < offsets.length; count++) {
      const offset = this.tryMalloc(byteLength)
      if (offset === 0) return count
      offsets[count] = offset
    }
    return offsets.length
  }

  freeMany(offsets: Float64Array, count: number = offsets.length): void {
    for (const offset of offsets.subarray(0, count)) this.free(offset)
  }

  usableSize(block: number | ArrayBufferView): number {
    const size = this.#live.get(this.#offset(block))
    if (size === undefined) throw new InvalidFreeError('not a live block')
    return size
  }

  alloc<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number, options?: AllocOptions): T
  alloc(type: DataViewConstructor, length: number, options?: AllocOptions): DataView
  alloc(type: BufferConstructor, length: number, options?: AllocOptions): Buffer<ArrayBuffer>
  alloc(type: ViewConstructor, length: number, options?: AllocOptions): View {
    if (options === undefined)
      return makeView(type, this.buffer, this.calloc(length * elementBytes('type', type)), length)
    const view: View = this.allocUnsafe(type as TypedArrayConstructor, length, options)
    new Uint8Array(this.buffer, view.byteOffset, view.byteLength).fill(0)
    return view
  }

  allocUnsafe<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number, options?: AllocOptions): T
  allocUnsafe(type: DataViewConstructor, length: number, options?: AllocOptions): DataView
  allocUnsafe(type: BufferConstructor, length: number, options?: AllocOptions): Buffer<ArrayBuffer>
  allocUnsafe(type: ViewConstructor, length: number, { alignment = 8 }: AllocOptions = {}): View {
    return makeView(type, this.buffer, this.memalign(alignment, length * elementBytes('type', type)), length)
  }

  view<T extends TypedArray>(type: TypedArrayConstructor<T>, offset: number, length: number): T {
    return new type(this.buffer, offset, length)
  }

  offsetOf(view: ArrayBufferView): number {
    return view.byteOffset
  }

  reset(): void {
    this.#live.clear()
    this.#free.clear()
    this.#top = 64
  }

  *blocks(): Iterable<{ offset: number; byteLength: number }> {
    for (const [offset, byteLength] of this.#live) yield { offset, byteLength }
  }

  stats(): AllocatorStats {
    let usedBytes = 0
    for (const size of this.#live.values()) usedBytes += size
    const reservedBytes = this.buffer.byteLength
    const free = { freeSlotBytes: 0, freeDirtyBytes: this.#top - usedBytes, metadataBytes: 0 }
    return {
      reservedBytes,
      committedBytes: this.#top,
      usedBytes,
      ...free,
      peakCommittedBytes: this.#top,
      usedCount: this.#live.size,
    }
  }

  purge(): number {
    return 0
  }

  check(): void {}

  close(): void {}

  pin(): Disposable {
    return { [Symbol.dispose]: () => undefined }
  }

  async use<V extends ArrayBufferView, R>(view: V, run: (view: V) => R | Promise<R>): Promise<R> {
    return run(view)
  }

  async closeWhenIdle(): Promise<void> {}

  [Symbol.dispose](): void {}

  async [Symbol.asyncDispose](): Promise<void> {}

  #offset(block: number | ArrayBufferView): number {
    return typeof block === 'number' ? block : block.byteOffset
  }
}
