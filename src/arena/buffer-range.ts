/**
 * A range of an ArrayBuffer: the form in which memory that no caller may see is passed on, an allocator's metadata for example.
 *
 *     buffer    |        | start                    |          |
 *     range              |<------ byteLength ------>|
 *
 * Where each range has an ArrayBuffer of its own, `start` is 0; where an arena lies in one ArrayBuffer, the ranges share it. `start`
 * is a multiple of 64, so words of any size may begin at it. A typed array over a range is made once and kept: it costs some 100 ns.
 * @module
 */
import { types } from 'node:util'

export interface BufferRange {
  readonly buffer: ArrayBuffer
  /** First byte of the range in the buffer. */
  readonly start: number
  readonly byteLength: number
}

/** Whether the buffer has been detached, so that nothing can be stored in the range. */
export function isDetached({ buffer, byteLength }: BufferRange): boolean {
  return byteLength > 0 && buffer.byteLength === 0
}

/** 32-bit words of a range, from byte `at` of it on. */
export function int32sIn(
  range: BufferRange,
  at = 0,
  length: number = countFrom(range, at, 4)
): Int32Array<ArrayBuffer> {
  return new Int32Array(range.buffer, range.start + at, length)
}

/** Unsigned 32-bit words of a range. */
export function uint32sIn(
  range: BufferRange,
  at = 0,
  length: number = countFrom(range, at, 4)
): Uint32Array<ArrayBuffer> {
  return new Uint32Array(range.buffer, range.start + at, length)
}

/** 64-bit floats of a range. */
export function float64sIn(
  range: BufferRange,
  at = 0,
  length: number = countFrom(range, at, 8)
): Float64Array<ArrayBuffer> {
  return new Float64Array(range.buffer, range.start + at, length)
}

/** Unsigned 64-bit words of a range. */
export function bigUint64sIn(
  range: BufferRange,
  at = 0,
  length: number = countFrom(range, at, 8)
): BigUint64Array<ArrayBuffer> {
  return new BigUint64Array(range.buffer, range.start + at, length)
}

/** Bytes of a range. */
export function bytesIn(range: BufferRange, at = 0, length: number = range.byteLength - at): Uint8Array<ArrayBuffer> {
  return new Uint8Array(range.buffer, range.start + at, length)
}

/** A whole ArrayBuffer as a range. */
export function rangeOf(buffer: ArrayBuffer): BufferRange {
  return { buffer, start: 0, byteLength: buffer.byteLength }
}

/** How many whole elements there are from byte `at` on. */
function countFrom({ byteLength }: BufferRange, at: number, size: number): number {
  return Math.floor((byteLength - at) / size)
}

/** Buffers over the pages of mappings: another thread or process may write to them at any moment. */
const mapped: WeakSet<ArrayBufferLike> = new WeakSet()

/** Notes that a buffer is one. */
export function noteMapped(buffer: ArrayBuffer): ArrayBuffer {
  mapped.add(buffer)
  return buffer
}

/** Whether another thread or process may write to a buffer while this thread reads it. */
export function isCommon(buffer: ArrayBufferLike): boolean {
  return types.isSharedArrayBuffer(buffer) || mapped.has(buffer)
}
