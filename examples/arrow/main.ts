/**
 * Recipe: Apache Arrow without copies, in both directions: columns in a heap (columns.ts), an Arrow file in a mapping (mapped-table.ts).
 *
 * That nothing was copied is shown by where the buffers are that Arrow works on: `arena.offsetOf` and `file.offsetOf` say at which offset
 * a view lies, and throw for one that lies elsewhere. `--help`.
 * @module
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Table, tableFromIPC, tableToIPC } from 'apache-arrow'
import { bytes, table as textTable } from '../../demo/print.ts'
import { Arena, GiB, Heap } from '../../src/index.ts'
import { settings } from '../settings.ts'
import { verdict } from '../verdict.ts'
import { buffersOf, HeapColumns } from './columns.ts'
import { MappedTable } from './mapped-table.ts'

const HELP = `Usage: npm run example -- arrow [options]

An Apache Arrow table over blocks of a heap, and one over a mapped Arrow file: both
without a copy, which is shown by where the buffers lie.

  --rows N        rows of the table (default 1000000)
  --folder PATH   where the file is made (default: the system's for temporary files)
  --help          this text

Exit status: 0 when no buffer was copied and the tables are equal, 1 when not.`

/** Where each buffer of a table is: its offset, or undefined when it is elsewhere. */
function places(table: Table, offsetOf: (view: ArrayBufferView) => number): (string | undefined)[][] {
  return table.schema.fields.flatMap(({ name }, column) =>
    buffersOf(table.getChildAt(column) as never).map((each) => {
      try {
        return [name, each.name, bytes(each.buffer.byteLength), String(offsetOf(each.buffer))]
      } catch {
        return [name, each.name, bytes(each.buffer.byteLength), undefined]
      }
    })
  )
}

/** Five buffers: the values of three columns, a validity bitmap, and the offsets of texts. */
const allIn = (rows: readonly (readonly unknown[])[]): boolean =>
  rows.length === 5 && rows.every(([, , , offset]) => offset !== undefined)

function print(title: string, rows: readonly (readonly (string | undefined)[])[]): void {
  const shown = rows.map((row) => row.map((cell) => cell ?? 'elsewhere'))
  console.log(`\n${title}\n\n${textTable(['column', 'buffer', 'length', 'offset'], shown, 2)}`)
}

function sum(table: Table): number {
  let total = 0
  for (const { values } of table.getChild('price')?.data ?? []) for (const price of values) total += price
  return total
}

/** How much an action makes the memory of ArrayBuffers grow, and how long it takes. */
function cost<R>(action: () => R): { result: R; byteLength: number; milliseconds: number } {
  const before = process.memoryUsage().arrayBuffers
  const start = performance.now()
  const result = action()
  return {
    result,
    milliseconds: performance.now() - start,
    byteLength: process.memoryUsage().arrayBuffers - before,
  }
}

function run(path: string, rows: number): void {
  using arena = Arena.reserve(64 * GiB, { name: 'columns' })
  const columns = new HeapColumns(new Heap(arena))
  const { vector: price, values } = columns.float64(rows)
  const stock = columns.int32(Array.from({ length: rows }, (_, row) => (row % 10 === 0 ? null : row)))
  const name = columns.utf8(Array.from({ length: rows }, (_, row) => `item ${row}`))
  const built = new Table({ price, stock, name })
  // Written by the program after the table was made: Arrow sees it.
  for (let row = 0; row < rows; row++) values[row] = row / 4
  const inHeap = places(built, (view) => arena.offsetOf(view))
  print(`A table of ${rows} rows over blocks of a heap: offsets in the arena`, inHeap)

  writeFileSync(path, tableToIPC(built, 'file'))
  const loaded = cost(() => tableFromIPC(readFileSync(path)))
  const opened = cost(() => new MappedTable(path))
  using mapped = opened.result
  const inFile = places(mapped.table, (view) => mapped.file.offsetOf(view))
  print(`The same table from a mapped Arrow file: offsets in the file, of ${bytes(mapped.file.byteLength)}`, inFile)
  console.log(`
Opening the mapped file took ${opened.milliseconds.toFixed(1)} ms and ${bytes(opened.byteLength)} of ArrayBuffers, reading it by
readFileSync ${loaded.milliseconds.toFixed(1)} ms and ${bytes(loaded.byteLength)}.
`)
  const expected = ((rows - 1) * rows) / 8
  const same = [0, rows >> 1, rows - 1].every((row) => String(built.get(row)) === String(mapped.table.get(row)))
  verdict([
    { name: `heap: all ${inHeap.length} buffers that Arrow has are the heap's blocks`, ok: allIn(inHeap) },
    { name: `file: all ${inFile.length} buffers that Arrow has lie in the mapping`, ok: allIn(inFile) },
    {
      name: 'what the program wrote into its view is in the table, and in the file',
      ok: [built, mapped.table, loaded.result].every((table) => sum(table) === expected) && same,
    },
  ])
  for (const vector of [price, stock, name]) columns.free(vector)
}

const options = settings(HELP, {
  rows: { default: 1_000_000, least: 1, most: 20_000_000 },
  folder: { default: tmpdir() },
})
if (options !== undefined) {
  const folder = mkdtempSync(join(options.folder, 'sorites-arrow-'))
  try {
    run(join(folder, 'table.arrow'), options.rows)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
