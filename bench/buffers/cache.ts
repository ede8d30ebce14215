/**
 * A cache: values of 120 bytes by number, in a Map. It is filled, then as many values are replaced at random, then as many are read.
 *
 * The sides differ in what the Map holds: an offset, a view, a Buffer, or a Uint8Array. Each copies every value in from the same template.
 * @module
 */
import { Arena, GiB, Heap } from '../../src/index.ts'
import { inBatches, type Job, Numbers, type Outcome, type Scale, type Side } from './job.ts'

const VALUE_BYTES = 120
const VALUES = 1_000_000

/** Where the values are. `put` replaces what the key has; `read` gives the sum of two bytes of it. */
interface Store {
  put(key: number, value: Buffer): void
  read(key: number): number
}

function offsets(): Store {
  const arena = Arena.reserve(GiB)
  const heap = new Heap(arena)
  const { buffer, start } = arena.window(0)
  const bytes = Buffer.from(buffer)
  const found = new Map<number, number>()
  return {
    put(key, value) {
      const old = found.get(key)
      if (old !== undefined) heap.free(old)
      const offset = heap.malloc(VALUE_BYTES)
      value.copy(bytes, offset - start)
      found.set(key, offset)
    },
    read(key) {
      const at = found.get(key)! - start
      return bytes[at]! + bytes[at + VALUE_BYTES - 1]!
    },
  }
}

/** The same, by views: the heap finds a view's block when it is freed. */
function views(): Store {
  const heap = new Heap(Arena.reserve(GiB))
  const found = new Map<number, Uint8Array>()
  return {
    put(key, value) {
      const old = found.get(key)
      if (old !== undefined) heap.free(old)
      const view = heap.allocUnsafe(Uint8Array, VALUE_BYTES)
      view.set(value)
      found.set(key, view)
    },
    read: (key) => edges(found.get(key)!),
  }
}

/** Values that the garbage collector frees. */
function collected(make: (byteLength: number) => Uint8Array): Store {
  const found = new Map<number, Uint8Array>()
  return {
    put(key, value) {
      const copy = make(VALUE_BYTES)
      copy.set(value)
      found.set(key, copy)
    },
    read: (key) => edges(found.get(key)!),
  }
}

const edges = (value: Uint8Array): number => value[0]! + value[VALUE_BYTES - 1]!

async function run(store: Store, { factor }: Scale): Promise<Outcome> {
  const count = Math.floor(VALUES * factor)
  const numbers = new Numbers()
  const value = Buffer.alloc(VALUE_BYTES, 7)
  const put = (key: number) => {
    value[0] = key & 255
    value[VALUE_BYTES - 1] = (key >>> 8) & 255
    store.put(key, value)
  }
  let checksum = 0
  await inBatches(count, put)
  await inBatches(count, () => put(numbers.below(count)))
  await inBatches(count, () => {
    checksum += store.read(numbers.below(count))
  })
  return { operations: 3 * count, checksum }
}

const side = (name: string, kind: Side['kind'], front: boolean, make: () => Store): Side => ({
  name,
  kind,
  front,
  run: (scale) => run(make(), scale),
})

export const cache: Job = {
  name: 'cache',
  title: 'A cache of a million values of 120 bytes: filled, a million replaced, a million read',
  operation: 'a call',
  sides: [
    side('Heap, offsets in the Map', 'sorites', true, offsets),
    side('Heap, views in the Map', 'sorites', false, views),
    side('Buffer.allocUnsafe', 'Buffer', true, () => collected((byteLength) => Buffer.allocUnsafe(byteLength))),
    side('new Uint8Array', 'Uint8Array', true, () => collected((byteLength) => new Uint8Array(byteLength))),
  ],
}
