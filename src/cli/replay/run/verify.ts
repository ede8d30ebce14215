/**
 * A policy under suspicion: every block that it gives is compared with all that live, filled, and verified when it is resized or freed
 * (trace/verified-replay.ts). What overlaps is found when it is given out, and both blocks are named.
 *
 *     a bit for each 8 bytes of the arena, set while a block lies there; 16 KiB of bits for each MiB that is used
 *
 * Costs some microseconds an event.
 * @module
 */
import type { Arena } from '../../../arena/arena.ts'
import { ReplayError } from '../../../trace/error.ts'
import type { Trace } from '../../../trace/trace.ts'
import { VerifiedReplay, type VerifiedTarget } from '../../../trace/verified-replay.ts'
import type { TypedArray, TypedArrayConstructor } from '../../../views.ts'
import type { Policy } from '../policy.ts'
import { PassError } from './passes.ts'
import { PolicyAllocator, PolicyError } from './policy-allocator.ts'

/** Replays the trace; throws a `PassError` that names the event at which the policy failed. */
export function verify(trace: Trace, policy: Policy, arena: Arena): void {
  const replay = new VerifiedReplay(trace, new Suspect(new PolicyAllocator(policy, arena), arena), arena)
  try {
    replay.run()
    replay.drain()
    policy.check?.()
  } catch (cause) {
    // The event is named once.
    const message = cause instanceof ReplayError ? cause.message.replace(/^event \d+: /, '') : undefined
    throw new PassError(replay.position, message ?? cause)
  }
}

class Suspect implements VerifiedTarget {
  readonly #allocator: PolicyAllocator
  readonly #arena: Arena
  readonly #granules = new Granules()
  /** Length of each live block by its offset. */
  readonly #live = new Map<number, number>()

  constructor(allocator: PolicyAllocator, arena: Arena) {
    this.#allocator = allocator
    this.#arena = arena
  }

  alloc<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number): T {
    return this.#given(this.#allocator.alloc(type, length))
  }

  allocUnsafe<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number): T {
    return this.#given(this.#allocator.allocUnsafe(type, length))
  }

  memalign(alignment: number, byteLength: number): number {
    return this.#take(this.#allocator.memalign(alignment, byteLength), byteLength)
  }

  realloc(offset: number, byteLength: number): number {
    this.#leave(offset)
    return this.#take(this.#allocator.realloc(offset, byteLength), byteLength)
  }

  free(block: number | ArrayBufferView): void {
    const offset = typeof block === 'number' ? block : this.#arena.offsetOf(block)
    this.#leave(offset)
    this.#allocator.free(offset)
  }

  #given<T extends TypedArray>(view: T): T {
    this.#take(this.#arena.offsetOf(view), view.byteLength)
    return view
  }

  #take(offset: number, byteLength: number): number {
    const usable = this.#allocator.usableSize(offset)
    if (usable < byteLength)
      throw new PolicyError(
        `usableSize(${offset}) gave ${usable}, and the block was asked for with ${byteLength} bytes`
      )
    if (!this.#granules.take(offset, byteLength)) {
      const end = offset + Math.max(1, byteLength)
      const other = [...this.#live].find(([start, length]) => start < end && offset < start + Math.max(1, length))
      throw new PolicyError(
        `the block of ${byteLength} bytes at ${offset} overlaps the one of ${other?.[1]} bytes at ${other?.[0]}`
      )
    }
    this.#live.set(offset, byteLength)
    return offset
  }

  #leave(offset: number): void {
    this.#granules.leave(offset, this.#live.get(offset)!)
    this.#live.delete(offset)
  }
}

/** A set of granules of 8 bytes, by the bit. */
class Granules {
  /** Bits of 2^17 granules each, made when the first of them is taken. */
  readonly #parts: (Int32Array | undefined)[] = []

  /** Takes the granules of a range, unless one is taken: then none, and the answer is false. */
  take(offset: number, byteLength: number): boolean {
    if (!this.#each(offset, byteLength, (part, word, mask) => (part[word]! & mask) === 0)) return false
    return this.#each(offset, byteLength, (part, word, mask) => {
      part[word]! |= mask
      return true
    })
  }

  leave(offset: number, byteLength: number): void {
    this.#each(offset, byteLength, (part, word, mask) => {
      part[word]! &= ~mask
      return true
    })
  }

  #each(offset: number, byteLength: number, visit: (part: Int32Array, word: number, mask: number) => boolean): boolean {
    const end = Math.floor((offset + Math.max(1, byteLength) - 1) / 8) + 1
    for (let at = Math.floor(offset / 8); at < end; ) {
      const bit = at % 32
      const count = Math.min(32 - bit, end - at)
      const mask = count === 32 ? -1 : ((1 << count) - 1) << bit
      const part = (this.#parts[Math.floor(at / 2 ** 17)] ??= new Int32Array(2 ** 12))
      if (!visit(part, Math.floor(at / 32) % 2 ** 12, mask)) return false
      at += count
    }
    return true
  }
}
