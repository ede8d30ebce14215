/** Pages of 2 MiB: fewer faults, and a byte that costs 2 MiB. @module */
import type { Experiment } from '../experiment.ts'

const SPAN = 2 ** 27

export const experiment: Experiment = {
  name: 'huge-pages',
  title: 'Huge pages: fewer faults, more memory for a byte',
  hypothesis:
    'With huge pages one byte makes a whole one resident; giving one small page of it back splits it and frees that page only; filling memory takes a fraction of the faults.',
  unless: ({ hugePages }) =>
    hugePages === 'always' || hugePages === 'madvise' ? undefined : `huge pages are ${hugePages} on this machine`,
  steps: (lab) => {
    const huge = lab.keep(lab.arena(SPAN, { hugePages: 'advise' }))
    const small = lab.keep(lab.arena(SPAN))
    const [bytes, smallBytes] = [huge.view(Uint8Array, 0, SPAN), small.view(Uint8Array, 0, SPAN)]
    const whole = lab.machine.hugePageSize
    const middle = SPAN / 2
    // Once before: on a virtual machine the first use of a page is slow, because the host has to find it.
    for (const one of [huge, small]) {
      one.populate()
      one.purge()
    }
    return {
      'write one byte': () => {
        bytes[middle] = 1
      },
      'give one small page back': () => huge.purge(middle, lab.pageSize),
      'fill with huge pages': () => lab.touch(bytes.subarray(0, SPAN / 2 - whole)),
      'fill with small pages': () => lab.touch(smallBytes.subarray(0, SPAN / 2 - whole)),
    }
  },
  expect: ({ pageSize, hugePageSize }) => [
    { step: 'write one byte', figure: 'hugePages', atLeast: hugePageSize, atMost: hugePageSize },
    { step: 'give one small page back', figure: 'hugePages', atLeast: -hugePageSize, atMost: -hugePageSize },
    { step: 'give one small page back', figure: 'mincore', atLeast: -pageSize, atMost: -pageSize },
    { step: 'fill with huge pages', figure: 'minorFaults', against: 'fill with small pages', atMost: 0.1 },
  ],
}
