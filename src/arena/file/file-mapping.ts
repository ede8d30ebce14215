/**
 * Where a file's pages are in memory: a range of addresses with the file laid over as much of it as the file has.
 *
 *     file        0        | offset                             end |
 *     pages       |        |         |         |         |         |         |         |
 *     addresses            |base      file's pages                 | anonymous, zero: room to grow |
 *                          └lead─▶|0                        byteLength|              maxByteLength|
 *
 * `offset` may be any byte, and memory comes in pages: the first page begins `lead` bytes before byte 0 of the mapping. The file is
 * laid over just the pages that it has, so no page of the range faults as long as the file keeps its length; a structured clone
 * reads whole windows. When the file is made shorter, the pages it will lose are covered first.
 * @module
 */
import { alignDown, alignUp } from '../../bits.ts'
import type { Os, Sharing } from '../../ffi/os.ts'
import type { Access } from '../../ffi/os-files.ts'
import type { Address } from '../../units.ts'
import type { FileMode } from './file-options.ts'

/** Which part of a file is mapped, and how. */
export interface FilePlace {
  readonly mode: FileMode
  readonly hardened: boolean
  /** First byte of the file. */
  readonly offset: number
  /** Bytes that are mapped at first. */
  readonly byteLength: number
  /** Bytes that there are addresses for. */
  readonly maxByteLength: number
}

export class FileMapping {
  readonly os: Os
  readonly base: Address
  /** Bytes of the range of addresses. */
  readonly mappingBytes: number
  /** Bytes from `base` to the first byte that was asked for. */
  readonly lead: number
  readonly #fileStart: number
  readonly #sharing: Sharing
  readonly #protection: Access
  /** Bytes from `base` that show the file, whole pages. */
  #laid = 0

  /** Takes the addresses, on a multiple of `alignment`. Nothing of the file is there yet. */
  constructor(os: Os, place: FilePlace, alignment: number) {
    const { mode, hardened, offset, maxByteLength } = place
    this.os = os
    this.lead = offset % os.pageSize
    this.#fileStart = offset - this.lead
    this.#sharing = mode === 'write' ? 'shared' : 'private'
    this.#protection = hardened ? 'read' : 'read-write'
    // A page at least: an empty file has a mapping too.
    this.mappingBytes = Math.max(alignUp(this.lead + maxByteLength, os.pageSize), os.pageSize)
    this.base = os.reserve(this.mappingBytes, alignment)
  }

  /** The address of a byte of the mapping. */
  address(offset: number): Address {
    return (this.base + this.lead + offset) as Address
  }

  /** The whole pages that a range touches: address, and length in bytes. */
  pages(offset: number, byteLength: number): [Address, number] {
    const { pageSize } = this.os
    const start = alignDown(this.address(offset), pageSize)
    return [start as Address, alignUp(this.address(offset + byteLength), pageSize) - start]
  }

  /** Lays the file over the pages that a longer mapping touches more. */
  lay(fd: number, byteLength: number): void {
    const end = this.#pagesFor(byteLength)
    if (end <= this.#laid) return
    const from = this.#laid
    const address = (this.base + from) as Address
    this.os.mapFile(address, end - from, fd, this.#fileStart + from, this.#sharing, this.#protection)
    this.#laid = end
  }

  /** Puts empty pages over those that a shorter mapping does not touch. */
  cover(byteLength: number): void {
    const end = this.#pagesFor(byteLength)
    if (end >= this.#laid) return
    this.os.replace((this.base + end) as Address, this.#laid - end)
    this.#laid = end
  }

  /** Gives the addresses back. Only before any buffer is made over them. */
  release(): void {
    this.os.release(this.base, this.mappingBytes)
  }

  #pagesFor(byteLength: number): number {
    return byteLength === 0 ? 0 : alignUp(this.lead + byteLength, this.os.pageSize)
  }
}
