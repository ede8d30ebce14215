/** @module Bits and trees of bits, against plain arrays. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { BitTree, treeWords } from '../../../src/allocator/base/bits/bit-tree.ts'
import {
  clearBits,
  countBits,
  firstBit,
  firstClear,
  lastBit,
  setBits,
  wordsFor,
} from '../../../src/allocator/base/bits/bitmap.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { randomOf } from '../program.ts'

const test = suite('bits')

test('ranges behave as arrays of booleans do', () => {
  const random = randomOf(3)
  const count = 200
  const words = new Int32Array(wordsFor(count))
  const model: boolean[] = Array.from({ length: count }, () => false)
  for (let step = 0; step < 3000; step++) {
    const from = random(count)
    const to = from + random(count - from + 1)
    const value = random(2) === 0
    if (value) setBits(words, from, to)
    else clearBits(words, from, to)
    model.fill(value, from, to)
    const start = random(count)
    const end = start + random(count - start + 1)
    const part = model.slice(start, end)
    assert.is(countBits(words, start, end), part.filter(Boolean).length)
    assert.is(firstBit(words, start, end), part.includes(true) ? start + part.indexOf(true) : -1)
    assert.is(firstClear(words, start, end), part.includes(false) ? start + part.indexOf(false) : end)
    assert.is(lastBit(words, start, end), part.includes(true) ? start + part.lastIndexOf(true) : -1)
  }
})

for (const count of [1, 32, 33, 1024, 1025, 40_000])
  test(`a tree of ${count} bits finds the lowest`, () => {
    const random = randomOf(count)
    const leafWords = wordsFor(count)
    const words = new Int32Array(5 + treeWords(leafWords))
    const tree = new BitTree(words, 5, leafWords)
    const model = new Set<number>()
    for (let step = 0; step < 2000; step++) {
      const bit = random(count)
      if (model.has(bit)) tree.remove(bit)
      else tree.add(bit)
      if (!model.delete(bit)) model.add(bit)
      assert.is(tree.has(bit), model.has(bit))
      if (step % 7 !== 0) continue
      assert.is(tree.first(), model.size === 0 ? -1 : Math.min(...model))
      tree.check(leafWords)
    }
    // A tree without its cache finds the same.
    assert.is(new BitTree(words, 5, leafWords).first(), model.size === 0 ? -1 : Math.min(...model))
    tree.clear(leafWords)
    assert.is(tree.first(), -1)
    assert.ok(words.every((word) => word === 0))
  })

test('a tree that lost a summary is found out', () => {
  const words = new Int32Array(treeWords(40))
  const tree = new BitTree(words, 0, 40)
  tree.add(1000)
  tree.check(40)
  words[40] = 0
  throwsCode(() => tree.check(40), 'ERR_CORRUPTED', 'level 0')
})

test.run()
