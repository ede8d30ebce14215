/**
 * Which parts of an arena may have been written by others than a claim's holder, so that a new claim there is not known to read
 * zero: one byte a window, 1 once other code could have. It never goes back to 0; a finer count would cost more than filling zeros does.
 * @module
 */
import { WINDOW_BYTES } from '../format/layout.ts'
import { windowCount } from '../views/windows.ts'

export class MaybeWritten {
  readonly #windows: Uint8Array

  /** `exposed`: whether something in a window may not read zero from the start. */
  constructor(byteLength: number, exposed: (window: number) => boolean) {
    this.#windows = Uint8Array.from({ length: windowCount(byteLength) }, (_, window) => (exposed(window) ? 1 : 0))
  }

  /** Notes that others may write in a range from now on. */
  add(offset: number, byteLength: number): void {
    const last = Math.floor((offset + Math.max(byteLength, 1) - 1) / WINDOW_BYTES)
    for (let window = Math.floor(offset / WINDOW_BYTES); window <= last; window++) this.#windows[window] = 1
  }

  /** Whether others may have written in a range. */
  has(offset: number, byteLength: number): boolean {
    const last = Math.floor((offset + byteLength - 1) / WINDOW_BYTES)
    for (let window = Math.floor(offset / WINDOW_BYTES); window <= last; window++)
      if (this.#windows[window] !== 0) return true
    return false
  }
}
