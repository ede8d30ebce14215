/**
 * Conformance, second part: typed arrays over blocks.
 * @module
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena } from '../../src/arena/arena.ts'
import { detach } from '../../src/arena/detach.ts'
import { GiB, MiB } from '../../src/units.ts'
import type { TypedArray, TypedArrayConstructor } from '../../src/views.ts'
import { throwsCode } from '../helpers/errors.ts'
import { FakeOs } from '../helpers/fake-os.ts'
import { badLengths, changesNothing, type Subject } from './subject.ts'

const types: readonly TypedArrayConstructor[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
]

export function viewTests(subject: Subject): void {
  const test = suite(`${subject.name}: views`)

  for (const type of types)
    test(`${type.name}: exact length, zeroed by alloc, over the block`, () => {
      subject.run((allocator, arena) => {
        for (const length of [0, 1, 3, 7, 8].filter((count) => count * type.BYTES_PER_ELEMENT <= subject.fit(64))) {
          for (const view of [allocator.alloc(type, length), allocator.allocUnsafe(type, length)]) {
            assert.instance(view, type)
            assert.is(view.length, length)
            assert.is(arena.offsetOf(view) % 8, 0)
            new Uint8Array(view.buffer, view.byteOffset, view.byteLength).fill(255)
          }
        }
        allocator.reset()
        for (let index = 0; index < 10; index++)
          assert.ok([...allocator.alloc(type, 1)].every((element) => Number(element) === 0))
        allocator.check()
      })
    })

  test('an empty view keeps its byteOffset, and its block is a block', () => {
    subject.run((allocator, arena) => {
      const first = allocator.alloc(Float64Array, 0)
      const second = allocator.allocUnsafe(Float64Array, 0)
      assert.is(first.length, 0)
      assert.is.not(first.byteOffset, 0)
      assert.is.not(first.byteOffset, second.byteOffset)
      assert.is(arena.offsetOf(first), first.byteOffset)
      assert.is(allocator.stats().usedCount, 2)
    })
  })

  test('DataView and Buffer lie over the same bytes', () => {
    subject.run((allocator, arena) => {
      const view = allocator.alloc(Uint8Array, 8)
      new DataView(view.buffer, view.byteOffset, view.length).setUint32(0, 0x01020304)
      assert.equal([...view.subarray(0, 4)], [1, 2, 3, 4])
      const buffer = Buffer.from(view.buffer, view.byteOffset, view.length)
      buffer.write('grain')
      assert.is(String.fromCharCode(...view.subarray(0, 5)), 'grain')
      assert.is(arena.offsetOf(buffer), view.byteOffset)
    })
  })

  for (const call of ['alloc', 'allocUnsafe'] as const) {
    test(`${call} refuses what is not a length, and changes nothing`, () => {
      subject.run((allocator) => {
        changesNothing(allocator, () => {
          for (const [bad, code] of badLengths)
            throwsCode(() => allocator[call](Uint8Array, bad as number), code, '"length"')
          throwsCode(() => allocator[call](Float64Array, 2 ** 51), 'ERR_OUT_OF_RANGE', '"length"')
          throwsCode(() => allocator[call](Float64Array, Number.MAX_SAFE_INTEGER), 'ERR_OUT_OF_RANGE', '"length"')
        })
      })
    })

    test(`${call} refuses what is not a typed-array constructor, and changes nothing`, () => {
      const impostor = { BYTES_PER_ELEMENT: 1, name: 'Uint8Array' }
      const others: unknown[] = [
        undefined,
        null,
        8,
        'Uint8Array',
        Array,
        ArrayBuffer,
        DataView,
        Buffer,
        Object,
        class extends Uint8Array {},
        impostor,
        () => new Uint8Array(8),
        new Uint8Array(8),
        Symbol('type'),
        8n,
      ]
      subject.run((allocator) => {
        changesNothing(allocator, () => {
          for (const type of others)
            throwsCode(
              () => allocator[call](type as TypedArrayConstructor<TypedArray>, 8),
              'ERR_INVALID_ARG_TYPE',
              '"type"'
            )
        })
      })
    })
  }

  test('a block whose view cannot be made is given back', () => {
    const mostBytes = subject.fit(2 * GiB)
    if (mostBytes < 2 * GiB) return
    const arena = Arena.reserve(9 * GiB, { os: new FakeOs({ maxViewBytes: 1.5 * GiB }) })
    const allocator = subject.on(arena)
    allocator.malloc(100)
    // The pages that such a block was to have stay handed out in the books; blocks may not.
    throwsCode(() => allocator.allocUnsafe(Uint8Array, 1.75 * GiB), 'ERR_OUT_OF_RANGE', 'the runtime')
    assert.is(allocator.stats().usedCount, 1)
    assert.ok(allocator.stats().usedBytes < MiB)
    allocator.check()
    arena.close()
  })

  test('a block longer than a window has a view of its own', () => {
    if (subject.fit(1.5 * GiB) < 1.5 * GiB) return
    subject.run((allocator, arena) => {
      allocator.malloc(100)
      const view = allocator.alloc(Uint8Array, 1.5 * GiB)
      assert.is(view.length, 1.5 * GiB)
      view[view.length - 1] = 7
      assert.is(arena.view(Uint8Array, arena.offsetOf(view) + view.length - 1, 1)[0], 7)
      assert.ok(arena.resident() < MiB)
      if (subject.abilities.frees) allocator.free(view)
      allocator.check()
    }, 9 * GiB)
  })

  if (subject.abilities.frees)
    test('a block that is asked for again has the view it had, or one that fits', () => {
      subject.run((allocator, arena) => {
        const length = subject.fit(64)
        const first = allocator.alloc(Uint8Array, length)
        const offset = arena.offsetOf(first)
        first.fill(1)
        allocator.free(first)
        const again = allocator.alloc(Uint8Array, length)
        if (arena.offsetOf(again) === offset) assert.is(again, first)
        assert.ok(again.every((byte) => byte === 0))
        allocator.free(again)
        throwsCode(() => allocator.free(again), 'ERR_DOUBLE_FREE')
        for (const type of types) {
          for (const count of [1, Math.floor(length / type.BYTES_PER_ELEMENT)]) {
            const view = allocator.alloc(type, count)
            assert.instance(view, type)
            assert.is(view.length, count)
            assert.is(arena.view(Uint8Array, arena.offsetOf(view), 1).byteOffset, view.byteOffset)
            allocator.free(view)
          }
        }
        const last = allocator.alloc(Uint8Array, length)
        detach(last.buffer as ArrayBuffer)
        allocator.free(arena.offsetOf(allocator.alloc(Uint8Array, length)))
        for (let i = 0; i < 3; i++) assert.is(allocator.alloc(Uint8Array, length).length, length)
        allocator.check()
      })
    })

  test('foreign code that detaches a window takes no metadata with it', () => {
    subject.run((allocator) => {
      const before = allocator.malloc(8)
      const view = allocator.alloc(Uint8Array, 8)
      detach(view.buffer as ArrayBuffer)
      assert.is(view.length, 0)
      allocator.check()
      const next = allocator.alloc(Uint8Array, 8)
      next.fill(9)
      assert.is(next.length, 8)
      assert.is(allocator.stats().usedCount, 3)
      if (subject.abilities.frees) {
        allocator.free(before)
        allocator.free(next)
        throwsCode(() => allocator.free(view), 'ERR_INVALID_FREE')
      }
      allocator.check()
    })
  })

  test('garbage through view.buffer over everything reachable leaves the books whole', () => {
    subject.run((allocator) => {
      const offsets = Array.from({ length: 50 }, () => allocator.malloc(8))
      if (subject.abilities.frees) for (const offset of offsets.splice(0, 25)) allocator.free(offset)
      new Uint8Array(allocator.alloc(Uint8Array, 8).buffer).fill(0xa5)
      allocator.check()
      if (subject.abilities.frees) for (const offset of offsets) allocator.free(offset)
      allocator.malloc(8)
      new Uint8Array(allocator.alloc(Uint8Array, 8).buffer).fill(0xff)
      allocator.check()
    })
  })

  test.run()
}
