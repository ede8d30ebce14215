/**
 * Reading the memory of another process, where that is allowed, without stopping it: what is read may change meanwhile, so the
 * caller must verify it.
 * @module
 */
import { closeSync, openSync, readSync } from 'node:fs'

const PIECE = 4096

export class TargetMemory {
  readonly #fd: number
  readonly #piece = new DataView(new ArrayBuffer(PIECE))
  #at = -1

  /** Without permission every read is refused. */
  constructor(pid: number) {
    this.#fd = attempt(() => openSync(`/proc/${pid}/mem`, 'r')) ?? -1
  }

  /** So many bytes, or undefined when they cannot be had. */
  read(address: number, byteLength: number): DataView | undefined {
    if (this.#fd < 0 || !Number.isSafeInteger(address) || address < 0) return undefined
    const bytes = new Uint8Array(byteLength)
    const length = attempt(() => readSync(this.#fd, bytes, 0, byteLength, address))
    return length === byteLength ? new DataView(bytes.buffer) : undefined
  }

  /**
   * The 64-bit number at an address on a multiple of 8, rounded above 2^53. The 4 KiB around it are kept for the next call: a walk over a
   * heap reads each of its pages once, without an object of its own.
   */
  word(address: number): number | undefined {
    const start = address - (address % PIECE)
    if (start !== this.#at && !this.#fetch(start)) return undefined
    const at = address - start
    return this.#piece.getUint32(at, true) + this.#piece.getUint32(at + 4, true) * 2 ** 32
  }

  #fetch(start: number): boolean {
    this.#at = -1
    if (this.#fd < 0 || !Number.isSafeInteger(start) || start < 0) return false
    if (attempt(() => readSync(this.#fd, this.#piece, 0, PIECE, start)) !== PIECE) return false
    this.#at = start
    return true
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd)
  }
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch {
    return undefined
  }
}
