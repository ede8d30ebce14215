/**
 * A heap's writer dies after any store: what was live before its last step still is, what the step was about is there or is not, and the
 * heap is whole. Every store into the metadata is logged; they are taken back one by one, and the heap is rebuilt from each state.
 * @module
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { rebuildHeap } from '../../../../src/allocator/heap/attach/recovery.ts'
import { liveBlocks } from '../../../../src/allocator/heap/find-block.ts'
import { type HeapTables, tablesOf } from '../../../../src/allocator/heap/layout.ts'
import { checkHeap } from '../../../../src/allocator/heap/report/check.ts'
import { HeapSpace } from '../../../../src/allocator/heap/space.ts'
import { Arena, CorruptedError, GiB, Heap, MiB } from '../../../../src/index.ts'
import { Journal } from '../../../helpers/journal.ts'
import { randomOf } from '../../program.ts'

const test = suite('heap recovery')

/** Of a step with more stores, so many states are looked at, in equal distances; `SOAK=1` for all. */
const MOST_STATES = process.env.SOAK === undefined ? 8 : Infinity

type Live = Map<number, number>

interface Laboratory {
  readonly heap: Heap
  readonly journal: Journal
  readonly space: HeapSpace
}

function laboratory(byteLength: number): Laboratory & Disposable {
  const arena = Arena.reserve(byteLength)
  const journal = new Journal()
  const heap = journal.watch(() => new Heap(arena, { decayMs: -1 }))
  const space = journal.watch(() => spaceOf(journal, arena))
  return { heap, journal, space, [Symbol.dispose]: () => arena.close() }
}

/** What a second process would make of the metadata. */
function spaceOf({ words }: Journal, arena: Arena): HeapSpace {
  const { byteLength, pageSize } = arena
  const nothing = () => undefined
  const clear = (from: number, to: number) => void words.fill(0, from, to)
  const memory = { purge: () => false, grew: () => false, zero: nothing, clearWords: clear, purgeWords: clear }
  const listener = { onFreed: nothing, onSlabSwitched: nothing, tellPages: nothing }
  const limit = Number.POSITIVE_INFINITY
  return new HeapSpace(tablesOf(words, { offset: 0, byteLength, pageSize, limit }), memory, listener)
}

function liveIn(space: HeapSpace): Live {
  return new Map([...liveBlocks(space)].map(({ offset, byteLength }) => [offset, byteLength]))
}

/** What stands in `found` and not, with the same length, in `expected`, and the other way round. */
function difference(found: Live, expected: Live): number[] {
  const differ = (one: Live, other: Live) => [...one.keys()].filter((offset) => one.get(offset) !== other.get(offset))
  return [...new Set([...differ(found, expected), ...differ(expected, found)])]
}

/** Runs a step, and rebuilds the heap from states between its stores. `touched` are the blocks that it is about. Returns their number. */
function crashIn(lab: Laboratory, step: () => number | undefined, touched: number[]): number {
  const { journal, space } = lab
  const before = liveIn(space)
  journal.stores = []
  const given = step()
  const after = liveIn(space)
  const { stores } = journal
  const about = new Set(given === undefined ? touched : [...touched, given])
  const stride = Math.max(1, Math.ceil((stores.length + 1) / MOST_STATES))
  let states = 0
  for (let done = stores.length; done >= 0; done--) {
    if (done % stride === 0 || done === stores.length) {
      const rebuilt = rebuild(lab)
      const changed = difference(rebuilt, before)
      assert.equal(
        changed.filter((offset) => !about.has(offset)),
        [],
        `after ${done} of ${stores.length} stores`
      )
      for (const offset of about)
        assert.ok([before.get(offset), after.get(offset), undefined].includes(rebuilt.get(offset)))
      states++
    }
    journal.stores = stores.slice(0, done)
    journal.undo()
  }
  journal.redo(stores)
  return states
}

/** Rebuilds, once cut short and once to the end; gives what is live then. The state is what it was before afterwards. */
function rebuild({ journal, space }: Laboratory): Live {
  journal.stores = []
  rebuildHeap(space)
  for (let left = journal.stores.length >> 1; left > 0; left--) journal.undo()
  rebuildHeap(space)
  assert.is(checkHeap(space), undefined)
  const live = liveIn(space)
  while (journal.stores.length > 0) journal.undo()
  return live
}

/** Sizes of all kinds: mostly slots, some spans, few long ones. */
function sizeOf(random: (bound: number) => number): number {
  const kind = random(10)
  return kind < 6 ? random(1025) : kind < 9 ? 1025 + random(20_000) : random(200_000)
}

/** One step of a random program over the blocks that are live; gives how many states were looked at. */
function randomStep(lab: Laboratory, random: (bound: number) => number): number {
  const { heap, space } = lab
  const offsets = [...liveIn(space).keys()]
  const block = offsets[random(Math.max(offsets.length, 1))] ?? 0
  const kind = random(20)
  if (kind === 0) return crashIn(lab, () => void heap.purge(), [])
  if (kind < 3 && block !== 0) return crashIn(lab, () => heap.realloc(block, sizeOf(random)), [block])
  if (kind === 3) return crashIn(lab, () => heap.memalign(4096, 1 + random(9000)), [])
  // Now more live blocks, now fewer.
  if (block !== 0 && offsets.length > 10 + random(120)) return crashIn(lab, () => void heap.free(block), [block])
  return crashIn(lab, () => heap.calloc(sizeOf(random)), [])
}

for (const seed of [1, 2])
  test(`a random program is cut short at any store: seed ${seed}`, () => {
    using lab = laboratory(16 * MiB)
    const random = randomOf(seed)
    let states = 0
    for (let step = 0; step < 90; step++) states += randomStep(lab, random)
    assert.ok(states > 400, `${states} states`)
    lab.heap.check()
  })

test('a slab that comes and goes', () => {
  using lab = laboratory(MiB)
  const blocks: number[] = []
  const take = (size: number) => {
    blocks.push(lab.heap.malloc(size))
    return blocks.at(-1)
  }
  for (let i = 0; i < 300; i++) crashIn(lab, () => take(64), [])
  for (const block of blocks) crashIn(lab, () => void lab.heap.free(block), [block])
  assert.is(liveIn(lab.space).size, 0)
})

test('a block beyond a window comes and goes', () => {
  using lab = laboratory(4 * GiB)
  let block = 0
  const take = () => {
    block = lab.heap.malloc(2 * GiB + 4096)
    return block
  }
  let states = crashIn(lab, take, [])
  states += crashIn(lab, () => void lab.heap.free(block), [block])
  assert.ok(states > 10, `${states} states`)
  assert.is(liveIn(lab.space).size, 0)
})

test('a reset that is cut short leaves all blocks or none', () => {
  using lab = laboratory(MiB)
  const { heap, journal, space } = lab
  for (const size of [64, 64, 200, 5000, 100_000]) heap.malloc(size)
  const before = liveIn(space)
  journal.stores = []
  heap.reset()
  const { stores } = journal
  for (let done = stores.length; done >= 0; done--) {
    const live = rebuild(lab)
    assert.ok(live.size === 0 || difference(live, before).length === 0, `after ${done} stores ${live.size} blocks`)
    journal.stores = stores.slice(0, done)
    journal.undo()
  }
})

test('what contradicts itself is ERR_CORRUPTED, and nothing has been changed', () => {
  const spoil: [string, (tables: HeapTables, spanOf: (byteLength: number) => number) => void][] = [
    ['records end', ({ words, layout }) => void (words[71] = layout.spans + 3)],
    ['no records', ({ words, layout }) => void (words[71] = layout.spans)],
    ['fewer records', ({ words }) => void (words[71] -= 16)],
    ['a span of no length', ({ words }, spanOf) => void (words[spanOf(5000) + 1] = 0)],
    ['spans that overlap', ({ words }, spanOf) => void (words[spanOf(5000)] += 8)],
    ['a span beyond the claim', ({ words }, spanOf) => void (words[spanOf(100_000)] = MiB - 8)],
  ]
  for (const [what, change] of spoil) {
    using lab = laboratory(MiB)
    for (const size of [64, 5000, 6000, 100_000]) lab.heap.malloc(size)
    change(lab.space.tables, (byteLength) => spanOf(lab.space, byteLength))
    lab.journal.stores = []
    assert.throws(
      () => rebuildHeap(lab.space),
      (error: Error) => error instanceof CorruptedError,
      what
    )
    assert.is(lab.journal.stores.length, 0)
  }
})

function spanOf({ index }: HeapSpace, byteLength: number): number {
  for (const span of index.all()) if (index.partLength(span) === byteLength) return span
  throw new Error(`no span of ${byteLength} bytes`)
}

test.run()
