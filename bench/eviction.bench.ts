/**
 * How much memory comes back when nine of ten values are freed? 128 MiB of values of one size are put into a heap and written; then 90 per cent of
 * them are freed, at random or the oldest first, and the heap is purged. Pages are counted, not time: the figures are the same every time.
 *
 *     npm run bench -- eviction [--quick]
 * @module
 */
import { Arena, GiB, Heap, MiB } from '../src/index.ts'
import { Numbers } from './buffers/job.ts'
import { quick } from './pairs/grid.ts'
import { markdownTable, mebibytes, sizeText } from './report/markdown.ts'

const DATA_BYTES = quick ? 8 * MiB : 128 * MiB
const SIZES = [64, 120, 500, 1000, 2048, 4096, 16384, 65536]

/** The values in the order in which they are freed. */
type Order = (count: number) => Uint32Array

const oldestFirst: Order = (count) => Uint32Array.from({ length: count }, (_, index) => index)

const atRandom: Order = (count) => {
  const [order, numbers] = [oldestFirst(count), new Numbers()]
  for (let index = count - 1; index > 0; index--) {
    const other = numbers.below(index + 1)
    const held = order[index]!
    order[index] = order[other]!
    order[other] = held
  }
  return order
}

/** Resident bytes before and after. */
function evict(size: number, order: Order): { before: number; after: number } {
  const arena = Arena.reserve(GiB)
  const heap = new Heap(arena, { decayMs: -1 })
  const bytes = Buffer.from(arena.window(0).buffer)
  const offsets = new Float64Array(Math.floor(DATA_BYTES / size))
  heap.mallocMany(size, offsets)
  for (const offset of offsets) bytes.fill(1, offset, offset + size)
  const before = arena.resident()
  for (const index of order(offsets.length).subarray(0, Math.floor(offsets.length * 0.9))) heap.free(offsets[index]!)
  heap.purge()
  const after = arena.resident()
  arena.close()
  return { before, after }
}

const rows = SIZES.map((size) => {
  const [random, oldest] = [evict(size, atRandom), evict(size, oldestFirst)]
  const share = ({ before, after }: { before: number; after: number }) => `${((100 * after) / before).toFixed(0)} %`
  return [sizeText(size), mebibytes(random.before), share(random), share(oldest)]
})
console.log('Resident after nine of ten values were freed and the heap was purged, of what was resident before:\n')
console.log(markdownTable(['values of', 'before, MiB', 'freed at random', 'oldest freed first'], rows))
