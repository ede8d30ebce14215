/** A page that is only read is the kernel's one page of zeros. @module */
import { type Experiment, SLACK } from '../experiment.ts'

const SPAN = 2 ** 26

export const experiment: Experiment = {
  name: 'read-write',
  title: 'Reading fresh memory costs none; writing does',
  hypothesis:
    'Reading 64 MiB of fresh memory faults every page in, which counts in mincore, but resident memory stays: every page is the one page of zeros. Writing then makes all of it resident.',
  steps: (lab) => {
    const bytes = lab.keep(lab.arena(SPAN)).view(Uint8Array, 0, SPAN)
    return {
      'read a byte of each page': () => lab.note('sum', lab.read(bytes)),
      'write a byte of each page': () => lab.touch(bytes),
    }
  },
  expect: ({ pageSize }) => [
    { step: 'read a byte of each page', figure: 'mincore', atLeast: SPAN, atMost: SPAN },
    { step: 'read a byte of each page', figure: 'resident', atMost: SLACK },
    { step: 'read a byte of each page', figure: 'minorFaults', atLeast: SPAN / pageSize },
    { step: 'write a byte of each page', figure: 'mincore', atLeast: 0, atMost: 0 },
    { step: 'write a byte of each page', figure: 'anonymous', atLeast: SPAN - SLACK, atMost: SPAN + SLACK },
    { step: 'write a byte of each page', figure: 'minorFaults', atLeast: SPAN / pageSize },
  ],
}
