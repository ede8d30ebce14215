/**
 * A heap that another has made: found again, read, taken over from the living and the dead, and refused where it must be.
 *
 * Longer than other files: every way to a second object on the same memory.
 */
import { rmSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { insideOf } from '../../../../src/arena/arena.ts'
import type { Claim } from '../../../../src/arena/claim.ts'
import { Arena, type FreeingAllocator, GiB, Heap, MiB, mapFile } from '../../../../src/index.ts'
import { throwsCode } from '../../../helpers/errors.ts'
import { FakeOs } from '../../../helpers/fake-os.ts'
import { freshPath } from '../../../helpers/scratch.ts'
import { Thread } from '../../../helpers/thread.ts'

const test = suite('heap attach')

/** Two ways to the same memory: two arena objects, of which the second comes by what the first gives away. */
interface Pair extends Disposable {
  readonly mine: Arena
  theirs(): Arena
}

function pair(mine: Arena, theirs: () => Arena, end: () => void = () => undefined): Pair {
  const arenas: Arena[] = [mine]
  const made = () => {
    const arena = theirs()
    arenas.push(arena)
    return arena
  }
  const dispose = () => {
    for (const arena of arenas) arena.close()
    end()
  }
  return { mine, theirs: made, [Symbol.dispose]: dispose }
}

const kinds: Record<string, () => Pair> = {
  'by handle': () => {
    const mine = Arena.reserve(2 * GiB)
    const handle = mine.handle()
    return pair(mine, () => Arena.attach(handle))
  },
  'by path': () => {
    const mine = Arena.reserve(2 * GiB, { shared: true })
    return pair(mine, () => Arena.attach({ path: mine.path as string }))
  },
  'by name': () => {
    const path = freshPath('named')
    const mine = Arena.open(path, { create: true, byteLength: 8 * MiB })
    return pair(
      mine,
      () => Arena.open(path),
      () => rmSync(path)
    )
  },
  'in a file': () => {
    const path = freshPath('mapped')
    const mine = mapFile(path, { mode: 'write', create: true, byteLength: 8 * MiB }).arena
    return pair(
      mine,
      () => mapFile(path, { mode: 'write' }).arena,
      () => rmSync(path)
    )
  },
}

/** Everything that changes a heap. */
const changes: Record<string, (heap: Heap, block: number) => void> = {
  malloc: (heap) => void heap.malloc(64),
  'malloc of a span': (heap) => void heap.malloc(5000),
  tryMalloc: (heap) => void heap.tryMalloc(64),
  calloc: (heap) => void heap.calloc(64),
  memalign: (heap) => void heap.memalign(64, 64),
  'memalign of a page': (heap) => void heap.memalign(4096, 4096),
  alloc: (heap) => void heap.alloc(Uint8Array, 10),
  allocUnsafe: (heap) => void heap.allocUnsafe(Float64Array, 10),
  free: (heap, block) => heap.free(block),
  realloc: (heap, block) => void heap.realloc(block, 10_000),
  'realloc in place': (heap, block) => void heap.realloc(block, 64),
  purge: (heap) => void heap.purge(),
  reset: (heap) => heap.reset(),
  setRoot: (heap, block) => heap.setRoot('other', block),
  destroy: (heap) => heap.destroy(),
}

function liveIn(heap: FreeingAllocator): [number, number][] {
  return [...heap.blocks()].map(({ offset, byteLength }): [number, number] => [offset, byteLength])
}

for (const [kind, make] of Object.entries(kinds)) {
  test(`${kind}: a reader sees what the writer has made`, () => {
    using arenas = make()
    const mine = new Heap(arenas.mine)
    const numbers = mine.alloc(Float64Array, 1000).fill(0.5)
    const small = Array.from({ length: 500 }, (_, i) => mine.malloc(8 + i))
    for (const block of small.slice(0, 250)) mine.free(block)
    mine.setRoot('numbers', arenas.mine.offsetOf(numbers))

    const theirs = arenas.theirs()
    const heap = Heap.attach(theirs)
    assert.equal([mine.role, heap.role, heap.recovered], ['writer', 'reader', false])
    const root = heap.root('numbers')
    assert.ok(theirs.view(Float64Array, root, 1000).every((number) => number === 0.5))
    assert.is(heap.usableSize(root), mine.usableSize(numbers))
    assert.equal(liveIn(heap), liveIn(mine))
    assert.equal(heap.stats({ classes: true }), mine.stats({ classes: true }))
    heap.check()
  })

  test(`${kind}: a reader changes nothing, and is told whose the heap is`, () => {
    using arenas = make()
    const mine = new Heap(arenas.mine)
    const blocks = [64, 200, 5000, 100_000].map((size) => mine.malloc(size))
    const before = [liveIn(mine), mine.stats()]
    const heap = Heap.attach(arenas.theirs(), { role: 'reader' })
    for (const block of blocks)
      for (const [name, change] of Object.entries(changes))
        throwsCode(() => change(heap, block), 'ERR_ARENA_BUSY', name === '' ? name : `process ${process.pid}`)
    assert.equal([liveIn(mine), mine.stats()], before)
    mine.check()
  })

  test(`${kind}: one writer at a time`, () => {
    using arenas = make()
    const mine = new Heap(arenas.mine)
    const block = mine.malloc(100)
    const theirs = arenas.theirs()
    throwsCode(() => Heap.attach(theirs, { role: 'writer' }), 'ERR_ARENA_BUSY', `process ${process.pid}`)
    throwsCode(() => new Heap(theirs), 'ERR_ARENA_BUSY', 'Heap')
    mine.close()
    throwsCode(() => mine.malloc(1), 'ERR_ARENA_CLOSED', 'closed')
    // The heap is where it was: its range is not free.
    throwsCode(() => new Heap(theirs), 'ERR_ARENA_BUSY', 'Heap')
    const heap = Heap.attach(theirs, { role: 'writer', decayMs: -1 })
    assert.equal([heap.role, heap.recovered, liveIn(heap).length], ['writer', false, 1])
    heap.free(block)
    for (let i = 0; i < 1000; i++) heap.malloc(i)
    heap.check()
    const again = Heap.attach(arenas.mine)
    assert.equal([again.role, liveIn(again).length], ['reader', 1000])
    again.close()
    heap.destroy()
    new Heap(arenas.mine).destroy()
    throwsCode(() => Heap.attach(arenas.mine), 'ERR_NOT_FOUND', 'no heap')
  })

  test(`${kind}: closing the arena gives the role up`, () => {
    using arenas = make()
    new Heap(arenas.mine).setRoot('here', 0)
    const theirs = arenas.theirs()
    arenas.mine.close()
    const heap = Heap.attach(theirs)
    assert.equal([heap.role, heap.recovered], ['writer', false])
    heap.free(heap.malloc(8))
    heap.check()
  })

  test(`${kind}: several heaps are told apart by where they are`, () => {
    using arenas = make()
    const half = arenas.mine.byteLength / 2
    const first = new Heap(arenas.mine, { byteLength: half, limit: 2 * MiB })
    const second = new Heap(arenas.mine, { offset: half })
    first.setRoot('name', first.malloc(1))
    second.setRoot('name', second.malloc(2))
    const theirs = arenas.theirs()
    assert.is(Heap.attach(theirs).root('name'), first.root('name'))
    // The first is meant, though the second could be had.
    second.close()
    const found = Heap.attach(theirs)
    assert.equal([found.role, found.root('name')], ['reader', first.root('name')])
    const heap = Heap.attach(theirs, { offset: half })
    assert.equal([heap.role, heap.usableSize(heap.root('name'))], ['writer', 16])
    throwsCode(() => Heap.attach(theirs, { offset: half + 8 }), 'ERR_NOT_FOUND', 'offset')
    // The limit goes with the heap.
    first.close()
    const limited = Heap.attach(arenas.mine, { role: 'writer' })
    throwsCode(() => limited.malloc(3 * MiB), 'ERR_OUT_OF_MEMORY', `limit ${2 * MiB}`)
  })
}

test('a heap is left in a file, and found there', () => {
  const path = freshPath('heap')
  for (let round = 0; round < 4; round++) {
    using file = mapFile(path, { mode: 'write', create: true, byteLength: 8 * MiB, maxByteLength: 8 * MiB })
    const heap = round === 0 ? new Heap(file.arena) : Heap.attach(file.arena)
    assert.is(heap.role, 'writer')
    const old = heap.root('list')
    if (round > 0) assert.ok(file.arena.view(Uint8Array, old, 1000).every((byte) => byte === round))
    const next = heap.alloc(Uint8Array, 1000).fill(round + 1)
    heap.setRoot('list', file.arena.offsetOf(next))
    if (old !== 0) heap.free(old)
    heap.check()
    heap.close()
  }
})

test('a thread that is refused as a writer is told which thread the writer is', async () => {
  const arena = Arena.reserve(GiB)
  const heap = new Heap(arena)
  const main = `the main thread of process ${process.pid}`
  throwsCode(() => Heap.attach(arena, { role: 'writer' }), 'ERR_ARENA_BUSY', `its writer is this thread, ${main}.`)
  const thread = new Thread(
    `const arena = Arena.attach(data)
    const refused = (call) => { try { call() } catch ({ message }) { return message } }
    const reader = Heap.attach(arena, { role: 'reader' })
    post([refused(() => Heap.attach(arena, { role: 'writer' })), refused(() => reader.malloc(1))])
    await next()
    const heap = Heap.attach(arena)
    post(heap.role)
    await next()`,
    arena.handle()
  )
  const [attach, malloc] = (await thread.next()) as [string, string]
  assert.ok(attach.includes(`its writer is ${main}, which is this process.`), attach)
  assert.ok(attach.includes("{ role: 'reader' }"), attach)
  assert.ok(malloc.includes(`its writer is ${main}, which is this process`), malloc)
  heap.close()
  thread.post('go on')
  assert.is(await thread.next(), 'writer')
  throwsCode(
    () => Heap.attach(arena, { role: 'writer' }),
    'ERR_ARENA_BUSY',
    new RegExp(`its writer is thread \\d+ of process ${process.pid}, which is this process`)
  )
  thread.post('end')
  await thread.ended()
  arena.close()
})

test('of a writer in another container nothing is known: takeOver alone takes over', () => {
  const mine = Arena.reserve(32 * MiB, { shared: true })
  const heap = new Heap(mine, { decayMs: -1 })
  const block = heap.malloc(100)
  const os = new FakeOs()
  os.threads.where = { ...os.threads.place(), namespace: 99 }
  const theirs = Arena.attach({ path: mine.path as string }, { os })
  throwsCode(() => Heap.attach(theirs, { role: 'writer' }), 'ERR_ARENA_BUSY', `process ${process.pid}`)
  assert.is(Heap.attach(theirs).role, 'reader')
  const taken = Heap.attach(theirs, { takeOver: true })
  assert.equal([taken.role, taken.recovered], ['writer', true])
  taken.free(block)
  taken.check()
  theirs.close()
  mine.close()
})

test('a heap that could not be made is none, and its range is free', () => {
  for (const failures of [1, 2]) {
    const os = new FakeOs()
    using arena = Arena.reserve(MiB, { os })
    arena.view(Uint8Array, 0, 64 * 1024).fill(1)
    for (let i = 0; i < failures; i++) os.fail('purge', i + 1)
    throwsCode(() => new Heap(arena), 'ENOMEM')
    throwsCode(() => Heap.attach(arena), 'ERR_NOT_FOUND', 'no heap')
    const heap = new Heap(arena)
    assert.is(heap.alloc(Uint8Array, 60_000).indexOf(1), -1)
    heap.check()
  }
})

test('what is no heap of ours is ERR_CORRUPTED, and stays as it was', () => {
  const spoil: [string, (words: Int32Array, numbers: Float64Array) => void][] = [
    ['magic', (words) => void (words[0] = 7)],
    ['version', (words) => void (words[1] = 9)],
    ['layout', (words) => void (words[3] ^= 1)],
    ['page size', (words) => void (words[5] = 123)],
    ['claim byteLength', (_, numbers) => void (numbers[5] = 8)],
    ['limit', (_, numbers) => void (numbers[6] = -1)],
    ['state', (words) => void (words[4] = 9)],
  ]
  for (const [field, change] of spoil) {
    const mine = Arena.reserve(32 * MiB, { shared: true })
    new Heap(mine).close()
    // A look at the claim, as any allocator can have it.
    const holder = {
      kind: 'Heap',
      blockAround: () => undefined,
      innerClaims: () => undefined,
      revoked: () => undefined,
    }
    const metadata = (insideOf(mine).adopt({ holder, readOnly: true }) as Claim).metadata.buffer
    change(new Int32Array(metadata), new Float64Array(metadata))
    const before = Buffer.from(metadata, 0, 64 * 1024).toString('latin1')
    for (const role of ['writer', 'reader'] as const)
      throwsCode(() => Heap.attach(mine, { role }), 'ERR_CORRUPTED', field)
    assert.is(Buffer.from(metadata, 0, 64 * 1024).toString('latin1'), before)
    mine.close()
  }
})

test('arguments', () => {
  using arena = Arena.reserve(MiB)
  // biome-ignore lint/suspicious/noExplicitAny: wrong on purpose
  const wrong: [any, string, string][] = [
    [{ role: 'owner' }, 'ERR_INVALID_ARG_TYPE', 'options.role'],
    [{ takeOver: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.takeOver'],
    [{ offset: -1 }, 'ERR_OUT_OF_RANGE', 'options.offset'],
    [{ offset: MiB }, 'ERR_OUT_OF_RANGE', 'options.offset'],
    [{ offset: '0' }, 'ERR_INVALID_ARG_TYPE', 'options.offset'],
    [{ decayMs: -2 }, 'ERR_OUT_OF_RANGE', 'options.decayMs'],
    [7, 'ERR_INVALID_ARG_TYPE', 'options'],
  ]
  for (const [options, code, name] of wrong) throwsCode(() => Heap.attach(arena, options), code, name)
  throwsCode(() => Heap.attach(arena), 'ERR_NOT_FOUND', 'no heap')
  // biome-ignore lint/suspicious/noExplicitAny: wrong on purpose
  throwsCode(() => Heap.attach({} as any), 'ERR_INVALID_ARG_TYPE', 'arena')
  const bump = new Heap(arena)
  bump.close()
  throwsCode(() => Heap.attach(arena), 'ERR_NOT_FOUND', 'no heap')
})

test.run()
