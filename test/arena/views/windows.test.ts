import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena, insideOf } from '../../../src/arena/arena.ts'
import { WINDOW_BYTES } from '../../../src/arena/format/layout.ts'
import { detach, detachByStream } from '../../../src/arena/mapping/detach.ts'
import { Buddy, Bump, Heap, Slab } from '../../../src/index.ts'
import { GiB, MiB } from '../../../src/units.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'

test('windows are made at first need, once each', () => {
  const os = new FakeOs()
  using arena = Arena.reserve(3 * GiB + MiB, { os, windowBytes: GiB })
  assert.is(os.count('view'), 0)
  const last = insideOf(arena).windowBuffer(3)
  assert.is(last.byteLength, MiB)
  assert.is(insideOf(arena).windowBuffer(0).byteLength, WINDOW_BYTES)
  assert.is(insideOf(arena).windowBuffer(3), last)
  assert.is(arena.window(3 * GiB + 5).buffer, last)
  assert.is(os.count('view'), 2)
})

test('there is no window past the end, nor one of an odd number', () => {
  using arena = Arena.reserve(2 * GiB, { windowBytes: GiB })
  for (const bad of [2, -1, NaN, 0.5, Infinity])
    throwsCode(() => insideOf(arena).windowBuffer(bad), 'ERR_OUT_OF_RANGE', '"index"')
  throwsCode(() => insideOf(arena).windowBuffer('x' as never), 'ERR_INVALID_ARG_TYPE', '"index"')
})

test('window gives the buffer that shows an offset, and where it starts', () => {
  using arena = Arena.reserve(2 * GiB + MiB)
  for (const offset of [0, 1, GiB - 1, GiB, 2 * GiB - 1, 2 * GiB, 2 * GiB + MiB - 1]) {
    const { buffer, start } = arena.window(offset)
    assert.ok(start <= offset && offset - start < buffer.byteLength)
    assert.is(start % WINDOW_BYTES, 0)
    new Uint8Array(buffer)[offset - start] = 7
    assert.is(arena.view(Uint8Array, offset, 1)[0], 7)
    assert.is(arena.offsetOf(new Uint8Array(buffer, offset - start, 1)), offset)
  }
  for (const bad of [-1, NaN, 2 * GiB + MiB, 0.5]) throwsCode(() => arena.window(bad), 'ERR_OUT_OF_RANGE', '"offset"')
})

test("a view across a window's end sees both windows, in a buffer of its own", () => {
  using arena = Arena.reserve(3 * GiB)
  const across = arena.view(Uint8Array, GiB - 5, 10)
  assert.equal([across.byteOffset, across.buffer.byteLength], [0, 10])
  across.set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  assert.equal([...arena.view(Uint8Array, GiB - 5, 5)], [1, 2, 3, 4, 5])
  assert.equal([...arena.view(Uint8Array, GiB, 5)], [6, 7, 8, 9, 10])
  assert.is(arena.offsetOf(across), GiB - 5)
  assert.is(arena.offsetOf(across.subarray(7)), GiB + 2)
  assert.is(arena.view(Uint8Array, GiB - 5, 10).buffer, across.buffer)
  const large = arena.view(Float64Array, 8, GiB / 4)
  assert.is(large.byteLength, 2 * GiB)
  assert.is(arena.offsetOf(large), 8)
  large[GiB / 4 - 1] = 0.5
  assert.is(arena.view(Float64Array, 2 * GiB, 1)[0], 0.5)
})

test('a view that ends where a window ends needs none', () => {
  using arena = Arena.reserve(2 * GiB, { windowBytes: GiB })
  assert.is(arena.view(Uint8Array, GiB - 8, 8).buffer, insideOf(arena).windowBuffer(0))
  assert.is(arena.view(Uint8Array, GiB, 8).buffer, insideOf(arena).windowBuffer(1))
  assert.is(arena.view(Uint8Array, 0, GiB).buffer, insideOf(arena).windowBuffer(0))
  assert.is(arena.view(Uint8Array, 2 * GiB - 8, 8).buffer, insideOf(arena).windowBuffer(1))
})

test('a zero-length view keeps its place, at the very end too', () => {
  using arena = Arena.reserve(2 * GiB)
  for (const offset of [0, 8, GiB - 8, GiB, 2 * GiB - 8, 2 * GiB]) {
    const view = arena.view(Float64Array, offset, 0)
    assert.is(view.length, 0)
    assert.is(arena.offsetOf(view), offset)
  }
})

test('a view longer than the runtime can make is refused by name', () => {
  using arena = Arena.reserve(8 * GiB, { os: new FakeOs({ maxViewBytes: 4 * GiB }) })
  throwsCode(() => arena.view(Uint8Array, 0, 4 * GiB + 1), 'ERR_OUT_OF_RANGE', `at most ${4 * GiB} bytes in one view`)
  assert.is(arena.view(Uint8Array, 0, 4 * GiB).length, 4 * GiB)
  assert.is(arena.resident(), 0)
})

test('own buffers are kept, but not without end', () => {
  const os = new FakeOs()
  using arena = Arena.reserve(2 * GiB, { os })
  for (let length = 101; length <= 300; length++) arena.view(Uint8Array, GiB - 100, length)
  assert.is(os.count('view'), 200)
  arena.view(Uint8Array, GiB - 100, 300)
  assert.is(os.count('view'), 200)
  arena.view(Uint8Array, GiB - 100, 101)
  assert.is(os.count('view'), 201)
})

for (const [name, take] of [
  ['a byte stream', detachByStream],
  ['a transfer', detach],
] as const) {
  test(`a window that ${name} has detached is made anew, and its bytes are where they were`, () => {
    using arena = Arena.reserve(2 * GiB, { windowBytes: GiB })
    for (const offset of [64, GiB + 64]) {
      const stale = arena.view(Uint8Array, offset, 8).fill(5)
      take(arena.window(offset).buffer)
      assert.is(stale.length, 0)
      throwsCode(() => arena.offsetOf(stale), 'ERR_OUT_OF_RANGE', '"view"')
      const fresh = arena.view(Uint8Array, offset, 8)
      assert.equal([...fresh], [5, 5, 5, 5, 5, 5, 5, 5])
      assert.is(arena.offsetOf(fresh), offset)
      throwsCode(() => arena.offsetOf(stale), 'ERR_OUT_OF_RANGE', '"view"')
    }
    const across = arena.view(Uint8Array, GiB - 4, 8).fill(6)
    take(across.buffer as ArrayBuffer)
    assert.equal([...arena.view(Uint8Array, GiB - 4, 8)], [6, 6, 6, 6, 6, 6, 6, 6])
  })
}

test('views come from windows of the length that was asked for, 16 MiB unless it was', () => {
  for (const windowBytes of [undefined, MiB, 64 * MiB, GiB]) {
    using arena = Arena.reserve(2 * GiB + 3 * MiB, { windowBytes })
    const length = windowBytes ?? 16 * MiB
    for (const offset of [0, MiB, length - 8, length, 3 * length - 16, GiB, 2 * GiB].filter(
      (at) => at < arena.byteLength
    )) {
      const view = arena.view(Uint8Array, offset, 8)
      const start = offset - (offset % length)
      assert.is(view.buffer.byteLength, Math.min(length, arena.byteLength - start))
      assert.is(view.byteOffset, offset - start)
      assert.is(arena.offsetOf(view), offset)
      view.fill(7)
      const long = arena.window(offset)
      assert.is(new Uint8Array(long.buffer)[offset - long.start], 7)
      assert.is(arena.offsetOf(new Uint8Array(long.buffer, offset - long.start, 1)), offset)
      assert.is(long.buffer.byteLength, Math.min(GiB, arena.byteLength - long.start))
    }
  }
})

test('other lengths of windows are refused by name', () => {
  for (const windowBytes of [0, 1, MiB / 2, 2 * GiB, 3 * MiB, -MiB, NaN, MiB + 0.5])
    throwsCode(() => Arena.reserve(MiB, { windowBytes }), 'ERR_OUT_OF_RANGE', '"options.windowBytes"')
  for (const windowBytes of ['1048576', null, {}, 1048576n])
    throwsCode(
      () => Arena.reserve(MiB, { windowBytes: windowBytes as never }),
      'ERR_INVALID_ARG_TYPE',
      '"options.windowBytes"'
    )
  using arena = Arena.reserve(4 * MiB, { windowBytes: MiB })
  using attached = Arena.attach(arena.handle(), { windowBytes: 2 * MiB })
  assert.is(arena.view(Uint8Array, 0, 1).buffer.byteLength, MiB)
  assert.is(attached.view(Uint8Array, 0, 1).buffer.byteLength, 2 * MiB)
})

test('allocators of every kind work across the ends of windows', () => {
  for (const make of [
    (arena: Arena) => new Heap(arena),
    (arena: Arena) => new Slab(arena, { slotSize: 96 * 1024 + 8 }),
    (arena: Arena) => new Buddy(arena),
    (arena: Arena) => new Bump(arena),
  ]) {
    using arena = Arena.reserve(256 * MiB, { windowBytes: MiB })
    const allocator = make(arena)
    const lengths = allocator instanceof Slab ? [12288] : [12288, 12289, 131072, 131073, 400000]
    const views: Float64Array[] = []
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 60; i++) {
        const view = allocator.alloc(Float64Array, lengths[i % lengths.length] as number)
        assert.ok(view.every((value) => value === 0))
        assert.ok(view.buffer.byteLength === MiB || view.buffer.byteLength === view.byteLength)
        assert.is(arena.offsetOf(view) % MiB, view.byteOffset === 0 ? arena.offsetOf(view) % MiB : view.byteOffset)
        views.push(view.fill(views.length + 1))
      }
      assert.ok(views.every((view, i) => view[0] === i + 1 && view[view.length - 1] === i + 1))
      assert.ok(views.some((view) => view.buffer.byteLength !== MiB))
      allocator.check()
      if (allocator instanceof Bump) allocator.reset()
      else for (const view of views) allocator.free(view)
      views.length = 0
      allocator.check()
    }
  }
})

test('when there are too many buffers of their own, what one long window can show is shown in that', () => {
  const os = new FakeOs()
  using arena = Arena.reserve(2 * GiB, { os, windowBytes: MiB })
  const views: Uint8Array[] = []
  for (let i = 0; i < 5000; i++) views.push(arena.view(Uint8Array, MiB - 8, 16 + i))
  assert.is(views.filter((view) => view.buffer.byteLength === view.byteLength).length, 64 + 4096)
  assert.is(os.count('view'), 64 + 4096 + 1)
  views[4999]?.fill(3)
  assert.ok(views.every((view) => view[15] === 3 && arena.offsetOf(view) === MiB - 8))
  for (let i = 0; i < 100; i++) assert.is(arena.view(Uint8Array, 3 * MiB, 200 * MiB + i).buffer, arena.window(0).buffer)
})

test('detaching what is detached is false', () => {
  const buffer = new ArrayBuffer(8)
  assert.ok(detach(buffer))
  assert.not(detach(buffer))
})

test.run()
