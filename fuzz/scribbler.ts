/**
 * The thread of scribble.ts: stores any words anywhere in the tables of an allocator, until it is told to stop.
 * @module
 */
import { workerData } from 'node:worker_threads'
import { Arena } from '../src/index.ts'
import { Image } from './image.ts'
import { Random } from './random.ts'

const { handle, number, words, seed } = workerData
const flag: Int32Array<SharedArrayBuffer> = workerData.flag
const image = new Image(Arena.attach(handle), number)
const random = new Random(seed + 2, number)
Atomics.store(flag, 0, 1)
Atomics.notify(flag, 0)
while (Atomics.load(flag, 1) === 0) {
  const most = random.below(4) > 0 ? Math.min(2000, words) : words
  image.set(random.below(most), random.below(3) === 0 ? random.below(60_000) : random.word())
}
