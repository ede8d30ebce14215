/** @module Buddy: the contract, and what is its own. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Buddy } from '../../../src/allocator/buddy/buddy.ts'
import { Arena } from '../../../src/arena/arena.ts'
import { GiB, KiB, MiB } from '../../../src/units.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { conformance } from '../conformance.ts'
import { randomOf } from '../program.ts'
import { bytesAt, fill } from '../subject.ts'

conformance('Buddy', (arena, options) => new Buddy(arena, options), { frees: true })
conformance(
  'Buddy of 16',
  (arena, options) => new Buddy(arena, { minBlock: arena?.byteLength > GiB ? 256 : 16, ...options }),
  { frees: true }
)
conformance('Buddy of 1024', (arena, options) => new Buddy(arena, { minBlock: 1024, ...options }), { frees: true })

const test = suite('Buddy')

test('minBlock is checked', () => {
  const arena = Arena.reserve(64 * GiB)
  for (const minBlock of [0, 8, 24, 1.5, Number.NaN, 2 * GiB])
    throwsCode(() => new Buddy(arena, { minBlock }), 'ERR_OUT_OF_RANGE', 'minBlock')
  throwsCode(() => new Buddy(arena, { minBlock: '64' as unknown as number }), 'ERR_INVALID_ARG_TYPE', 'minBlock')
  throwsCode(() => new Buddy(arena, { minBlock: 16 }), 'ERR_OUT_OF_RANGE', 'at least 64')
  assert.is(new Buddy(arena).minBlock, 64)
  arena.close()
})

test('blocks are powers of two, aligned to their size', () => {
  const arena = Arena.reserve(64 * MiB)
  const buddy = new Buddy(arena)
  for (let length = 1; length <= 16 * MiB; length = length * 2 + 1) {
    const offset = buddy.malloc(length)
    const usable = buddy.usableSize(offset)
    assert.is(usable, Math.max(64, 2 ** Math.ceil(Math.log2(length))))
    assert.is(offset % usable, 0)
  }
  buddy.check()
  arena.close()
})

test('a claim of any length and place is used, and merges again', () => {
  const arena = Arena.reserve(8 * MiB)
  const random = randomOf(5)
  for (let round = 0; round < 20; round++) {
    using buddy = new Buddy(arena, { offset: random(1000) * 8, byteLength: 8 * (1000 + random(900_000)) })
    const blocks = fill(buddy, 64)
    assert.ok(blocks.length >= Math.floor(buddy.stats().reservedBytes / 64) - 2)
    for (const offset of blocks.sort(() => random(3) - 1)) buddy.free(offset)
    buddy.check()
    const most = 2 ** Math.floor(Math.log2(buddy.stats().reservedBytes / 4))
    assert.ok(buddy.malloc(most) > 0, 'the free space has not grown together')
  }
  arena.close()
})

test('a double free is told from what was never allocated', () => {
  const arena = Arena.reserve(MiB)
  const buddy = new Buddy(arena)
  const block = buddy.malloc(4096)
  const other = buddy.malloc(4096)
  buddy.free(block)
  throwsCode(() => buddy.free(block), 'ERR_DOUBLE_FREE')
  throwsCode(() => buddy.free(block + 64), 'ERR_DOUBLE_FREE')
  throwsCode(() => buddy.free(block + 8), 'ERR_INVALID_FREE', 'multiple of 64')
  throwsCode(() => buddy.free(other + 64), 'ERR_INVALID_FREE', 'inside the live block')
  throwsCode(() => buddy.free(other + 8192), 'ERR_INVALID_FREE', 'nothing was ever allocated')
  buddy.free(other)
  throwsCode(() => buddy.free(other), 'ERR_DOUBLE_FREE')
  buddy.check()
  arena.close()
})

test('realloc stays in place when it shrinks, and when the space above is free', () => {
  const arena = Arena.reserve(MiB)
  const buddy = new Buddy(arena)
  const block = buddy.malloc(4096)
  bytesAt(arena, block, 4096).fill(5)
  assert.is(buddy.realloc(block, 100), block)
  assert.is(buddy.usableSize(block), 128)
  buddy.check()
  assert.is(buddy.realloc(block, 4000), block)
  assert.is(buddy.usableSize(block), 4096)
  const above = buddy.malloc(64)
  buddy.check()
  assert.is(buddy.realloc(block, 64), block)
  assert.is(buddy.realloc(block, 4096), block)
  assert.ok(bytesAt(arena, block, 64).every((byte) => byte === 5))
  const moved = buddy.realloc(block, 64 * KiB)
  assert.is.not(moved, block)
  throwsCode(() => buddy.free(block), 'ERR_DOUBLE_FREE')
  buddy.free(above)
  buddy.free(moved)
  assert.is(buddy.stats().usedBytes, 0)
  buddy.check()
  arena.close()
})

test('blocks longer than a window begin one', () => {
  const arena = Arena.reserve(16 * GiB)
  const buddy = new Buddy(arena)
  const small = buddy.malloc(64)
  const long = buddy.malloc(1.5 * GiB)
  assert.is(long % GiB, 0)
  assert.is(buddy.usableSize(long), 2 * GiB)
  bytesAt(arena, long + 2 * GiB - 8, 8).fill(1)
  assert.is(buddy.realloc(long, GiB), long)
  assert.is(buddy.usableSize(long), GiB)
  assert.is(buddy.realloc(long, 2 * GiB), long)
  buddy.check()
  buddy.free(long)
  buddy.free(small)
  assert.ok(buddy.purge() > 0)
  buddy.check()
  arena.close()
})

test('at the limit a free block on committed pages is found', () => {
  const arena = Arena.reserve(4 * MiB)
  const buddy = new Buddy(arena, { limit: 256 * KiB })
  const blocks = fill(buddy, 4096)
  for (const offset of blocks.slice(0, 20)) buddy.free(offset)
  buddy.purge()
  assert.ok(fill(buddy, 4096).length >= 18)
  buddy.free(blocks.at(-2) as number)
  assert.is(buddy.malloc(4096), blocks.at(-2))
  buddy.check()
  arena.close()
})

test.run()
