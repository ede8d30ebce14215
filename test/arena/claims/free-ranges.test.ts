import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { FreeRanges } from '../../../src/arena/claims/free-ranges.ts'
import { contains, Ranges } from '../../../src/arena/ranges.ts'

test('the lowest room is taken', () => {
  const free = new FreeRanges(1000, 1000)
  assert.equal([free.take(100, 1), free.take(100, 1), free.take(100, 1)], [1000, 1100, 1200])
  free.give(1000, 100)
  free.give(1200, 100)
  assert.equal([free.take(50, 1), free.take(100, 1), free.take(50, 1)], [1000, 1200, 1050])
})

test('alignment leaves a hole that is used later', () => {
  const free = new FreeRanges(64, 8128)
  assert.is(free.take(4096, 4096), 4096)
  assert.is(free.take(64, 64), 64)
  assert.is(free.take(4096, 4096), -1)
  assert.is(free.byteLength, 8192 - 64 - 4096 - 64)
})

test('what does not fit is -1, and changes nothing', () => {
  const free = new FreeRanges(0, 128)
  assert.is(free.take(129, 1), -1)
  assert.is(free.byteLength, 128)
  assert.is(free.take(128, 1), 0)
  assert.is(free.take(1, 1), -1)
  free.give(0, 128)
  assert.is(free.take(128, 1), 0)
})

test('neighbours are joined in any order of giving back', () => {
  for (const order of [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ]) {
    const free = new FreeRanges(0, 300)
    for (let part = 0; part < 3; part++) free.take(100, 1)
    for (const part of order) free.give(part * 100, 100)
    assert.is(free.take(300, 1), 0)
  }
})

test('an empty range is nothing', () => {
  const free = new FreeRanges(0, 64)
  assert.is(free.take(0, 64), 0)
  free.give(0, 0)
  assert.is(free.byteLength, 64)
})

test('against a map of bytes, ten thousand steps', () => {
  const free = new FreeRanges(0, 512)
  const bytes = new Uint8Array(512)
  const taken: [number, number][] = []
  let seed = 1
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  for (let step = 0; step < 10_000; step++) {
    if (random(2) === 0) {
      const length = 1 + random(60)
      const alignment = 2 ** random(6)
      const offset = free.take(length, alignment)
      let expected = -1
      for (let at = 0; at + length <= 512 && expected < 0; at += alignment)
        if (bytes.subarray(at, at + length).every((byte) => byte === 0)) expected = at
      assert.is(offset, expected)
      if (offset < 0) continue
      bytes.fill(1, offset, offset + length)
      taken.push([offset, length])
    } else if (taken.length > 0) {
      const [offset, length] = taken.splice(random(taken.length), 1)[0] as [number, number]
      free.give(offset, length)
      bytes.fill(0, offset, offset + length)
    }
    assert.is(free.byteLength, bytes.filter((byte) => byte === 0).length)
  }
})

test('ranges are found by any byte they have in common', () => {
  const ranges = new Ranges<{ offset: number; byteLength: number }>()
  const [a, b, c] = [
    { offset: 10, byteLength: 10 },
    { offset: 20, byteLength: 5 },
    { offset: 40, byteLength: 10 },
  ] as const
  for (const range of [c, a, b]) ranges.add(range)
  for (let offset = 0; offset < 60; offset++)
    for (let length = 1; length < 60 - offset; length++) {
      const hit = [a, b, c].filter(
        (range) => offset < range.offset + range.byteLength && range.offset < offset + length
      )
      assert.is(ranges.overlapping(offset, length), hit[0])
      assert.equal(ranges.allOverlapping(offset, length), hit)
    }
  ranges.remove(b)
  ranges.remove(b)
  assert.equal(ranges.all(), [a, c])
  assert.is(ranges.count, 2)
})

test('contains counts both ends', () => {
  const outer = { offset: 8, byteLength: 8 }
  assert.ok(contains(outer, 8, 8))
  assert.not(contains(outer, 7, 8))
  assert.not(contains(outer, 9, 8))
})

test('many are taken and given at once as one by one', () => {
  const sorted = [
    { offset: 100, byteLength: 50 },
    { offset: 150, byteLength: 10 },
    { offset: 200, byteLength: 64 },
    { offset: 960, byteLength: 40 },
  ]
  const [one, other] = [new FreeRanges(100, 900), new FreeRanges(100, 900)]
  for (const range of sorted) assert.ok(one.takeAll([range]))
  assert.ok(other.takeAll(sorted))
  assert.is(one.byteLength, other.byteLength)
  for (const byteLength of [40, 696, 1]) assert.is(one.take(byteLength, 1), other.take(byteLength, 1))
  other.giveAll([...sorted].reverse())
  other.giveAll([
    { offset: 160, byteLength: 40 },
    { offset: 264, byteLength: 696 },
    { offset: 500, byteLength: 0 },
  ])
  assert.ok(other.takeAll([{ offset: 100, byteLength: 900 }]))
})

test('ranges that overlap, or lie outside, cannot all be taken', () => {
  for (const sorted of [
    [{ offset: 90, byteLength: 20 }],
    [{ offset: 990, byteLength: 20 }],
    [{ offset: 2000, byteLength: 1 }],
    [
      { offset: 100, byteLength: 20 },
      { offset: 119, byteLength: 20 },
    ],
  ])
    assert.not(new FreeRanges(100, 900).takeAll(sorted))
})

test.run()
