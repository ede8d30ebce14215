/**
 * Which sentences a campaign is about, and the ways of freeing badly that each must come across.
 * @module
 */
import type { Sentence } from './program/sentences.ts'

const ALL: readonly Sentence[] = [
  'overlap',
  'inside',
  'contents',
  'zero',
  'stats',
  'limit',
  'check',
  'full',
  'unchanged',
  'refused',
  'arguments',
  'purge',
  'empty',
  'errors',
  'nested',
  'pinned',
]

export const FREEING: readonly Sentence[] = [...ALL, 'blocks', 'usable']
export const HEAP: readonly Sentence[] = [...FREEING, 'peak', 'decay']
export const BUMP: readonly Sentence[] = [...ALL, 'marks']
export const FAULTS: readonly Sentence[] = [...FREEING, 'faults']

export const BAD_FREES: readonly string[] = [
  'ERR_DOUBLE_FREE',
  'ERR_INVALID_FREE',
  'ERR_INVALID_ARG_TYPE',
  'ERR_ARENA_BUSY',
  'ERR_BLOCK_PINNED',
  'ERR_ARENA_CLOSED',
  ...[
    'the block freed last',
    'a block freed earlier',
    'the inside of a block',
    'a misaligned offset',
    'what was never allocated',
    'what lies before the claim',
    'what lies behind the claim',
    'no offset',
    'a foreign view',
    'a view into a block',
    'neither offset nor view',
    'a live offset plus a power of two',
    'the view of a freed block',
  ].map((what) => `bad free: ${what}`),
]
