/**
 * Reverting a range of a privately mapped file to what the file has, to the byte. The kernel does it by pages; of a page that the
 * range has only a part of, the other part is kept and put back.
 *
 *     page     |         |         |         |
 *     range         [ ff | ffffffff ffffff ]        f: the file again
 *     kept      kkkk |                     | kkk
 *
 * @module
 */
import type { Os } from '../../ffi/os.ts'
import type { Address } from '../../units.ts'
import type { FileMapping } from './file-mapping.ts'

/** Makes a range show the file. What fails before the pages are dropped changes nothing. */
export function discardChanges(fileMapping: FileMapping, offset: number, byteLength: number): void {
  const { os } = fileMapping
  const [start, length] = fileMapping.pages(offset, byteLength)
  const from = fileMapping.address(offset)
  const to = (from + byteLength) as Address
  const kept = [new Kept(os, start, from - start), new Kept(os, to, start + length - to)]
  os.advise(start, length, 'dontneed')
  for (const part of kept) part.restore()
}

/** Bytes of one page that have to stay as they are. */
class Kept {
  readonly #os: Os
  readonly #address: Address
  readonly #bytes: Uint8Array

  constructor(os: Os, address: Address, byteLength: number) {
    this.#os = os
    this.#address = address
    this.#bytes = new Uint8Array(byteLength)
    if (byteLength > 0) os.copyOut(address, byteLength, this.#bytes)
  }

  /** Writes the bytes back where they differ from the file's; a page that was never changed stays the file's. */
  restore(): void {
    const { length } = this.#bytes
    if (length === 0) return
    const now = new Uint8Array(length)
    // A page that the file no longer has cannot be written to.
    if (this.#os.copyOut(this.#address, length, now) < length || Buffer.compare(now, this.#bytes) === 0) return
    new Uint8Array(this.#os.view(this.#address, length)).set(this.#bytes)
  }
}
