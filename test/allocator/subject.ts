/**
 * What the conformance suite knows of the allocator it tests, and the small things its parts share.
 * @module
 */
import * as assert from 'uvu/assert'
import type { Allocator, AllocatorOptions, AllocatorStats, FreeingAllocator } from '../../src/allocator/contract.ts'
import { Arena } from '../../src/arena/arena.ts'
import { GiB, MiB } from '../../src/units.ts'
import { FakeOs } from '../helpers/fake-os.ts'

/** What a kind of allocator can do. */
export interface Abilities {
  /** Whether it is a FreeingAllocator. */
  readonly frees: boolean
  /** The longest request it takes; longer ones are ERR_OUT_OF_RANGE. @defaultValue any */
  readonly mostBytes?: number
  /** The largest alignment it gives. @defaultValue 1 GiB */
  readonly mostAlignment?: number
}

export type Factory = (arena: Arena, options?: AllocatorOptions) => Allocator

/** One kind of allocator under test. */
export class Subject {
  readonly name: string
  readonly abilities: Abilities
  readonly #factory: Factory

  constructor(name: string, factory: Factory, abilities: Abilities) {
    this.name = name
    this.abilities = abilities
    this.#factory = factory
  }

  /** Runs `body` with a new allocator on a new arena, which is closed afterwards. */
  run(
    body: (allocator: FreeingAllocator, arena: Arena) => void,
    byteLength: number = MiB,
    options?: AllocatorOptions,
    pageSize = 0
  ): void {
    const arena = Arena.reserve(byteLength, pageSize === 0 ? {} : { os: new FakeOs({ pageSize }) })
    try {
      body(this.on(arena, options), arena)
    } finally {
      arena.close()
    }
  }

  /** A new allocator. Kinds that do not free lack those methods; only tests of freeing kinds call them. */
  on(arena: Arena, options?: AllocatorOptions): FreeingAllocator {
    return this.#factory(arena, options) as FreeingAllocator
  }

  /** The nearest length that the kind takes. */
  fit(byteLength: number): number {
    return Math.min(byteLength, this.abilities.mostBytes ?? Number.POSITIVE_INFINITY)
  }

  get mostAlignment(): number {
    return this.abilities.mostAlignment ?? GiB
  }
}

/** What no call takes for a length: by code. */
export const badLengths: readonly [unknown, string][] = [
  [-1, 'ERR_OUT_OF_RANGE'],
  [1.5, 'ERR_OUT_OF_RANGE'],
  [Number.NaN, 'ERR_OUT_OF_RANGE'],
  [Number.POSITIVE_INFINITY, 'ERR_OUT_OF_RANGE'],
  [Number.NEGATIVE_INFINITY, 'ERR_OUT_OF_RANGE'],
  [2 ** 53, 'ERR_OUT_OF_RANGE'],
  [2 ** 53 + 2, 'ERR_OUT_OF_RANGE'],
  [1e300, 'ERR_OUT_OF_RANGE'],
  [-(2 ** 31), 'ERR_OUT_OF_RANGE'],
  ['8', 'ERR_INVALID_ARG_TYPE'],
  [8n, 'ERR_INVALID_ARG_TYPE'],
  [undefined, 'ERR_INVALID_ARG_TYPE'],
  [null, 'ERR_INVALID_ARG_TYPE'],
  [{}, 'ERR_INVALID_ARG_TYPE'],
  [[8], 'ERR_INVALID_ARG_TYPE'],
  [true, 'ERR_INVALID_ARG_TYPE'],
  [Symbol('8'), 'ERR_INVALID_ARG_TYPE'],
  [() => 8, 'ERR_INVALID_ARG_TYPE'],
]

/** Runs what must fail, and asserts that it changed nothing. */
export function changesNothing(allocator: Allocator, run: () => void): void {
  const before = allocator.stats()
  run()
  allocator.check()
  assert.equal(withoutPeak(allocator.stats()), withoutPeak(before))
}

function withoutPeak(stats: AllocatorStats): object {
  return { ...stats, peakCommittedBytes: 0 }
}

/** The identity that stats promise. */
export function balance(allocator: Allocator): void {
  const stats = allocator.stats()
  const { committedBytes, usedBytes, freeSlotBytes, freeDirtyBytes, metadataBytes } = stats
  assert.is(committedBytes, usedBytes + freeSlotBytes + freeDirtyBytes + metadataBytes, JSON.stringify(stats))
  for (const [name, value] of Object.entries(stats))
    assert.ok(Number.isSafeInteger(value) && value >= 0, `${name}: ${value}`)
  assert.ok(stats.peakCommittedBytes >= committedBytes)
}

/** Allocates blocks of a length until there is no room. */
export function fill(allocator: Allocator, byteLength: number): number[] {
  const offsets: number[] = []
  for (let offset = allocator.tryMalloc(byteLength); offset !== 0; offset = allocator.tryMalloc(byteLength))
    offsets.push(offset)
  return offsets
}

/** The bytes of a range. */
export function bytesAt(arena: Arena, offset: number, byteLength: number): Uint8Array {
  return arena.view(Uint8Array, offset, byteLength)
}

/** Whether a range reads zero. */
export function readsZero(arena: Arena, offset: number, byteLength: number): boolean {
  return bytesAt(arena, offset, byteLength).every((byte) => byte === 0)
}
