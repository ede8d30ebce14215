/**
 * Size classes of a heap's slabs: which slot a small request gets, and how slots are found again. Pure arithmetic, no memory.
 *
 *     16 24 32 … 128        steps of 8: JavaScript needs no 16-byte alignment
 *     144 160 … 256         eight steps a doubling, as jemalloc has four: fine classes pay when spans are small
 *     288 … 512, 576 … 1024
 *
 * A slot's index is found, and a slot's start told from everything else, by one multiplication and one comparison:
 *
 *     size = odd * 2^shift,  odd * inverse = 1 modulo 2^32
 *     slot = the product distance * inverse modulo 2^32, its bits rotated right by shift
 *     slot < number of slots          the distance is the start of that slot
 *
 * For a distance of `slot * size` the product is `slot * 2^shift`. Every other distance from 0 to 2^32 gives a number above (2^32 - 1) / size,
 * and so above any number of slots: the multiplication is a bijection, the rotation as well, and the multiples of the size take all that
 * are not above. This is the test for exact division of Granlund and Montgomery (1994, section 9). Cost: a 129-byte look-up table and
 * three small columns for the whole process.
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

/** How often 2 divides the slot size of each class. */
export const CLASS_SHIFT: Uint8Array = Uint8Array.from(list, (size) => 31 - Math.clz32(size & -size))

/** The inverse of the odd part of each class's slot size, modulo 2^32. */
export const CLASS_INVERSE: Int32Array = Int32Array.from(list, (size, index) => inverse(size >>> CLASS_SHIFT[index]))

/** The inverse of an odd number modulo 2^32. Each of Newton's steps doubles the bits that are right, of which an odd number itself has three. */
function inverse(odd: number): number {
  let found = odd
  for (let bits = 3; bits < 32; bits *= 2) found = Math.imul(found, 2 - Math.imul(odd, found))
  return found
}

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

/** For each class, the shortest suitable length of at least one, two and four tiles, or the longest. */
const aims = Int32Array.from(
  lengths.flatMap((choices) =>
    [1, 2, 4].map((tiles) => choices.find((length) => length >= tiles * Size.TILE) ?? (choices.at(-1) as number))
  )
)

/**
 * How long the next slab of a class should be when it has `count` slabs already. The first is the shortest that wastes little, so
 * that a rare class pins little memory; a class with more slabs gets longer ones.
 */
export function slabLength(sizeClass: number, count: number): number {
  return aims[3 * sizeClass + (count < 4 ? 0 : count < 32 ? 1 : 2)]
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
