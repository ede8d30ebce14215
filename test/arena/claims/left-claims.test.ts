/** Claims that were left open in a file: they count as held, and can be adopted as they are; a directory that lies is found out. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Arena } from '../../../src/arena/arena.ts'
import { FreeRanges } from '../../../src/arena/claims/free-ranges.ts'
import { mapFile } from '../../../src/arena/file/map-file.ts'
import type { MappedFile } from '../../../src/arena/file/mapped-file.ts'
import {
  ENTRY_BYTES,
  EntryLength,
  EntryWord,
  HEADER_BYTES,
  HeaderLength,
  HeaderWord,
  type Layout,
  layoutWithin,
} from '../../../src/arena/layout.ts'
import { KiB, MiB } from '../../../src/units.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { freshPath } from '../../helpers/scratch.ts'
import { claim, Holder } from './holder.ts'

const TOTAL = 2 * MiB

/** A new file with an arena on it. */
function create(): { path: string; file: MappedFile<'write'>; arena: Arena } {
  const path = freshPath()
  const file = mapFile(path, { mode: 'write', create: true, byteLength: TOTAL })
  return { path, file, arena: file.arena }
}

/** A heap over most of it, with a slab and a bump inside, and a second claim behind it; closed as a process that ends does. */
function leave(): string {
  const { path, file, arena } = create()
  claim(arena, new Holder('Heap', [4096, 8192]), 0, MiB, 5000)
  claim(arena, new Holder('Slab', [4096, 1024]), 4096, 8192, 64)
  claim(arena, new Holder('Bump'), 4096, 512, 0)
  const other = claim(arena, new Holder('Bump'), MiB, 64 * KiB, 300)
  new Uint8Array(other.metadata).fill(7)
  arena.view(Uint8Array, MiB, 64 * KiB).fill(8)
  file.close()
  return path
}

const reopen = (path: string): MappedFile<'write'> => mapFile(path, { mode: 'write' })

test('what was left is listed, the outermost first, and counts as held', () => {
  const file = reopen(leave())
  const { arena } = file
  assert.equal(arena.leftClaims(), [
    { kind: 'Heap', offset: 0, byteLength: MiB },
    { kind: 'Bump', offset: MiB, byteLength: 64 * KiB },
    { kind: 'Slab', offset: 4096, byteLength: 8192 },
    { kind: 'Bump', offset: 4096, byteLength: 512 },
  ])
  for (const [offset, length] of [
    [0, 8],
    [4096, 8],
    [MiB - 8, 16],
    [MiB + 64 * KiB - 8, 8],
  ])
    throwsCode(() => claim(arena, new Holder('Bump'), offset, length), 'ERR_ARENA_BUSY', 'left by an earlier holder')
  throwsCode(() => arena.purge(0, 8), 'ERR_ARENA_BUSY', 'Heap')
  claim(arena, new Holder('Bump'), MiB + 64 * KiB, 4096)
  file.close()
})

test('an adopted claim has its range and metadata as they were left, and is a claim like any other', () => {
  const path = leave()
  const file = reopen(path)
  const { arena } = file
  const holder = new Holder('Bump')
  const adopted = arena.adopt({ holder, offset: MiB })
  assert.equal([adopted?.offset, adopted?.byteLength, adopted?.zeroed], [MiB, 64 * KiB, false])
  assert.is(adopted?.metadata.byteLength, 320)
  assert.ok(new Uint8Array(adopted?.metadata as ArrayBuffer).every((byte) => byte === 7 || byte === 0))
  assert.is(new Uint8Array(adopted?.metadata as ArrayBuffer)[319], 7)
  assert.ok(arena.view(Uint8Array, MiB, 64 * KiB).every((byte) => byte === 8))
  assert.is(arena.adopt({ holder, offset: MiB }), undefined)
  throwsCode(() => claim(arena, new Holder('Bump'), MiB, 8), 'ERR_ARENA_BUSY', /Bump \(65536 bytes at offset 1048576\)/)
  adopted?.release()
  assert.ok(arena.view(Uint8Array, MiB, 64 * KiB).every((byte) => byte === 0))
  const fresh = claim(arena, new Holder('Bump'), MiB, 64 * KiB, 300)
  assert.ok(new Uint8Array(fresh.metadata).every((byte) => byte === 0))
  file.close()
  assert.is(reopen(path).arena.leftClaims().length, 4)
})

test('without an offset the first of the kind is adopted, the outermost first; of another kind none is', () => {
  const file = reopen(leave())
  const { arena } = file
  assert.is(arena.adopt({ holder: new Holder('Buddy') }), undefined)
  assert.is(arena.adopt({ holder: new Holder('Bump'), offset: 8 }), undefined)
  assert.is(arena.adopt({ holder: new Holder('Bump') })?.offset, MiB)
  assert.is(arena.adopt({ holder: new Holder('Bump') })?.offset, 4096)
  assert.is(arena.adopt({ holder: new Holder('Bump') }), undefined)
  throwsCode(() => arena.adopt(undefined as never), 'ERR_INVALID_ARG_TYPE', '"request"')
  throwsCode(() => arena.adopt({ holder: new Holder('Bump'), offset: -1 }), 'ERR_OUT_OF_RANGE', '"offset"')
  file.close()
})

test('nesting is as it was: the new holder is told of what lies inside, and can take it away', () => {
  const file = reopen(leave())
  const { arena } = file
  const heap = new Holder('Heap', [4096, 8192], [65536, 4096])
  const outer = arena.adopt({ holder: heap })
  assert.equal(heap.told, [1])
  assert.ok(outer?.overlapsInner(4096, 8))
  const slab = new Holder('Slab', [4096, 1024])
  arena.adopt({ holder: slab })
  assert.equal(slab.told, [1])
  claim(arena, new Holder('Bump'), 65536, 4096, 64)
  assert.equal(heap.told, [1, 2])
  outer?.revokeInner(4096, 8)
  assert.equal(
    [heap.told, slab.told],
    [
      [1, 2, 1],
      [1, 'revoked'],
    ]
  )
  assert.equal(arena.leftClaims(), [{ kind: 'Bump', offset: MiB, byteLength: 64 * KiB }])
  file.close()
})

test('a left claim that nobody adopts goes with the block around it', () => {
  const path = leave()
  let file = reopen(path)
  file.arena.adopt({ holder: new Holder('Heap', [4096, 8192]) })?.release()
  assert.equal(file.arena.leftClaims(), [{ kind: 'Bump', offset: MiB, byteLength: 64 * KiB }])
  file.close()
  file = reopen(path)
  assert.equal(file.arena.leftClaims(), [{ kind: 'Bump', offset: MiB, byteLength: 64 * KiB }])
  claim(file.arena, new Holder('Heap'), 0, MiB, 5000)
  file.close()
})

test('entries that were given back are used again, the lowest first', () => {
  const { path, file, arena } = create()
  const claims = Array.from({ length: 10 }, (_, index) => claim(arena, new Holder('Slab'), index * 64, 64, 64))
  for (const index of [7, 2, 4]) claims[index]?.release()
  file.close()
  const again = reopen(path)
  assert.is(again.arena.leftClaims().length, 7)
  for (const index of [2, 4, 7]) claim(again.arena, new Holder('Buddy'), index * 64, 64, 64)
  again.close()
  const kinds = reopen(path)
    .arena.leftClaims()
    .map(({ kind }) => kind)
  assert.equal(kinds.map((kind) => kind[0]).join(''), 'SSBSBSSBSS')
})

test('as many claims as a small directory holds, left and taken up again', () => {
  const { path, file, arena } = create()
  const most = ((layoutWithin(TOTAL, file.pageSize) as Layout).directoryBytes - HEADER_BYTES) / ENTRY_BYTES
  for (let index = 0; index < most; index++) claim(arena, new Holder('Slab'), index * 8, 8, 64)
  throwsCode(() => claim(arena, new Holder('Slab'), most * 8, 8, 0), 'ERR_OUT_OF_MEMORY', `${most} claims`)
  file.close()
  const again = reopen(path)
  assert.is(again.arena.leftClaims().length, most)
  throwsCode(() => claim(again.arena, new Holder('Slab'), most * 8, 8, 0), 'ERR_OUT_OF_MEMORY', `${most} claims`)
  again.close()
})

/** Changes words of the header or of an entry of a file with claims in it. */
function damage(change: (words: Uint32Array, lengths: Float64Array) => void): string {
  const path = leave()
  const { metadataStart } = layoutWithin(TOTAL, 4096) as Layout
  const bytes = new Uint8Array(4096)
  const fd = openSync(path, 'r+')
  readSync(fd, bytes, 0, 4096, metadataStart)
  change(new Uint32Array(bytes.buffer), new Float64Array(bytes.buffer))
  writeSync(fd, bytes, 0, 4096, metadataStart)
  closeSync(fd)
  return path
}

const wordAt = (entry: number, word: number): number => (HEADER_BYTES + entry * ENTRY_BYTES) / 4 + word
const lengthAt = (entry: number, length: number): number => (HEADER_BYTES + entry * ENTRY_BYTES) / 8 + length

const HEADER_LIES: [string, string, (words: Uint32Array, lengths: Float64Array) => void][] = [
  ['version', 'ERR_UNSUPPORTED_OPERATION', (words) => words.set([9], HeaderWord.version)],
  ['layout hash', 'ERR_UNSUPPORTED_OPERATION', (words) => words.set([9], HeaderWord.layoutHash)],
  ['page size', 'ERR_UNSUPPORTED_OPERATION', (words) => words.set([65536], HeaderWord.pageSize)],
  ['state', 'ERR_CORRUPTED', (words) => words.set([0], HeaderWord.state)],
  ['byteLength', 'ERR_CORRUPTED', (_, lengths) => lengths.set([4096], HeaderLength.byteLength)],
  ['metadata bytes', 'ERR_CORRUPTED', (_, lengths) => lengths.set([NaN], HeaderLength.metadataBytes)],
  ['entries', 'ERR_CORRUPTED', (words) => words.set([2 ** 31], HeaderWord.entries)],
  ['openClaims', 'ERR_CORRUPTED', (words) => words.set([2 ** 31], HeaderWord.openClaims)],
]

for (const [field, code, change] of HEADER_LIES)
  test(`a header with a wrong ${field} is refused by name, and nothing is changed`, () => {
    const path = damage(change)
    const file = reopen(path)
    for (let round = 0; round < 2; round++) throwsCode(() => file.arena, code, `arena header: "${field}" expected`)
    file.close()
  })

const ENTRY_LIES: [string, string, (words: Uint32Array, lengths: Float64Array) => void][] = [
  ['state', 'entry 1: "state"', (words) => words.set([5], wordAt(1, EntryWord.state))],
  ['offset that is NaN', 'entry 0: "offset"', (_, lengths) => lengths.set([NaN], lengthAt(0, EntryLength.offset))],
  ['offset off the grid', 'entry 3: "offset"', (_, lengths) => lengths.set([MiB + 4], lengthAt(3, EntryLength.offset))],
  ['offset below 0', 'entry 3: "offset"', (_, lengths) => lengths.set([-8], lengthAt(3, EntryLength.offset))],
  [
    'length beyond the data',
    'entry 3: "byteLength"',
    (_, lengths) => lengths.set([TOTAL], lengthAt(3, EntryLength.byteLength)),
  ],
  ['length of nothing', 'entry 3: "byteLength"', (_, lengths) => lengths.set([0], lengthAt(3, EntryLength.byteLength))],
  [
    'overlap',
    'lies in a range that another entry has',
    (_, lengths) => lengths.set([MiB - 8], lengthAt(3, EntryLength.offset)),
  ],
  [
    'metadata in the data',
    'entry 3: "metadata offset"',
    (_, lengths) => lengths.set([4096], lengthAt(3, EntryLength.metadataOffset)),
  ],
  [
    'metadata in the directory',
    'entry 3: "metadata offset"',
    (_, lengths) =>
      lengths.set([(layoutWithin(TOTAL, 4096) as Layout).metadataStart], lengthAt(3, EntryLength.metadataOffset)),
  ],
  [
    'metadata past the end',
    'entry 3: "metadata length"',
    (_, lengths) => lengths.set([TOTAL], lengthAt(3, EntryLength.metadataLength)),
  ],
  [
    'metadata of two',
    '"metadata offset"',
    (_, lengths) =>
      lengths.set(
        [lengths[lengthAt(0, EntryLength.metadataOffset)] as number],
        lengthAt(3, EntryLength.metadataOffset)
      ),
  ],
  ['parent that is none', 'entry 1: "around"', (words) => words.set([30], wordAt(1, EntryWord.around))],
  ['parent that is elsewhere', 'entry 1: "around"', (words) => words.set([4], wordAt(1, EntryWord.around))],
  [
    'parent that is itself',
    'entry 0: "around" leads in a circle',
    (words) => words.set([1], wordAt(0, EntryWord.around)),
  ],
]

for (const [lie, message, change] of ENTRY_LIES)
  test(`an entry with a wrong ${lie} is refused by name`, () => {
    const file = reopen(damage(change))
    throwsCode(() => file.arena, 'ERR_CORRUPTED', message)
    file.close()
  })

test('takeAt takes exactly a free range', () => {
  const ranges = new FreeRanges(100, 100)
  assert.ok(ranges.takeAt(120, 10))
  assert.not(ranges.takeAt(125, 10))
  assert.not(ranges.takeAt(190, 20))
  assert.ok(ranges.takeAt(130, 70))
  assert.ok(ranges.takeAt(5, 0))
  assert.is(ranges.byteLength, 20)
  ranges.give(120, 10)
  assert.ok(ranges.takeAt(100, 30))
})

test.run()
