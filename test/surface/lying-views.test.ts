/**
 * Views that a caller hands in and that say other things of themselves than the engine knows: the answer is right, or an error with a
 * code; nothing is written outside of them.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena, Heap, mapFile, Slab } from '../../src/index.ts'
import { throwsCode } from '../helpers/errors.ts'

const MiB = 2 ** 20
const scratch = mkdtempSync(join(tmpdir(), 'lying-'))
test.after(() => rmSync(scratch, { recursive: true, force: true }))

/** Everything that a subclass can say, each as a value, a throwing getter, and something that is no number. */
const LIES: [string, () => unknown][] = [
  ['large', () => 2 ** 40],
  ['zero', () => 0],
  ['bigint', () => 5n],
  ['symbol', () => Symbol('s')],
  ['object', () => ({ valueOf: () => 8 })],
  [
    'throws',
    () => {
      throw new Error('a lie')
    },
  ],
]

/** The same view, saying something else; on itself, or by its prototype. */
function* liars<V extends ArrayBufferView>(make: () => V): Generator<[string, V]> {
  for (const [lie, get] of LIES)
    for (const name of [
      'length',
      'byteLength',
      'byteOffset',
      'buffer',
      'BYTES_PER_ELEMENT',
      'constructor',
      'subarray',
    ]) {
      const own = make()
      Object.defineProperty(own, name, { get, configurable: true })
      yield [`own ${name} ${lie}`, own]
      const inherited = make()
      Object.setPrototypeOf(inherited, Object.create(Object.getPrototypeOf(inherited), { [name]: { get } }))
      yield [`inherited ${name} ${lie}`, inherited]
    }
  const bare = make()
  Object.setPrototypeOf(bare, null)
  yield ['no prototype', bare]
}

test('free, usableSize and offsetOf go by what a view is', () => {
  const arena = Arena.reserve(MiB)
  for (const allocator of [
    new Heap(arena, { byteLength: MiB / 2 }),
    new Slab(arena, { slotSize: 64, offset: MiB / 2 }),
  ]) {
    const makers = [
      () => allocator.allocUnsafe(Uint8Array, 64),
      () => allocator.allocUnsafe(Float64Array, 8),
      () => arena.view(Int16Array, allocator.malloc(64), 2),
      () => new DataView(arena.window(0).buffer, allocator.malloc(64), 8),
      () => Buffer.from(arena.window(0).buffer, allocator.malloc(64), 8),
    ]
    const used = allocator.stats().usedCount
    for (const make of makers)
      for (const [label, view] of liars<ArrayBufferView>(make)) {
        const offset = arena.offsetOf(view)
        assert.ok(offset > 0 && allocator.usableSize(view) >= 64, label)
        assert.is(allocator.usableSize(offset), allocator.usableSize(view), label)
        allocator.free(view)
        throwsCode(() => allocator.free(offset), 'ERR_DOUBLE_FREE')
      }
    assert.is(allocator.stats().usedCount, used)
    allocator.check()
  }
  arena.close()
})

test('a view that has been given a lying length is given out again only as one that fits', () => {
  const arena = Arena.reserve(MiB)
  const heap = new Heap(arena)
  for (const [, get] of LIES) {
    const view = heap.alloc(Uint8Array, 64)
    Object.defineProperty(view, 'length', { get, configurable: true })
    heap.free(view)
    const again = heap.alloc(Uint8Array, 64)
    assert.is(
      Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'length')?.get?.call(again),
      64
    )
    heap.free(again)
  }
  assert.is(heap.stats().usedCount, 0)
  heap.check()
  arena.close()
})

test('file.read writes inside its target and nowhere else', () => {
  const path = join(scratch, 'data')
  writeFileSync(path, Buffer.alloc(4096, 7))
  const file = mapFile(path, { mode: 'read' })
  class Liar extends Uint8Array {
    override get length(): number {
      return 2 ** 30
    }
    override get byteLength(): number {
      return 2 ** 30
    }
    static get [Symbol.species](): never {
      throw new Error('not to be asked')
    }
    override subarray(): never {
      throw new Error('not to be asked')
    }
  }
  const whole = new ArrayBuffer(64)
  for (const make of [
    () => new Liar(whole, 16, 8),
    () => Buffer.from(whole, 16, 8),
    () => new Uint8Array(whole, 16, 8),
  ]) {
    throwsCode(() => file.read(0, 4096, make()), 'ERR_OUT_OF_RANGE', 'got "8 bytes"')
    for (const [label, target] of liars<Uint8Array>(make)) {
      new Uint8Array(whole).fill(0)
      const read = file.read(0, 8, target)
      assert.is(read.byteLength, 8, label)
      const bytes = new Uint8Array(whole)
      assert.equal(
        [...bytes.subarray(0, 16), ...bytes.subarray(24)].every((byte) => byte === 0),
        true,
        label
      )
      assert.ok(
        bytes.subarray(16, 24).every((byte) => byte === 7),
        label
      )
      throwsCode(() => file.read(0, 9, target), 'ERR_OUT_OF_RANGE')
    }
  }
  file.close()
})

test('targets that shrank, are shared, or are gone', () => {
  const path = join(scratch, 'more')
  writeFileSync(path, Buffer.alloc(4096, 7))
  const file = mapFile(path, { mode: 'read' })
  const Resizable = ArrayBuffer as unknown as new (
    length: number,
    options: { maxByteLength: number }
  ) => ArrayBuffer & { resize(length: number): void }
  const buffer = new Resizable(64, { maxByteLength: 128 })
  const tracking = new Uint8Array(buffer)
  const fixed = new Uint8Array(buffer, 32, 16)
  assert.is(file.read(0, 64, tracking).byteLength, 64)
  buffer.resize(40)
  throwsCode(() => file.read(0, 41, tracking), 'ERR_OUT_OF_RANGE')
  throwsCode(() => file.read(0, 16, fixed), 'ERR_OUT_OF_RANGE')
  assert.is(file.read(0, 40, tracking)[39], 7)
  const shared = new Uint8Array(new SharedArrayBuffer(16))
  file.read(0, 8, shared)
  assert.equal([...shared], [7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 0, 0, 0, 0, 0])
  const gone = new Uint8Array(16)
  structuredClone(gone.buffer, { transfer: [gone.buffer] })
  throwsCode(() => file.read(0, 1, gone), 'ERR_OUT_OF_RANGE')
  for (const target of [
    new DataView(new ArrayBuffer(8)),
    new Int8Array(8),
    new Proxy(new Uint8Array(8), {}),
    [1, 2],
    {},
  ])
    throwsCode(() => file.read(0, 8, target as unknown as Uint8Array), 'ERR_INVALID_ARG_TYPE', '"target"')
  file.close()
})

test('views of elsewhere, and of what has been taken away, are refused with a code', () => {
  const arena = Arena.reserve(MiB)
  const heap = new Heap(arena)
  const data = new DataView(arena.window(0).buffer, heap.malloc(64), 8)
  for (const view of [
    new Uint8Array(8),
    new Uint8Array(new SharedArrayBuffer(8)),
    new DataView(new ArrayBuffer(8)),
    Buffer.alloc(8),
  ]) {
    throwsCode(() => heap.free(view), 'ERR_INVALID_FREE')
    throwsCode(() => arena.offsetOf(view), 'ERR_OUT_OF_RANGE')
  }
  const view = heap.alloc(Uint8Array, 8)
  // A byte stream takes the buffer away, on every Node line.
  new ReadableStream({ type: 'bytes', start: (controller) => controller.enqueue(new Uint8Array(view.buffer)) })
  assert.is(view.length, 0)
  for (const taken of [view, data]) {
    throwsCode(() => arena.offsetOf(taken), 'ERR_OUT_OF_RANGE')
    throwsCode(() => heap.free(taken), 'ERR_INVALID_FREE')
  }
  heap.check()
  arena.close()
})

test('a getter on a view that closes the allocator while the view is looked for: a view is given all the same', () => {
  for (const concurrent of [false, true]) {
    const arena = Arena.reserve(MiB)
    const heap = new Heap(arena, { concurrent })
    const view = heap.alloc(Uint8Array, 64)
    Object.defineProperty(view, 'length', {
      get: () => {
        heap.close()
        return 64
      },
    })
    heap.free(arena.offsetOf(view))
    assert.ok(ArrayBuffer.isView(heap.alloc(Uint8Array, 64)))
    throwsCode(() => heap.malloc(8), 'ERR_ARENA_CLOSED')
    arena.close()
  }
})

test('a copy of nothing into a target that is detached, or out of its buffer’s bounds', () => {
  const path = join(scratch, 'nothing')
  writeFileSync(path, new Uint8Array(4096).fill(9))
  const file = mapFile(path, { mode: 'read' })
  const detached = new Uint8Array(8)
  structuredClone(detached.buffer, { transfer: [detached.buffer] })
  assert.is(file.read(0, 0, detached).length, 0)
  throwsCode(() => file.read(0, 1, detached), 'ERR_OUT_OF_RANGE', '"target"')
  file.close()
})

test.run()
