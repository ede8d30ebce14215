/**
 * What the preloaded module (preload.ts) writes, and the trace that comes of it. Events of three 32-bit words, one after the other:
 *
 *     | what | id | bytes |        what: MALLOC, CALLOC, FREE as in a trace, or END at the program's exit; an id is given once
 *
 * A file without END at its end is of a program that was killed; a last event that is not whole is left out.
 * @module
 */
import { TraceBuilder } from '../../trace/builder.ts'
import { CALLOC, FLAG_RECORDED, FLAG_TRUNCATED, FREE, LARGEST, MALLOC, type Trace } from '../../trace/trace.ts'

export const EVENT_BYTES = 12
export const END = 9
/**
 * A file of blanks that the tool makes. A program whose events could not be written puts the error's code at its start: that needs no room on
 * a disk that is full.
 */
export const FAULT = 'fault'
export const FAULT_BYTES = 64

export interface Recording {
  readonly trace: Trace
  /** Whether the program came to its exit. */
  readonly ended: boolean
  /** Blocks longer than a trace can say: they count as 2^31 - 1 bytes. */
  readonly clipped: number
}

/** Makes a trace of the events. What is not an event of `preload.ts` is left out. */
export function traceOf(bytes: Uint8Array): Recording {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const builder = new TraceBuilder()
  const slots = new Map<number, number>()
  let ended = false
  let clipped = 0
  for (let at = 0; at + EVENT_BYTES <= bytes.length; at += EVENT_BYTES) {
    const what = words.getUint32(at, true)
    const id = words.getUint32(at + 4, true)
    const size = words.getUint32(at + 8, true)
    if (what === END) ended = true
    else if (what === FREE) {
      const slot = slots.get(id)
      if (slot !== undefined) builder.free(slot)
      slots.delete(id)
    } else if ((what === MALLOC || what === CALLOC) && !slots.has(id)) {
      if (size > LARGEST) clipped++
      const byteLength = Math.min(size, LARGEST)
      slots.set(id, what === MALLOC ? builder.malloc(byteLength) : builder.calloc(byteLength))
    }
  }
  return { trace: builder.build(FLAG_RECORDED | (ended ? 0 : FLAG_TRUNCATED)), ended, clipped }
}
