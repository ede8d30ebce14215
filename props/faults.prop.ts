/** Programs during which the kernel fails, on one allocator of any kind. */
import { test } from 'uvu'
import { campaign } from './campaign.ts'
import { FAULTS } from './expectations.ts'
import { alone, KINDS } from './program/scenario.ts'

campaign({
  name: 'A failing kernel',
  scenario: (random) => alone(random, random.pick(KINDS)),
  sentences: FAULTS,
  paths: ['kernel failure', 'out of memory', 'dirty run purged', 'realloc moved'],
  faults: true,
})

test.run()
