/** Pictures of the heap: what a cell says, cells that become coarser, and the packed columns. */
import { gunzipSync } from 'node:zlib'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ABSENT, FREE_RESIDENT, HeapMap, LIVE, MOST_CELLS } from '../../../src/cli/replay/run/heap-map.ts'

const PAGE = 4096

interface Cell {
  readonly full: number
  readonly state: number
  readonly label: string
  readonly blocks: number
  readonly largest: number
  readonly madeAt: number
}

/** A cell of a packed map, read as the page does. */
function cellOf(map: HeapMap, cell: number, frame: number): Cell {
  const { cells, frames, labels, data } = map.pack()
  const bytes = gunzipSync(Buffer.from(data, 'base64'))
  const count = cells * frames
  assert.is(bytes.length, 13 * count)
  const at = cell * frames + frame
  return {
    full: bytes[at]!,
    state: bytes[count + at]!,
    label: labels[bytes[2 * count + at]!]!,
    blocks: bytes.readUInt16LE(3 * count + 2 * at),
    largest: bytes.readUInt32LE(5 * count + 4 * at),
    madeAt: bytes.readUInt32LE(9 * count + 4 * at),
  }
}

const nothing = { full: 0, label: '', blocks: 0, largest: 0, madeAt: 0 }

test('a block counts where it begins and fills the cells that it covers', () => {
  const map = new HeapMap(PAGE)
  map.block(8, 100, 7)
  map.block(PAGE - 96, 2 * PAGE, 9)
  map.block(5 * PAGE, 0, 11)
  map.end(
    (offset) => offset === 4 * PAGE,
    (offset) => (offset === 0 ? 'first' : undefined)
  )
  assert.is(map.cells, 6)
  assert.equal(cellOf(map, 0, 0), { full: 13, state: LIVE, label: 'first', blocks: 2, largest: 2 * PAGE, madeAt: 9 })
  assert.equal(cellOf(map, 1, 0), { full: 254, state: LIVE, label: '', blocks: 0, largest: 2 * PAGE, madeAt: 9 })
  assert.equal(cellOf(map, 3, 0), { ...nothing, state: ABSENT })
  assert.equal(cellOf(map, 4, 0), { ...nothing, state: FREE_RESIDENT })
  assert.is(cellOf(map, 5, 0).blocks, 1)
})

test('memory beyond the blocks of this moment is in the picture', () => {
  const map = new HeapMap(PAGE)
  map.block(0, PAGE, 1)
  map.reach(4 * PAGE)
  map.end(
    (offset) => offset === 3 * PAGE,
    () => undefined
  )
  assert.is(map.cells, 4)
  assert.is(cellOf(map, 2, 0).state, ABSENT)
  assert.is(cellOf(map, 3, 0).state, FREE_RESIDENT)
})

test('a block beyond the last cell makes all cells coarser, in earlier frames too', () => {
  const map = new HeapMap(PAGE)
  const free = () => false
  map.block(PAGE, PAGE, 1)
  map.block(6 * PAGE, PAGE / 2, 2)
  map.end(free, () => undefined)
  map.block(3 * MOST_CELLS * PAGE, 16, 3)
  map.end(free, () => undefined)
  const { cells, cellBytes, frames } = map.pack()
  assert.is(cellBytes, 4 * PAGE)
  assert.is(frames, 2)
  assert.ok(cells <= MOST_CELLS)
  assert.equal(cellOf(map, 0, 0), { full: 64, state: LIVE, label: '', blocks: 1, largest: PAGE, madeAt: 1 })
  assert.equal(cellOf(map, 1, 0), { full: 32, state: LIVE, label: '', blocks: 1, largest: PAGE / 2, madeAt: 2 })
  assert.equal(cellOf(map, 1, 1), { ...nothing, state: ABSENT })
  assert.is(cellOf(map, cells - 1, 1).madeAt, 3)
})

test('the size of a picture does not depend on the arena', () => {
  const map = new HeapMap(PAGE)
  map.block(2 ** 45, 8, 1)
  map.end(
    () => false,
    () => undefined
  )
  assert.ok(map.cells <= MOST_CELLS && map.cells > MOST_CELLS / 2)
})

test('more words than a cell can name are left out', () => {
  const map = new HeapMap(PAGE)
  for (let cell = 0; cell < 400; cell++) map.block(cell * PAGE, 8, 0)
  map.end(
    () => false,
    (offset) => `word ${offset}`
  )
  assert.is(map.pack().labels.length, 256)
  assert.is(cellOf(map, 10, 0).label, `word ${10 * PAGE}`)
  assert.is(cellOf(map, 399, 0).label, '')
})

test.run()
