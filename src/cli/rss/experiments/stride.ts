/** What counts is how many pages are touched, not how many bytes. @module */
import type { Experiment } from '../experiment.ts'

const SPAN = 2 ** 28

export const experiment: Experiment = {
  name: 'stride',
  title: 'Memory follows the pages that are touched, not the bytes',
  hypothesis:
    'One byte in every page of 256 MiB makes all of it resident, in every second page half of it, every 2 MiB one page each.',
  steps: (lab) => {
    const bytes = () => lab.keep(lab.arena(SPAN)).view(Uint8Array, 0, SPAN)
    const [each, second, far] = [bytes(), bytes(), bytes()]
    return {
      'every 2 MiB': () => lab.touch(far, 2 * lab.MiB),
      'every second page': () => lab.touch(second, 2 * lab.pageSize),
      'every page': () => lab.touch(each),
    }
  },
  expect: ({ pageSize }) => [
    { step: 'every 2 MiB', figure: 'mincore', atLeast: 128 * pageSize, atMost: 128 * pageSize },
    { step: 'every second page', figure: 'mincore', atLeast: SPAN / 2, atMost: SPAN / 2 },
    { step: 'every page', figure: 'mincore', atLeast: SPAN, atMost: SPAN },
    { step: 'every page', figure: 'anonymous', against: 'every second page', atLeast: 1.95, atMost: 2.05 },
    { step: 'every page', figure: 'minorFaults', against: 'every second page', atLeast: 1.9, atMost: 2.1 },
  ],
}
