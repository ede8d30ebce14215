/** The kernel hands out memory by pages, when they are touched. @module */
import { type Experiment, SLACK } from '../experiment.ts'

export const experiment: Experiment = {
  name: 'touch-page',
  title: 'One byte of 1 GiB costs one page',
  hypothesis:
    'Writing 4 KiB in the middle of an untouched GiB makes exactly those pages resident, the rest stays free.',
  steps: (lab) => {
    const bytes = lab.arena(lab.GiB).view(Uint8Array, 0, lab.GiB)
    const middle = lab.GiB / 2
    return {
      'write one byte': () => {
        bytes[middle] = 1
      },
      'write the rest of 4 KiB': () => bytes.fill(1, middle, middle + 4 * lab.KiB),
      'write 64 MiB': () => bytes.fill(1, 0, 64 * lab.MiB),
    }
  },
  expect: ({ pageSize }) => [
    { step: 'write one byte', figure: 'mincore', atLeast: pageSize, atMost: pageSize },
    { step: 'write the rest of 4 KiB', figure: 'mincore', atLeast: 0, atMost: 0 },
    { step: 'write 64 MiB', figure: 'mincore', atLeast: 2 ** 26, atMost: 2 ** 26 },
    { step: 'write 64 MiB', figure: 'anonymous', atLeast: 2 ** 26 - SLACK, atMost: 2 ** 26 + SLACK },
  ],
}
