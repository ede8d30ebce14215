/**
 * An allocator that writes down what is asked of it: wrap one, run the program, keep the trace.
 *
 *     const recorder = new Recorder(heap, arena)
 *     program(recorder)
 *     writeTrace('program.mtrc.gz', recorder.trace())
 *
 * View calls are recorded as the raw calls they stand for, an aligned one as `memalign`, which is not said to be zeroed; `reset` as a free of
 * every block. A call that fails leaves no event. Blocks made before the recording are unknown: their free is left out, their realloc recorded
 * as a malloc. Sizes that the format cannot hold are refused before the block is made. One Map lookup a call: for recording, not for production.
 * @module
 */
import type { FreeingAllocator } from '../allocator/contract.ts'
import { ObservedAllocator, type Observer } from '../allocator/observed.ts'
import { TraceBuilder } from './builder.ts'
import { LARGEST, type Trace } from './trace.ts'

/** An allocator that records what is asked of it, and leaves the work to another. */
export class Recorder extends ObservedAllocator {
  readonly #builder: TraceBuilder

  /**
   * Wraps an allocator. Blocks that it has already are not known to the recorder.
   *
   * @param inner - The allocator that does the work.
   * @param arena - Its arena.
   * @throws Nothing.
   * @example
   * ```js
   * const recorder = new Recorder(heap, arena)
   * recorder.free(recorder.malloc(100))
   * recorder.trace().summary.events // -> 2
   * ```
   */
  constructor(inner: FreeingAllocator, arena: { offsetOf(view: ArrayBufferView): number }) {
    const builder = new TraceBuilder()
    super(inner, arena, recording(builder))
    this.#builder = builder
  }

  /**
   * What was recorded so far.
   *
   * @returns A trace of its own; recording goes on.
   * @throws Nothing.
   * @example
   * ```js
   * const recorder = new Recorder(heap, arena)
   * recorder.malloc(100)
   * recorder.trace().summary.peakLiveBytes // -> 100
   * ```
   */
  trace(): Trace {
    return this.#builder.build()
  }
}

/** Writes down what it is told. */
function recording(builder: TraceBuilder): Observer {
  /** Offset of each live block to its slot. */
  const slots = new Map<number, number>()
  return {
    mostBytes: LARGEST,
    allocated: (offset, byteLength, zero, alignment) => {
      const slot =
        alignment > 0
          ? builder.memalign(alignment, byteLength)
          : zero
            ? builder.calloc(byteLength)
            : builder.malloc(byteLength)
      slots.set(offset, slot)
    },
    resized: (from, to, byteLength) => {
      const slot = slots.get(from)
      if (slot === undefined) {
        slots.set(to, builder.malloc(byteLength))
        return
      }
      builder.realloc(slot, byteLength)
      slots.delete(from)
      slots.set(to, slot)
    },
    freed: (offset) => {
      const slot = slots.get(offset)
      if (slot === undefined) return
      slots.delete(offset)
      builder.free(slot)
    },
    emptied: () => {
      for (const slot of slots.values()) builder.free(slot)
      slots.clear()
    },
  }
}
