/**
 * What lies under an arena: the one interface through which everything above touches memory, by offset from its first byte, data and
 * metadata alike. No address and no kernel call passes beyond it.
 *
 *     offset   0                              data end
 *              |  data: windows lie over it   |  metadata: ranges that are never handed out  |
 *
 *     Mapping ── OsMapping     pages of the kernel: private memory, files             os-mapping.ts
 *             ── (tests)       plain ArrayBuffers                                     test/helpers/buffer-mapping.ts
 *
 * `makeZero` makes any range read zero over it: whole pages are given back, the parts of pages at the edges are filled.
 *
 *     page     |         |         |         |         |
 *     range         [ ff | pppppppp pppppppp | ff ]          f filled, p purged
 *
 * The parts are filled only where they do not read zero already: a page that was never written stays out of memory. (In a shared
 * arena, reading such a page makes it resident.)
 * @module
 */
import { Buffer } from 'node:buffer'
import { alignDown, alignUp } from '../../bits.ts'
import type { Threads } from '../../ffi/os-threads.ts'
import type { Address } from '../../units.ts'
import type { BufferRange } from '../buffer-range.ts'
import type { MappingOwner } from './owner.ts'

/** Memory under one arena. Offsets and lengths have been checked, and lie in it. */
export interface Mapping {
  readonly pageSize: number
  /** Bytes of the longest ArrayBuffer over it. */
  readonly maxViewBytes: number
  /** The threads that may have the memory: which one is calling, which are alive, and sleeping on its words. */
  readonly threads: Threads
  /** What ends it. It changes when other threads come to have the memory. */
  owner: MappingOwner
  /**
   * An ArrayBuffer that shows exactly a range of the data, for callers to see: a window, or a range across the end of one. Throws
   * ERR_UNSUPPORTED_OPERATION where there can be none over that range.
   */
  buffer(offset: number, byteLength: number): ArrayBuffer
  /** A range of data or metadata for the library's own code, in a buffer that is never handed out. */
  range(offset: number, byteLength: number): BufferRange
  /** What `threads` sleeps on: the word at an offset. */
  word(offset: number): Address
  /** Gives whole pages back; they read zero afterwards. Both numbers are multiples of the page size, and not 0. */
  purge(offset: number, byteLength: number): void
  /** Makes the pages that a range touches resident, and changes no content. Throws ENOMEM where the memory is not there. */
  populate(offset: number, byteLength: number): void
  /** Bytes of a range that are in memory now; of pages partly in the range, the part. */
  resident(offset: number, byteLength: number): number
}

/** Gives bytes of at most one page, which lie in one window. */
export type BytesAt = (offset: number, byteLength: number) => Uint8Array

/** Makes a range read zero. When it throws, the range is as it was. */
export function makeZero(mapping: Mapping, offset: number, byteLength: number, bytesAt: BytesAt): void {
  const { pageSize } = mapping
  const end = offset + byteLength
  const first = alignUp(offset, pageSize)
  const last = alignDown(end, pageSize)
  if (first > last) {
    fillZero(bytesAt(offset, byteLength))
    return
  }
  // First what can be refused, so that a refusal leaves the range as it was.
  const head = offset < first ? bytesAt(offset, first - offset) : NO_BYTES
  const tail = last < end ? bytesAt(last, end - last) : NO_BYTES
  if (last > first) mapping.purge(first, last - first)
  fillZero(head)
  fillZero(tail)
}

/** As many zeros as the largest page has. */
const zeros = new Uint8Array(65536)

/** Fills bytes with zeros, of one page at most, unless they are zeros: a page never written stays as it is. */
export function fillZero(bytes: Uint8Array): void {
  if (Buffer.compare(bytes, zeros.subarray(0, bytes.length)) !== 0) bytes.fill(0)
}

const NO_BYTES = new Uint8Array(0)
