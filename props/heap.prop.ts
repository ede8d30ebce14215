/** Programs of a thousand commands and more on a heap. */
import { test } from 'uvu'
import { campaign } from './campaign.ts'
import { BAD_FREES, FREEING } from './expectations.ts'
import { alone } from './program/scenario.ts'

campaign({
  name: 'Heap',
  scenario: (random) => alone(random, 'Heap'),
  sentences: FREEING,
  paths: [
    'slab reused by another class',
    'out of memory',
    'out of memory in realloc',
    'window edge crossed',
    'block beyond the first window',
    'dirty run purged',
    'realloc in place',
    'grown in place',
    'realloc moved',
    'known to be zero',
    'allocator inside a block',
    'offset handed out again',
    ...BAD_FREES,
  ],
})

test.run()
