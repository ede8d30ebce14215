/**
 * Everything that can be done with a view whose arena is closed. It may give zeros, or nothing, or throw; it may not fault.
 * @module
 */
import type { TypedArray } from '../../src/views.ts'

/** Reads, writes, copies and clones a view by every way there is. */
export function probe(view: TypedArray): void {
  const bytes = view as Uint8Array
  for (const act of [
    () => bytes[0],
    () => bytes.fill(1),
    () => bytes.set([1], 0),
    () => bytes.slice(),
    () => bytes.subarray(1).indexOf(1),
    () => bytes.copyWithin(0, 1),
    () => bytes.sort(),
    () => bytes.at(-1),
    () => [...bytes.entries()].length,
    () => new DataView(bytes.buffer, bytes.byteOffset).getUint8(0),
    () => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex'),
    () => Buffer.from(bytes),
    () => new Uint8Array(bytes),
    () => bytes.buffer.slice(0, 8),
    () => JSON.stringify(bytes.subarray(0, 4)),
    () => new TextDecoder().decode(bytes.subarray(0, 8)),
    () => Atomics.add(bytes, 0, 1),
  ])
    try {
      act()
    } catch (error) {
      // A detached buffer makes some of them throw: as it should be.
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error
    }
}
