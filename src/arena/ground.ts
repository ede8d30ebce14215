/**
 * The bytes of one mapping, as the rest of this folder works on them: by offset from the mapping's start, data and metadata
 * alike. Knows how to make a range read zero: whole pages go back to the kernel, the parts of pages at its edges are filled.
 *
 *     page     |         |         |         |         |
 *     range         [ ff | pppppppp pppppppp | ff ]          f filled, p purged
 *
 * The parts are filled only where they do not read zero already: a page never written stays out of memory.
 * @module
 */
import { alignDown, alignUp } from '../bits.ts'
import type { Os } from '../ffi/os.ts'
import type { Address } from '../units.ts'

export class Ground {
  readonly os: Os
  readonly base: Address
  readonly pageSize: number

  constructor(os: Os, base: Address) {
    this.os = os
    this.base = base
    this.pageSize = os.pageSize
  }

  address(offset: number): Address {
    return (this.base + offset) as Address
  }

  /** Gives whole pages back. Both numbers are multiples of the page size; 0 bytes is nothing to do. */
  purge(offset: number, byteLength: number): void {
    if (byteLength > 0) this.os.purge(this.address(offset), byteLength)
  }

  /** Makes a range read zero. `bytesAt` gives the bytes of a part of one page. */
  clear(offset: number, byteLength: number, bytesAt: (offset: number, byteLength: number) => Uint8Array): void {
    const end = offset + byteLength
    const first = alignUp(offset, this.pageSize)
    const last = alignDown(end, this.pageSize)
    if (first > last) return fillZero(bytesAt(offset, byteLength))
    // First what the kernel can refuse, so that a refusal leaves the range as it was.
    this.purge(first, last - first)
    if (offset < first) fillZero(bytesAt(offset, first - offset))
    if (last < end) fillZero(bytesAt(last, end - last))
  }
}

/** As many zeros as the largest page has. */
const zeros = new Uint8Array(65536)

function fillZero(bytes: Uint8Array): void {
  if (Buffer.compare(bytes, zeros.subarray(0, bytes.length)) !== 0) bytes.fill(0)
}
