/** Programs on several allocators of any kind, side by side on one arena and on two at once. */
import { test } from 'uvu'
import { campaign } from './campaign.ts'
import { FREEING } from './expectations.ts'
import { together } from './program/scenario.ts'

campaign({
  name: 'Allocators side by side',
  scenario: together,
  sentences: FREEING,
  paths: ['out of memory', 'dirty run purged', 'realloc moved', 'known to be zero', 'allocator inside a block'],
})

test.run()
