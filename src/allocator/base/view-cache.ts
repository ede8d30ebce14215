/**
 * Views that were handed out, by the place of their block: a block that is asked for again with the same type and length gets the view it
 * had before. Making a typed array takes 25 to 50 ns, several times what finding the block takes, and leaves work for the garbage collector.
 *
 *     place of the block -> entry   | view | type | offset of its block |        4,096 entries, the later view takes an entry over
 *
 *     an entry is right for a block when its offset is the block's, and still good when its view has its length: a view whose buffer has been
 *     detached has none
 *
 * So a view's identity may be issued again after its block was freed, as its memory may be. It also makes freeing by view cheap: the view
 * that is in the entry for its own place was made here, and V8 need not be asked for its buffer.
 *
 * A DataView has no `length` that the engine keeps, so its entry has no type that `alloc` could find by a comparison: `dataView` looks at it.
 *
 * Cost: 5 ns for a view found instead of 40 for one made; 5 more for one that is made and entered. 96 KiB once the first view is asked for,
 * and the views themselves, up to 4,096 of some 200 bytes; all of it is dropped when the allocator is closed.
 * @module
 */
import { Word } from '../../bits.ts'
import { isTypedArray, type View, type ViewConstructor, viewByteLength } from '../../views.ts'

const enum Cache {
  ENTRIES = 4096,
}

export class ViewCache {
  /** Columns of the table: one entry, which fits nothing, before the first view. */
  views: View[] = [NO_VIEW]
  types: unknown[] = [undefined]
  offsets: Float64Array = new Float64Array(1)
  #mask = 0
  readonly #inWindow: number

  /** `windowBytes`: of the buffers that views lie in, a power of two. */
  constructor(windowBytes: number) {
    this.#inWindow = windowBytes - 1
  }

  /** The entry for a place: an offset in the arena, or in its window. */
  at(place: number): number {
    return (Math.imul((place & this.#inWindow) >>> 3, Word.SPREAD) >>> 16) & this.#mask
  }

  /** Enters a view of so many elements over the block at an offset. */
  put(offset: number, type: ViewConstructor, view: View, length: number): void {
    // A view without elements has its length when it is detached, too.
    if (length === 0) return
    if (this.#mask === 0) this.#open()
    const at = this.at(offset)
    this.views[at] = view
    this.types[at] = isTypedArray(view) ? type : undefined
    this.offsets[at] = offset
  }

  /** The DataView of this length over the block at an offset, if there is one and `type` is its constructor. */
  dataView(offset: number, type: ViewConstructor, length: number): View | undefined {
    if (type !== DataView) return undefined
    const at = this.at(offset)
    const view = this.views[at] as View
    if (this.offsets[at] !== offset || this.types[at] !== undefined || length === 0) return undefined
    return getPrototypeOf(view) === DataView.prototype && viewByteLength(view) === length ? view : undefined
  }

  /** Lets go of every view. */
  forget(): void {
    this.views = [NO_VIEW]
    this.types = [undefined]
    this.offsets = new Float64Array(1)
    this.#mask = 0
  }

  #open(): void {
    this.views = new Array(Cache.ENTRIES).fill(NO_VIEW)
    this.types = new Array(Cache.ENTRIES).fill(undefined)
    this.offsets = new Float64Array(Cache.ENTRIES)
    this.#mask = Cache.ENTRIES - 1
  }
}

const { getPrototypeOf } = Object
const NO_VIEW = new Uint8Array(0)
