/**
 * An allocator in use while another thread stores into its tables, by the file as a process would: `scribble.js KIND ROUNDS SEED`. A round
 * puts the tables back and runs a program of 50 steps. Ends with status 0 when each call ended, with a coded error if with any.
 * @module
 */
import { Worker } from 'node:worker_threads'
import { Arena, Buddy, Bump, type FreeingAllocator, Heap, MiB, Slab } from '../src/index.ts'
import { Image } from './image.ts'
import { Program } from './program.ts'
import { Random } from './random.ts'

const kind = process.argv[2] as 'Heap' | 'Concurrent' | 'Slab' | 'Buddy' | 'Bump'
const rounds = Number(process.argv[3])
const seed = Number(process.argv[4] ?? 3)
const arena = Arena.reserve(4 * MiB, { shared: true })
const range = { byteLength: 2 * MiB }
const number = { Bump: 1, Slab: 2, Buddy: 3, Heap: 4, Concurrent: 4 }[kind]
const words = { Bump: 3000, Slab: 1500, Buddy: 16384, Heap: 60_000, Concurrent: 60_000 }[kind]
const makers = {
  Heap: () => new Heap(arena, { ...range, decayMs: -1 }),
  Concurrent: () => new Heap(arena, { ...range, decayMs: -1, concurrent: true }),
  Slab: () => new Slab(arena, { ...range, slotSize: 64 }),
  Buddy: () => new Buddy(arena, range),
  Bump: () => new Bump(arena, range),
}
const allocator = makers[kind]() as unknown as FreeingAllocator
const random = new Random(seed, number)
const options = {
  low: 0,
  high: 2 * MiB,
  most: kind === 'Slab' ? 64 : 60_000,
  frees: kind !== 'Bump',
  alignments: [8, 64],
  offsetOf: (view: Uint8Array) => arena.offsetOf(view),
}
const proper = new Program(allocator, random, options)
for (let step = 0; step < 300; step++) proper.step()
const image = new Image(arena, number)
const saved = image.read(0, words)
const flag = new Int32Array(new SharedArrayBuffer(8))
const scribbler = new Worker(new URL('./scribbler.js', import.meta.url), {
  workerData: { handle: arena.handle(), number, words, flag, seed },
})
scribbler.once('error', (error) => {
  throw error
})
Atomics.wait(flag, 0, 0)
for (let round = 0; round < rounds; round++) {
  image.write(0, saved)
  const program = new Program(allocator, random, { ...options, lenient: true })
  for (let step = 0; step < 50; step++) program.step()
}
Atomics.store(flag, 1, 1)
await new Promise((resolve) => scribbler.once('exit', resolve))
console.log(`${kind}, seed ${seed}: ${rounds} rounds`)
process.exit(0)
