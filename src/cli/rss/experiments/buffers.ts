/** The same job with the heap and with Node's own Buffers. @module */
import type { Experiment } from '../experiment.ts'

const COUNT = 2 ** 14
/** Lengths from 4 to 12 KiB in no order: more than Node's pool serves, less than malloc maps one by one. */
const lengthOf = (at: number): number => 4096 + ((at * 2654435761) % 8192)
const TOTAL = 2 ** 27
/** Every sixteenth block lives on, as entries of a cache do. */
const KEPT = 16

export const experiment: Experiment = {
  name: 'buffers',
  title: "The same job with a heap and with Node's Buffers",
  hypothesis:
    'Of 16,384 blocks of 4 to 12 KiB, fifteen in sixteen are dropped. The heap gives back nearly all of it; of Buffers, more stays resident, because malloc keeps what lies between live blocks.',
  steps: (lab) => {
    const arena = lab.keep(lab.arena(lab.GiB))
    const heap = lab.keep(new lab.Heap(arena, { decayMs: -1 }))
    const bytes = arena.view(Uint8Array, 0, lab.GiB)
    const blocks = new Float64Array(COUNT)
    const buffers: (Buffer | undefined)[] = lab.keep(new Array(COUNT))
    return {
      'heap: fill': () => {
        for (let at = 0; at < COUNT; at++) {
          const block = (blocks[at] = heap.malloc(lengthOf(at)))
          bytes.fill(1, block, block + lengthOf(at))
        }
      },
      'heap: free, purge': () => {
        for (let at = 0; at < COUNT; at++) if (at % KEPT !== 0) heap.free(blocks[at]!)
        heap.purge()
      },
      'Buffers: fill': () => {
        for (let at = 0; at < COUNT; at++) buffers[at] = Buffer.allocUnsafeSlow(lengthOf(at)).fill(1)
      },
      'Buffers: drop, collect': async () => {
        for (let at = 0; at < COUNT; at++) if (at % KEPT !== 0) buffers[at] = undefined
        await lab.collect()
      },
    }
  },
  expect: [
    { step: 'heap: fill', figure: 'resident', atLeast: 0.95 * TOTAL, atMost: 1.15 * TOTAL },
    { step: 'heap: free, purge', figure: 'resident', against: 'heap: fill', atLeast: -1, atMost: -0.8 },
    { step: 'Buffers: fill', figure: 'resident', against: 'heap: fill', atLeast: 0.95 },
    { step: 'Buffers: drop, collect', figure: 'resident', against: 'heap: free, purge', atMost: 0.9 },
  ],
}
