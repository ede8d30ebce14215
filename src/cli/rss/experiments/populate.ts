/** Asking for all pages at once, against one fault for each. @module */
import { type Experiment, SLACK } from '../experiment.ts'

const SPAN = 2 ** 27

export const experiment: Experiment = {
  name: 'populate',
  title: 'One call for all pages, against a fault for each',
  hypothesis:
    'populate makes 128 MiB resident in one call, as touching every page does with a fault each; the kernel does the same work for every page, but later writes fault no more.',
  steps: (lab) => {
    const [arena, other] = [lab.keep(lab.arena(SPAN)), lab.keep(lab.arena(SPAN))]
    const [bytes, otherBytes] = [arena.view(Uint8Array, 0, SPAN), other.view(Uint8Array, 0, SPAN)]
    // Once before: on a virtual machine the first use of a page is slow, because the host has to find it.
    for (const one of [arena, other]) {
      one.populate()
      one.purge()
    }
    return {
      'touch every page': () => lab.touch(bytes),
      populate: () => other.populate(),
      'touch what is populated': () => lab.touch(otherBytes),
    }
  },
  expect: ({ pageSize }) => [
    { step: 'touch every page', figure: 'minorFaults', atLeast: SPAN / pageSize },
    { step: 'touch every page', figure: 'anonymous', atLeast: SPAN - SLACK, atMost: SPAN + SLACK },
    { step: 'populate', figure: 'anonymous', atLeast: SPAN - SLACK, atMost: SPAN + SLACK },
    { step: 'populate', figure: 'mincore', atLeast: SPAN, atMost: SPAN },
    { step: 'touch what is populated', figure: 'minorFaults', atMost: SPAN / pageSize / 50 },
    { step: 'touch what is populated', figure: 'cpuMilliseconds', against: 'touch every page', atMost: 0.3 },
  ],
}
