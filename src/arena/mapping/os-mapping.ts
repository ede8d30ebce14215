/**
 * A mapping of the kernel's pages: what lies under every arena that this library reserves, opens or attaches to, and under every
 * mapped file. Addresses stay in here; backing.ts knows how pages of each kind are given back and made resident.
 *
 *     address of an offset = base + offset
 *
 * An ArrayBuffer over a range costs some 1.5 us and no memory. A page count takes 0.3 us a MiB of range (residency.ts).
 * @module
 */
import { alignDown, alignUp } from '../../bits.ts'
import { ENOMEM, systemError } from '../../ffi/errno.ts'
import type { Os } from '../../ffi/os.ts'
import type { Threads } from '../../ffi/os-threads.ts'
import type { Address } from '../../units.ts'
import { type BufferRange, noteMapped, rangeOf } from '../buffer-range.ts'
import type { Backing } from './backing.ts'
import type { Mapping } from './mapping.ts'
import type { MappingOwner } from './owner.ts'
import { residentBytes } from './residency.ts'

export class OsMapping implements Mapping {
  readonly pageSize: number
  readonly maxViewBytes: number
  readonly threads: Threads
  owner: MappingOwner
  readonly #os: Os
  readonly #base: Address
  readonly #backing: Backing

  constructor(os: Os, base: Address, backing: Backing, owner: MappingOwner) {
    this.pageSize = os.pageSize
    this.maxViewBytes = os.maxViewBytes
    this.threads = os.threads
    this.owner = owner
    this.#os = os
    this.#base = base
    this.#backing = backing
  }

  buffer(offset: number, byteLength: number): ArrayBuffer {
    return noteMapped(this.#os.view(this.word(offset), byteLength))
  }

  range(offset: number, byteLength: number): BufferRange {
    return rangeOf(this.buffer(offset, byteLength))
  }

  word(offset: number): Address {
    return (this.#base + offset) as Address
  }

  purge(offset: number, byteLength: number): void {
    this.#backing.purge(this.word(offset), byteLength)
  }

  populate(offset: number, byteLength: number): void {
    const { pageSize } = this
    const first = alignDown(offset, pageSize)
    const length = alignUp(offset + byteLength, pageSize) - first
    const available = this.#os.availableMemory()
    // Asking for more than there is would invite the kernel to kill a process. What is resident already is not asked for.
    const missing = length > available ? length - this.resident(first, length) : 0
    if (missing > available) {
      const detail = `, ${missing} bytes wanted and ${available} available`
      throw systemError('madvise', ENOMEM, { length, detail })
    }
    this.#backing.populate(this.word(first), length)
  }

  resident(offset: number, byteLength: number): number {
    return residentBytes(this.#os, this.#base, offset, byteLength)
  }
}
