/**
 * Every parameter of every public call, and every option, is given every odd value there is. The call succeeds, or throws an error
 * with a stable code; what it was called on is as it was.
 *
 * Longer than other files: one table of odd values for every public call.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena, Buddy, Bump, Heap, mapFile, Slab } from '../../src/index.ts'

const MiB = 2 ** 20
const scratch = mkdtempSync(join(tmpdir(), 'odd-'))
test.after(() => rmSync(scratch, { recursive: true, force: true }))

/** A revoked proxy answers nothing at all, not even what it is. */
function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

const odd: [string, unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['true', true],
  ['5n', 5n],
  ['-5n', -5n],
  ['a long bigint', 2n ** 4000n],
  ['Symbol', Symbol('s')],
  ['Symbol.iterator', Symbol.iterator],
  ['NaN', Number.NaN],
  ['-0', -0],
  ['-1', -1],
  ['0.5', 0.5],
  ['2^31', 2 ** 31],
  ['2^32', 2 ** 32],
  ['2^53', 2 ** 53],
  ['1e300', 1e300],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['""', ''],
  ['"8"', '8'],
  ['a zero in a string', 'a\0b'],
  ['[]', []],
  ['[8]', [8]],
  ['{}', {}],
  ['valueOf', { valueOf: () => 8, toString: () => '8' }],
  ['toPrimitive', { [Symbol.toPrimitive]: () => 8n }],
  ['no prototype', Object.create(null)],
  ['proxy', new Proxy({}, {})],
  ['revoked proxy', revoked()],
  ['function', () => 8],
  ['class', class Mine {}],
  ['Uint8Array', Uint8Array],
  ['DataView', DataView],
  ['foreign view', new Uint8Array(8)],
  ['foreign DataView', new DataView(new ArrayBuffer(8))],
  ['proxy of a view', new Proxy(new Uint8Array(8), {})],
  ['Date', new Date(0)],
]

/** An error of the library, of Node's, or of the kernel. */
function isCoded(error: unknown): boolean {
  return error instanceof Error && typeof (error as { code?: unknown }).code === 'string'
}

/** A proxy may throw whatever it is asked, and so may a function that is called: that is the caller's error, and goes through. */
function isCallers(error: unknown, value: unknown): boolean {
  if (!(error instanceof TypeError) || !(typeof value === 'object' || typeof value === 'function')) return false
  return /revoked|incompatible receiver|without 'new'|requires 'new'/.test(error.message)
}

interface Call {
  readonly name: string
  /** Good arguments: each in turn is replaced. */
  readonly given: readonly unknown[]
  run(...given: never[]): unknown
}

const wrong: string[] = []

async function tryAll(call: Call, unchanged: () => void): Promise<void> {
  for (let at = 0; at < Math.max(call.given.length, 1); at++)
    for (const [label, value] of odd) {
      const given = [...call.given]
      given[at] = value
      try {
        const result = call.run(...(given as never[]))
        if (result instanceof Promise) await result
      } catch (error) {
        if (!isCoded(error) && !isCallers(error, value)) wrong.push(`${call.name} #${at} ${label}: ${error}`)
      }
      try {
        unchanged()
      } catch (error) {
        wrong.push(`${call.name} #${at} ${label}: afterwards ${error}`)
      }
    }
}

/** Calls with an options object: each option in turn is odd. */
function optionCalls(name: string, options: Record<string, unknown>, run: (options: never) => unknown): Call[] {
  const whole: Call = { name: `${name} options`, given: [options], run: run as never }
  const each = Object.keys(options).map(
    (option): Call => ({
      name: `${name} ${option}`,
      given: [options[option]],
      run: (value: never) => run({ ...options, [option]: value } as never),
    })
  )
  return [whole, ...each]
}

const closing = (made: { close(): void }): void => made.close()

test('arena', async () => {
  const arena = Arena.reserve(MiB)
  const heap = new Heap(arena, { offset: 65536, byteLength: 65536 })
  const view = arena.view(Uint8Array, 0, 64)
  const calls: Call[] = [
    { name: 'view', given: [Uint8Array, 0, 8], run: (type, offset, length) => arena.view(type, offset, length) },
    { name: 'window', given: [0], run: (offset) => arena.window(offset) },
    { name: 'offsetOf', given: [view], run: (given) => arena.offsetOf(given) },
    { name: 'bytes', given: [0, 8], run: (offset, length) => arena.bytes(offset, length) },
    { name: 'refOf', given: [view], run: (given) => arena.refOf(given) },
    ...optionCalls('viewOf', { ...arena.refOf(view) }, (ref) => arena.viewOf(ref)),
    { name: 'populate', given: [0, 4096], run: (...given) => arena.populate(...(given as unknown as [number])) },
    { name: 'populate', given: [0], run: (offset) => arena.populate(offset) },
    { name: 'purge', given: [0, 4096], run: (offset, length) => arena.purge(offset, length) },
    { name: 'purge', given: [262144], run: (offset) => arena.purge(offset) },
    { name: 'resident', given: [0, 4096], run: (offset, length) => arena.resident(offset, length) },
    { name: 'resident', given: [0], run: (offset) => arena.resident(offset) },
    {
      name: 'wait',
      given: [0, 1, { timeoutMs: 0 }],
      run: (offset, expected) => arena.wait(offset, expected, { timeoutMs: 0 }),
    },
    ...optionCalls('wait', { timeoutMs: 0 }, (options) => arena.wait(0, 1, options)),
    {
      name: 'waitAsync',
      given: [0, 1],
      run: (offset, expected) => arena.waitAsync(offset, expected, { timeoutMs: 0 }),
    },
    ...optionCalls('waitAsync', { timeoutMs: 0, signal: undefined }, (options) => arena.waitAsync(0, 1, options)),
    { name: 'wake', given: [0, 1], run: (offset, count) => arena.wake(offset, count) },
    { name: 'use', given: [view, () => 1], run: (given, run) => arena.use(given, run) },
    ...optionCalls(
      'reserve',
      { shared: false, name: 'x', hugePages: 'never', populate: false, os: undefined },
      (options) => closing(Arena.reserve(4096, options))
    ),
    { name: 'reserve', given: [4096], run: (byteLength) => closing(Arena.reserve(byteLength)) },
    ...optionCalls('open', { byteLength: 4096, create: true, permissions: 0o600, name: 'x' }, (options) => {
      const path = join(scratch, 'open.arena')
      try {
        closing(Arena.open(path, options))
      } finally {
        rmSync(path, { force: true })
      }
    }),
    { name: 'open', given: ['/nowhere/at/all'], run: (path) => closing(Arena.open(path)) },
    {
      name: 'attach',
      given: [{ path: '/nowhere' }, {}],
      run: (source, options) => closing(Arena.attach(source, options)),
    },
    ...optionCalls('attach source', { path: '/nowhere', fd: -1, generation: 'x', control: 1 }, (source) =>
      closing(Arena.attach(source))
    ),
  ]
  for (const call of calls)
    await tryAll(call, () => {
      assert.is(arena.closed, false)
      heap.check()
    })
  for (const [label, value] of odd) {
    const other = Arena.reserve(4096)
    try {
      other.close(value as never)
    } catch (error) {
      if (!isCoded(error) && !isCallers(error, value)) wrong.push(`close ${label}: ${error}`)
    }
    try {
      other.close({ detach: value as never })
    } catch (error) {
      if (!isCoded(error)) wrong.push(`close detach ${label}: ${error}`)
    }
    other.close()
  }
  arena.close()
  assert.equal(wrong.splice(0), [])
})

test('allocators', async () => {
  const arena = Arena.reserve(16 * MiB)
  const kinds = {
    Heap: new Heap(arena, { offset: 0, byteLength: MiB }),
    Slab: new Slab(arena, { slotSize: 64, offset: MiB, byteLength: MiB }),
    Buddy: new Buddy(arena, { offset: 2 * MiB, byteLength: MiB }),
    Bump: new Bump(arena, { offset: 3 * MiB, byteLength: MiB }),
  }
  for (const [kind, allocator] of Object.entries(kinds)) {
    const kept = allocator.malloc(64)
    const calls: Call[] = [
      { name: 'malloc', given: [8], run: (n) => allocator.malloc(n) },
      { name: 'tryMalloc', given: [8], run: (n) => allocator.tryMalloc(n) },
      { name: 'calloc', given: [8], run: (n) => allocator.calloc(n) },
      { name: 'memalign', given: [8, 8], run: (alignment, n) => allocator.memalign(alignment, n) },
      { name: 'alloc', given: [Uint8Array, 8], run: (type, n) => allocator.alloc(type, n) },
      { name: 'allocUnsafe', given: [Uint8Array, 8], run: (type, n) => allocator.allocUnsafe(type, n) },
      ...optionCalls('alloc', { alignment: 64 }, (options) => allocator.alloc(Buffer, 8, options)),
      ...optionCalls('allocUnsafe', { alignment: 64 }, (options) => allocator.allocUnsafe(DataView, 8, options)),
      ...optionCalls('stats', { classes: true, resident: true }, (options) => allocator.stats(options)),
    ]
    if (allocator instanceof Bump)
      calls.push(
        { name: 'release', given: [0], run: (mark) => allocator.release(mark) },
        { name: 'realloc', given: [0, 8], run: (offset, n) => allocator.realloc(offset, n) }
      )
    else
      calls.push(
        { name: 'free', given: [0], run: (block) => allocator.free(block) },
        { name: 'usableSize', given: [kept], run: (block) => allocator.usableSize(block) },
        { name: 'realloc', given: [0, 8], run: (offset, n) => allocator.realloc(offset, n) },
        { name: 'realloc of a block', given: [kept, 64], run: (_, n) => allocator.realloc(allocator.malloc(32), n) }
      )
    if (allocator instanceof Heap)
      calls.push(
        { name: 'root', given: ['a'], run: (name) => allocator.root(name) },
        { name: 'setRoot', given: ['a', kept], run: (name, offset) => allocator.setRoot(name, offset) }
      )
    for (const call of calls) await tryAll({ ...call, name: `${kind}.${call.name}` }, () => allocator.check())
  }
  arena.close()
  assert.equal(wrong.splice(0), [])
})

test('making allocators', async () => {
  const arena = Arena.reserve(MiB)
  const range = { offset: 65536, byteLength: 65536, limit: 65536, onFull: undefined }
  const calls: Call[] = [
    ...optionCalls('Heap', { ...range, decayMs: 5, schedule: undefined }, (options) =>
      closing(new Heap(arena, options))
    ),
    ...optionCalls('Slab', { ...range, slotSize: 64 }, (options) => closing(new Slab(arena, options))),
    ...optionCalls('Buddy', { ...range, minBlock: 64 }, (options) => closing(new Buddy(arena, options))),
    ...optionCalls('Bump', range, (options) => closing(new Bump(arena, options))),
    { name: 'new Heap', given: [arena], run: (given) => closing(new Heap(given)) },
    { name: 'new Slab', given: [arena], run: (given) => closing(new Slab(given, { slotSize: 8 })) },
    { name: 'new Buddy', given: [arena], run: (given) => closing(new Buddy(given)) },
    { name: 'new Bump', given: [arena], run: (given) => closing(new Bump(given)) },
    { name: 'Heap.attach', given: [arena], run: (given) => closing(Heap.attach(given)) },
    ...optionCalls(
      'Heap.attach',
      { offset: 0, role: 'writer', takeOver: false, decayMs: 5, schedule: undefined, onFull: undefined },
      (options) => closing(Heap.attach(arena, options))
    ),
    { name: 'Heap.open', given: [arena], run: (given) => closing(Heap.open(given, { create: true })) },
    ...optionCalls('Heap.open', { ...range, decayMs: 5, schedule: undefined, create: true }, (options) =>
      closing(Heap.open(arena, options))
    ),
    {
      name: 'what only looks like an arena',
      given: [0],
      run: () => closing(new Heap(Object.create(Arena.prototype))),
    },
    { name: 'new Arena', given: [1], run: (given) => new (Arena as never as new (given: unknown) => Arena)(given) },
  ]
  // The whole range is free again after each.
  for (const call of calls) await tryAll(call, () => closing(new Bump(arena)))
  arena.close()
  assert.equal(wrong.splice(0), [])
})

test('files', async () => {
  const path = join(scratch, 'data')
  writeFileSync(path, Buffer.alloc(65536, 7))
  for (const mode of ['read', 'copy', 'write'] as const) {
    const file = mapFile(path, { mode })
    const view = file.view(Uint8Array, 0, 8)
    const calls: Call[] = [
      { name: 'view', given: [Uint8Array, 0, 8], run: (type, offset, length) => file.view(type, offset, length) },
      { name: 'window', given: [0], run: (offset) => file.window(offset) },
      { name: 'offsetOf', given: [view], run: (given) => file.offsetOf(given) },
      { name: 'check', given: [0, 8], run: (offset, length) => file.check(offset, length) },
      { name: 'check', given: [0], run: (offset) => file.check(offset) },
      {
        name: 'read',
        given: [0, 8, new Uint8Array(8)],
        run: (offset, length, target) => file.read(offset, length, target),
      },
      { name: 'resize', given: [65536], run: (length) => file.resize(length) },
      { name: 'reserveBlocks', given: [0, 8], run: (offset, length) => file.reserveBlocks(offset, length) },
      { name: 'reserveBlocks', given: [0], run: (offset) => file.reserveBlocks(offset) },
      ...optionCalls('sync', { offset: 0, byteLength: 8, async: true }, (options) => file.sync(options)),
      ...optionCalls('sync', { offset: 0 }, (options) => file.sync(options)),
      ...optionCalls('syncAsync', { offset: 0, byteLength: 8 }, (options) => file.syncAsync(options)),
      { name: 'advise', given: ['normal', 0, 8], run: (a, offset, length) => file.advise(a, offset, length) },
      { name: 'advise', given: ['normal', 0], run: (a, offset) => file.advise(a, offset) },
      { name: 'discard', given: [0, 8], run: (offset, length) => file.discard(offset, length) },
      { name: 'discard', given: [0], run: (offset) => file.discard(offset) },
      { name: 'resident', given: [0], run: (offset) => file.resident(offset) },
      { name: 'populate', given: [0], run: (offset) => file.populate(offset) },
      { name: 'lock', given: [0], run: (offset) => file.lock(offset) },
      { name: 'unlock', given: [0], run: (offset) => file.unlock(offset) },
      { name: 'use', given: [view, () => 1], run: (given, run) => file.use(given, run) },
    ]
    for (const call of calls)
      await tryAll({ ...call, name: `${mode} ${call.name}` }, () => {
        assert.is(file.closed, false)
        if (mode === 'write' && file.byteLength < 65536) file.resize(65536)
      })
    file.close()
  }
  const options = { offset: 0, byteLength: 8, maxByteLength: 8, create: false, populate: false, os: undefined }
  const calls: Call[] = [
    ...optionCalls('mapFile', { mode: 'write', ...options }, (given) => closing(mapFile(path, given))),
    ...optionCalls('mapFile', { mode: 'read', hardened: true, windowBytes: 2 ** 20 }, (given) =>
      closing(mapFile(path, given))
    ),
    { name: 'mapFile', given: [path], run: (file) => closing(mapFile(file, { mode: 'read' })) },
  ]
  for (const call of calls) await tryAll(call, () => undefined)
  assert.equal(wrong.splice(0), [])
})

test.run()
