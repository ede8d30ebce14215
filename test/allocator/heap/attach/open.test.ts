/** Heap.open: what is there, or a new one; and of several that open at the same time one makes the heap. */
import { rmSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { insideOf } from '../../../../src/arena/arena.ts'
import { Arena, Bump, Heap, type HeapOpenOptions, KiB, MiB, NotFoundError } from '../../../../src/index.ts'
import { throwsCode } from '../../../helpers/errors.ts'
import { Peer } from '../../../helpers/peer.ts'
import { freshPath } from '../../../helpers/scratch.ts'
import { Thread } from '../../../helpers/thread.ts'

test('without a heap: ERR_NOT_FOUND, or a new one', () => {
  using arena = Arena.reserve(4 * MiB)
  for (const options of [undefined, {}, { create: false }, { offset: MiB }])
    throwsCode(() => Heap.open(arena, options), 'ERR_NOT_FOUND', 'no heap')
  try {
    Heap.open(arena)
  } catch (error) {
    assert.instance(error, NotFoundError)
    assert.is((error as Error).name, 'NotFoundError')
  }
  const heap = Heap.open(arena, { create: true, offset: MiB, byteLength: MiB, limit: 64 * KiB, decayMs: -1 })
  assert.equal([heap.role, heap.recovered], ['writer', false])
  throwsCode(() => heap.malloc(100 * KiB), 'ERR_OUT_OF_MEMORY', `claim of ${MiB} bytes, limit ${64 * KiB}`)
  assert.ok(heap.malloc(8) >= MiB)
  // Somewhere else another one is made.
  throwsCode(() => Heap.open(arena, { offset: 0 }), 'ERR_NOT_FOUND')
  assert.is(Heap.open(arena, { create: true, offset: 0, byteLength: MiB }).role, 'writer')
  assert.is(insideOf(arena).claims().length, 2)
})

test('the heap that is there, with what it has', () => {
  const path = freshPath('opened')
  const make = (options?: HeapOpenOptions): [Arena, Heap] => {
    const arena = Arena.open(path, { create: true, byteLength: 8 * MiB })
    return [arena, Heap.open(arena, options)]
  }
  const [first, made] = make({ create: true, limit: MiB })
  made.setRoot('kept', made.malloc(100))
  first.close()
  const [second, found] = make({ create: true, limit: 2 * MiB })
  assert.equal([found.role, found.usableSize(found.root('kept'))], ['writer', 104])
  throwsCode(() => found.malloc(1.5 * MiB), 'ERR_OUT_OF_MEMORY', `limit ${MiB}`)
  const [third, reader] = make()
  assert.is(reader.role, 'reader')
  third.close()
  second.close()
  rmSync(path)
})

test('onFull belongs to the one that opens', () => {
  using arena = Arena.reserve(MiB, { shared: true })
  using other = Arena.attach({ path: arena.path as string })
  Heap.open(arena, { create: true, limit: 200 * KiB }).close()
  let asked = 0
  const onFull = (): boolean => ++asked < 3
  const heap = Heap.open(other, { onFull })
  assert.is(heap.tryMalloc(400 * KiB), 0)
  assert.is(asked, 3)
  heap.close()
  const attached = Heap.attach(other, { onFull })
  assert.is(attached.tryMalloc(400 * KiB), 0)
  assert.is(asked, 4)
})

test('what has the range is named at once', () => {
  using arena = Arena.reserve(MiB)
  new Bump(arena)
  throwsCode(() => Heap.open(arena, { create: true }), 'ERR_ARENA_BUSY', 'Bump')
})

test('options are checked before anything is made', () => {
  using arena = Arena.reserve(MiB)
  for (const [options, code, name] of [
    [{ create: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.create'],
    [{ create: true, limit: -1 }, 'ERR_OUT_OF_RANGE', 'options.limit'],
    [{ create: true, onFull: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.onFull'],
    [{ create: true, offset: 2 * MiB }, 'ERR_OUT_OF_RANGE', 'options.offset'],
    [7, 'ERR_INVALID_ARG_TYPE', 'options'],
  ] as [never, string, string][])
    throwsCode(() => Heap.open(arena, options), code, name)
  throwsCode(() => Heap.open({} as never), 'ERR_INVALID_ARG_TYPE', 'arena')
  assert.is(insideOf(arena).claims().length, 0)
})

/** What each of them does: opens when it is told to, says its role, and ends its part when it is told to. */
const OPENING = `
  for (;;) {
    post('ready')
    if ((await next()) === 'end') break
    const heap = Heap.open(arena, { create: true, decayMs: -1 })
    const heaps = insideOf(arena).claims().filter(({ kind }) => kind === 'Heap').length
    post([heap.role, heaps])
    await next()
    if (heap.role === 'reader') heap.close()
    post('left')
    await next()
    if (heap.role === 'writer') heap.destroy()
  }
  arena.close()
`

interface Other {
  next(): Promise<unknown>
  post(message: unknown): void
}

async function race(others: Other[], arena: Arena): Promise<void> {
  const all = (): Promise<unknown[]> => Promise.all(others.map((other) => other.next()))
  const tell = (message: string): void => {
    for (const other of others) other.post(message)
  }
  for (let round = 0; round < 10; round++) {
    assert.equal(
      await all(),
      others.map(() => 'ready')
    )
    tell('open')
    const results = (await all()) as [string, number][]
    assert.is(results.filter(([role]) => role === 'writer').length, 1, JSON.stringify(results))
    assert.ok(
      results.every(([, heaps]) => heaps === 1),
      JSON.stringify(results)
    )
    tell('leave')
    await all()
    tell('destroy')
  }
  await all()
  assert.is(insideOf(arena).claims().length, 0)
  tell('end')
}

test('of several threads that open at once, one makes it', async () => {
  const arena = Arena.reserve(MiB)
  const threads = Array.from(
    { length: 3 },
    () => new Thread(`const arena = Arena.attach(data); ${OPENING}`, arena.handle())
  )
  await race(threads, arena)
  await Promise.all(threads.map((thread) => thread.ended()))
  arena.close()
})

test('of several processes that open at once, one makes it', async () => {
  const arena = Arena.reserve(MiB, { shared: true })
  const peers = Array.from(
    { length: 3 },
    () =>
      new Peer(`const arena = Arena.attach({ fd: 3 }); ${OPENING}; process.disconnect()`, { fds: [arena.fd as number] })
  )
  await race(peers, arena)
  await Promise.all(peers.map((peer) => peer.ended()))
  arena.close()
})

test.run()
