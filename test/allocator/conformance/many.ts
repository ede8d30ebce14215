/**
 * Conformance: many blocks in one call. What `mallocMany` gives is what single calls would give; `freeMany` frees all of them or none.
 * @module
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { throwsCode } from '../../helpers/errors.ts'
import { badLengths, balance, bytesAt, changesNothing, fill, type Subject } from '../subject.ts'

/** The same order each time. */
function shuffled(offsets: Float64Array): Float64Array {
  const result = offsets.slice()
  let state = 88172645
  for (let i = result.length - 1; i > 0; i--) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    const j = (state >>> 0) % (i + 1)
    ;[result[i], result[j]] = [result[j] as number, result[i] as number]
  }
  return result
}

export function manyTests(subject: Subject): void {
  const test = suite(`${subject.name}: many at once`)
  const sizes = [...new Set([0, 16, 24, 100, 256, 1024, 3000].map((size) => subject.fit(size)))]

  for (const size of sizes)
    for (const order of ['in order', 'in reverse', 'at random'] as const)
      test(`blocks of ${size} bytes, freed ${order}`, () => {
        subject.run((allocator, arena) => {
          const offsets = new Float64Array(150)
          assert.is(allocator.mallocMany(size, offsets), 150)
          allocator.check()
          balance(allocator)
          assert.is(new Set(offsets).size, 150)
          for (const [index, offset] of offsets.entries()) {
            assert.ok(allocator.usableSize(offset) >= size)
            bytesAt(arena, offset, size).fill(index & 255)
          }
          for (const [index, offset] of offsets.entries())
            assert.ok(bytesAt(arena, offset, size).every((byte) => byte === (index & 255)))
          const freed =
            order === 'in order' ? offsets : order === 'in reverse' ? offsets.slice().reverse() : shuffled(offsets)
          allocator.freeMany(freed)
          allocator.check()
          assert.is(allocator.stats().usedCount, 0)
        })
      })

  test('of the offsets only the first count', () => {
    subject.run((allocator) => {
      const size = subject.fit(40)
      const offsets = new Float64Array(40)
      allocator.mallocMany(size, offsets)
      allocator.freeMany(offsets, 7)
      allocator.freeMany(offsets.subarray(7), 0)
      assert.is(allocator.stats().usedCount, 33)
      allocator.freeMany(offsets.subarray(7))
      assert.is(allocator.stats().usedCount, 0)
      assert.is(allocator.mallocMany(size, new Float64Array(0)), 0)
      allocator.check()
    })
  })

  test('fewer only when it is full, and the rest of the array stays', () => {
    subject.run((allocator) => {
      const size = subject.fit(4000)
      const offsets = new Float64Array(100_000).fill(-1)
      const count = allocator.mallocMany(size, offsets)
      assert.ok(count > 0 && count < offsets.length)
      assert.ok(offsets.subarray(count).every((offset) => offset === -1))
      assert.is(allocator.tryMalloc(size), 0)
      assert.is(allocator.mallocMany(size, offsets.subarray(count)), 0)
      allocator.check()
      allocator.freeMany(offsets, count)
      assert.is(allocator.stats().usedCount, 0)
      assert.is(fill(allocator, size).length, count)
    })
  })

  test('freeMany frees none when one of them is no live block, or comes twice', () => {
    subject.run((allocator) => {
      const size = subject.fit(48)
      const offsets = new Float64Array(100)
      allocator.mallocMany(size, offsets)
      const gone = allocator.malloc(size)
      allocator.free(gone)
      const inside = (offsets[3] as number) + 8
      const wrong: [number, string][] = [
        [gone, 'ERR_DOUBLE_FREE'],
        [offsets[1] as number, 'ERR_DOUBLE_FREE'],
        [inside, 'ERR_INVALID_FREE'],
        [0, 'ERR_INVALID_FREE'],
        [Number.NaN, 'ERR_INVALID_FREE'],
        [2 ** 60, 'ERR_INVALID_FREE'],
        [-8, 'ERR_INVALID_FREE'],
        [(offsets[2] as number) + 0.5, 'ERR_INVALID_FREE'],
      ]
      for (const [offset, code] of wrong)
        for (const at of [2, 50, 99]) {
          const bad = offsets.slice()
          bad[at] = offset
          changesNothing(allocator, () => {
            const error = throwsCode(() => allocator.freeMany(bad), code, `offsets[${at}]`) as Error & {
              index?: number
            }
            assert.is(error.index, at)
          })
        }
      for (const offset of offsets) assert.ok(allocator.usableSize(offset) >= size)
      allocator.freeMany(shuffled(offsets))
      assert.is(allocator.stats().usedCount, 0)
      allocator.check()
    })
  })

  test('bad arguments are refused, and change nothing', () => {
    subject.run((allocator) => {
      const offsets = new Float64Array(4)
      allocator.mallocMany(8, offsets)
      changesNothing(allocator, () => {
        for (const [length, code] of badLengths)
          throwsCode(() => allocator.mallocMany(length as number, new Float64Array(4)), code)
        for (const bad of [undefined, null, [8], new Float32Array(4), new ArrayBuffer(8), 8] as unknown[]) {
          throwsCode(() => allocator.mallocMany(8, bad as Float64Array), 'ERR_INVALID_ARG_TYPE')
          throwsCode(() => allocator.freeMany(bad as Float64Array), 'ERR_INVALID_ARG_TYPE')
        }
        throwsCode(() => allocator.freeMany(offsets, 5), 'ERR_OUT_OF_RANGE')
        throwsCode(() => allocator.freeMany(offsets, -1), 'ERR_OUT_OF_RANGE')
        throwsCode(() => allocator.freeMany(offsets, '1' as unknown as number), 'ERR_INVALID_ARG_TYPE')
      })
    })
  })

  test('beside single calls', () => {
    subject.run((allocator) => {
      const size = subject.fit(120)
      const single = Array.from({ length: 90 }, () => allocator.malloc(size))
      const offsets = new Float64Array(90)
      for (let i = 0; i < single.length; i += 2) allocator.free(single[i] as number)
      assert.is(allocator.mallocMany(size, offsets), 90)
      allocator.check()
      for (let i = 1; i < single.length; i += 2) allocator.free(single[i] as number)
      for (const offset of offsets.subarray(0, 30)) allocator.free(offset)
      allocator.freeMany(offsets.subarray(30))
      assert.is(allocator.stats().usedCount, 0)
      allocator.check()
    })
  })

  test('the offsets may lie in a block that is freed with them', () => {
    subject.run((allocator, arena) => {
      for (const length of [64, 3000, 200_000].map((bytes) => subject.fit(bytes))) {
        const count = Math.max(2, Math.min(40, Math.floor(length / 8)))
        const home = allocator.tryMalloc(length)
        if (home === 0) continue
        const offsets = arena.view(Float64Array, home, Math.floor(length / 8))
        const made = new Float64Array(count - 1)
        allocator.mallocMany(subject.fit(40), made)
        offsets.set([home, ...made])
        allocator.freeMany(offsets, count)
        allocator.check()
        assert.is(allocator.stats().usedCount, 0)
      }
    })
  })

  test.run()
}
