/**
 * What the programs of child.ts use: readings of this process, and the garbage collector.
 * @module
 */
import { readMaps, readSmapsRollup } from '../../src/ffi/procfs.ts'

/** Rounds after which what is still there is taken not to be garbage. What is, is gone after two or three, on any machine. */
const ROUNDS = 40

/** Collects garbage, and lets finalizers run, until `done` says so or so many rounds have passed; says whether it did. */
export async function collect(done: () => boolean): Promise<boolean> {
  for (let round = 0; round < ROUNDS; round++) {
    if (done()) return true
    ;(globalThis as { gc?: () => void }).gc?.()
    await turns(2)
  }
  return done()
}

/** Waits for so many turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setTimeout(resolve, 1))
}

/** Whether any byte of the range is mapped. */
export function isMapped(start: number, byteLength: number): boolean {
  return mappedBytes(start, byteLength) > 0
}

/** How many bytes of the range are mapped. */
export function mappedBytes(start: number, byteLength: number): number {
  let bytes = 0
  for (const entry of readMaps())
    bytes += Math.max(0, Math.min(entry.end, start + byteLength) - Math.max(entry.start, start))
  return bytes
}

/** Bytes of this process in memory, exact to the page. */
export function rssBytes(): number {
  return readSmapsRollup().get('Rss') ?? 0
}
