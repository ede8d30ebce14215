/**
 * How many bytes of a range are in memory now, by asking the kernel about each page, a slice at a time into one vector that is
 * kept. 64 GiB with nothing resident take about 20 ms, 1 GiB resident about 3 ms.
 *
 * A page that has only been read counts as resident, although it is the kernel's shared page of zeros.
 * @module
 */
import { alignDown, alignUp, popCount } from '../../bits.ts'
import type { Os } from '../../ffi/os.ts'
import type { Address } from '../../units.ts'

/** Pages asked about in one call. */
const SLICE_PAGES = 65536

let vector: Uint8Array | undefined
let words: Int32Array

/** Resident bytes of `[offset, offset + byteLength)` of the mapping at `base`; of pages partly in it only what is in it. */
export function residentBytes(os: Os, base: Address, offset: number, byteLength: number): number {
  const page = os.pageSize
  const end = offset + byteLength
  const first = alignDown(offset, page)
  const last = alignUp(end, page)
  let resident = 0
  for (let at = first; at < last; at += SLICE_PAGES * page) {
    const pages = Math.min(SLICE_PAGES, (last - at) / page)
    const flags = residency(os, (base + at) as Address, pages)
    resident += countResident(pages) * page
    if (at === first && (flags[0] as number) & 1) resident -= offset - first
    if (at + pages * page === last && (flags[pages - 1] as number) & 1) resident -= last - end
  }
  return resident
}

/** Fills the vector for so many pages; bytes up to the next word are cleared. */
function residency(os: Os, address: Address, pages: number): Uint8Array {
  if (vector === undefined) {
    vector = new Uint8Array(SLICE_PAGES)
    words = new Int32Array(vector.buffer)
  }
  os.residency(address, pages * os.pageSize, vector)
  vector.fill(0, pages, alignUp(pages, 4))
  return vector
}

/** Pages whose lowest bit is set, four at a time. */
function countResident(pages: number): number {
  let count = 0
  for (let index = Math.ceil(pages / 4) - 1; index >= 0; index--) {
    const word = words[index] as number
    if (word !== 0) count += popCount(word & 0x01010101)
  }
  return count
}
