/**
 * Reading a mapped file that another process may make shorter. A plain access past its end is SIGBUS, which no JavaScript can catch;
 * the calls here ask the kernel instead, which answers with an error.
 *
 *     file         |=================|······ gone ······|
 *     pages        |        |        |        |         |
 *     access         ok       ok  0s   SIGBUS   SIGBUS       (what is left of the last page reads zero)
 *     check, read    ok       ok  ── ERR_TRUNCATED ──
 *
 * The length is compared to the byte where there is a way back to the file (file-link.ts), to the page where there is none.
 * `check` takes some 3 us, and more for pages that are not resident, `read` some 5 us for up to a page. Between a `check` and the access it is for,
 * the file can be shortened: that gap no program can close. `read` has none.
 * @module
 */
import { bytes, TruncatedError } from '../../errors.ts'
import { EFAULT, isErrno, systemError } from '../../ffi/errno.ts'
import { MiB } from '../../units.ts'
import type { FileLink } from './file-link.ts'
import type { FileMapping } from './file-mapping.ts'

export class Truncation {
  readonly #title: string
  readonly #fileMapping: FileMapping
  readonly #link: FileLink
  readonly #offset: number

  /** `offset`: of the mapping's first byte in the file. */
  constructor(title: string, fileMapping: FileMapping, link: FileLink, offset: number) {
    this.#title = title
    this.#fileMapping = fileMapping
    this.#link = link
    this.#offset = offset
  }

  /** Throws unless the file has all bytes of a range, and they can be had. Makes them resident. */
  check(offset: number, byteLength: number): void {
    if (byteLength === 0) return
    this.requireLength(offset, byteLength)
    const [address, length] = this.#fileMapping.pages(offset, byteLength)
    this.faulting(offset, byteLength, () => this.#fileMapping.os.populateRead(address, length))
  }

  /** Copies a range into the target. When it throws, part of the target may have been written. */
  read(offset: number, byteLength: number, target: Uint8Array): void {
    if (byteLength === 0) return
    const { os } = this.#fileMapping
    const address = this.#fileMapping.address(offset)
    this.faulting(offset, byteLength, () => {
      const copied = os.copyOut(address, byteLength, target)
      // After the copy: what was cut before it reads zero up to the end of its page.
      this.requireLength(offset, byteLength)
      if (copied < byteLength) throw systemError('process_vm_readv', EFAULT, { length: byteLength })
    })
  }

  /** Throws when the file's length is known and too short for a range. */
  requireLength(offset: number, byteLength: number): void {
    const fileEnd = this.#link.byteLength()
    if (fileEnd !== undefined && fileEnd < this.#offset + offset + byteLength)
      throw this.#truncated(offset, byteLength, `has ${bytes(fileEnd)} now`)
  }

  /**
   * Runs a call that faults pages in. EFAULT means that the file did not have them. When it is long enough by now, either another process
   * has made it longer again, or the disk cannot be read: reading says which.
   */
  faulting(offset: number, byteLength: number, run: () => void): void {
    try {
      run()
    } catch (error) {
      if (!isErrno(error, EFAULT)) throw error
      this.requireLength(offset, byteLength)
      if (this.#link.byteLength() === undefined)
        throw this.#truncated(offset, byteLength, 'does not have all its pages any more')
      this.#readFailing(offset, byteLength)
      throw this.#truncated(offset, byteLength, 'was shorter for a moment')
    }
  }

  /** Reads the first byte of the range that cannot be had in memory from the file itself: throws EIO when the disk has failed. */
  #readFailing(offset: number, byteLength: number): void {
    const { os } = this.#fileMapping
    const part = new Uint8Array(Math.min(MiB, byteLength))
    let done = 0
    while (done < byteLength) {
      const length = Math.min(part.length, byteLength - done)
      const copied = os.copyOut(this.#fileMapping.address(offset + done), length, part)
      done += copied
      if (copied < length) break
    }
    if (done < byteLength)
      this.#link.use('read', (fd) => os.files.read(fd, part.subarray(0, 1), this.#offset + offset + done))
  }

  #truncated(offset: number, byteLength: number, what: string): TruncatedError {
    const first = this.#offset + offset
    return new TruncatedError(`${this.#title} ${what}; wanted are bytes ${first} to ${first + byteLength}`)
  }
}
