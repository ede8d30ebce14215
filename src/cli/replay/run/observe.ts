/**
 * A replay that is looked at: the same events again, with the books kept for every block, and a sample and a picture of the arena every so
 * many events. It is slow and is not timed. What it counts depends on the trace and the policy alone, except `residentBytes` and the pictures'
 * free cells, which are the kernel's.
 *
 *     internal fragmentation = 1 - live / used        used = what the blocks really have, live = what was asked for
 *     external fragmentation = 1 - used / held        held = what the policy holds of the arena, tables in it included
 * @module
 */
import type { Arena } from '../../../arena/arena.ts'
import { CALLOC, FREE, MALLOC, REALLOC, type Trace } from '../../../trace/trace.ts'
import type { PackedMap } from '../../page/page-data.ts'
import type { Policy } from '../policy.ts'
import { boundsOf, CLASSES, classOf } from '../size-classes.ts'
import { HeapMap } from './heap-map.ts'
import { ArenaToucher, PassError } from './passes.ts'
import { PolicyAllocator } from './policy-allocator.ts'

/** The state after so many events. */
export interface Sample {
  readonly event: number
  /** Bytes that were asked for, of the blocks that live. */
  readonly liveBytes: number
  readonly liveCount: number
  readonly usedBytes: number
  readonly heldBytes: number
  readonly residentBytes: number
}

/** How much more than was asked for the blocks of a class of sizes had. */
export interface ClassUse {
  readonly least: number
  readonly most: number
  readonly blocks: number
  readonly requestedBytes: number
  readonly usableBytes: number
}

export interface Observation {
  readonly samples: readonly Sample[]
  readonly peakHeldBytes: number
  readonly classes: readonly ClassUse[]
  readonly map: PackedMap
}

export function observe(trace: Trace, policy: Policy, arena: Arena, frames: number): Observation {
  const observer = new Observer(trace, policy, arena)
  const { events } = trace.summary
  for (let frame = 1; frame <= frames; frame++) {
    const to = Math.ceil((events * frame) / frames)
    observer.run(to)
    observer.look()
  }
  return observer.result()
}

class Observer {
  readonly #trace: Trace
  readonly #policy: Policy
  readonly #arena: Arena
  readonly #allocator: PolicyAllocator
  readonly #toucher: ArenaToucher
  readonly #map: HeapMap
  /** Of each slot's block; an offset of 0 stands for none. */
  readonly #offsets: Float64Array
  readonly #sizes: Int32Array
  readonly #usable: Float64Array
  readonly #madeAt: Int32Array
  readonly #blocks = new Float64Array(CLASSES)
  readonly #requested = new Float64Array(CLASSES)
  readonly #given = new Float64Array(CLASSES)
  readonly #samples: Sample[] = []
  #event = 0
  /** The largest end offset of any block so far, live or freed. */
  #highest = 0
  #liveBytes = 0
  #liveCount = 0
  #usedBytes = 0

  constructor(trace: Trace, policy: Policy, arena: Arena) {
    const { slots } = trace.summary
    this.#trace = trace
    this.#policy = policy
    this.#arena = arena
    this.#allocator = new PolicyAllocator(policy, arena)
    this.#toucher = new ArenaToucher(arena)
    this.#map = new HeapMap(arena.pageSize)
    this.#offsets = new Float64Array(slots)
    this.#sizes = new Int32Array(slots)
    this.#usable = new Float64Array(slots)
    this.#madeAt = new Int32Array(slots)
  }

  run(to: number): void {
    try {
      for (; this.#event < to; this.#event++) this.#step(this.#event)
    } catch (cause) {
      throw new PassError(this.#event, cause)
    }
  }

  #step(event: number): void {
    const { meta, slot, size } = this.#trace
    const op = meta[event]! & 255
    const at = slot[event]!
    const bytes = size[event]!
    if (op !== MALLOC && op !== CALLOC) this.#forget(op, at)
    if (op === FREE) return
    const before = op === REALLOC ? this.#sizes[at]! : 0
    const offset = this.#call(op, at, bytes, 1 << ((meta[event]! >>> 8) & 255))
    this.#toucher.ends(offset, bytes)
    this.#toucher.pages(offset, before, bytes)
    this.#remember(op, at, offset, bytes)
  }

  #call(op: number, at: number, bytes: number, alignment: number): number {
    if (op === MALLOC) return this.#allocator.malloc(bytes)
    if (op === CALLOC) return this.#allocator.calloc(bytes)
    if (op === REALLOC) return this.#allocator.realloc(this.#offsets[at]!, bytes)
    return this.#allocator.memalign(alignment, bytes)
  }

  /** Takes a block out of the books that is freed or resized. */
  #forget(op: number, at: number): void {
    if (this.#offsets[at] === 0) return
    if (op === FREE) {
      this.#allocator.free(this.#offsets[at]!)
      this.#offsets[at] = 0
    }
    this.#liveBytes -= this.#sizes[at]!
    this.#usedBytes -= this.#usable[at]!
    this.#liveCount--
  }

  #remember(op: number, at: number, offset: number, bytes: number): void {
    const usable = this.#allocator.usableSize(offset)
    this.#highest = Math.max(this.#highest, offset + bytes)
    this.#offsets[at] = offset
    this.#sizes[at] = bytes
    this.#usable[at] = usable
    this.#liveBytes += bytes
    this.#usedBytes += usable
    this.#liveCount++
    if (op !== REALLOC) this.#madeAt[at] = this.#event
    const kind = classOf(bytes)
    this.#blocks[kind]!++
    this.#requested[kind]! += bytes
    this.#given[kind]! += usable
  }

  /** A sample and a picture. */
  look(): void {
    const offsets = this.#offsets
    this.#map.reach(this.#highest)
    for (let at = 0; at < offsets.length; at++)
      if (offsets[at] !== 0) this.#map.block(offsets[at]!, this.#sizes[at]!, this.#madeAt[at]!)
    const arena = this.#arena
    const policy = this.#policy
    this.#map.end(
      (offset, byteLength) => arena.resident(offset, Math.min(byteLength, arena.byteLength - offset)) > 0,
      (offset) => policy.pageState?.(offset / arena.pageSize)
    )
    const extent = Math.min(arena.byteLength, this.#map.cells * this.#map.cellBytes)
    const residentBytes = extent === 0 ? 0 : arena.resident(0, extent)
    this.#samples.push({
      event: this.#event,
      liveBytes: this.#liveBytes,
      liveCount: this.#liveCount,
      usedBytes: this.#usedBytes,
      heldBytes: policy.heldBytes?.() ?? residentBytes,
      residentBytes,
    })
  }

  result(): Observation {
    const classes = [...this.#blocks.keys()].flatMap((kind) => {
      const [least, most] = boundsOf(kind)
      const [blocks, requestedBytes, usableBytes] = [this.#blocks[kind]!, this.#requested[kind]!, this.#given[kind]!]
      return blocks === 0 ? [] : [{ least, most, blocks, requestedBytes, usableBytes }]
    })
    const seen = Math.max(0, ...this.#samples.map(({ heldBytes }) => heldBytes))
    return {
      samples: this.#samples,
      peakHeldBytes: this.#policy.peakHeldBytes?.() ?? seen,
      classes,
      map: this.#map.pack(),
    }
  }
}
