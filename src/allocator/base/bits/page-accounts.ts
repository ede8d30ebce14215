/**
 * Which pages of a claim have been handed out, so that committed bytes are exact and pages can be given back.
 *
 *     claim    |  handed out   | gap  | handed out | purged | handed out  |      never       |
 *     bits     |  0 0 0 0 0 0    1 1    0 0 0 0      1 1 1    0 0 0 0     |
 *              offset                                          committed end               end
 *
 *     committed = committedEnd - offset - purged bytes + metadata bytes  <=  limit
 *     purged bytes = page size * bits set;  no bit at or above the committed end
 *
 * A set bit is a whole page below the committed end that is not handed out, because it was purged or never used (an aligned block
 * left it out). In either case it reads zero. In a claim whose first contents are unknown, pages left out count as handed out.
 * Pages that the claim shares with its neighbours are counted by the part and never purged.
 *
 * Metadata is counted by an upper bound: each byte newly committed may bring `rate` bytes of tables, and all of them no more than the
 * tables of `[offset, committedEnd)`. Cost: a few ns for `covers`; one bit a page.
 * @module
 */
import { float64sIn, int32sIn } from '../../../arena/buffer-range.ts'
import type { Claim } from '../../../arena/claim.ts'
import { alignDown, alignUp } from '../../../bits.ts'
import { CorruptedError } from '../../../errors.ts'
import type { AllocatorStats } from '../../contract.ts'
import type { PageNews } from '../channels.ts'
import {
  COMMITTED_END,
  HEADER_BYTES,
  METADATA_BYTES,
  PEAK_BYTES,
  PURGED_BYTES,
  TOUCHED,
  USED_COUNT,
} from '../header.ts'
import { clearBits, countBits, countUnused, setBits, wordsFor } from './bitmap.ts'

/** What decides how many bytes an allocator may commit. */
export interface PageTerms {
  readonly claim: Claim
  readonly pageSize: number
  readonly limit: number
  /** Where the first block can start: what lies before it belongs to no block, and is given back with that block's page. */
  readonly first: number
  /** First byte of the bits in the metadata. */
  readonly at: number
  /** Bytes of metadata that are written before the first block. */
  readonly fixed: number
  /** Further bytes of metadata for each byte committed. */
  readonly rate: number
  /** Told of pages that come and go. */
  readonly news: PageNews
}

/** Bytes of the bits for a claim of so many bytes, wherever it lies. */
export function pageBytes(byteLength: number, pageSize: number): number {
  return wordsFor(byteLength / pageSize + 2) * 4
}

export class PageAccounts {
  readonly #terms: PageTerms
  readonly #numbers: Float64Array
  readonly #bits: Int32Array
  /** Offset of the page that bit 0 stands for. */
  readonly #origin: number
  readonly #end: number

  constructor(terms: PageTerms) {
    const { claim, pageSize, at, fixed } = terms
    this.#terms = terms
    this.#numbers = float64sIn(claim.metadata, 0, HEADER_BYTES / 8)
    this.#bits = int32sIn(claim.metadata, at, pageBytes(claim.byteLength, pageSize) / 4)
    this.#origin = alignDown(claim.offset, pageSize)
    this.#end = claim.offset + claim.byteLength
    this.#numbers[COMMITTED_END] = claim.offset
    this.#numbers[METADATA_BYTES] = fixed
    this.#numbers[PEAK_BYTES] = fixed
    this.#numbers[TOUCHED] = claim.zeroed ? claim.offset : this.#end
  }

  /** Committed bytes of the claim itself. */
  get dataBytes(): number {
    return this.#numbers[COMMITTED_END] - this.#terms.claim.offset - this.#numbers[PURGED_BYTES]
  }

  get committedBytes(): number {
    return this.dataBytes + this.#numbers[METADATA_BYTES]
  }

  /** An allocator's figures. What is committed and in no block is free slots, or free and dirty. */
  totals(usedBytes: number, free: 'slots' | 'dirty'): AllocatorStats {
    const numbers = this.#numbers
    const { dataBytes } = this
    const freeBytes = dataBytes - usedBytes
    return {
      reservedBytes: this.#terms.claim.byteLength,
      committedBytes: dataBytes + numbers[METADATA_BYTES],
      usedBytes,
      freeSlotBytes: free === 'slots' ? freeBytes : 0,
      freeDirtyBytes: free === 'dirty' ? freeBytes : 0,
      metadataBytes: numbers[METADATA_BYTES],
      peakCommittedBytes: numbers[PEAK_BYTES],
      usedCount: numbers[USED_COUNT],
    }
  }

  /** Whether every page of the range is handed out. */
  covers(offset: number, byteLength: number): boolean {
    const end = offset + byteLength
    return end <= this.#numbers[COMMITTED_END] && this.#purgedIn(offset, end) === 0
  }

  /** Hands the pages of a range out. False, and nothing changed, when that would pass the limit. */
  commit(offset: number, byteLength: number): boolean {
    const { claim, pageSize, limit, fixed, rate } = this.#terms
    const numbers = this.#numbers
    const end = offset + byteLength
    const oldEnd = this.#committedEnd()
    const newEnd = Math.max(oldEnd, Math.min(alignUp(end, pageSize), this.#end))
    const revived = this.#purgedIn(offset, Math.min(end, oldEnd)) * pageSize
    const gapStart = alignUp(oldEnd, pageSize)
    const gapEnd = claim.zeroed ? alignDown(offset, pageSize) : gapStart
    const gap = Math.max(0, gapEnd - gapStart)
    const added = newEnd - oldEnd - gap + revived
    const bound = Math.min(claim.metadata.byteLength, fixed + Math.ceil((newEnd - claim.offset) * rate))
    const metadata = Math.min(
      Math.max(bound, numbers[METADATA_BYTES]),
      numbers[METADATA_BYTES] + Math.ceil(added * rate)
    )
    const committed = this.dataBytes + added + metadata
    if (committed > limit) return false
    if (gap > 0) setBits(this.#bits, this.#page(gapStart), this.#page(gapEnd))
    if (revived > 0) clearBits(this.#bits, this.#page(offset), this.#page(Math.min(end, oldEnd) - 1) + 1)
    numbers[PURGED_BYTES] += gap - revived
    numbers[COMMITTED_END] = newEnd
    numbers[METADATA_BYTES] = metadata
    if (committed > numbers[PEAK_BYTES]) numbers[PEAK_BYTES] = committed
    this.#terms.news.grew(added)
    return true
  }

  /** Whether a range reads zero, to our knowledge, when nothing at or above `touched` was ever handed out. Ask before `commit`. */
  readsZero(offset: number, byteLength: number, touched: number): boolean {
    const end = Math.min(offset + byteLength, touched)
    if (end <= offset) return true
    if (this.#numbers[PURGED_BYTES] === 0 || end > this.#numbers[COMMITTED_END]) return false
    return this.#purgedIn(offset, end) === this.#page(end - 1) + 1 - this.#page(offset)
  }

  /** Gives back the whole pages of a free range that are handed out; bytes given back. */
  purge(offset: number, end: number): number {
    const { claim, first, pageSize } = this.#terms
    const from = alignUp(offset <= first ? claim.offset : offset, pageSize)
    const to = alignDown(Math.min(end, this.#committedEnd()), pageSize)
    if (from >= to) return 0
    this.#assertInside(from, to)
    const purged = this.#purgedIn(from, to) * pageSize
    if (purged === 0) this.#give(from, to)
    else if (purged < to - from) {
      for (let page = from; page < to; ) {
        let next = page
        while (next < to && this.#purgedIn(next, next + pageSize) === 0) next += pageSize
        if (next > page) this.#give(page, next)
        page = next + pageSize
      }
    }
    return to - from - purged
  }

  /** How many bytes of the range lie in purged pages. */
  purgedBytes(offset: number, end: number): number {
    return this.#purgedIn(offset, end) * this.#terms.pageSize
  }

  /** Throws unless the equations at the top hold. */
  check(): void {
    const { claim, pageSize, limit, fixed } = this.#terms
    const numbers = this.#numbers
    const committedEnd = numbers[COMMITTED_END]
    if (!(committedEnd >= claim.offset && committedEnd <= this.#end))
      throw new CorruptedError(`the committed end ${committedEnd} lies outside the claim`)
    if (committedEnd !== this.#end && committedEnd !== claim.offset && committedEnd % pageSize !== 0)
      throw new CorruptedError(`the committed end ${committedEnd} is not on a page`)
    const pages = this.#page(committedEnd + pageSize - 1)
    const counted = countBits(this.#bits, 0, pages) * pageSize
    if (countUnused(this.#bits, 0, pages, this.#bits.length * 32) !== 0)
      throw new CorruptedError('a page beyond the committed end has been purged')
    const touched = numbers[TOUCHED]
    if (!(touched >= claim.offset && touched <= this.#end))
      throw new CorruptedError(`bytes from ${touched} on were never handed out, which is outside the claim`)
    if (counted !== numbers[PURGED_BYTES])
      throw new CorruptedError(`purged bytes: ${numbers[PURGED_BYTES]} in the header, ${counted} by the bits`)
    const metadata = numbers[METADATA_BYTES]
    if (!(metadata >= fixed && metadata <= claim.metadata.byteLength))
      throw new CorruptedError(`${metadata} bytes of metadata in use, of ${claim.metadata.byteLength}`)
    const committed = this.committedBytes
    if (committed > Math.max(limit, fixed) || committed > numbers[PEAK_BYTES])
      throw new CorruptedError(`${committed} bytes committed, limit ${limit}, peak ${numbers[PEAK_BYTES]}`)
  }

  #give(from: number, to: number): void {
    this.#terms.claim.purge(from, to - from)
    setBits(this.#bits, this.#page(from), this.#page(to))
    this.#numbers[PURGED_BYTES] += to - from
    this.#terms.news.gave(to - from)
  }

  /** Read where it bounds a walk. */
  #committedEnd(): number {
    const end = this.#numbers[COMMITTED_END]
    if (end >= this.#terms.claim.offset && end <= this.#end) return end
    throw new CorruptedError(`the committed end ${end} lies outside the claim`)
  }

  #assertInside(offset: number, end: number): void {
    if (!(offset >= this.#origin && end <= this.#end + this.#terms.pageSize))
      throw new CorruptedError(`the pages from ${offset} to ${end} are not those of the claim`)
  }

  #page(offset: number): number {
    return Math.floor((offset - this.#origin) / this.#terms.pageSize)
  }

  #purgedIn(offset: number, end: number): number {
    if (end <= offset || this.#numbers[PURGED_BYTES] === 0) return 0
    this.#assertInside(offset, end)
    return countBits(this.#bits, this.#page(offset), this.#page(end - 1) + 1)
  }
}
