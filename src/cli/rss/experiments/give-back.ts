/** Three ways to give memory back, and what resident memory shows of each. @module */
import { type Experiment, SLACK } from '../experiment.ts'

const SPAN = 2 ** 27

export const experiment: Experiment = {
  name: 'give-back',
  title: 'MADV_DONTNEED, MADV_FREE and unmapping',
  hypothesis:
    'After MADV_DONTNEED and after unmapping, resident memory falls at once, and only unmapping gives the addresses back. After MADV_FREE it stays, marked as free to take, and writing takes the mark away.',
  steps: (lab) => {
    const [dropped, lazy, unmapped] = [lab.memory(SPAN), lab.memory(SPAN), lab.memory(SPAN)]
    const lazyBytes = lazy.bytes()
    for (const memory of [dropped, lazy, unmapped]) memory.fill()
    return {
      MADV_DONTNEED: () => dropped.dontNeed(),
      unmap: () => unmapped.unmap(),
      MADV_FREE: () => lazy.free(),
      'write half of it again': () => lab.touch(lazyBytes.subarray(0, SPAN / 2)),
      'MADV_DONTNEED after all': () => lazy.dontNeed(),
    }
  },
  expect: [
    { step: 'MADV_DONTNEED', figure: 'anonymous', atLeast: -SPAN - SLACK, atMost: SLACK - SPAN },
    { step: 'MADV_DONTNEED', figure: 'reserved', atLeast: -SLACK, atMost: SLACK },
    { step: 'unmap', figure: 'anonymous', atLeast: -SPAN - SLACK, atMost: SLACK - SPAN },
    { step: 'unmap', figure: 'reserved', atLeast: -SPAN - SLACK, atMost: SLACK - SPAN },
    { step: 'MADV_FREE', figure: 'anonymous', atLeast: -SLACK, atMost: SLACK },
    { step: 'MADV_FREE', figure: 'lazyFree', atLeast: SPAN - SLACK, atMost: SPAN },
    { step: 'write half of it again', figure: 'lazyFree', atLeast: -SPAN / 2 - SLACK, atMost: SLACK - SPAN / 2 },
    { step: 'MADV_DONTNEED after all', figure: 'anonymous', atLeast: -SPAN - SLACK, atMost: SLACK - SPAN },
  ],
}
