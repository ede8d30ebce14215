/** The index of examples/index: the recipe as it is run, and files that are none. */
import { readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Index, MappedIndex, ReadIndex, writeIndex } from '../../examples/index/index-file.ts'
import { type NodeBinary, nodes } from '../helpers/child.ts'
import { freshFile, freshPath, scratch } from '../helpers/scratch.ts'
import { example, passes, refuses } from './recipes.ts'

for (const node of nodes)
  test(`Node ${node.major}: index searches both ways, and leaves no file`, () => {
    const before = readdirSync(scratch)
    const out = passes(node, 1, 'index', '--size', '2', '--searches', '2000', '--rounds', '2', '--folder', scratch)
    assert.match(out, /131071 records[\s\S]*in a mapping +\d+\.\d\d us[\s\S]*by fs\.readSync +\d+\.\d\d us/)
    assert.match(out, /ok {3}12000 searches found/)
    assert.equal(readdirSync(scratch), before)
  })

test('index: help, and wrong arguments', () => {
  refuses('index', [
    [['--size', '-1'], /--size expected a whole number from 1 to 2048, got "-1"/],
    [['--size=4096'], /--size expected/],
    [['--searches', 'many'], /--searches expected a whole number from 1 to \d+, got "many"/],
    [['--rounds', '0'], /--rounds expected/],
  ])
  const { status, err } = example(nodes[0] as NodeBinary, 'index', '--folder', '/nonexistent')
  assert.is(status, 1)
  assert.match(err, /^index: ENOENT[^\n]*\n$/)
})

for (const records of [0, 1, 2, 3, 1000, 70_000])
  test(`${records} records: every key is found, and none between them`, () => {
    const path = freshPath('index')
    writeIndex(path, records)
    using mapped = new MappedIndex(path)
    using reads = new ReadIndex(path, 16 * (records + 1))
    const step = Math.max(1, Math.floor(records / 500))
    for (const index of [mapped, reads] as Index[]) {
      assert.is(index.length, records)
      for (let at = 0; at < records; at += step) {
        assert.is(index.find(2 * at), Math.sqrt(2 * at))
        assert.is(index.find(2 * at + 1), undefined)
      }
      if (records > 0) assert.is(index.find(2 * records - 2), Math.sqrt(2 * records - 2))
      for (const absent of [-1, 2 * records, Number.NaN, Number.POSITIVE_INFINITY])
        assert.is(index.find(absent), undefined)
    }
  })

test('what is no index, or was cut, is refused', () => {
  for (const content of ['', 'grain', 'x'.repeat(32), 160])
    assert.throws(() => new MappedIndex(freshFile(content)), /is not an index/)
  const path = freshPath('index')
  writeIndex(path, 100)
  truncateSync(path, 160)
  assert.throws(() => new MappedIndex(path), /has 160 bytes, not those of 100 records/)
  assert.throws(() => new ReadIndex(path, 160), /has 160 bytes/)
  using cut = new ReadIndex(path, 1616)
  assert.throws(() => cut.find(100), /ends in record/)
  writeFileSync(path, '')
  assert.throws(
    () => new MappedIndex('/nonexistent'),
    (error: Error) => 'code' in error && error.code === 'ENOENT'
  )
})

test.run()
