/** Addresses are not memory. @module */
import type { Experiment } from '../experiment.ts'

const GiB = 2 ** 30
const MiB = 2 ** 20

export const experiment: Experiment = {
  name: 'reserve',
  title: 'Reserving takes addresses, not memory',
  hypothesis:
    'Reserving an arena of 16 GiB makes the address space at least so much larger (an arena has room for its tables too), and resident memory less than 1 MiB.',
  steps: (lab) => ({
    'reserve 16 GiB': () => lab.keep(lab.arena(16 * GiB)),
  }),
  expect: [
    { step: 'reserve 16 GiB', figure: 'reserved', atLeast: 16 * GiB, atMost: 24 * GiB },
    { step: 'reserve 16 GiB', figure: 'resident', atMost: MiB },
    { step: 'reserve 16 GiB', figure: 'mincore', atMost: MiB },
  ],
}
