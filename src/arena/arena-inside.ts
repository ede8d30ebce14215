/**
 * What the library's own code may do with one arena, over the arena's parts. Made once for each arena, when it is first asked for.
 *
 *     insideOf(arena) ── claims, windows, lifetime        the contract is in inside.ts
 * @module
 */
import { wholeNumber } from '../arguments.ts'
import type { Threads } from '../ffi/os-threads.ts'
import type { View, ViewConstructor } from '../views.ts'
import type { BufferRange } from './buffer-range.ts'
import type { AdoptRequest, Claim, ClaimRecord, ClaimRequest } from './claim.ts'
import type { Claims } from './claims/claims.ts'
import type { ArenaInside } from './inside.ts'
import type { Lifetime } from './mapping/lifetime.ts'
import type { Mapping } from './mapping/mapping.ts'
import type { OpenState } from './mapping/open-state.ts'
import type { Release } from './pin.ts'
import { type Windows, windowCount } from './views/windows.ts'

/** The parts of an arena that its inside is made of. */
export interface InsideParts {
  readonly mapping: Mapping
  readonly openState: OpenState
  readonly lifetime: Lifetime
  readonly windows: Windows
  readonly claims: Claims
  /** Bytes of data. */
  readonly byteLength: number
}

export class InsideOfArena implements ArenaInside {
  readonly threads: Threads
  readonly pageSize: number
  readonly windowBytes: number
  readonly #parts: InsideParts

  constructor(parts: InsideParts) {
    this.#parts = parts
    this.threads = parts.mapping.threads
    this.pageSize = parts.mapping.pageSize
    this.windowBytes = parts.windows.windowBytes
  }

  claim(request: ClaimRequest): Claim {
    return this.#open().claims.grant(request)
  }

  adopt(request: AdoptRequest): Claim | undefined {
    return this.#open().claims.adopt(request)
  }

  claims(): ClaimRecord[] {
    return this.#open().claims.records()
  }

  expose(offset: number, byteLength: number): void {
    this.#parts.claims.expose(offset, byteLength)
  }

  pinBlock(offset: number): Release | undefined {
    return this.#parts.claims.pinBlock(offset)
  }

  find(view: ArrayBufferView): number {
    return this.#parts.windows.offsetOf(view)
  }

  claimed(offset: number, byteLength: number): string | undefined {
    return this.#parts.claims.overlapping(offset, byteLength)?.describe()
  }

  locked<R>(run: () => R): R {
    return this.#open().claims.locked(run)
  }

  windowBuffer(index: number): ArrayBuffer {
    const { windows, byteLength } = this.#parts
    const found = windows.find(index)
    if (found !== undefined) return found
    this.#open()
    wholeNumber('index', index, 0, windowCount(byteLength, this.windowBytes) - 1)
    return windows.make(index)
  }

  view(type: ViewConstructor, offset: number, length: number, byteLength: number): View {
    return this.#open().windows.view(type, offset, length, byteLength)
  }

  privateRange(offset: number, byteLength: number): BufferRange {
    return this.#open().lifetime.range(offset, byteLength)
  }

  /** The parts of an arena that is open. */
  #open(): InsideParts {
    this.#parts.openState.requireOpen()
    return this.#parts
  }
}
