/**
 * What is behind the pages of a mapping, as far as `Ground` must know: how pages are given back so that they read zero, and how
 * they are made resident. One implementation for each kind of memory: the anonymous one is here, shared
 * memory has its own in sharing/file-backing.ts.
 *
 * All ranges are whole pages of one mapping. A call that throws has changed nothing, unless it says otherwise.
 * @module
 */
import type { Os } from '../ffi/os.ts'
import type { Address } from '../units.ts'

export interface Backing {
  /** Gives the pages of a range back as far as that can be done; the range reads zero afterwards. */
  purge(address: Address, byteLength: number): void
  /** Makes every page of a range resident and changes no content. What fails may leave part of the range resident. */
  populate(address: Address, byteLength: number): void
}

/** Private memory with nothing behind it. */
export class AnonymousBacking implements Backing {
  readonly #os: Os

  constructor(os: Os) {
    this.#os = os
  }

  purge(address: Address, byteLength: number): void {
    this.#os.purge(address, byteLength)
  }

  populate(address: Address, byteLength: number): void {
    this.#os.populate(address, byteLength)
  }
}
