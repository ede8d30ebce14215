/** Entries of a directory that others write over, or leave half-written: what is not as it was read is not written to. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Heap } from '../../../src/allocator/heap/heap.ts'
import { heapTables } from '../../../src/allocator/heap/layout.ts'
import { Arena, insideOf } from '../../../src/arena/arena.ts'
import { mapFile } from '../../../src/arena/file/map-file.ts'
import {
  ClaimState,
  ENTRY_BYTES,
  ENTRY_HOLDER,
  ENTRY_KIND,
  EntryLength,
  EntryWord,
  HEADER_BYTES,
  HEADER_LOCK,
  HeaderWord,
  type Layout,
  layoutWithin,
} from '../../../src/arena/format/layout.ts'
import { type Address, MiB } from '../../../src/units.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { freshPath } from '../../helpers/scratch.ts'
import { claim, Holder, Lasting } from './holder.ts'

interface Pair {
  readonly os: FakeOs
  readonly mine: Arena
  readonly theirs: Arena
  readonly words: Uint32Array<ArrayBuffer>
  readonly lengths: Float64Array
  readonly holders: BigUint64Array
}

function pair(): Pair {
  const os = new FakeOs()
  const mine = Arena.reserve(MiB, { shared: true, os })
  const theirs = Arena.attach({ path: mine.path as string }, { os })
  // Through the mapping that is open for longer.
  const [, base] = [...os.live.keys()] as [Address, Address]
  const words = new Uint32Array(os.view((base + mine.byteLength) as Address, 4 * os.pageSize))
  return { os, mine, theirs, words, lengths: new Float64Array(words.buffer), holders: new BigUint64Array(words.buffer) }
}

const start = (entry: number): number => HEADER_BYTES + entry * ENTRY_BYTES
const wordAt = (entry: number, word: number): number => start(entry) / 4 + word
const lengthAt = (entry: number, length: number): number => start(entry) / 8 + length
const holderAt = (entry: number): number => (start(entry) + ENTRY_HOLDER) / 8

test('a count of entries that is too small is found out: what it leaves out is in the way', () => {
  const { mine, theirs, words } = pair()
  for (let index = 0; index < 3; index++) claim(theirs, new Holder('Slab'), index * 4096, 4096)
  for (const count of [0, 1, 2]) {
    words[HeaderWord.entries] = count
    throwsCode(
      () => claim(mine, new Holder('Bump'), 0, 12288),
      'ERR_CORRUPTED',
      `"entries" expected more than ${count}`
    )
  }
  words[HeaderWord.entries] = 3
  throwsCode(() => claim(mine, new Holder('Bump'), 0, 12288), 'ERR_ARENA_BUSY')
})

test('an entry whose state says free, and that says what it held, is no free one', () => {
  const { mine, theirs, words } = pair()
  claim(theirs, new Holder('Slab'), 0, 4096)
  words[wordAt(0, EntryWord.state)] = ClaimState.free
  throwsCode(() => claim(mine, new Holder('Bump'), 0, 64), 'ERR_CORRUPTED', 'entry 0: "state" expected 1 or 2')
})

test('an entry that its writer left half-written is cleared and used again', () => {
  const { mine, theirs, words } = pair()
  claim(theirs, new Holder('Slab'), 0, 4096)
  const lost = claim(theirs, new Holder('Slab'), 4096, 4096)
  words[wordAt(1, EntryWord.state)] = ClaimState.changing
  // As after a death in the middle of it, the thread that had it is no more.
  assert.is(lost.offset, 4096)
  mine.purge(65536, 64)
  words[HeaderWord.changeCount] = (words[HeaderWord.changeCount] as number) + 1
  claim(mine, new Holder('Bump'), 4096, 64)
  assert.equal([words[wordAt(1, EntryWord.state)], words[HeaderWord.entries]], [ClaimState.open, 2])
})

test('a released entry is zero but for how often it was used', () => {
  const { mine, words } = pair()
  const one = claim(mine, new Holder('Slab'), 0, 4096)
  one.release()
  const entry = [...words.subarray(start(0) / 4, start(1) / 4)]
  assert.equal(
    entry,
    entry.map((_, at) => (at === EntryWord.uses ? 1 : 0))
  )
})

test('a kind that is not printable is not shown', () => {
  const { mine, theirs, words } = pair()
  claim(theirs, new Holder('Slab'), 0, 4096)
  words[(start(0) + ENTRY_KIND) / 4] = 0x5b1b5b1b
  throwsCode(() => claim(mine, new Holder('Bump'), 0, 64), 'ERR_CORRUPTED', 'entry 0: "kind" expected printable')
})

test('a claim in a block is not lasting', () => {
  const { mine, theirs, words } = pair()
  claim(theirs, new Holder('Heap', [0, 4096]), 0, 8192)
  claim(theirs, new Holder('Slab'), 0, 4096)
  words[wordAt(1, EntryWord.state)] = ClaimState.lasting
  throwsCode(() => claim(mine, new Holder('Bump'), 0, 64), 'ERR_CORRUPTED', 'entry 1: "state" expected 1')
})

for (const [name, change] of [
  ['range', ({ lengths }: Pair) => (lengths[lengthAt(0, EntryLength.offset)] = 4096)],
  ['metadata', ({ lengths }: Pair) => (lengths[lengthAt(0, EntryLength.metadataLength)] = 64)],
  ['state', ({ words }: Pair) => words.fill(0, start(0) / 4, start(1) / 4)],
  ['times it was used', ({ words }: Pair) => (words[wordAt(0, EntryWord.uses)] = 9)],
] as const)
  for (const told of [true, false])
    test(`another writes over the ${name} of our claim, ${told ? 'and counts it' : 'and says nothing'}: nothing is written there`, () => {
      const both = pair()
      const { mine, words } = both
      const holder = new Holder('Slab')
      const one = claim(mine, holder, 0, 4096)
      change(both)
      if (told) Atomics.add(words, HeaderWord.changeCount, 1)
      const entry = words.slice(start(0) / 4, start(1) / 4)
      throwsCode(() => one.release(), 'ERR_CORRUPTED', 'directory entry 0')
      assert.equal(words.slice(start(0) / 4, start(1) / 4), entry)
      assert.is(words[HEADER_LOCK / 4], 0)
      mine.close()
      assert.equal([mine.closed, words.slice(start(0) / 4, start(1) / 4)], [true, entry])
    })

test('a claim that was taken over by another, which could not see its holder, is the other’s: ours leaves it alone', () => {
  for (const end of ['release', 'leave'] as const) {
    const { mine, holders, words } = pair()
    const one = claim(mine, new Lasting('Heap'), 0, 4096)
    new Uint8Array(one.metadata.buffer).fill(7)
    holders[holderAt(0)] = 5n << 44n
    Atomics.add(words, HeaderWord.changeCount, 1)
    one[end]()
    assert.equal([holders[holderAt(0)], words[wordAt(0, EntryWord.state)]], [5n << 44n, ClaimState.lasting])
    assert.ok(new Uint8Array(one.metadata.buffer).every((byte) => byte === 7))
    throwsCode(() => claim(mine, new Holder('Bump'), 8192, 64, 12 * MiB), 'ERR_OUT_OF_MEMORY')
  }
})

test('changes of another under our lock are seen afterwards, whatever the count says', () => {
  const { mine, theirs, words } = pair()
  claim(mine, new Holder('Slab'), 65536, 4096).release()
  // The other takes our lock for a dead one's.
  insideOf(mine).locked(() => {
    const lock = new BigUint64Array(words.buffer, HEADER_LOCK, 1)
    const [ours] = lock
    lock[0] = 0n
    const entry = words.slice(start(0) / 4, start(1) / 4)
    // Entered as another process enters it.
    const lengths = new Float64Array(entry.buffer)
    lengths.set([0, 4096, (mine.byteLength + 4 * MiB) as number, 0])
    entry[EntryWord.state] = ClaimState.open
    words.set(entry, start(0) / 4)
    Atomics.add(words, HeaderWord.changeCount, 1)
    lock[0] = ours as bigint
  })
  throwsCode(() => claim(mine, new Holder('Bump'), 0, 64), 'ERR_ARENA_BUSY')
  throwsCode(() => claim(theirs, new Holder('Bump'), 0, 64), 'ERR_ARENA_BUSY')
})

test('a heap is adopted, and looked at, only with the metadata that a heap of its length has', () => {
  for (const place of ['shared', 'file'] as const) {
    const path = freshPath()
    const total = 4 * MiB
    const file = place === 'file' ? mapFile(path, { mode: 'write', create: true, byteLength: total }) : undefined
    const os = new FakeOs()
    const arena = file?.arena ?? Arena.reserve(2 * MiB, { shared: true, os })
    const heap = new Heap(arena, { offset: 0, byteLength: MiB })
    const block = heap.malloc(5000)
    heap.close()
    const start = file ? (layoutWithin(total, arena.pageSize) as Layout).metadataStart : arena.byteLength
    const directory = new Float64Array(
      file ? file.window(0).buffer : os.view((([...os.live.keys()][0] as number) + start) as Address, 4096),
      file ? start : 0,
      512
    )
    const at = lengthAt(0, EntryLength.metadataLength)
    const right = directory[at] as number
    assert.is(right, Math.ceil(heapTables(MiB).byteLength / 64) * 64)
    for (const wrong of [0, 64, 192, 256, right - 64, right + 64]) {
      directory[at] = wrong
      Atomics.add(new Uint32Array(directory.buffer, directory.byteOffset, 64), HeaderWord.changeCount, 1)
      for (const role of ['writer', 'reader'] as const)
        throwsCode(() => Heap.attach(arena, { role }), 'ERR_CORRUPTED', '"metadata length"')
      const lasting = new Lasting('Heap')
      assert.is(insideOf(arena).adopt({ holder: lasting, readOnly: true })?.metadata.byteLength, wrong)
    }
    directory[at] = right
    Atomics.add(new Uint32Array(directory.buffer, directory.byteOffset, 64), HeaderWord.changeCount, 1)
    const again = Heap.attach(arena)
    assert.equal([again.role, again.usableSize(block) >= 5000], ['writer', true])
    again.check()
    again.close()
    arena.close()
  }
})

test.run()
