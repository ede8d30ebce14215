/**
 * Typed arrays of mixed sizes that come and go: 5,000 are live, of 64 bytes to 64 KiB (each doubling as often as the next), and one after the
 * other is replaced, at random. The first and the last byte of each are written and read back.
 * @module
 */
import { Arena, GiB, Heap } from '../../src/index.ts'
import { inBatches, type Job, Numbers, type Outcome, type Scale, type Side } from './job.ts'

const LIVE = 5_000
const REPLACED = 1_000_000
const LEAST_ORDER = 6
const ORDERS = 10

interface Arrays {
  make(byteLength: number): Uint8Array
  drop(array: Uint8Array): void
}

async function run({ make, drop }: Arrays, { factor }: Scale): Promise<Outcome> {
  const numbers = new Numbers()
  const live: Uint8Array[] = []
  let checksum = 0
  const fresh = (): Uint8Array => {
    const least = 2 ** (LEAST_ORDER + numbers.below(ORDERS))
    const array = make(least + numbers.below(least))
    array[0] = array.length & 255
    array[array.length - 1] = 1
    return array
  }
  for (let index = 0; index < LIVE; index++) live.push(fresh())
  const count = Math.floor(REPLACED * factor)
  await inBatches(count, () => {
    const index = numbers.below(LIVE)
    const old = live[index]!
    checksum += old[0]! + old[old.length - 1]!
    drop(old)
    live[index] = fresh()
  })
  return { operations: count, checksum }
}

function heapArrays(zeroed: boolean): Arrays {
  const heap = new Heap(Arena.reserve(4 * GiB))
  return {
    make: (byteLength) => (zeroed ? heap.alloc(Uint8Array, byteLength) : heap.allocUnsafe(Uint8Array, byteLength)),
    drop: (array) => heap.free(array),
  }
}

const collected = (make: Arrays['make']): Arrays => ({ make, drop: () => undefined })

const side = (name: string, kind: Side['kind'], front: boolean, arrays: () => Arrays): Side => ({
  name,
  kind,
  front,
  run: (scale) => run(arrays(), scale),
})

export const arrays: Job = {
  name: 'arrays',
  title: 'A million arrays of 64 bytes to 64 KiB, 5,000 of them live at a time',
  operation: 'an array',
  sides: [
    side('Heap, allocUnsafe', 'sorites', true, () => heapArrays(false)),
    side('Heap, alloc (zeroed)', 'sorites', false, () => heapArrays(true)),
    side('Buffer.allocUnsafe', 'Buffer', true, () => collected((byteLength) => Buffer.allocUnsafe(byteLength))),
    side('new Uint8Array (zeroed)', 'Uint8Array', true, () => collected((byteLength) => new Uint8Array(byteLength))),
  ],
}
