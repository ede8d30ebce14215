/**
 * A replay that believes nothing: every block becomes a typed-array view, is filled with a pattern of its own, and is verified
 * whenever it is resized or freed. A block that overlaps another, moves without its contents, or comes from `calloc` with
 * anything but zeros in it ends the replay with a `ReplayError` that names the event.
 *
 *      malloc   allocUnsafe(type, length)          -> write pattern
 *      calloc   alloc(type, length)                -> verify zero, write pattern
 *      memalign memalign(alignment, size) + view   -> verify alignment, write pattern
 *      realloc  verify -> realloc + view           -> verify what was kept, write the rest
 *      free     verify -> free(view)
 *
 * The view's type is drawn from the size: all eleven occur. Costs about 1 µs an event and twice the memory traffic of a program
 * that writes and reads its blocks once.
 * @module
 */
import type { FreeingAllocator } from '../allocator/contract.ts'
import type { TypedArray, TypedArrayConstructor } from '../views.ts'
import { ReplayError } from './error.ts'
import { findNonZero, findPatternBreak, writePattern } from './pattern.ts'
import { CALLOC, FREE, MALLOC, REALLOC, type Trace } from './trace.ts'

/** What a verified replay needs of an arena. */
export interface ViewSource {
  /**
   * As of an arena: a view over what is there.
   *
   * @param type - A typed-array constructor.
   * @param offset - In bytes.
   * @param length - Elements.
   * @returns The view.
   * @throws When it does not lie in the arena.
   * @example
   * ```js
   * arena.view(Uint8Array, heap.malloc(100), 100).length // -> 100
   * ```
   */
  view<T extends TypedArray>(type: TypedArrayConstructor<T>, offset: number, length: number): T
  /**
   * As of an arena: where a view starts.
   *
   * @param view - A view of the arena.
   * @returns Bytes from the arena's start.
   * @throws When it is a view of anything else.
   * @example
   * ```js
   * arena.offsetOf(heap.alloc(Uint8Array, 100)) > 0 // -> true
   * ```
   */
  offsetOf(view: ArrayBufferView): number
}

/** The calls of an allocator that a verified replay makes: of the views, only typed arrays. */
export interface VerifiedTarget extends Pick<FreeingAllocator, 'memalign' | 'realloc' | 'free'> {
  /**
   * As of an allocator: a zeroed view.
   *
   * @param type - A typed-array constructor.
   * @param length - Elements.
   * @returns The view.
   * @throws When it is full.
   * @example
   * ```js
   * heap.alloc(Uint8Array, 100).length // -> 100
   * ```
   */
  alloc<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number): T
  /**
   * As of an allocator: a view with any contents.
   *
   * @param type - A typed-array constructor.
   * @param length - Elements.
   * @returns The view.
   * @throws When it is full.
   * @example
   * ```js
   * heap.allocUnsafe(Uint8Array, 100).length // -> 100
   * ```
   */
  allocUnsafe<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number): T
}

/** Every type, by the largest element that divides a size: several each, taken in turn. */
const types: Record<number, readonly TypedArrayConstructor[]> = {
  1: [Uint8Array, Int8Array, Uint8ClampedArray],
  2: [Uint16Array, Int16Array],
  4: [Uint32Array, Int32Array, Float32Array],
  8: [Float64Array, BigInt64Array, BigUint64Array],
}

/** A replay that writes a pattern into each block and verifies it later, and each view's place, length and type. */
export class VerifiedReplay {
  /** What is replayed. */
  readonly trace: Trace
  readonly #allocator: VerifiedTarget
  readonly #arena: ViewSource
  readonly #views: (TypedArray | undefined)[]
  /** The event that made the block in each slot: the key of its pattern. */
  readonly #keys: Int32Array
  readonly #counts: Record<string, number> = {}
  #position = 0
  #liveBytes = 0
  #verifiedBytes = 0

  /**
   * Prepares a replay; nothing is asked of the allocator yet.
   *
   * @param trace - What to replay.
   * @param allocator - The allocator under test.
   * @param arena - Its arena.
   * @throws Nothing.
   * @example
   * ```js
   * const builder = new TraceBuilder()
   * builder.malloc(100)
   * new VerifiedReplay(builder.build(), heap, arena).run()
   * ```
   */
  constructor(trace: Trace, allocator: VerifiedTarget, arena: ViewSource) {
    this.trace = trace
    this.#allocator = allocator
    this.#arena = arena
    this.#views = new Array(trace.summary.slots).fill(undefined)
    this.#keys = new Int32Array(trace.summary.slots)
  }

  /** Events replayed so far. */
  get position(): number {
    return this.#position
  }

  /** Whether all events have been replayed. */
  get done(): boolean {
    return this.#position === this.trace.meta.length
  }

  /** Requested bytes of the blocks that live now. */
  get liveBytes(): number {
    return this.#liveBytes
  }

  /** Bytes compared so far. */
  get verifiedBytes(): number {
    return this.#verifiedBytes
  }

  /** How many views of each type were handed out. */
  get viewCounts(): Readonly<Record<string, number>> {
    return this.#counts
  }

  /**
   * Replays up to `events` more events.
   *
   * @param events - The most events.
   * @throws `ReplayError` at the first block that is not as it must be; what the allocator throws.
   * @example
   * ```js
   * const builder = new TraceBuilder()
   * builder.free(builder.malloc(100))
   * const replay = new VerifiedReplay(builder.build(), heap, arena)
   * replay.run()
   * replay.verifiedBytes // -> 100
   * ```
   */
  run(events: number = Infinity): void {
    const to = Math.min(this.trace.meta.length, this.#position + events)
    for (; this.#position < to; this.#position++) this.#event(this.#position)
  }

  /**
   * Verifies and frees blocks that still live, up to `limit`; returns how many.
   *
   * @param limit - The most blocks.
   * @returns How many blocks were freed.
   * @throws `ReplayError`; what the allocator throws.
   * @example
   * ```js
   * const builder = new TraceBuilder()
   * builder.malloc(100)
   * const replay = new VerifiedReplay(builder.build(), heap, arena)
   * replay.run()
   * replay.drain() // -> 1
   * ```
   */
  drain(limit: number = Infinity): number {
    let count = 0
    for (let slot = 0; slot < this.#views.length && count < limit; slot++) {
      if (this.#views[slot] === undefined) continue
      this.#free(this.#position, slot)
      count++
    }
    return count
  }

  #event(event: number): void {
    const { meta, slot, size } = this.trace
    const op = meta[event]! & 255
    const at = slot[event]!
    if (op === FREE) this.#free(event, at)
    else if (op === REALLOC) this.#realloc(event, at, size[event]!)
    else this.#make(event, op, at, size[event]!)
  }

  #make(event: number, op: number, slot: number, byteLength: number): void {
    const type = typeFor(event, byteLength)
    const length = byteLength / type.BYTES_PER_ELEMENT
    let view: TypedArray
    if (op === MALLOC) view = this.#allocator.allocUnsafe(type, length)
    else if (op === CALLOC) view = this.#allocator.alloc(type, length)
    else view = this.#aligned(event, type, length)
    if (view.byteLength !== byteLength || view.constructor !== type)
      throw new ReplayError(event, `wanted ${length} × ${type.name}, got ${view.length} × ${view.constructor.name}`)
    const bytes = bytesOf(view)
    if (op === CALLOC) {
      this.#verifiedBytes += byteLength
      const at = findNonZero(bytes)
      if (at >= 0) throw new ReplayError(event, `byte ${at} of ${byteLength} from calloc is ${bytes[at]}, not 0`)
    }
    writePattern(bytes, event)
    this.#views[slot] = view
    this.#keys[slot] = event
    this.#counts[type.name] = (this.#counts[type.name] ?? 0) + 1
    this.#liveBytes += byteLength
  }

  #aligned(event: number, type: TypedArrayConstructor, length: number): TypedArray {
    const alignment = 2 ** ((this.trace.meta[event]! >>> 8) & 255)
    const offset = this.#allocator.memalign(alignment, length * type.BYTES_PER_ELEMENT)
    if (offset % alignment !== 0) throw new ReplayError(event, `offset ${offset} is not a multiple of ${alignment}`)
    return this.#arena.view(type, offset, length)
  }

  #realloc(event: number, slot: number, byteLength: number): void {
    const before = this.#views[slot]!
    const kept = Math.min(before.byteLength, byteLength)
    this.#verify(event, slot, bytesOf(before), before.byteLength)
    const type = typeFor(event, byteLength)
    const offset = this.#allocator.realloc(this.#arena.offsetOf(before), byteLength)
    const view = this.#arena.view(type, offset, byteLength / type.BYTES_PER_ELEMENT)
    this.#verify(event, slot, bytesOf(view), kept)
    writePattern(bytesOf(view), this.#keys[slot]!, kept)
    this.#views[slot] = view
    this.#liveBytes += byteLength - before.byteLength
  }

  #free(event: number, slot: number): void {
    const view = this.#views[slot]!
    this.#verify(event, slot, bytesOf(view), view.byteLength)
    this.#liveBytes -= view.byteLength
    this.#views[slot] = undefined
    this.#allocator.free(view)
  }

  #verify(event: number, slot: number, bytes: Uint8Array, length: number): void {
    this.#verifiedBytes += length
    const at = findPatternBreak(bytes, this.#keys[slot]!, length)
    if (at >= 0)
      throw new ReplayError(event, `byte ${at} of ${length} of the block made by event ${this.#keys[slot]} has changed`)
  }
}

/** A type whose elements divide the size. */
function typeFor(event: number, byteLength: number): TypedArrayConstructor {
  const width = byteLength === 0 ? 8 : Math.min(8, byteLength & -byteLength)
  const choices = types[width]!
  return choices[event % choices.length]!
}

function bytesOf(view: TypedArray): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}
