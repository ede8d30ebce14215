/**
 * What stands in the blocks, seen through buffers of the test's own over the arena's memory: a fault in the library's windows
 * cannot hide itself, and looking marks nothing as exposed.
 *
 * Blocks up to a page are filled whole. Longer ones are written at both ends, around the ends of windows and at a few places in
 * between, so that 1.5 GiB cost no more than 4 KiB; which pages were ever written is remembered, and those are read when a block
 * must be zero.
 * @module
 */
import { systemOs } from '../../src/ffi/system.ts'
import { type Address, GiB } from '../../src/units.ts'
import type { LiveBlock, Range } from '../model.ts'

/** Blocks up to this length are filled, and read as a whole. */
const DENSE = 4096
/** Blocks up to this length are read as a whole when they must be zero. */
const READ_WHOLE = 262144
const PAGE = 4096
const zeros = new Uint8Array(65536)

export class Contents {
  readonly #base: number
  readonly #byteLength: number
  readonly #windows: Uint8Array[] = []
  readonly #written: Set<number> = new Set()

  constructor(base: number, byteLength: number) {
    this.#base = base
    this.#byteLength = byteLength
  }

  /** Writes a block's pattern where it is to stand. */
  fill(block: LiveBlock, seed: number): void {
    block.seed = seed
    block.written = places(block.offset, block.byteLength, seed)
    for (const [from, to] of block.written)
      for (const [bytes, start] of this.#parts(block.offset + from, block.offset + to)) {
        const first = start - block.offset
        for (let index = 0; index < bytes.length; index++) bytes[index] = pattern(seed, first + index)
      }
    this.touch(block.offset, block.written)
  }

  /** Remembers that ranges, counted from `offset`, have been written. */
  touch(offset: number, ranges: readonly Range[]): void {
    for (const [from, to] of ranges)
      for (let page = Math.floor((offset + from) / PAGE); page * PAGE < offset + to; page++) this.#written.add(page)
  }

  /** The first byte of `length` that a block's pattern does not stand in any more, as it should be read at `offset`; or -1. */
  firstWrong(block: LiveBlock, offset: number, length: number, endsOnly = false): number {
    for (const [from, to] of block.written)
      for (const [bytes, start] of this.#parts(offset + from, offset + Math.min(to, length))) {
        const first = start - offset
        const step = endsOnly && bytes.length > 16 ? bytes.length - 1 : 1
        for (let index = 0; index < bytes.length; index += step)
          if (bytes[index] !== pattern(block.seed, first + index)) return first + index
      }
    return -1
  }

  /** Whether a range reads zero: all of it, or of long ones all pages that were ever written and the ends. */
  isZero(offset: number, byteLength: number): boolean {
    if (byteLength <= READ_WHOLE) return this.#readsZero(offset, byteLength)
    if (!this.#readsZero(offset, PAGE) || !this.#readsZero(offset + byteLength - PAGE, PAGE)) return false
    for (const page of this.#written) {
      const from = Math.max(offset, page * PAGE)
      const to = Math.min(offset + byteLength, (page + 1) * PAGE)
      if (from < to && !this.#readsZero(from, to - from)) return false
    }
    return true
  }

  /** Writes something other than zero into a range. */
  soil(offset: number, byteLength: number): void {
    for (const [bytes] of this.#parts(offset, offset + byteLength)) bytes.fill(0xa5)
    this.touch(offset, [[0, byteLength]])
  }

  #readsZero(offset: number, byteLength: number): boolean {
    for (const [bytes] of this.#parts(offset, offset + byteLength))
      for (let at = 0; at < bytes.length; at += zeros.length) {
        const part = bytes.subarray(at, at + zeros.length)
        if (Buffer.compare(part, part.length === zeros.length ? zeros : zeros.subarray(0, part.length)) !== 0)
          return false
      }
    return true
  }

  /** The bytes of `[from, to)`, window by window, each part with the offset where it starts. */
  #parts(from: number, to: number): [Uint8Array, number][] {
    const parts: [Uint8Array, number][] = []
    for (let at = from; at < to; ) {
      const window = Math.floor(at / GiB)
      const end = Math.min(to, (window + 1) * GiB)
      parts.push([this.#window(window).subarray(at - window * GiB, end - window * GiB), at])
      at = end
    }
    return parts
  }

  #window(index: number): Uint8Array {
    const kept = this.#windows[index]
    if (kept !== undefined) return kept
    const start = index * GiB
    const buffer = systemOs().view((this.#base + start) as Address, Math.min(GiB, this.#byteLength - start))
    return (this.#windows[index] = new Uint8Array(buffer))
  }
}

/** Never zero, and different a block and a place on. */
function pattern(seed: number, index: number): number {
  return ((seed + index * 7 + (index >>> 8) * 61) & 255) | 1
}

/** Where a block is written. */
function places(offset: number, byteLength: number, seed: number): Range[] {
  if (byteLength <= DENSE) return byteLength === 0 ? [] : [[0, byteLength]]
  const ranges: Range[] = [[0, 32]]
  const middle = (seed * 7919) % (byteLength - 128)
  ranges.push([middle + 64, middle + 72])
  const edge = Math.ceil((offset + 64) / GiB) * GiB - offset
  if (edge + 64 < byteLength) ranges.push([edge - 16, edge + 16])
  ranges.push([byteLength - 32, byteLength])
  return ranges
}
