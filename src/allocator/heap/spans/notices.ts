/**
 * What a step on the heap has done that others want to know, told when the step is over.
 *
 *     notifyOnce = true  ->  the first release, or the first slab that becomes current  ->  pending, notifyOnce = false  ->  tell
 *
 * A heap that has come to rest sets `notifyOnce`: decay starts again with the first free, not with each. `tell` is the last thing that a
 * step does, since the listener may purge, and runs its caller's callback, which may do anything with the heap.
 *
 * Cost: one comparison at the end of a slow path.
 * @module
 */

/** Told when a step is over. */
export interface HeapListener {
  /** The first release since `notifyOnce` was set. */
  onFreed(): void
  /** The first slab that became current since then: its frees are not counted, so it may fall empty unnoticed. */
  onSlabSwitched(): void
  /** Pages have come or gone, and a subscriber wants to know. */
  tellPages(): void
}

/** Bits of `pending`. */
const enum Notice {
  NONE,
  RELEASED = 1,
  SWITCHED = 2,
  PAGES = 4,
}

export class Notices {
  /** Whether the next release, or switch of slabs, is to be told. */
  notifyOnce = false
  /** Bits of what is to be told; 0: nothing. */
  pending: number = Notice.NONE
  readonly #listener: HeapListener

  constructor(listener: HeapListener) {
    this.#listener = listener
  }

  noteRelease(): void {
    if (!this.notifyOnce) return
    this.notifyOnce = false
    this.pending |= Notice.RELEASED
  }

  noteSwitch(): void {
    if (!this.notifyOnce) return
    this.notifyOnce = false
    this.pending |= Notice.SWITCHED
  }

  notePages(): void {
    this.pending |= Notice.PAGES
  }

  tell(): void {
    const { pending } = this
    if (pending === Notice.NONE) return
    this.pending = Notice.NONE
    if (pending & Notice.RELEASED) this.#listener.onFreed()
    else if (pending & Notice.SWITCHED) this.#listener.onSlabSwitched()
    if (pending & Notice.PAGES) this.#listener.tellPages()
  }
}
