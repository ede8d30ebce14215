/** Programs of a thousand commands and more on a heap. */
import { test } from 'uvu'
import { campaign } from './campaign.ts'
import { BAD_FREES, HEAP } from './expectations.ts'
import { alone, apart, vast } from './program/scenario.ts'

campaign({
  name: 'Heap',
  scenario: (random) => alone(random, 'Heap'),
  sentences: HEAP,
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
    'zeroed in part',
    'swept to make room',
    'decayed',
    'allocator inside a block',
    'offset handed out again',
    ...BAD_FREES,
  ],
})

campaign({
  name: 'Heap in many windows',
  scenario: vast,
  share: 0.3,
  sentences: HEAP.filter((sentence) => sentence !== 'limit'),
  paths: [
    'block longer than a window',
    'window edge crossed',
    'block beyond the first window',
    'grown in place',
    'decayed',
  ],
})

campaign({
  name: 'Two heaps on two arenas',
  scenario: apart,
  share: 0.3,
  sentences: HEAP,
  paths: ['out of memory', 'swept to make room', 'zeroed in part', 'decayed', 'realloc moved'],
})

test.run()
