/**
 * What a caller sees of an arena's data, or of a mapped file: views, Buffers and windows by offset, and back from a view to its offset.
 *
 *     offset, length  ─▶  Extent: may it be asked for?  ─▶  Windows: the view  ─▶  exposed: others than allocators may write there now
 *     view            ─▶  its buffer: where does that begin?  ─▶  offset
 *
 * A call that throws has exposed nothing. Cost: a view some 0.1 us; `offsetOf` some 20 ns, nearly all of it V8's getter for a view's
 * buffer.
 * @module
 */
import { Buffer } from 'node:buffer'
import { alignDown } from '../../bits.ts'
import { InvalidArgumentTypeError, OutOfRangeError } from '../../errors.ts'
import {
  arrayBuffer,
  arrayByteOffset,
  elementBytes,
  isTypedArray,
  isView,
  type NodeBuffer,
  type View,
  type ViewConstructor,
} from '../../views.ts'
import { WINDOW_BYTES } from '../format/layout.ts'
import type { OpenState } from '../mapping/open-state.ts'
import type { Extent } from './extent.ts'
import type { RecentBytes } from './recent-bytes.ts'
import type { Windows } from './windows.ts'

/** What views are made of. */
export interface ViewedMemory {
  /** For messages. */
  readonly title: string
  readonly openState: OpenState
  readonly extent: Extent
  readonly windows: Windows
  /** Told of each range that a caller can write from now on. */
  readonly exposed: { expose(offset: number, byteLength: number): void }
  /** The offset of a view in other windows over the same bytes; below 0 when it lies in none. */
  elsewhere?(view: ArrayBufferView): number
}

/** @internal */
export class MemoryViews {
  readonly #memory: ViewedMemory
  readonly #extent: Extent
  readonly #windows: Windows
  /** The windows' own arrays, here as well to save a step on hot paths. Both are empty after `close`. */
  readonly #buffers: (ArrayBuffer | undefined)[]
  readonly #bytes: Uint8Array[]

  constructor(memory: ViewedMemory) {
    this.#memory = memory
    this.#extent = memory.extent
    this.#windows = memory.windows
    this.#buffers = memory.windows.buffers
    this.#bytes = memory.windows.bytes
  }

  /** A view of `length` elements. */
  view(type: ViewConstructor, offset: number, length: number): View {
    const byteLength = this.#extent.requireElements(elementBytes('type', type), offset, length)
    return this.#show(type, offset, length, byteLength)
  }

  /** A Buffer over a range, which `recent` gives the next time. */
  bytes(offset: number, byteLength: number, recent: RecentBytes): NodeBuffer {
    this.#extent.requireRange(offset, byteLength)
    const buffer = this.#show(Buffer, offset, byteLength, byteLength) as NodeBuffer
    recent.put(offset, buffer)
    return buffer
  }

  #show(type: ViewConstructor, offset: number, length: number, byteLength: number): View {
    const view = this.#windows.view(type, offset, length, byteLength)
    this.#memory.exposed.expose(offset, byteLength)
    return view
  }

  /** The long window that shows a byte, and the offset where it starts. */
  window(offset: number): { buffer: ArrayBuffer; start: number } {
    this.#extent.requireByte(offset)
    const start = alignDown(offset, WINDOW_BYTES)
    const buffer = this.#windows.long.window(start / WINDOW_BYTES)
    this.#memory.exposed.expose(start, buffer.byteLength)
    return { buffer, start }
  }

  /** The offset where a view starts. */
  offsetOf(view: unknown): number {
    if (isTypedArray(view) && arrayBuffer(view) === this.#buffers[0] && (this.#bytes[0] as Uint8Array).length !== 0)
      return arrayByteOffset(view)
    return this.#search(view)
  }

  /** The same for a view that does not lie in the first window, or is no typed array. */
  #search(view: unknown): number {
    if (!isView(view)) return this.#refuse(view)
    const offset = this.#windows.offsetOf(view)
    if (offset >= 0) return offset
    const other = this.#memory.elsewhere?.(view) ?? -1
    return other < 0 ? this.#refuse(view) : other
  }

  #refuse(view: unknown): never {
    const { title, openState } = this.#memory
    openState.requireOpen()
    if (!isView(view)) throw new InvalidArgumentTypeError('view', 'a view', view)
    throw new OutOfRangeError('view', `a view of ${title}, with a buffer that is not detached`, view)
  }
}
