/** References to views, and Buffers at offsets: what they lead to, and that nothing else is led to. */
import { rmSync } from 'node:fs'
import vm from 'node:vm'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { detach } from '../../../src/arena/mapping/detach.ts'
import { Arena, GiB, Heap, MiB, mapFile, type ViewRef } from '../../../src/index.ts'
import { VIEW_TYPES } from '../../../src/views.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { Peer } from '../../helpers/peer.ts'
import { freshPath } from '../../helpers/scratch.ts'
import { Thread } from '../../helpers/thread.ts'

const types = [...VIEW_TYPES.values()] as unknown as BufferConstructor[]

test('a reference is a small frozen value that survives every copy, for every type', () => {
  using arena = Arena.reserve(2 * GiB)
  assert.ok(types.length >= 13)
  for (const type of types)
    for (const [offset, length] of [
      [0, 0],
      [8, 3],
      [GiB - 8, 4],
      [2 * GiB - 64, 8],
    ] as const) {
      const view = arena.view(type, offset, length)
      const ref = arena.refOf(view)
      assert.ok(Object.isFrozen(ref))
      assert.equal(ref, { arena: ref.arena, type: type.name as ViewRef['type'], offset, length })
      for (const copy of [ref, structuredClone(ref), JSON.parse(JSON.stringify(ref))]) {
        const found = arena.viewOf(copy as ViewRef<'Buffer'>)
        assert.is(Object.getPrototypeOf(found), type.prototype)
        assert.equal([found.byteLength, arena.offsetOf(found)], [view.byteLength, offset])
      }
    }
})

test('the identity is that of the handle, whichever is asked for first', () => {
  for (const shared of [false, true]) {
    using arena = Arena.reserve(MiB, { shared })
    const { arena: identity } = arena.refOf(arena.view(Uint8Array, 0, 1))
    assert.is(arena.handle().generation, identity)
    assert.is(arena.refOf(arena.view(Uint8Array, 8, 1)).arena, identity)
    using again = Arena.attach(arena.handle())
    assert.is(again.refOf(again.view(Uint8Array, 0, 1)).arena, identity)
  }
})

test('views of subclasses and other realms are named by what the engine knows', () => {
  using arena = Arena.reserve(MiB)
  const { buffer } = arena.window(0)
  class Mine extends Float64Array {}
  assert.is(arena.refOf(new Mine(buffer, 8, 2)).type, 'Float64Array')
  assert.equal(arena.viewOf(arena.refOf(new Mine(buffer, 8, 2))).byteLength, 16)
  const foreign = arena.view(vm.runInNewContext('Int16Array') as Int16ArrayConstructor, 16, 3)
  assert.equal({ ...arena.refOf(foreign), arena: '' }, { arena: '', type: 'Int16Array', offset: 16, length: 3 })
  const lying = Object.defineProperties(new Uint8Array(buffer, 24, 4), {
    length: { value: 400 },
    byteOffset: { value: 4 },
    constructor: { value: Float64Array },
  })
  assert.equal({ ...arena.refOf(lying), arena: '' }, { arena: '', type: 'Uint8Array', offset: 24, length: 4 })
})

test('what is no reference to this arena is refused', () => {
  using arena = Arena.reserve(MiB)
  using other = Arena.reserve(MiB)
  const ref = arena.refOf(arena.view(Float64Array, 64, 4))
  throwsCode(() => other.viewOf(ref), 'ERR_OUT_OF_RANGE', 'ref.arena')
  const wrong: [object, string, string][] = [
    [{ arena: 'x' }, 'ERR_OUT_OF_RANGE', 'ref.arena'],
    [{ arena: undefined }, 'ERR_INVALID_ARG_TYPE', 'ref.arena'],
    [{ type: 'Array' }, 'ERR_OUT_OF_RANGE', 'ref.type'],
    [{ type: '__proto__' }, 'ERR_OUT_OF_RANGE', 'ref.type'],
    [{ type: Float64Array }, 'ERR_INVALID_ARG_TYPE', 'ref.type'],
    [{ offset: -8 }, 'ERR_OUT_OF_RANGE', 'ref.offset'],
    [{ offset: 4 }, 'ERR_OUT_OF_RANGE', 'ref.offset'],
    [{ offset: MiB + 8 }, 'ERR_OUT_OF_RANGE', 'ref.offset'],
    [{ offset: '64' }, 'ERR_INVALID_ARG_TYPE', 'ref.offset'],
    [{ offset: MiB - 8, length: 2 }, 'ERR_OUT_OF_RANGE', 'ref.length'],
    [{ length: 2 ** 53 }, 'ERR_OUT_OF_RANGE', 'ref.length'],
    [{ length: 0.5 }, 'ERR_OUT_OF_RANGE', 'ref.length'],
  ]
  for (const [change, code, name] of wrong) throwsCode(() => arena.viewOf({ ...ref, ...change } as never), code, name)
  for (const bad of [null, undefined, 1, 'x', Symbol('x')])
    throwsCode(() => arena.viewOf(bad as never), 'ERR_INVALID_ARG_TYPE', '"ref"')
  throwsCode(() => arena.refOf(new Uint8Array(8)), 'ERR_OUT_OF_RANGE', '"view"')
  throwsCode(() => arena.refOf({} as never), 'ERR_INVALID_ARG_TYPE', '"view"')
  const view = arena.view(Uint8Array, 0, 8)
  detach(view.buffer as ArrayBuffer)
  throwsCode(() => arena.refOf(view), 'ERR_OUT_OF_RANGE', '"view"')
  other.close()
  throwsCode(() => other.viewOf(ref), 'ERR_ARENA_CLOSED')
  throwsCode(() => other.refOf(view), 'ERR_ARENA_CLOSED')
})

test('another thread, another process and another mapping of a file find the same bytes', async () => {
  const arena = Arena.reserve(MiB, { shared: true })
  const heap = new Heap(arena)
  const view = heap.alloc(Int32Array, 4)
  view[3] = 77
  const ref = arena.refOf(view)
  const body = `
    const view = arena.viewOf(data.ref)
    post([view.constructor.name, view.length, view[3]])
    view[0] = 5
    post(arena.refOf(view))
    arena.close()`
  const thread = new Thread(`const arena = Arena.attach(data.handle); ${body}`, { handle: arena.handle(), ref })
  assert.equal(await thread.next(), ['Int32Array', 4, 77])
  assert.equal(await thread.next(), ref)
  await thread.ended()
  assert.is(view[0], 5)
  view[0] = 0
  const peer = new Peer(`const arena = Arena.attach({ fd: 3 }); ${body}; process.disconnect()`, {
    data: { ref },
    fds: [arena.fd as number],
  })
  assert.equal(await peer.next(), ['Int32Array', 4, 77])
  assert.equal(await peer.next(), ref)
  await peer.ended()
  assert.is(view[0], 5)
  arena.close()

  const path = freshPath('refs')
  const file = mapFile(path, { mode: 'write', create: true, byteLength: 8 * MiB })
  const again = mapFile(path, { mode: 'write' })
  const words = file.arena.view(Int32Array, 4096, 4)
  words[1] = 9
  assert.is(again.arena.viewOf(file.arena.refOf(words) as ViewRef<'Int32Array'>)[1], 9)
  file.close()
  again.close()
  rmSync(path)
})

test('bytes: a Buffer over any range, the same one for the same range, and none that is not right', () => {
  using arena = Arena.reserve(2 * GiB)
  const first = arena.bytes(100, 16)
  assert.ok(Buffer.isBuffer(first))
  assert.is(Object.getPrototypeOf(first), Buffer.prototype)
  assert.is(arena.offsetOf(first), 100)
  first.writeUInt32LE(0xabcdef01, 4)
  assert.is(arena.bytes(0, 2 ** 20).readUInt32LE(104), 0xabcdef01)
  assert.is(arena.bytes(100, 16), first)
  for (const [offset, byteLength] of [
    [100, 15],
    [100, 17],
    [101, 16],
    [100, 0],
    [0, 0],
    [GiB - 8, 16],
    [2 * GiB - 1, 1],
    [2 * GiB, 0],
  ] as const)
    for (let round = 0; round < 2; round++) {
      const bytes = arena.bytes(offset, byteLength)
      assert.is(bytes.length, byteLength)
      if (byteLength > 0) assert.is(arena.offsetOf(bytes), offset)
    }
  // More of them than are kept.
  for (let offset = 0; offset < 5000; offset++) assert.is(arena.offsetOf(arena.bytes(offset, 3)), offset)
  detach(first.buffer as ArrayBuffer)
  assert.is(arena.bytes(100, 16).length, 16)
  arena.bytes(100, 16)[0] = 1
  assert.is(arena.view(Uint8Array, 100, 1)[0], 1)
  for (const [offset, byteLength, code, name] of [
    [-1, 8, 'ERR_OUT_OF_RANGE', '"offset"'],
    [0.5, 8, 'ERR_OUT_OF_RANGE', '"offset"'],
    ['0', 8, 'ERR_INVALID_ARG_TYPE', '"offset"'],
    [8n, 8, 'ERR_INVALID_ARG_TYPE', '"offset"'],
    [0, 2 * GiB + 1, 'ERR_OUT_OF_RANGE', '"byteLength"'],
    [2 * GiB - 8, 9, 'ERR_OUT_OF_RANGE', '"byteLength"'],
    [100, '16', 'ERR_INVALID_ARG_TYPE', '"byteLength"'],
    [100, undefined, 'ERR_INVALID_ARG_TYPE', '"byteLength"'],
  ] as [never, never, string, string][])
    throwsCode(() => arena.bytes(offset, byteLength), code, name)
  arena.close()
  throwsCode(() => arena.bytes(100, 16), 'ERR_ARENA_CLOSED')
})

test('what was written through bytes is not taken for zero', () => {
  using arena = Arena.reserve(MiB)
  arena.bytes(0, MiB).fill(255)
  const heap = new Heap(arena)
  assert.ok(heap.alloc(Buffer, 100_000).every((byte) => byte === 0))
})

test.run()
