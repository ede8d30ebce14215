/**
 * Size classes of a heap's slabs: which slot a small request gets, and how slots are found again. Pure arithmetic, no memory.
 *
 *     16 24 32 … 128        steps of 8: JavaScript needs no 16-byte alignment
 *     144 160 … 256         eight steps a doubling, as jemalloc has four: fine classes pay when spans are small
 *     288 … 512, 576 … 1024
 *
 * A slot's index is found without a division: `slot = (distance / 8 * reciprocal) >>> 15`, exact for the start of every slot of every
 * class (the test runs through all of them); for what is not a slot's start, `slot * size` differs from the distance whatever comes out. Cost: a 129-byte look-up table and three small columns for the whole process.
 * @module
 */

/** The largest request that gets a slot in a slab. */
export const SMALL_MAX = 1024

/** A slab has at most this many slots: one bitmap word for 32 of them. */
export const SLAB_WORDS = 8
const SLAB_SLOTS = SLAB_WORDS * 32

/** The largest slab. */
export const SLAB_MAX = 32768

/** Slabs are cut in tiles: the unit of the heap's map, not the kernel's page. */
export const TILE = 4096

function sizes(): number[] {
  const list: number[] = []
  for (let size = 16; size < 128; size += 8) list.push(size)
  for (let base = 128; base < SMALL_MAX; base *= 2) for (let i = 0; i < 8; i++) list.push(base + (base / 8) * i)
  list.push(SMALL_MAX)
  return list
}

const list = sizes()

/** How many size classes there are. */
export const CLASS_COUNT: number = list.length

/** Slot size of each class in bytes. */
export const CLASS_SIZE: Int32Array = Int32Array.from(list)

/** `ceil(2^15 / (size / 8))` of each class. */
export const CLASS_RECIPROCAL: Int32Array = Int32Array.from(list, (size) => Math.ceil(2 ** 15 / (size / 8)))

/** The class of a request of `n` bytes is `CLASS_OF[(n + 7) >>> 3]`, for `n` from 0 to `SMALL_MAX`. */
export const CLASS_OF: Uint8Array = Uint8Array.from({ length: SMALL_MAX / 8 + 1 }, (_, eighth) =>
  list.findIndex((size) => size >= eighth * 8)
)

/** The slab lengths that suit a class, shortest first: each wastes less than the one before it, or holds twice as many slots. */
function lengthsOf(size: number): number[] {
  const lengths: number[] = []
  const enough = size > 512 ? 4 : 8
  for (let length = TILE; length <= SLAB_MAX; length += TILE) {
    const slots = Math.floor(length / size)
    if (slots > SLAB_SLOTS) break
    const waste = (length % size) / length
    if (slots >= enough && waste <= 1 / 16) lengths.push(length)
  }
  return lengths.length > 0 ? lengths : [TILE]
}

const lengths = list.map(lengthsOf)

/**
 * How long the next slab of a class should be when it has `count` slabs already. The first is the shortest that wastes little, so
 * that a rare class pins little memory; a class with more slabs gets longer ones.
 */
export function slabLength(sizeClass: number, count: number): number {
  const choices = lengths[sizeClass] as number[]
  const target = count < 4 ? TILE : count < 32 ? 2 * TILE : 4 * TILE
  for (const length of choices) if (length >= target) return length
  return choices[choices.length - 1] as number
}

/** The next shorter length that suits a class, or 0: for when there is no room for a longer slab. */
export function shorterSlab(sizeClass: number, length: number): number {
  let shorter = 0
  for (const choice of lengths[sizeClass] as number[]) if (choice < length) shorter = choice
  return shorter
}
