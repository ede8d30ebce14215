/**
 * An allocator made of a policy: adds the calls that a policy leaves out, and view calls. A policy is an experiment and may be wrong, so every
 * value that it returns is checked before it is used as an offset.
 *
 *     an offset is a multiple of 8 (of the alignment), above 0, and offset + byteLength <= arena.byteLength
 *
 * Costs a few comparisons a call. For a policy without `usableSize` it keeps what was asked for in a Map, which costs some 50 ns more; not in
 * timed passes, where only a `realloc` that is made here wants to know it.
 * @module
 */
import type { Arena } from '../../../arena/arena.ts'
import { show } from '../../../errors.ts'
import type { VerifiedTarget } from '../../../trace/verified-replay.ts'
import type { TypedArray, TypedArrayConstructor } from '../../../views.ts'
import type { Policy } from '../policy.ts'
import type { Target } from './passes.ts'

/** The policy said that there is no room. */
export class PolicyFullError extends Error {
  override readonly name: string = 'PolicyFullError'
}

/** The policy broke its contract. */
export class PolicyError extends Error {
  override readonly name: string = 'PolicyError'
}

const LEAST_ALIGNMENT = 8

export class PolicyAllocator implements Target, VerifiedTarget {
  readonly #policy: Policy
  readonly #arena: Arena
  /** Of blocks that were aligned here: where the policy's block begins. */
  readonly #aligned = new Map<number, number>()

  /** What was asked for, by the policy's offset. Undefined where the policy tells, or where it is not asked. */
  readonly #asked: Map<number, number> | undefined

  /** `timed`: `usableSize` is not called from outside. */
  constructor(policy: Policy, arena: Arena, { timed = false }: { timed?: boolean } = {}) {
    this.#policy = policy
    this.#arena = arena
    const wanted = policy.usableSize === undefined && !(timed && policy.realloc !== undefined)
    this.#asked = wanted ? new Map() : undefined
  }

  malloc(byteLength: number): number {
    const offset = this.#checked('malloc', this.#policy.malloc(byteLength), byteLength)
    this.#asked?.set(offset, byteLength)
    return offset
  }

  calloc(byteLength: number): number {
    if (this.#policy.calloc !== undefined) {
      const offset = this.#checked('calloc', this.#policy.calloc(byteLength), byteLength)
      this.#asked?.set(offset, byteLength)
      return offset
    }
    const offset = this.malloc(byteLength)
    this.#bytes(offset, byteLength).fill(0)
    return offset
  }

  memalign(alignment: number, byteLength: number): number {
    if (this.#policy.memalign !== undefined) {
      const offset = this.#checked('memalign', this.#policy.memalign(alignment, byteLength), byteLength, alignment)
      this.#asked?.set(offset, byteLength)
      return offset
    }
    if (alignment <= LEAST_ALIGNMENT) return this.malloc(byteLength)
    const outer = this.malloc(byteLength + alignment - LEAST_ALIGNMENT)
    const offset = Math.ceil(outer / alignment) * alignment
    if (offset !== outer) this.#aligned.set(offset, outer)
    return offset
  }

  realloc(offset: number, byteLength: number): number {
    if (this.#policy.realloc !== undefined && !this.#aligned.has(offset)) {
      const moved = this.#checked('realloc', this.#policy.realloc(offset, byteLength), byteLength)
      this.#asked?.delete(offset)
      this.#asked?.set(moved, byteLength)
      return moved
    }
    const kept = Math.min(byteLength, this.usableSize(offset))
    const moved = this.malloc(byteLength)
    this.#bytes(moved, kept).set(this.#bytes(offset, kept))
    this.free(offset)
    return moved
  }

  free(block: number | ArrayBufferView): void {
    const offset = typeof block === 'number' ? block : this.#arena.offsetOf(block)
    const outer = this.#aligned.size === 0 ? undefined : this.#aligned.get(offset)
    if (outer !== undefined) this.#aligned.delete(offset)
    this.#asked?.delete(outer ?? offset)
    this.#policy.free(outer ?? offset)
  }

  usableSize(offset: number): number {
    const outer = this.#aligned.size === 0 ? offset : (this.#aligned.get(offset) ?? offset)
    const size = this.#asked === undefined ? this.#policy.usableSize!(outer) : this.#asked.get(outer)
    if (size === undefined && this.#asked !== undefined)
      throw new PolicyError(`the block at ${outer} was given out twice, and one of the two was freed`)
    if (typeof size !== 'number' || !(size >= 0) || outer + size > this.#arena.byteLength)
      throw new PolicyError(`usableSize(${outer}) gave ${show(size)}, which is no length of a block there`)
    return size - (offset - outer)
  }

  alloc<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number): T {
    return this.#arena.view(type, this.calloc(length * type.BYTES_PER_ELEMENT), length)
  }

  allocUnsafe<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number): T {
    return this.#arena.view(type, this.malloc(length * type.BYTES_PER_ELEMENT), length)
  }

  #checked(call: string, offset: number, byteLength: number, alignment = LEAST_ALIGNMENT): number {
    if (
      typeof offset === 'number' &&
      offset > 0 &&
      offset % alignment === 0 &&
      offset + byteLength <= this.#arena.byteLength
    )
      return offset
    if (offset === 0) throw new PolicyFullError(`${call} of ${byteLength} bytes: there is no room`)
    throw new PolicyError(
      `${call} of ${byteLength} bytes gave ${show(offset)}, which is no multiple of ${alignment} in an arena of ${this.#arena.byteLength} bytes`
    )
  }

  #bytes(offset: number, byteLength: number): Uint8Array {
    return this.#arena.view(Uint8Array, offset, byteLength)
  }
}
