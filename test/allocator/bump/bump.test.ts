/** @module Bump: the contract, and what is its own. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Bump } from '../../../src/allocator/bump/bump.ts'
import { Arena } from '../../../src/arena/arena.ts'
import { GiB, KiB, MiB, TiB } from '../../../src/units.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { conformance } from '../conformance.ts'
import { balance, bytesAt, changesNothing, readsZero } from '../subject.ts'

conformance('Bump', (arena, options) => new Bump(arena, options), { frees: false })

const test = suite('Bump')

function run(body: (bump: Bump, arena: Arena) => void, byteLength = MiB): void {
  const arena = Arena.reserve(byteLength)
  body(new Bump(arena), arena)
  arena.close()
}

test('blocks lie side by side', () => {
  run((bump) => {
    const first = bump.malloc(10)
    assert.is(first, 8)
    assert.is(bump.malloc(0), 24)
    assert.is(bump.malloc(8), 32)
    assert.is(bump.mark(), 40)
  })
})

test('release frees what came after the mark, and nothing else', () => {
  run((bump, arena) => {
    const kept = bump.alloc(Uint8Array, 100).fill(3)
    const mark = bump.mark()
    const block = bump.malloc(1000)
    bytesAt(arena, block, 1000).fill(255)
    for (let index = 0; index < 50; index++) bump.malloc(index)
    bump.release(mark)
    assert.is(bump.mark(), mark)
    assert.is(bump.stats().usedCount, 1)
    bump.check()
    assert.is(bump.calloc(1000), block)
    assert.ok(readsZero(arena, block, 1000))
    assert.ok(kept.every((byte) => byte === 3))
    bump.release(mark)
    bump.release(mark)
    balance(bump)
  })
})

test('a mark that is none, or no longer one, is refused', () => {
  run((bump) => {
    bump.malloc(100)
    const low = bump.mark()
    bump.malloc(50)
    const high = bump.mark()
    bump.release(low)
    changesNothing(bump, () => throwsCode(() => bump.release(high), 'ERR_OUT_OF_RANGE', '"mark"'))
    bump.malloc(1000)
    changesNothing(bump, () => {
      throwsCode(() => bump.release(high), 'ERR_OUT_OF_RANGE', 'stale')
      for (const bad of [0, -8, 1, low + 4, low + 8, 1.5, Number.NaN, MiB, 2 ** 53])
        throwsCode(() => bump.release(bad), 'ERR_OUT_OF_RANGE', '"mark"')
      for (const bad of ['8', 8n, undefined, null, {}])
        throwsCode(() => bump.release(bad as unknown as number), 'ERR_INVALID_ARG_TYPE', '"mark"')
    })
    bump.release(low)
    bump.check()
  })
})

test('a mark before padding stays one', () => {
  run((bump) => {
    bump.malloc(8)
    const mark = bump.mark()
    bump.memalign(4096, 8)
    const second = bump.mark()
    bump.memalign(64 * KiB, 8)
    bump.release(second)
    bump.release(mark)
    assert.is(bump.mark(), mark)
    assert.is(bump.stats().usedCount, 1)
    bump.check()
    balance(bump)
  })
})

test('realloc resizes the last block in place, and no other', () => {
  run((bump, arena) => {
    const first = bump.malloc(64)
    const last = bump.malloc(16)
    bytesAt(arena, last, 16).fill(9)
    assert.is(bump.realloc(last, 5000), last)
    assert.is(bump.mark(), last + 5000)
    assert.is(bump.realloc(last, 16), last)
    assert.is(bump.realloc(last, 0), last)
    assert.is(bump.mark(), last + 8)
    assert.ok(bytesAt(arena, last, 8).every((byte) => byte === 9))
    changesNothing(bump, () => {
      throwsCode(() => bump.realloc(first, 8), 'ERR_UNSUPPORTED_OPERATION')
      for (const bad of [0, last + 4, last + 8, -8, 1.5, Number.NaN, 2 ** 40])
        throwsCode(() => bump.realloc(bad, 8), 'ERR_INVALID_FREE')
      for (const bad of ['8', undefined, 8n])
        throwsCode(() => bump.realloc(bad as unknown as number, 8), 'ERR_INVALID_ARG_TYPE')
      throwsCode(() => bump.realloc(last, -1), 'ERR_OUT_OF_RANGE')
      throwsCode(() => bump.realloc(last, 2 * MiB), 'ERR_OUT_OF_MEMORY')
    })
    const mark = bump.mark()
    bump.malloc(100)
    bump.release(mark)
    assert.is(bump.realloc(last, 200), last)
    bump.check()
  })
})

test('the last block moves when its window has no room for it', () => {
  run((bump, arena) => {
    bump.memalign(8, GiB - 4096)
    const last = bump.malloc(4000)
    bytesAt(arena, last, 4000).fill(4)
    const moved = bump.realloc(last, 8000)
    assert.is(moved, GiB)
    assert.ok(bytesAt(arena, moved, 4000).every((byte) => byte === 4))
    bump.check()
  }, 2 * GiB)
})

test('purge gives back what lies above the last block', () => {
  run((bump, arena) => {
    const kept = bump.alloc(Uint8Array, 100).fill(1)
    const mark = bump.mark()
    bump.alloc(Uint8Array, 500 * KiB).fill(255)
    assert.is(bump.purge(), 0)
    bump.release(mark)
    assert.ok(bump.stats().freeDirtyBytes > 499 * KiB)
    assert.ok(bump.purge() > 496 * KiB)
    assert.ok(bump.stats().freeDirtyBytes < arena.pageSize)
    assert.ok(arena.resident() <= bump.stats().committedBytes)
    assert.is(bump.purge(), 0)
    assert.ok(bump.alloc(Uint8Array, 100 * KiB).every((byte) => byte === 0))
    assert.ok(kept.every((byte) => byte === 1))
    bump.check()
    balance(bump)
  })
})

test('release refuses while an inner claim lies above the mark', () => {
  run((bump, arena) => {
    const mark = bump.mark()
    const block = bump.malloc(1000)
    const inner = new Bump(arena, { offset: block, byteLength: 1000 })
    throwsCode(() => bump.release(mark), 'ERR_ARENA_BUSY')
    throwsCode(() => bump.realloc(block, 8), 'ERR_ARENA_BUSY')
    inner.close()
    bump.release(mark)
    assert.is(bump.stats().usedCount, 0)
  })
})

test('a claim of 1 TiB works, with a coarser granule', () => {
  run((bump) => {
    const first = bump.malloc(1)
    assert.is(bump.malloc(1) - first, 128)
    bump.check()
  }, TiB)
})

test.run()
