/**
 * Size classes of a heap's slabs: which slot a small request gets, and how slots are found again. Pure arithmetic, no memory.
 *
 *     16 24 32 … 128        steps of 8: JavaScript needs no 16-byte alignment
 *     144 160 … 256         eight steps a doubling, as jemalloc has four: fine classes pay when spans are small
 *     288 … 512, 576 … 1024
 *
 * A slot's index is found, and a slot's start told from the inside of one, by one multiplication:
 *
 *     product = distance / 8 * reciprocal,  reciprocal = ceil(2^20 / (size / 8))
 *     product >>> 20                  the slot
 *     product & NOT_A_START === 0     the distance is a slot's start
 *
 * With `size / 8 * reciprocal = 2^20 + e`, slot j starts at a product of `j * 2^20 + j * e` and `j * e < 4096 <= reciprocal`; each 8 bytes
 * further add `reciprocal`, so bits 12 to 19 are zero at starts only (the test runs through every distance of every class). The same idea
 * as Lemire's test of divisibility. Cost: a 129-byte look-up table and two small columns for the whole process.
 * @module
 */

export const enum Size {
  /** The largest request that gets a slot in a slab. */
  SMALL_MAX = 1024,
  /** Slabs are cut in tiles: the unit of the heap's map, not the kernel's page. */
  TILE = 4096,
  TILE_BITS = 12,
  /** A slab has at most this many words of bits, one for 32 slots. */
  SLAB_WORDS = 8,
  SLAB_SLOTS = 256,
  /** The largest slab. */
  SLAB_MAX = 32768,
  /** Bits of the product that are zero when the distance is the start of a slot. */
  NOT_A_START = 0xff000,
}

function sizes(): number[] {
  const list: number[] = []
  for (let size = 16; size < 128; size += 8) list.push(size)
  for (let base = 128; base < Size.SMALL_MAX; base *= 2) for (let i = 0; i < 8; i++) list.push(base + (base / 8) * i)
  list.push(Size.SMALL_MAX)
  return list
}

const list = sizes()

/** How many size classes there are. */
export const CLASS_COUNT: number = list.length

/** Slot size of each class in bytes. */
export const CLASS_SIZE: Int32Array = Int32Array.from(list)

/** `ceil(2^20 / (size / 8))` of each class: 20 bits at most. */
export const CLASS_RECIPROCAL: Int32Array = Int32Array.from(list, (size) => Math.ceil(2 ** 20 / (size / 8)))

/** The class of a request of `n` bytes is `CLASS_OF[(n + 7) >>> 3]`, for `n` from 0 to `SMALL_MAX`. */
export const CLASS_OF: Uint8Array = Uint8Array.from({ length: Size.SMALL_MAX / 8 + 1 }, (_, eighth) =>
  list.findIndex((size) => size >= eighth * 8)
)

/** The slab lengths that suit a class, shortest first: each wastes less than the one before it, or holds twice as many slots. */
function lengthsOf(size: number): number[] {
  const lengths: number[] = []
  const enough = size > 512 ? 4 : 8
  for (let length: number = Size.TILE; length <= Size.SLAB_MAX; length += Size.TILE) {
    const slots = Math.floor(length / size)
    if (slots > Size.SLAB_SLOTS) break
    const waste = (length % size) / length
    if (slots >= enough && waste <= 1 / 16) lengths.push(length)
  }
  return lengths.length > 0 ? lengths : [Size.TILE]
}

const lengths = list.map(lengthsOf)

/**
 * How long the next slab of a class should be when it has `count` slabs already. The first is the shortest that wastes little, so
 * that a rare class pins little memory; a class with more slabs gets longer ones.
 */
export function slabLength(sizeClass: number, count: number): number {
  const choices = lengths[sizeClass] as number[]
  const target = count < 4 ? Size.TILE : count < 32 ? 2 * Size.TILE : 4 * Size.TILE
  for (const length of choices) if (length >= target) return length
  return choices[choices.length - 1] as number
}

/** The next shorter length that suits a class, or 0: for when there is no room for a longer slab. */
export function shorterSlab(sizeClass: number, length: number): number {
  let shorter = 0
  for (const choice of lengths[sizeClass] as number[]) if (choice < length) shorter = choice
  return shorter
}

/** Whether a block stays in its slot when its length changes: while three quarters are used, to move it costs more than the rest is worth. */
export function staysInSlot(usable: number, byteLength: number): boolean {
  return byteLength <= usable && byteLength >= usable - (usable >>> 2)
}
