/**
 * The bytes of one mapping, as the rest of this folder works on them: by offset from the mapping's start, data and metadata
 * alike. Knows how to make a range read zero: whole pages go back to the kernel (backing.ts knows how), the parts of pages at its
 * edges are filled.
 *
 *     page     |         |         |         |         |
 *     range         [ ff | pppppppp pppppppp | ff ]          f filled, p purged
 *
 * The parts are filled only where they do not read zero already: a page never written stays out of memory. (In a shared arena
 * looking at it makes it resident.)
 * @module
 */
import { alignDown, alignUp } from '../../bits.ts'
import { ENOMEM, systemError } from '../../ffi/errno.ts'
import type { Os } from '../../ffi/os.ts'
import type { Address } from '../../units.ts'
import { AnonymousBacking, type Backing, fillZero } from './backing.ts'
import { residentBytes } from './residency.ts'

export class Mapping {
  readonly os: Os
  readonly base: Address
  readonly pageSize: number
  readonly #backing: Backing

  constructor(os: Os, base: Address, backing: Backing = new AnonymousBacking(os)) {
    this.os = os
    this.base = base
    this.pageSize = os.pageSize
    this.#backing = backing
  }

  address(offset: number): Address {
    return (this.base + offset) as Address
  }

  /** Gives whole pages back. Both numbers are multiples of the page size; 0 bytes is nothing to do. */
  purge(offset: number, byteLength: number): void {
    if (byteLength > 0) this.#backing.purge(this.address(offset), byteLength)
  }

  /** Makes a range read zero. `bytesAt` gives the bytes of a part of one page. */
  clear(offset: number, byteLength: number, bytesAt: (offset: number, byteLength: number) => Uint8Array): void {
    const end = offset + byteLength
    const first = alignUp(offset, this.pageSize)
    const last = alignDown(end, this.pageSize)
    if (first > last) {
      fillZero(bytesAt(offset, byteLength))
      return
    }
    // First what can be refused, so that a refusal leaves the range as it was.
    const head = offset < first ? bytesAt(offset, first - offset) : NO_BYTES
    const tail = last < end ? bytesAt(last, end - last) : NO_BYTES
    this.purge(first, last - first)
    fillZero(head)
    fillZero(tail)
  }

  /** Makes the pages that a range touches resident, unless the memory for them is not there. */
  populate(offset: number, byteLength: number): void {
    const { os, base, pageSize } = this
    const first = alignDown(offset, pageSize)
    const length = alignUp(offset + byteLength, pageSize) - first
    const available = os.availableMemory()
    // Asking for more than there is would invite the kernel to kill a process. What is resident already is not asked for.
    const missing = length > available ? length - residentBytes(os, base, first, length) : 0
    if (missing > available) {
      const detail = `, ${missing} bytes wanted and ${available} available`
      throw systemError('madvise', ENOMEM, { length, detail })
    }
    this.#backing.populate(this.address(first), length)
  }
}

const NO_BYTES = new Uint8Array(0)
