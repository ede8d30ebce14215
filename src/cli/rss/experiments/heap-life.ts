/** A heap grows, is emptied, and gives its memory back by itself. @module */
import { type Experiment, SLACK } from '../experiment.ts'

const BLOCK = 2 ** 14
const COUNT = 2 ** 12
const TOTAL = BLOCK * COUNT

export const experiment: Experiment = {
  name: 'heap-life',
  title: 'A heap grows, is freed, and decays while idle',
  hypothesis:
    'After everything is freed the heap keeps its memory for new blocks; left idle, it gives all of it back by itself, without a call.',
  steps: (lab) => {
    const arena = lab.keep(lab.arena(lab.GiB))
    const heap = lab.keep(new lab.Heap(arena, { decayMs: 500 }))
    const bytes = arena.view(Uint8Array, 0, lab.GiB)
    const blocks = new Float64Array(COUNT)
    return {
      grow: () => {
        for (let at = 0; at < COUNT; at++) {
          const block = (blocks[at] = heap.malloc(BLOCK))
          bytes.fill(1, block, block + BLOCK)
          if (at % 256 === 255) lab.sample()
        }
      },
      'free all': () => {
        for (let at = 0; at < COUNT; at++) heap.free(blocks[at]!)
      },
      idle: () => lab.until(() => heap.stats().freeDirtyBytes === 0),
    }
  },
  expect: [
    { step: 'grow', figure: 'mincore', atLeast: TOTAL, atMost: 1.02 * TOTAL },
    { step: 'grow', figure: 'anonymous', atLeast: TOTAL - SLACK, atMost: 1.02 * TOTAL + 2 * SLACK },
    { step: 'free all', figure: 'mincore', atLeast: -0.05 * TOTAL, atMost: 0 },
    { step: 'idle', figure: 'mincore', atLeast: -1.02 * TOTAL, atMost: -0.95 * TOTAL },
  ],
}
