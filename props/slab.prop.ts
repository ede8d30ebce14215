/** Programs of a thousand commands and more on a slab of one slot size. */
import { test } from 'uvu'
import { campaign } from './campaign.ts'
import { BAD_FREES, FREEING } from './expectations.ts'
import { alone } from './program/scenario.ts'

campaign({
  name: 'Slab',
  scenario: (random) => alone(random, 'Slab'),
  sentences: FREEING,
  paths: [
    'out of memory',
    'block beyond the first window',
    'dirty run purged',
    'realloc in place',
    'known to be zero',
    'allocator inside a block',
    'offset handed out again',
    ...BAD_FREES,
  ],
})

test.run()
