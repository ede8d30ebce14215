/**
 * What the public classes have in common: the calls that are the same for every allocator, each handed to the part that does it.
 *
 *     alloc, allocUnsafe                  base/views.ts       over calloc and malloc of the class itself
 *     malloc, calloc, memalign            base/requests.ts    over the class's hooks, unless the class has a faster way
 *     pin, use, closeWhenIdle             base/pins/pinning.ts
 *     stats                               base/figures.ts
 *     reset, close                        base/lifecycle.ts
 *
 * The parts are in private fields, and a class takes its own with `partsOf`, once, in the initialiser of a field: V8 takes a field that is
 * written by its initialiser alone for a constant. Cost: one call.
 * @module
 */
import type { Arena } from '../arena/arena.ts'
import { powerOfTwo } from '../arguments.ts'
import { InvalidArgumentTypeError, UnsupportedOperationError } from '../errors.ts'
import type { Facts } from '../inspection.ts'
import type {
  NodeBuffer,
  NodeBufferConstructor,
  TypedArray,
  TypedArrayConstructor,
  View,
  ViewConstructor,
} from '../views.ts'
import { BlockMemory } from './base/block-memory.ts'
import type { Kind, Layout } from './base/header.ts'
import type { Hooks } from './base/hooks.ts'
import { type Beginning, Holder, insideOfArena, Lifecycle } from './base/lifecycle.ts'
import { Requests } from './base/requests.ts'
import { Views, viewBytes } from './base/views.ts'
import type { Allocator, AllocatorStats, AllocOptions, StatsOptions } from './contract.ts'
import { type CheckedAllocatorOptions, checkAlignment, MOST_ALIGNMENT } from './options.ts'

/** The parts of an allocator. @internal */
export interface Parts<H extends Hooks = Hooks> {
  readonly life: Lifecycle
  readonly requests: Requests
  readonly memory: BlockMemory
  readonly views: Views
  readonly hooks: H
}

/** What an allocator is made over. @internal */
export interface Claimed extends Omit<Beginning, 'allocator' | 'hooks'> {
  readonly onFull: CheckedAllocatorOptions['onFull']
}

/** A range of an arena, claimed for a new allocator. @internal */
export function claimRange(
  arena: Arena,
  kind: Kind,
  { offset, byteLength, limit, onFull }: CheckedAllocatorOptions,
  layoutOf: (byteLength: number) => Layout
): Claimed {
  const holder = new Holder(kind)
  const metadataBytes = (length: number): number => layoutOf(length).byteLength
  const claim = insideOfArena(arena).claim({ holder, offset, byteLength, metadataBytes })
  return { arena, holder, claim, layout: layoutOf(claim.byteLength), limit: limit ?? Number.POSITIVE_INFINITY, onFull }
}

let parts: (facade: AllocatorFacade) => Parts

/** The parts of an allocator. For its class, once, and for tests. @internal */
export function partsOf<H extends Hooks = Hooks>(facade: AllocatorFacade): Parts<H> {
  return parts(facade) as Parts<H>
}

/** What is shown of an allocator. @internal */
export function factsOf(facade: AllocatorFacade): Facts {
  return parts(facade).life.figures.facts()
}

export abstract class AllocatorFacade implements Allocator {
  readonly #parts: Parts
  readonly #views: Views

  static {
    parts = (facade) => facade.#parts
  }

  /** `hooksOf`: what the class does in its own way. @internal */
  protected constructor(claimed: Claimed, hooksOf: (self: never) => Hooks) {
    if (!(claimed?.holder instanceof Holder))
      throw new UnsupportedOperationError('an allocator is made with new Heap, Slab, Buddy or Bump')
    const hooks = hooksOf(this as never)
    const life = new Lifecycle({ ...claimed, allocator: this, hooks })
    const memory = life.keep(new BlockMemory(life))
    this.#views = life.keep(new Views(life))
    this.#parts = {
      life,
      memory,
      views: this.#views,
      requests: life.keep(new Requests(life, claimed.onFull)),
      hooks,
    }
  }

  abstract tryMalloc(byteLength: number): number
  abstract check(): void

  malloc(byteLength: number): number {
    const offset = this.tryMalloc(byteLength)
    if (offset === 0) throw this.#parts.requests.outOfMemory(byteLength)
    return offset
  }

  calloc(byteLength: number): number {
    // biome-ignore lint/complexity/noArguments: a rest parameter would build an array in every call.
    if (arguments.length > 1) throw tooManyArguments(arguments)
    const { requests, hooks } = this.#parts
    return requests.must(hooks.tryCalloc(byteLength), byteLength, 8, true)
  }

  memalign(alignment: number, byteLength: number): number {
    powerOfTwo('alignment', alignment, MOST_ALIGNMENT)
    return this.#parts.requests.aligned(alignment, byteLength, false)
  }

  alloc<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number, options?: AllocOptions): T
  alloc(type: DataViewConstructor, length: number, options?: AllocOptions): DataView
  alloc(type: NodeBufferConstructor, length: number, options?: AllocOptions): NodeBuffer
  alloc(type: ViewConstructor, length: number): View {
    const byteLength = viewBytes(type, length)
    // biome-ignore lint/complexity/noArguments: a third parameter makes the call with two 2 to 3 ns slower.
    const offset = arguments.length > 2 ? this.#on(arguments[2], byteLength, true) : this.calloc(byteLength)
    return this.#views.over(type, offset, length, byteLength)
  }

  allocUnsafe<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number, options?: AllocOptions): T
  allocUnsafe(type: DataViewConstructor, length: number, options?: AllocOptions): DataView
  allocUnsafe(type: NodeBufferConstructor, length: number, options?: AllocOptions): NodeBuffer
  allocUnsafe(type: ViewConstructor, length: number): View {
    const byteLength = viewBytes(type, length)
    // biome-ignore lint/complexity/noArguments: as above.
    const offset = arguments.length > 2 ? this.#on(arguments[2], byteLength, false) : this.malloc(byteLength)
    return this.#views.over(type, offset, length, byteLength)
  }

  /** A block on the alignment that the options ask for. */
  #on(options: AllocOptions | undefined, byteLength: number, zero: boolean): number {
    const alignment = checkAlignment(options)
    if (alignment <= 8) return zero ? this.calloc(byteLength) : this.malloc(byteLength)
    return zero ? this.#parts.requests.aligned(alignment, byteLength, true) : this.memalign(alignment, byteLength)
  }

  pin(block: number | ArrayBufferView): Disposable {
    return this.#parts.life.pinning.pin(block)
  }

  async use<V extends ArrayBufferView, R>(view: V, run: (view: V) => R | Promise<R>): Promise<R> {
    return this.#parts.life.pinning.use(view, run)
  }

  stats(options?: StatsOptions): AllocatorStats {
    return this.#parts.life.figures.stats(options)
  }

  reset(): void {
    this.#parts.life.reset()
  }

  close(): void {
    this.#parts.life.close()
  }

  closeWhenIdle(): Promise<void> {
    return this.#parts.life.pinning.closeWhenIdle(() => this.close())
  }

  [Symbol.dispose](): void {
    this.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.closeWhenIdle()
  }
}

function tooManyArguments(given: ArrayLike<unknown>): InvalidArgumentTypeError {
  return new InvalidArgumentTypeError('arguments', 'byteLength alone: calloc takes no count', given[1])
}
