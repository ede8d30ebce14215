/** @module Slab: the contract, and what is its own. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Slab, type SlabOptions } from '../../../src/allocator/slab/slab.ts'
import { Arena } from '../../../src/arena/arena.ts'
import { GiB, KiB, MiB } from '../../../src/units.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { conformance } from '../conformance.ts'
import { bytesAt, fill } from '../subject.ts'

for (const slotSize of [64, 104, 5000])
  conformance(`Slab of ${slotSize}`, (arena, options) => new Slab(arena, { slotSize, ...options }), {
    frees: true,
    mostBytes: slotSize,
    mostAlignment: slotSize & -slotSize,
  })

const test = suite('Slab')

test('slotSize is checked and rounded up to a multiple of 8', () => {
  const arena = Arena.reserve(MiB)
  const make = (options: unknown): Slab => new Slab(arena, options as SlabOptions)
  for (const options of [undefined, null, 64, {}, { slotSize: '64' }, { slotSize: 64n }])
    throwsCode(() => make(options), 'ERR_INVALID_ARG_TYPE')
  for (const slotSize of [0, -8, 7, 8.5, Number.NaN, 2 * MiB, 2 ** 60])
    throwsCode(() => make({ slotSize }), 'ERR_OUT_OF_RANGE', 'slotSize')
  using slab = make({ slotSize: 13 })
  assert.is(slab.slotSize, 16)
  assert.is(slab.usableSize(slab.malloc(1)), 16)
  throwsCode(() => slab.malloc(17), 'ERR_OUT_OF_RANGE', '"byteLength"')
  throwsCode(() => slab.realloc(slab.malloc(16), 17), 'ERR_OUT_OF_RANGE')
  arena.close()
})

test('the lowest free slot is taken first', () => {
  const arena = Arena.reserve(MiB)
  const slab = new Slab(arena, { slotSize: 32 })
  const slots = Array.from({ length: 3000 }, () => slab.malloc(32))
  const freed = slots.filter((_, index) => index % 97 === 5)
  for (const offset of freed.slice().reverse()) slab.free(offset)
  assert.equal(
    freed.map(() => slab.malloc(32)),
    freed
  )
  assert.is(slab.malloc(32), (slots.at(-1) as number) + 32)
  slab.check()
  arena.close()
})

test('a claim is used to its last slot', () => {
  const arena = Arena.reserve(64 * KiB)
  const slab = new Slab(arena, { slotSize: 64, offset: 4096, byteLength: 64 * 100 })
  assert.is(fill(slab, 64).length, 100)
  const aside = new Slab(arena, { slotSize: 40, offset: 16 * KiB + 8, byteLength: 40 })
  assert.equal(fill(aside, 40), [16 * KiB + 8])
  arena.close()
})

test('slots that no alignment divides refuse it', () => {
  const arena = Arena.reserve(MiB)
  const slab = new Slab(arena, { slotSize: 48 })
  assert.is(slab.memalign(16, 48) % 16, 0)
  throwsCode(() => slab.memalign(32, 48), 'ERR_UNSUPPORTED_OPERATION', 'multiples of 16')
  arena.close()
})

test('slots longer than a window begin one', () => {
  const arena = Arena.reserve(8 * GiB)
  const slab = new Slab(arena, { slotSize: 1.5 * GiB })
  const slots = fill(slab, 1.5 * GiB)
  assert.equal(slots, [GiB, 3 * GiB, 5 * GiB])
  for (const offset of slots) bytesAt(arena, offset + 1.5 * GiB - 8, 8).fill(1)
  slab.free(3 * GiB)
  throwsCode(() => slab.free(3 * GiB), 'ERR_DOUBLE_FREE')
  throwsCode(() => slab.free(4 * GiB), 'ERR_INVALID_FREE')
  assert.ok(slab.purge() >= 1.5 * GiB)
  slab.check()
  assert.is(slab.malloc(1), 3 * GiB)
  slab.check()
  arena.close()
})

test('slots in several windows are all found again', () => {
  const arena = Arena.reserve(4 * GiB)
  const slab = new Slab(arena, { slotSize: 100 * MiB })
  const slots = fill(slab, 1)
  assert.is(slots.length, 40)
  for (const offset of slots) assert.is(Math.floor(offset / GiB), Math.floor((offset + 100 * MiB - 1) / GiB))
  for (const offset of slots.filter((_, index) => index % 2 === 0)) slab.free(offset)
  assert.is([...slab.blocks()].length, 20)
  slab.check()
  assert.ok(slab.purge() >= 19 * 100 * MiB)
  slab.check()
  assert.equal(
    fill(slab, 1),
    slots.filter((_, index) => index % 2 === 0)
  )
  arena.close()
})

test('at the limit a free slot on a committed page is found, wherever it is', () => {
  const arena = Arena.reserve(MiB)
  const slab = new Slab(arena, { slotSize: 1024, limit: 64 * KiB })
  const slots = fill(slab, 1024)
  for (const offset of slots.slice(0, 16)) slab.free(offset)
  slab.purge()
  const more = fill(slab, 1024)
  slab.free(slots.at(-1) as number)
  const last = slab.malloc(1024)
  assert.is(last, slots.at(-1))
  assert.ok(more.length >= 12)
  slab.check()
  arena.close()
})

test('a million slots, freed in another order, leave nothing', () => {
  const arena = Arena.reserve(GiB)
  const slab = new Slab(arena, { slotSize: 64 })
  const count = 2 ** 20
  const slots = new Float64Array(count)
  for (let index = 0; index < count; index++) slots[index] = slab.malloc(64)
  slab.check()
  for (let index = 0; index < count; index++) slab.free(slots[(index * 7919) % count] as number)
  assert.is(slab.stats().usedCount, 0)
  slab.check()
  assert.is(slab.malloc(64), slots[0])
  arena.close()
})

test.run()
