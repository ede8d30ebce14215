/**
 * Views over blocks: the checks of type and length, the view for a block, and the block of a view.
 *
 *     alloc(type, length)  ->  viewBytes  ->  calloc(bytes)  ->  offset  ->  over: the view that was there before (view-cache.ts), or
 *                                                                           new type(window's buffer, offset in window, length)
 *     free(view)           ->  locate     ->  offset
 *
 * The calls in between belong to the allocator that has this part, or wraps one: the part knows no more of it than a `ViewHome`. A view that
 * cannot be made (too long for the runtime, say) gives its block back before the error goes on. Cost above the raw call: the typed array
 * itself, 30 to 60 ns, and 2 ns.
 * @module
 */
import { wholeNumber } from '../../arguments.ts'
import { OutOfRangeError } from '../../errors.ts'
import { elementBytes, makeView, type TypedArray, type View, type ViewConstructor } from '../../views.ts'
import type { Forgetful } from './hooks.ts'
import { ViewCache } from './view-cache.ts'

/** What views lie in. */
export interface ViewHome {
  readonly inside: {
    /** Bytes of the windows that views come from, a power of two. */
    readonly windowBytes: number
    windowBuffer(index: number): ArrayBuffer
    /** A view that no window contains. */
    view(type: ViewConstructor, offset: number, length: number, byteLength: number): View
  }
  readonly isClosed: boolean
  /** Takes back a block that was just handed out and that no caller has seen. */
  readonly hooks: { undo(offset: number): void }
  /** Throws unless a range lies where blocks may. */
  assertInside(offset: number, byteLength: number): void
  /** The offset where a view starts, by the runtime's own getters; throws when it is none of ours. */
  locateView(view: unknown): number
}

export class Views implements Forgetful {
  readonly #home: ViewHome
  readonly #cache: ViewCache

  constructor(home: ViewHome) {
    this.#home = home
    this.#cache = new ViewCache(home.inside.windowBytes)
  }

  /** A view over a new block: the one that a block had before at this place, or a new one. */
  over(type: ViewConstructor, offset: number, length: number, byteLength: number): View {
    const cache = this.#cache
    const at = cache.at(offset)
    // A plain property, for speed: the caller may have put a getter of its own on the view, which may close the allocator, so the view is
    // taken from the table before. A view without elements has its length when it is detached, too: there is none in the cache.
    try {
      const view = cache.views[at] as TypedArray
      if (cache.offsets[at] === offset && cache.types[at] === type && view.length === length && length !== 0)
        return view
    } catch {}
    return this.#make(type, offset, length, byteLength)
  }

  /** A new view over a new block, which is given back when the view cannot be made. */
  #make(type: ViewConstructor, offset: number, length: number, byteLength: number): View {
    const home = this.#home
    // A timer's callback closed the allocator, or the arena, once the block was made: then the view is as it would be after that.
    if (home.isClosed) return makeView(type, new ArrayBuffer(0), 0, 0)
    home.assertInside(offset, byteLength)
    try {
      const cached = this.#cache.dataView(offset, type, length)
      if (cached !== undefined) return cached
      const { inside } = home
      const { windowBytes } = inside
      const window = Math.floor(offset / windowBytes)
      const local = offset - window * windowBytes
      if (local + byteLength > windowBytes) return inside.view(type, offset, length, byteLength)
      const view = makeView(type, inside.windowBuffer(window), local, length)
      this.#cache.put(offset, type, view, length)
      return view
    } catch (error) {
      home.hooks.undo(offset)
      throw error
    }
  }

  /** The offset of the block that a view stands for. */
  locate(view: unknown): number {
    // What is in the table under the place that it says is a view that was made here, and that is where it lies: so a plain property,
    // 5 ns faster than the runtime's own getter on Node 24, is enough. One that lies, or throws, is looked at closely.
    try {
      const place = (view as ArrayBufferView).byteOffset
      if (typeof place === 'number') {
        const cache = this.#cache
        const at = cache.at(place)
        if (cache.views[at] === view) return cache.offsets[at] as number
      }
    } catch {}
    return this.#home.locateView(view)
  }

  forget(): void {
    this.#cache.forget()
  }
}

/** Bytes of a view, after checks. */
export function viewBytes(type: unknown, length: number): number {
  const size = sizeOfElement(type)
  // Whole numbers below 2^32 are the common case; everything else is looked at closely.
  if (typeof length !== 'number' || length >>> 0 !== length) wholeNumber('length', length)
  const byteLength = length * size
  if (byteLength > Number.MAX_SAFE_INTEGER)
    throw new OutOfRangeError(
      'length',
      `a whole number from 0 to ${Math.floor(Number.MAX_SAFE_INTEGER / size)}`,
      length
    )
  return byteLength
}

/** The usual types are compared one by one: a look-up in a map takes longer than the allocation. */
function sizeOfElement(type: unknown): number {
  if (type === Uint8Array) return 1
  if (type === Float64Array) return 8
  if (type === Int32Array || type === Uint32Array || type === Float32Array) return 4
  if (type === Uint16Array || type === Int16Array) return 2
  return elementBytes('type', type)
}
