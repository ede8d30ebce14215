/**
 * Options are read once: one that answers differently the second time gets past no check, and one that throws leaves nothing half-done.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena, Buddy, Bump, Heap, mapFile, Slab } from '../../src/index.ts'

const MiB = 2 ** 20
const scratch = mkdtempSync(join(tmpdir(), 'options-'))
test.after(() => rmSync(scratch, { recursive: true, force: true }))
const data = join(scratch, 'data')
writeFileSync(data, Buffer.alloc(65536))

/** Options that count how often each is read, and give something impossible from the second time on. */
function counted(options: Record<string, unknown>): { options: never; counts: Map<string, number> } {
  const counts = new Map<string, number>()
  const proxy = new Proxy(options, {
    get: (target, name: string) => {
      const count = (counts.get(name) ?? 0) + 1
      counts.set(name, count)
      return count === 1 ? target[name] : Symbol('read again')
    },
  })
  return { options: proxy as never, counts }
}

const arena = Arena.reserve(MiB)
const file = mapFile(data, { mode: 'write' })
const range = { offset: 65536, byteLength: 65536, limit: 65536, onFull: () => false }
const closing = (made: { close(): void }): void => made.close()

type Call = [name: string, options: Record<string, unknown>, run: (options: never) => unknown]
const calls: Call[] = [
  ['Heap', { ...range, decayMs: 5 }, (options) => closing(new Heap(arena, options))],
  ['Heap.open', { ...range, decayMs: 5, create: true }, (options) => closing(Heap.open(arena, options))],
  ['viewOf', { ...arena.refOf(arena.view(Uint8Array, 8, 8)) }, (ref) => void arena.viewOf(ref)],
  ['Slab', { ...range, slotSize: 64 }, (options) => closing(new Slab(arena, options))],
  ['Buddy', { ...range, minBlock: 64 }, (options) => closing(new Buddy(arena, options))],
  ['Bump', range, (options) => closing(new Bump(arena, options))],
  [
    'stats',
    { classes: true, resident: true },
    (options) => {
      const heap = new Heap(arena)
      try {
        assert.ok('residentBytes' in heap.stats(options))
      } finally {
        heap.close()
      }
    },
  ],
  [
    'alloc',
    { alignment: 64 },
    (options) => {
      const heap = new Heap(arena)
      try {
        heap.alloc(Buffer, 8, options)
      } finally {
        heap.close()
      }
    },
  ],
  [
    'Heap.attach',
    { offset: 0, role: 'writer', takeOver: false, decayMs: 5, onFull: () => false },
    (options) => {
      const shared = Arena.reserve(MiB, { shared: true })
      try {
        new Heap(shared).close()
        Heap.attach(shared, options).close()
      } finally {
        shared.close()
      }
    },
  ],
  [
    'reserve',
    { shared: false, name: 'x', hugePages: 'never', populate: true },
    (options) => closing(Arena.reserve(65536, options)),
  ],
  [
    'open',
    { byteLength: 65536, create: true, permissions: 0o600, name: 'x', hugePages: 'never', populate: false },
    (options) => {
      const path = join(scratch, 'open')
      try {
        closing(Arena.open(path, options))
      } finally {
        rmSync(path, { force: true })
      }
    },
  ],
  [
    'attach',
    { name: 'x', hugePages: 'never', populate: false },
    (options) => {
      const shared = Arena.reserve(MiB, { shared: true })
      try {
        closing(Arena.attach({ path: shared.path as string }, options))
      } finally {
        shared.close()
      }
    },
  ],
  ['wait', { timeoutMs: 0 }, (options) => arena.wait(0, 0, options)],
  ['close', { detach: false }, (options) => Arena.reserve(4096).close(options)],
  [
    'mapFile',
    {
      mode: 'write',
      offset: 0,
      byteLength: 4096,
      maxByteLength: 8192,
      create: true,
      populate: true,
      windowBytes: 2 ** 20,
    },
    (options) => closing(mapFile(data, options)),
  ],
  ['mapFile, read', { mode: 'read', hardened: true }, (options) => closing(mapFile(data, options))],
  ['sync', { offset: 0, byteLength: 8, async: false }, (options) => file.sync(options)],
]

for (const [name, given, run] of calls) {
  test(`${name}: each option is read once`, () => {
    const { options, counts } = counted(given)
    run(options)
    for (const option of Object.keys(given)) assert.is(counts.get(option), 1, option)
    for (const [option, count] of counts) assert.is(count, 1, option)
  })

  test(`${name}: an option that throws leaves nothing half-done`, () => {
    const mine = new Error('mine')
    for (const option of Object.keys(given)) {
      const throwing = Object.defineProperty({ ...given }, option, {
        get: () => {
          throw mine
        },
      })
      let caught: unknown
      try {
        run(throwing as never)
      } catch (error) {
        caught = error
      }
      assert.is(caught, mine, option)
      // The range is free, and the arena can be used.
      closing(new Bump(arena))
    }
  })
}

test.after(() => {
  file.close()
  arena.close()
})
test.run()
