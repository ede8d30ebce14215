/**
 * Checks of a caller's offsets and lengths against the memory that a public object has now: an arena's data, the mapped bytes of a file.
 *
 *     0 <= offset <= byteLength        0 <= length <= byteLength - offset        elements: offset is a multiple of their size
 *
 * Every check refuses a closed object first. Some 5 ns.
 * @module
 */
import { wholeNumber } from '../../arguments.ts'
import { OutOfRangeError } from '../../errors.ts'
import type { OpenState } from '../mapping/open-state.ts'

export class Extent {
  /** Bytes there are. A mapped file's changes when the file is resized. */
  byteLength: number
  readonly #openState: OpenState

  constructor(openState: OpenState, byteLength: number) {
    this.#openState = openState
    this.byteLength = byteLength
  }

  requireOpen(): void {
    this.#openState.requireOpen()
  }

  /** Throws unless elements of a size lie in the memory; gives their length in bytes. */
  requireElements(size: number, offset: number, length: number): number {
    this.#openState.requireOpen()
    return elementsIn(this.byteLength, size, offset, length)
  }

  /** Throws unless a range lies in the memory. `prefix`: of the names in messages. */
  requireRange(offset: number, byteLength: number, prefix = ''): void {
    this.#openState.requireOpen()
    wholeNumber(`${prefix}offset`, offset, 0, this.byteLength)
    wholeNumber(`${prefix}byteLength`, byteLength, 0, this.byteLength - offset)
  }

  /** Checks a range that goes up to the end unless a length is given; gives its length. */
  range(offset: number, byteLength: number = this.rest(offset)): number {
    this.requireRange(offset, byteLength)
    return byteLength
  }

  /** Throws unless there is a byte at the offset. */
  requireByte(offset: number): void {
    this.#openState.requireOpen()
    wholeNumber('offset', offset, 0, this.byteLength - 1)
  }

  /** What is left from `offset` on; of a nonsensical offset 0, which `requireRange` then finds. */
  rest(offset: number): number {
    return typeof offset === 'number' && offset <= this.byteLength ? this.byteLength - offset : 0
  }
}

/** Throws unless elements of a size lie in so many bytes; gives their length in bytes. `prefix`: of the names in messages. */
export function elementsIn(byteLength: number, size: number, offset: unknown, length: unknown, prefix = ''): number {
  const start = wholeNumber(`${prefix}offset`, offset, 0, byteLength)
  if (start % size !== 0) throw new OutOfRangeError(`${prefix}offset`, `a multiple of ${size}`, start)
  return wholeNumber(`${prefix}length`, length, 0, Math.floor((byteLength - start) / size)) * size
}
