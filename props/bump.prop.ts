/** Programs of a thousand commands and more on a bump allocator. */
import { test } from 'uvu'
import { campaign } from './campaign.ts'
import { BUMP } from './expectations.ts'
import { alone } from './program/scenario.ts'

campaign({
  name: 'Bump',
  scenario: (random) => alone(random, 'Bump'),
  sentences: BUMP,
  paths: [
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
    'released to a mark',
    'ERR_INVALID_FREE',
    'ERR_UNSUPPORTED_OPERATION',
    'ERR_ARENA_BUSY',
    'ERR_ARENA_CLOSED',
  ],
})

test.run()
