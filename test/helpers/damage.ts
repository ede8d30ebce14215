/**
 * Damage to words that code acts on, one change at a time: what a careless or hostile process, or a bad disk, does to tables in memory
 * that others can write.
 *
 *     const random = randomOf(seed)
 *     for (const damage of damagesOf(bytes, random)) {       every 32-bit word, and every 64-bit float that is a number
 *       apply(bytes, damage)                                 +1, -8, +64, 0, -1, a random one
 *       …                                                    use what is damaged
 *       undo(bytes, damage)
 *     }
 *
 * `bytes` may be a copy that is then written to a file, or a view of the memory itself. It starts on a multiple of 8 bytes. The same
 * seed gives the same damages for the same bytes; `describe` names one in a message.
 * @module
 */

/** Gives words from 0 to 2^32 - 1. */
export type Random = () => number

/** One change. */
export interface Damage {
  /** Position of the first changed byte. */
  readonly at: number
  /** The bytes there, 4 or 8 of them. */
  readonly before: Uint8Array
  readonly after: Uint8Array
  /** The values, as what they were taken for. */
  readonly values: readonly [number, number]
}

/** The same words for the same seed (mulberry32). */
export function randomOf(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let word = Math.imul(state ^ (state >>> 15), state | 1)
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
    return (word ^ (word >>> 14)) >>> 0
  }
}

/** What a value is changed to. None is the value itself. */
export function damagedValues(value: number, random: Random): number[] {
  return [value + 1, value - 8, value + 64, 0, -1, random()].filter((changed) => changed !== value)
}

/** Every change of the words and floats in these bytes. */
export function* damagesOf(bytes: Uint8Array, random: Random): Generator<Damage> {
  for (let at = 0; at + 4 <= bytes.length; at += 4) yield* damagesAt(bytes, at, Uint32Array, random)
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const [value = 0] = new Float64Array(bytes.slice(at, at + 8).buffer)
    // Words that are no float look like tiny ones, or none.
    if (Number.isInteger(value)) yield* damagesAt(bytes, at, Float64Array, random)
  }
}

/** The changes of one word, or of one float. */
export function* damagesAt(
  bytes: Uint8Array,
  at: number,
  type: Uint32ArrayConstructor | Float64ArrayConstructor,
  random: Random
): Generator<Damage> {
  const before = bytes.slice(at, at + type.BYTES_PER_ELEMENT)
  const [value = 0] = new type(before.buffer)
  for (const changed of damagedValues(value, random)) {
    const after = new type([changed])
    if (after[0] !== value)
      yield { at, before, after: new Uint8Array(after.buffer), values: [value, after[0] as number] }
  }
}

export function apply(bytes: Uint8Array, { at, after }: Damage): void {
  bytes.set(after, at)
}

export function undo(bytes: Uint8Array, { at, before }: Damage): void {
  bytes.set(before, at)
}

/** For messages. */
export function describe({ at, before, values: [from, to] }: Damage): string {
  return `${before.length === 4 ? 'word' : 'float'} at byte ${at}: ${from} -> ${to}`
}
