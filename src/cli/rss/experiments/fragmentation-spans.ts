/** Free spans between live ones: what comes back of large blocks. @module */
import type { Experiment } from '../experiment.ts'

const BLOCK = 2 ** 16
const COUNT = 2 ** 11
const TOTAL = BLOCK * COUNT

export const experiment: Experiment = {
  name: 'fragmentation-spans',
  title: 'Large blocks: every second one is freed',
  hypothesis:
    'When every second block of 64 KiB is freed, purge gives all whole pages of the freed ones back although their neighbours live: half of the memory, less one page or two a block.',
  steps: (lab) => {
    const arena = lab.keep(lab.arena(lab.GiB))
    const heap = new lab.Heap(arena, { decayMs: -1 })
    const bytes = arena.view(Uint8Array, 0, lab.GiB)
    const blocks = new Float64Array(COUNT)
    return {
      'write 2,048 blocks of 64 KiB': () => {
        for (let at = 0; at < COUNT; at++) {
          const block = (blocks[at] = heap.malloc(BLOCK))
          bytes.fill(1, block, block + BLOCK)
        }
      },
      'free every second': () => {
        for (let at = 0; at < COUNT; at += 2) heap.free(blocks[at]!)
      },
      purge: () => lab.note('purged', heap.purge()),
    }
  },
  expect: ({ pageSize }) => [
    { step: 'write 2,048 blocks of 64 KiB', figure: 'mincore', atLeast: TOTAL, atMost: 1.02 * TOTAL },
    { step: 'free every second', figure: 'mincore', atLeast: -0.02 * TOTAL, atMost: 0 },
    { step: 'purge', figure: 'mincore', atLeast: -0.51 * TOTAL, atMost: -0.5 * TOTAL + 2 * pageSize * (COUNT / 2) },
  ],
}
