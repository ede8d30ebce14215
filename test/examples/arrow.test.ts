/** The Arrow recipe as it is run; its columns; files that are none. */
import { readFileSync, writeFileSync } from 'node:fs'
import { type RecordBatch, RecordBatchFileWriter, Table, tableFromIPC, tableToIPC, vectorFromArray } from 'apache-arrow'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { buffersOf, HeapColumns } from '../../examples/arrow/columns.ts'
import { MappedTable } from '../../examples/arrow/mapped-table.ts'
import { Arena, GiB, Heap } from '../../src/index.ts'
import { type NodeBinary, nodes } from '../helpers/child.ts'
import { freshFile, freshPath, scratch } from '../helpers/scratch.ts'
import { example, passes, refuses } from './recipes.ts'

for (const node of nodes)
  for (const rows of ['1', '2000'])
    test(`Node ${node.major}: arrow copies none of ${rows} rows`, () => {
      const out = passes(node, 3, 'arrow', '--rows', rows, '--folder', scratch)
      assert.is(out.match(/^ (price|stock|name) +(values|validity|offsets) .* \d+ $/gm)?.length, 10, out)
      assert.not.match(out, /elsewhere/)
    })

test('arrow: help, and wrong arguments', () => {
  refuses('arrow', [
    [['--rows', '-1'], /--rows expected a whole number from 1 to 20000000, got "-1"/],
    [['--rows', '1e3'], /--rows expected/],
  ])
  const { status, err } = example(nodes[0] as NodeBinary, 'arrow', '--folder', '/nonexistent')
  assert.is(status, 1)
  assert.match(err, /^arrow: ENOENT[^\n]*\n$/)
})

test('columns hold what they were given, on multiples of 64, in blocks that can be freed', () => {
  const arena = Arena.reserve(GiB)
  const heap = new Heap(arena)
  const columns = new HeapColumns(heap)
  const before = heap.stats().usedCount
  const texts = ['', 'grain', 'ÄÖÜ', '', '𝄞 sand'.repeat(1000)]
  const numbers = [1, null, -3, null, 5, 6, 7, null, 2 ** 31 - 1]
  const { vector: price, values } = columns.float64(3)
  values.set([1.5, -2.5, Number.NaN])
  const stock = columns.int32(numbers)
  const name = columns.utf8(texts)
  assert.equal([...price], [1.5, -2.5, Number.NaN])
  assert.equal([...stock], numbers)
  assert.is(stock.nullCount, 3)
  assert.equal([...name], texts)
  const buffers = [price, stock, name].flatMap(buffersOf)
  assert.equal(
    buffers.map((one) => one.name),
    ['values', 'values', 'validity', 'values', 'offsets']
  )
  for (const { buffer } of buffers) assert.is(arena.offsetOf(buffer as Uint8Array) % 64, 0)
  assert.is(arena.offsetOf(price.data[0]?.values as Float64Array), arena.offsetOf(values))
  // Arrow writes where the heap reads.
  price.set(0, 42)
  assert.is(values[0], 42)
  for (const column of [price, stock, name]) columns.free(column)
  assert.is(heap.stats().usedCount, before)
  heap.check()
  arena.close()
})

test('a file of several batches, of any column types, is read where it is', () => {
  const table = new Table({
    small: vectorFromArray(['a', 'b', 'a', 'c']),
    wide: vectorFromArray([1n, 2n, 3n, 4n]),
    list: vectorFromArray([[1, 2], [7], [3], [4, 5, 6]]),
  })
  const parts = [table.slice(0, 2), table.slice(2)].flatMap(({ batches }: { batches: RecordBatch[] }) => batches)
  const path = freshPath('arrow')
  writeFileSync(path, RecordBatchFileWriter.writeAll(parts).toUint8Array(true))
  using mapped = new MappedTable(path)
  assert.is(mapped.table.batches.length, 2)
  assert.is(String(mapped.table.toArray()), String(tableFromIPC(readFileSync(path)).toArray()))
  for (const { values } of mapped.table.getChild('wide')?.data ?? []) {
    const offset = mapped.file.offsetOf(values)
    assert.is(new BigInt64Array(Uint8Array.from(mapped.file.read(offset, 8)).buffer)[0], values[0])
  }
})

test('what is no Arrow file, or was cut, is refused', () => {
  const whole = Buffer.from(tableToIPC(new Table({ one: vectorFromArray([1, 2, 3]) }), 'file'))
  for (const content of [
    '',
    'ARROW1',
    whole.subarray(0, -1),
    whole.subarray(8),
    Buffer.from('ARROW1'.repeat(20)),
    5000,
  ])
    assert.throws(() => new MappedTable(freshFile(content)))
  assert.throws(
    () => new MappedTable('/nonexistent'),
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT'
  )
  using good = new MappedTable(freshFile(whole))
  assert.is(good.table.numRows, 3)
})

test.run()
