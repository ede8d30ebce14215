/**
 * The record of live mappings, and the guard in front of every call about a range.
 *
 * Kept as two sorted arrays, so that a range is found by bisection; the mapping found last is tried first, since calls about
 * one arena come in runs. A few nanoseconds a call.
 * @module
 */
import { HIDDEN, InvalidArgumentTypeError, OutOfRangeError } from '../../errors.ts'
import type { Address } from '../../units.ts'

/** Below this Linux maps nothing (`vm.mmap_min_addr`), so no mapping of ours can start there. */
const LEAST_ADDRESS = 65536

export class Mappings {
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  #recent = 0

  /** How many mappings are on record. */
  get count(): number {
    return this.#starts.length
  }

  /** Puts a new mapping on record. */
  add(address: Address, byteLength: number): void {
    const index = this.#indexFrom(address) + 1
    this.#starts.splice(index, 0, address)
    this.#ends.splice(index, 0, address + byteLength)
  }

  /** Throws unless the range is a possible one, in whole granules, and none of it is on record. */
  requireFree(address: Address, byteLength: number, granule: number): void {
    requireNumbers(address, byteLength)
    requireGranules(address, byteLength, granule)
    const index = this.#indexFrom(address + byteLength - 1)
    if (index >= 0 && (this.#ends[index] ?? 0) > address)
      throw new OutOfRangeError('address', 'a range with no live mapping in it', HIDDEN)
  }

  /** Throws unless the range is exactly one mapping on record. */
  requireWhole(address: Address, byteLength: number): void {
    requireNumbers(address, byteLength)
    const index = this.#indexFrom(address)
    if (this.#starts[index] !== address || this.#ends[index] !== address + byteLength)
      throw new OutOfRangeError('address', `the start of a live mapping of ${byteLength} bytes`, HIDDEN)
  }

  /** Takes the mapping that starts at `address` off the record. */
  remove(address: Address): void {
    const index = this.#indexFrom(address)
    this.#starts.splice(index, 1)
    this.#ends.splice(index, 1)
    this.#recent = 0
  }

  /** Throws unless the range is not empty, lies inside one mapping, and both its numbers are multiples of `granule`. */
  require(address: Address, byteLength: number, granule: number): void {
    requireNumbers(address, byteLength)
    requireGranules(address, byteLength, granule)
    this.requireInside(address, byteLength)
  }

  /** Throws unless the range is not empty and lies inside one mapping. */
  requireInside(address: Address, byteLength: number): void {
    requireNumbers(address, byteLength)
    const end = address + byteLength
    const recent = this.#recent
    if (address >= (this.#starts[recent] ?? Infinity) && end <= (this.#ends[recent] ?? 0)) return
    const index = this.#indexFrom(address)
    if (index < 0 || end > (this.#ends[index] ?? 0))
      throw new OutOfRangeError('address', `a range of ${byteLength} bytes inside a live mapping`, HIDDEN)
    this.#recent = index
  }

  /** The index of the last mapping that does not start above `address`, or -1. */
  #indexFrom(address: number): number {
    let low = 0
    let high = this.#starts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#starts[middle] ?? 0) <= address) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

/** Throws unless both are numbers that could be a mapping's: this is what keeps NaN, 0 and fractions away from the kernel. */
function requireNumbers(address: number, byteLength: number): void {
  requireAddress(address)
  requireLength(byteLength)
}

function requireGranules(address: number, byteLength: number, granule: number): void {
  if (address % granule !== 0) throw new OutOfRangeError('address', `a multiple of ${granule}`, HIDDEN)
  if (byteLength % granule !== 0) throw new OutOfRangeError('byteLength', `a multiple of ${granule}`, byteLength)
}

function requireAddress(address: number): void {
  if (typeof address !== 'number') throw new InvalidArgumentTypeError('address', 'a number', address)
  if (!Number.isSafeInteger(address) || address < LEAST_ADDRESS)
    throw new OutOfRangeError('address', `a whole number from ${LEAST_ADDRESS}`, HIDDEN)
}

/** Throws unless `byteLength` is a whole number above 0. */
export function requireLength(byteLength: number): void {
  if (typeof byteLength !== 'number') throw new InvalidArgumentTypeError('byteLength', 'a number', byteLength)
  if (!Number.isSafeInteger(byteLength) || byteLength <= 0)
    throw new OutOfRangeError('byteLength', 'a whole number above 0', byteLength)
}
