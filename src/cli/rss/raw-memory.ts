/**
 * A private anonymous mapping without an arena around it: what the kernel does, call by call.
 *
 * Pages are made resident by the kernel (`fill`), not through a view: so `unmap` can leave no view behind that would fault. `bytes` gives a
 * view, and `unmap` refuses from then on.
 * @module
 */
import { type LaboratoryOs, laboratoryOs } from '../../ffi/laboratory.ts'
import type { Address } from '../../units.ts'

export class RawMemory {
  readonly byteLength: number
  readonly #os: LaboratoryOs = laboratoryOs()
  readonly #address: Address
  #mapped = true
  #viewed = false

  constructor(byteLength: number) {
    this.byteLength = Math.ceil(byteLength / this.#os.pageSize) * this.#os.pageSize
    this.#address = this.#os.reserve(this.byteLength, this.#os.pageSize)
    this.#os.adviseHugePages(this.#address, this.byteLength, 'never')
  }

  /** Every page as if written. */
  fill(): void {
    this.#os.populate(this.#address, this.byteLength)
  }

  /** `MADV_DONTNEED`. */
  dontNeed(): void {
    this.#os.purge(this.#address, this.byteLength)
  }

  /** `MADV_FREE`. */
  free(): void {
    this.#os.purgeLazily(this.#address, this.byteLength)
  }

  /** `munmap`. */
  unmap(): void {
    if (this.#viewed) throw new Error('memory that has a view stays mapped: the view would fault')
    this.#mapped = false
    this.#os.release(this.#address, this.byteLength)
  }

  bytes(): Uint8Array {
    this.#viewed = true
    return new Uint8Array(this.#os.view(this.#address, this.byteLength))
  }

  /** Bytes in memory, as `mincore` says. */
  resident(): number {
    if (!this.#mapped) return 0
    const vector = new Uint8Array(this.byteLength / this.#os.pageSize)
    this.#os.residency(this.#address, this.byteLength, vector)
    return vector.reduce((sum, page) => sum + (page & 1), 0) * this.#os.pageSize
  }
}
