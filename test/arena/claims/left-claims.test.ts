/**
 * Claims that were left open in a file: they count as held, and can be adopted as they are; a directory that lies is found out.
 *
 * Longer than other files: each test is one way in which a directory lies.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena, insideOf } from '../../../src/arena/arena.ts'
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
} from '../../../src/arena/format/layout.ts'
import { KiB, MiB } from '../../../src/units.ts'
import { compiled, nodes, runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { MAP_FILE } from '../../helpers/map-file.ts'
import { freshFile, freshPath } from '../../helpers/scratch.ts'
import { claim, Holder, Lasting } from './holder.ts'

const TOTAL = 2 * MiB

/** A new file with an arena on it. */
function create(): { path: string; file: MappedFile<'write'>; arena: Arena } {
  const path = freshPath()
  const file = mapFile(path, { mode: 'write', create: true, byteLength: TOTAL })
  return { path, file, arena: file.arena }
}

/** A heap over most of it, with a slab inside, a bump behind it and another heap, closed. */
function leave(): string {
  const { path, file, arena } = create()
  claim(arena, new Lasting('Heap', [4096, 8192]), 0, MiB, 5000)
  claim(arena, new Lasting('Slab', [4096, 1024]), 4096, 8192, 64)
  claim(arena, new Holder('Bump'), MiB, 4096, 64)
  const other = claim(arena, new Lasting('Heap'), MiB + 4096, 64 * KiB, 300)
  new Uint8Array(other.metadata.buffer).fill(7)
  arena.view(Uint8Array, MiB + 4096, 64 * KiB).fill(8)
  file.close()
  return path
}

const reopen = (path: string): MappedFile<'write'> => mapFile(path, { mode: 'write' })
const left = (kind: string, offset: number, byteLength: number) => ({
  kind,
  offset,
  byteLength,
  state: 'left',
  lasting: true,
})

test('what was left is listed and counts as held; what does not last is gone, and what was in a block', () => {
  const file = reopen(leave())
  const { arena } = file
  assert.equal(insideOf(arena).claims(), [left('Heap', 0, MiB), left('Heap', MiB + 4096, 64 * KiB)])
  for (const [offset, length] of [
    [0, 8],
    [4096, 8],
    [MiB - 8, 16],
    [MiB + 68 * KiB - 8, 8],
  ])
    throwsCode(() => claim(arena, new Holder('Bump'), offset, length), 'ERR_ARENA_BUSY', 'left by an earlier holder')
  throwsCode(() => arena.purge(0, 8), 'ERR_ARENA_BUSY', 'Heap')
  claim(arena, new Holder('Bump'), MiB, 4096)
  file.close()
})

test('an adopted claim has its range and metadata as they were left, and is a claim like any other', () => {
  const path = leave()
  const file = reopen(path)
  const { arena } = file
  const at = MiB + 4096
  const holder = new Lasting('Heap')
  const adopted = insideOf(arena).adopt({ holder, offset: at })
  assert.equal([adopted?.offset, adopted?.byteLength, adopted?.zeroed], [at, 64 * KiB, false])
  assert.is(adopted?.metadata.byteLength, 320)
  assert.ok(new Uint8Array(adopted?.metadata.buffer as ArrayBuffer).every((byte) => byte === 7))
  assert.ok(arena.view(Uint8Array, at, 64 * KiB).every((byte) => byte === 8))
  throwsCode(() => insideOf(arena).adopt({ holder, offset: at }), 'ERR_ARENA_BUSY', 'cannot adopt Heap (65536 bytes')
  throwsCode(() => claim(arena, new Holder('Bump'), at, 8), 'ERR_ARENA_BUSY', `Heap (65536 bytes at offset ${at})`)
  adopted?.release()
  assert.ok(arena.view(Uint8Array, at, 64 * KiB).every((byte) => byte === 0))
  const fresh = claim(arena, new Holder('Bump'), at, 64 * KiB, 300)
  assert.ok(new Uint8Array(fresh.metadata.buffer).every((byte) => byte === 0))
  file.close()
  assert.equal(insideOf(reopen(path).arena).claims(), [left('Heap', 0, MiB)])
})

test('without an offset the first of the kind is adopted; of another kind none is', () => {
  const file = reopen(leave())
  const { arena } = file
  assert.is(insideOf(arena).adopt({ holder: new Holder('Buddy') }), undefined)
  assert.is(insideOf(arena).adopt({ holder: new Holder('Heap'), offset: 8 }), undefined)
  assert.is(insideOf(arena).adopt({ holder: new Holder('Heap') })?.offset, 0)
  assert.is(insideOf(arena).adopt({ holder: new Holder('Heap') })?.offset, MiB + 4096)
  throwsCode(() => insideOf(arena).adopt({ holder: new Holder('Heap') }), 'ERR_ARENA_BUSY', 'it has a holder')
  throwsCode(() => insideOf(arena).adopt(undefined as never), 'ERR_INVALID_ARG_TYPE', '"request"')
  throwsCode(() => insideOf(arena).adopt({ holder: new Holder('Bump'), offset: -1 }), 'ERR_OUT_OF_RANGE', '"offset"')
  throwsCode(
    () => insideOf(arena).adopt({ holder: new Holder('Bump'), readOnly: 1 as never }),
    'ERR_INVALID_ARG_TYPE',
    '"request.readOnly"'
  )
  file.close()
})

test('an adopted claim nests as any other does', () => {
  const file = reopen(leave())
  const heap = new Holder('Heap', [4096, 8192])
  const outer = insideOf(file.arena).adopt({ holder: heap })
  assert.not(outer?.overlapsInner(4096, 8192))
  const slab = new Holder('Slab')
  claim(file.arena, slab, 4096, 8192, 64)
  assert.equal(heap.told, [1])
  outer?.revokeInner(4096, 8)
  assert.equal([heap.told, slab.told], [[1, 0], ['revoked']])
  file.close()
})

for (const [place, make] of [
  ['private', () => Arena.reserve(MiB)],
  ['shared', () => Arena.reserve(MiB, { shared: true })],
  ['in a file', () => create().arena],
  ['in a copy of a file', () => mapFile(freshFile(Buffer.alloc(TOTAL)), { mode: 'copy' }).arena],
] as const) {
  test(`${place}: a claim is left, waits, and is adopted again`, () => {
    const arena = make()
    const slab = new Holder('Slab')
    const heap = new Holder('Heap', [4096, 4096])
    const first = claim(arena, heap, 4096, 8192, 300)
    claim(arena, slab, 4096, 4096, 64)
    new Uint8Array(first.metadata.buffer).fill(5)
    arena.view(Uint8Array, 4096, 8192).fill(6)
    assert.equal(insideOf(arena).claims(), [
      { kind: 'Heap', offset: 4096, byteLength: 8192, state: 'ours', lasting: false },
    ])
    first.leave()
    first.leave()
    first.release()
    assert.equal([heap.told, slab.told], [[1], ['revoked']])
    throwsCode(() => first.clear(4096, 8), 'ERR_ARENA_CLOSED')
    assert.equal(insideOf(arena).claims(), [
      { kind: 'Heap', offset: 4096, byteLength: 8192, state: 'left', lasting: false },
    ])
    throwsCode(() => claim(arena, new Holder('Bump'), 0, 4104), 'ERR_ARENA_BUSY', 'left by an earlier holder')
    throwsCode(() => arena.purge(8192, 8), 'ERR_ARENA_BUSY', 'left by an earlier holder')
    const second = claim(arena, new Holder('Bump'), 0, 4096, 64)
    assert.ok(new Uint8Array(second.metadata.buffer).every((byte) => byte === 0))
    const again = insideOf(arena).adopt({ holder: new Lasting('Heap') })
    assert.ok(new Uint8Array(again?.metadata.buffer as ArrayBuffer).every((byte) => byte === 5 || byte === 0))
    assert.is(new Uint8Array(again?.metadata.buffer as ArrayBuffer)[299], 5)
    assert.ok(arena.view(Uint8Array, 4096, 8192).every((byte) => byte === 6))
    assert.equal(insideOf(arena).claims()[1], {
      kind: 'Heap',
      offset: 4096,
      byteLength: 8192,
      state: 'ours',
      lasting: true,
    })
    again?.release()
    assert.not(claim(arena, new Holder('Heap'), 4096, 8192).zeroed)
    arena.close()
  })

  test(`${place}: a claim is looked at while it is held, and nothing can be changed through it`, () => {
    const arena = make()
    const held = claim(arena, new Holder('Heap'), 4096, 8192, 300)
    new Uint8Array(held.metadata.buffer).fill(5)
    const reader = new Holder('Heap')
    const view = insideOf(arena).adopt({ holder: reader, readOnly: true })
    assert.equal([view?.offset, view?.byteLength, view?.metadata.byteLength], [4096, 8192, 320])
    assert.is.not(view?.metadata, held.metadata)
    new Uint8Array(held.metadata.buffer)[1] = 9
    assert.equal([...new Uint8Array(view?.metadata.buffer as ArrayBuffer, 0, 3)], [5, 9, 5])
    for (const change of [
      () => view?.purge(4096, 4096),
      () => view?.purgeMetadata(0, 8),
      () => view?.clear(4096, 8),
      () => view?.revokeInner(),
    ])
      throwsCode(change, 'ERR_UNSUPPORTED_OPERATION', 'only looked at')
    assert.ok((view?.resident().residentMetadataBytes as number) > 0)
    const other = insideOf(arena).adopt({ holder: new Holder('Heap'), offset: 4096, readOnly: true })
    other?.leave()
    other?.release()
    assert.is(insideOf(arena).adopt({ holder: new Holder('Slab'), readOnly: true }), undefined)
    assert.equal(insideOf(arena).claims().length, 1)
    held.release()
    assert.equal(reader.told, ['revoked'])
    assert.equal(insideOf(arena).claims(), [])
    arena.close()
  })

  test(`${place}: closing tells the other mappings, and what is locked runs`, () => {
    const arena = make()
    claim(arena, new Holder('Heap'), 4096, 8192, 0).leave()
    const reader = new Holder('Heap')
    assert.is(insideOf(arena).adopt({ holder: reader, readOnly: true })?.metadata.byteLength, 0)
    assert.is(
      insideOf(arena).locked(() => 5),
      5
    )
    arena.close()
    assert.equal(reader.told, ['revoked'])
  })
}

test('two mappings of one file see each other: one holder, readers beside it, and no claim in the way of another', () => {
  const path = leave()
  const [mine, theirs] = [reopen(path), reopen(path)].map(({ arena }) => arena) as [Arena, Arena]
  const writer = insideOf(mine).adopt({ holder: new Lasting('Heap') })
  throwsCode(
    () => insideOf(theirs).adopt({ holder: new Lasting('Heap'), offset: 0 }),
    'ERR_ARENA_BUSY',
    `process ${process.pid}`
  )
  const reader = insideOf(theirs).adopt({ holder: new Lasting('Heap'), offset: 0, readOnly: true })
  new Uint8Array(writer?.metadata.buffer as ArrayBuffer).fill(3)
  assert.is(new Uint8Array(reader?.metadata.buffer as ArrayBuffer)[77], 3)
  assert.equal(
    insideOf(theirs)
      .claims()
      .map(({ state }) => state),
    ['theirs', 'left']
  )
  throwsCode(() => claim(theirs, new Holder('Bump'), 0, 64), 'ERR_ARENA_BUSY', `of process ${process.pid}`)
  claim(theirs, new Holder('Bump'), MiB, 4096, 64)
  throwsCode(() => claim(mine, new Holder('Bump'), MiB, 8), 'ERR_ARENA_BUSY')
  throwsCode(() => mine.purge(MiB, 8), 'ERR_ARENA_BUSY', 'Bump')
  throwsCode(
    () => insideOf(mine).locked(() => insideOf(theirs).locked(() => 1)),
    'ERR_ARENA_BUSY',
    'its directory is held'
  )
  writer?.leave()
  assert.is(insideOf(theirs).adopt({ holder: new Lasting('Heap') })?.offset, 0)
  for (const arena of [mine, theirs]) arena.close()
})

/** What a peer does with the file at `data`: holds a claim, and waits. */
const HOLDING = `
  const { mapFile } = await import(${JSON.stringify(compiled('src/arena/file/map-file'))})
  const holder = { kind: 'Heap', lasting: true, blockAround: (offset, byteLength) => ({ offset, byteLength }), innerClaims() {}, revoked() {} }
  const { arena } = mapFile(data, { mode: 'write' })
  const claim = insideOf(arena).claim({ holder, offset: 0, byteLength: 65536, metadataBytes: () => 300 })
  insideOf(arena).claim({ holder: { ...holder, kind: 'Bump' }, offset: 4096, byteLength: 64, metadataBytes: () => 64 })
  new Uint8Array(claim.metadata.buffer).fill(7)
  post('here')
  await next()`

for (const node of nodes)
  test(`Node ${node.major}: what a process holds in a file can be looked at, and adopted when it was killed`, async () => {
    const child = await runChild(
      `${MAP_FILE}
      const path = ${JSON.stringify(freshPath())}
      const { arena } = mapFile(path, { mode: 'write', create: true, byteLength: ${TOTAL} })
      const peer = new Peer(${JSON.stringify(HOLDING)}, { data: path })
      await peer.next()
      const holder = { kind: 'Heap', lasting: true, blockAround: () => undefined, innerClaims() {}, revoked() {} }
      const code = (run) => { try { run(); return 'done' } catch (error) { return error.code } }
      const seen = insideOf(arena).adopt({ holder, readOnly: true })
      const looks = [seen.metadata.byteLength, new Uint8Array(seen.metadata.buffer)[299]]
      const before = [code(() => insideOf(arena).adopt({ holder })), insideOf(arena).claims()[0].state]
      seen.leave()
      await peer.kill()
      const after = insideOf(arena).claims()[0].state
      const claim = insideOf(arena).adopt({ holder })
      const kept = new Uint8Array(claim.metadata.buffer)[299]
      claim.release()
      report({ looks, before, after, kept, rest: insideOf(arena).claims().length, free: code(() => new Heap(arena)) })`,
      { node }
    )
    assert.equal(child.clean().report, {
      looks: [320, 7],
      before: ['ERR_ARENA_BUSY', 'theirs'],
      after: 'left',
      kept: 7,
      rest: 0,
      free: 'done',
    })
  })

test('a new file in which two make an arena at the same time is one arena', () => {
  const { path, arena } = create()
  const other = reopen(path).arena
  claim(arena, new Holder('Slab'), 0, 4096)
  throwsCode(() => claim(other, new Holder('Bump'), 0, 64), 'ERR_ARENA_BUSY', 'Slab')
  assert.equal([arena.shared, other.shared], [true, true])
  for (const one of [arena, other]) one.close()
})

test('an arena in a file has no handle: others map the file', () => {
  throwsCode(() => create().arena.handle(), 'ERR_UNSUPPORTED_OPERATION', 'another thread maps the file')
  const copy = mapFile(freshFile(Buffer.alloc(TOTAL)), { mode: 'copy' }).arena
  throwsCode(() => copy.handle(), 'ERR_UNSUPPORTED_OPERATION', 'a copy of its own')
  assert.equal([copy.shared, copy.fd, copy.path], [false, undefined, undefined])
})

test('the two kinds of arenas in files tell each other apart', () => {
  const named = freshPath()
  Arena.open(named, { create: true, byteLength: MiB }).close()
  throwsCode(() => mapFile(named, { mode: 'write' }).arena, 'ERR_UNSUPPORTED_OPERATION', 'Arena.open')
  const mapped = leave()
  for (const open of [() => Arena.open(mapped), () => Arena.attach({ path: mapped })])
    throwsCode(open, 'ERR_UNSUPPORTED_OPERATION', 'mapFile')
})

test('entries that were given back are used again, the lowest first', () => {
  const { path, file, arena } = create()
  const claims = Array.from({ length: 10 }, (_, index) => claim(arena, new Lasting('Slab'), index * 64, 64, 64))
  for (const index of [7, 2, 4]) claims[index]?.release()
  file.close()
  const again = reopen(path)
  assert.is(insideOf(again.arena).claims().length, 7)
  for (const index of [2, 4, 7]) claim(again.arena, new Lasting('Buddy'), index * 64, 64, 64)
  again.close()
  const kinds = insideOf(reopen(path).arena)
    .claims()
    .map(({ kind }) => kind)
  assert.equal(kinds.map((kind) => kind[0]).join(''), 'SSBSBSSBSS')
})

test('as many claims as a small directory holds, left and taken up again', () => {
  const { path, file, arena } = create()
  const most = ((layoutWithin(TOTAL, file.pageSize) as Layout).directoryBytes - HEADER_BYTES) / ENTRY_BYTES
  for (let index = 0; index < most; index++) claim(arena, new Lasting('Slab'), index * 8, 8, 64)
  throwsCode(() => claim(arena, new Holder('Slab'), most * 8, 8, 0), 'ERR_OUT_OF_MEMORY', `${most} claims`)
  file.close()
  const again = reopen(path)
  assert.is(insideOf(again.arena).claims().length, most)
  throwsCode(() => claim(again.arena, new Holder('Slab'), most * 8, 8, 0), 'ERR_OUT_OF_MEMORY', `${most} claims`)
  again.close()
})

/** A file as a process that was killed leaves it: with what it had in blocks. */
function abandoned(): string {
  const { path, arena } = create()
  claim(arena, new Lasting('Heap', [4096, 8192]), 0, MiB, 5000)
  claim(arena, new Holder('Slab', [4096, 1024]), 4096, 8192, 64)
  claim(arena, new Holder('Bump'), 4096, 512, 0)
  claim(arena, new Holder('Bump'), MiB, 64 * KiB, 300)
  return path
}

/** Changes words of the header or of an entry of a file with claims in it. */
function damage(change: (words: Uint32Array, lengths: Float64Array) => void): string {
  const path = abandoned()
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
  ['layoutHash', 'ERR_UNSUPPORTED_OPERATION', (words) => words.set([9], HeaderWord.layoutHash)],
  ['pageSize', 'ERR_UNSUPPORTED_OPERATION', (words) => words.set([65536], HeaderWord.pageSize)],
  ['state', 'ERR_CORRUPTED', (words) => words.set([0], HeaderWord.state)],
  ['byteLength', 'ERR_CORRUPTED', (_, lengths) => lengths.set([4096], HeaderLength.byteLength)],
  ['metadataBytes', 'ERR_CORRUPTED', (_, lengths) => lengths.set([NaN], HeaderLength.metadataBytes)],
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

test.run()
