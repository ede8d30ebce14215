/**
 * The system's `Os` with what only experiments want of the kernel: `MADV_FREE`, which the allocators do not use because memory that
 * is given back by it still counts as resident.
 * @module
 */
import type { Address } from '../units.ts'
import { MADV_FREE } from './libc/constants.ts'
import { LinuxOs } from './linux/linux.ts'
import { requirePlatform } from './system.ts'

export class LaboratoryOs extends LinuxOs {
  /**
   * Lets the kernel take the pages of private anonymous memory when it needs some. Until then they keep their contents and count as
   * resident (`LazyFree` in smaps); a write takes a page back.
   *
   * - Before: whole pages inside one mapping. EINVAL: part of the range is locked in memory.
   */
  purgeLazily(address: Address, byteLength: number): void {
    this.mappings.require(address, byteLength, this.pageSize)
    if (this.libc.madvise(address, byteLength, MADV_FREE) !== 0) this.fail('madvise', byteLength)
  }
}

let made: LaboratoryOs | undefined

/** Its record of mappings is its own: it knows nothing of arenas, and may do nothing to them. */
export function laboratoryOs(): LaboratoryOs {
  requirePlatform(process.platform, process.arch)
  made ??= new LaboratoryOs()
  return made
}
