/** Free slots between live ones: what comes back of small blocks. @module */
import type { Experiment } from '../experiment.ts'

const BLOCK = 64
const COUNT = 2 ** 20
const TOTAL = BLOCK * COUNT

export const experiment: Experiment = {
  name: 'fragmentation-slabs',
  title: 'Small blocks: every second one is freed',
  hypothesis:
    'When every second block of 64 bytes is freed, nothing can come back, because each page still holds live ones. When the others of the first half are freed too, that half comes back.',
  steps: (lab) => {
    const arena = lab.keep(lab.arena(lab.GiB))
    const heap = new lab.Heap(arena, { decayMs: -1 })
    const bytes = arena.view(Uint8Array, 0, lab.GiB)
    const blocks = new Float64Array(COUNT)
    const free = (from: number, to: number) => {
      for (let at = from; at < to; at += 2) heap.free(blocks[at]!)
    }
    return {
      'write 1 Mi blocks of 64 bytes': () => {
        for (let at = 0; at < COUNT; at++) bytes[(blocks[at] = heap.malloc(BLOCK))] = 1
      },
      'free every second': () => free(0, COUNT),
      purge: () => lab.note('purged', heap.purge()),
      'free the rest of the first half': () => free(1, COUNT / 2),
      'purge again': () => lab.note('purged', heap.purge()),
    }
  },
  expect: [
    { step: 'write 1 Mi blocks of 64 bytes', figure: 'mincore', atLeast: TOTAL, atMost: 1.1 * TOTAL },
    { step: 'purge', figure: 'mincore', atLeast: -0.01 * TOTAL, atMost: 0 },
    { step: 'purge again', figure: 'mincore', atLeast: -0.5 * TOTAL, atMost: -0.49 * TOTAL },
  ],
}
