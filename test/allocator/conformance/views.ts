/**
 * Conformance, second part: typed arrays over blocks.
 *
 * Longer than other files: every type of view through every view call.
 * @module
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena } from '../../../src/arena/arena.ts'
import { detach } from '../../../src/arena/mapping/detach.ts'
import { GiB, MiB } from '../../../src/units.ts'
import type { TypedArray, TypedArrayConstructor, View } from '../../../src/views.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { badLengths, changesNothing, type Subject } from '../subject.ts'

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
        Object,
        class extends Uint8Array {},
        Object.setPrototypeOf(class {}, DataView),
        Object.setPrototypeOf(class {}, Buffer),
        Buffer.from,
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

  for (const type of [Buffer, DataView])
    test(`${type.name}: over the block, zeroed by alloc, and a name of the block`, () => {
      subject.run((allocator, arena) => {
        const make = (call: 'alloc' | 'allocUnsafe', length: number): Buffer | DataView =>
          allocator[call](type as BufferConstructor, length)
        for (const length of [0, 1, 7, 8, 61].map((count) => subject.fit(count)))
          for (const call of ['alloc', 'allocUnsafe'] as const) {
            const view = make(call, length)
            assert.is(Object.getPrototypeOf(view), type.prototype)
            assert.is(view.byteLength, length)
            assert.is(arena.offsetOf(view), view.byteOffset)
            new Uint8Array(view.buffer, view.byteOffset, length).fill(255)
            if (!subject.abilities.frees) continue
            assert.ok(allocator.usableSize(view) >= length)
            assert.is(allocator.usableSize(view), allocator.usableSize(view.byteOffset))
            allocator.free(view)
            throwsCode(() => allocator.free(view), 'ERR_DOUBLE_FREE')
          }
        allocator.reset()
        const length = subject.fit(48)
        for (let index = 0; index < 10; index++) {
          const view = make('alloc', length)
          assert.ok(new Uint8Array(view.buffer, view.byteOffset, length).every((byte) => byte === 0))
        }
        allocator.check()
      })
    })

  if (subject.abilities.frees)
    test('a view from the cache has the type and the length that are asked for', () => {
      subject.run((allocator, arena) => {
        const most = subject.fit(64)
        const kinds = [Uint8Array, Buffer, DataView, Int8Array, Float64Array] as unknown as BufferConstructor[]
        let same = 0
        for (let round = 0; round < 3; round++)
          for (const first of kinds)
            for (const second of kinds)
              for (const bytes of [most, most - 8]) {
                const view: View = allocator.allocUnsafe(first, first === kinds[4] ? most / 8 : most)
                const offset = arena.offsetOf(view)
                // A DataView takes any property, and an engine's own figure is not one.
                if (view instanceof DataView) Object.assign(view, { length: bytes })
                allocator.free(view)
                const next: View = allocator.allocUnsafe(second, second === kinds[4] ? bytes / 8 : bytes)
                assert.is(Object.getPrototypeOf(next), second.prototype)
                assert.is(next.byteLength, bytes)
                if (arena.offsetOf(next) === offset && first === second && bytes === most) {
                  assert.is(next, view)
                  same++
                }
                allocator.free(next)
              }
        assert.ok(same > 0)
        const gone = allocator.alloc(DataView, most)
        detach(gone.buffer as ArrayBuffer)
        allocator.free(arena.offsetOf(allocator.alloc(Uint8Array, most)))
        for (let i = 0; i < 3; i++) assert.is(allocator.alloc(DataView, most).byteLength, most)
        allocator.check()
      })
    })

  for (const call of ['alloc', 'allocUnsafe'] as const) {
    test(`${call} with an alignment: offset and address are multiples of it, and alloc reads zero`, () => {
      subject.run((allocator, arena) => {
        for (const alignment of [1, 2, 8, 16, 64, 256, 4096, 65536]) {
          if (alignment > subject.mostAlignment) continue
          for (const length of [0, 1, 3, 8].filter((count) => count * 8 <= subject.fit(64))) {
            const view = allocator[call](Float64Array, length, { alignment })
            assert.is(view.length, length)
            const offset = arena.offsetOf(view)
            assert.is(offset % alignment, 0)
            if (call === 'alloc') assert.ok(view.every((element) => element === 0))
            view.fill(Math.PI)
            if (!subject.abilities.frees) continue
            allocator.free(view)
            const again = allocator[call](Float64Array, length, { alignment })
            if (call === 'alloc') assert.ok(again.every((element) => element === 0))
            allocator.free(again)
          }
        }
        const bytes = allocator[call](Buffer, subject.fit(64), { alignment: Math.min(64, subject.mostAlignment) })
        assert.is(arena.offsetOf(bytes) % Math.min(64, subject.mostAlignment), 0)
        assert.is(allocator[call](Uint8Array, 8, {}).length, 8)
        assert.is(allocator[call](Uint8Array, 8, { alignment: undefined }).length, 8)
        allocator.check()
      }, 4 * MiB)
    })

    test(`${call} refuses what is no alignment, and changes nothing`, () => {
      subject.run((allocator) => {
        changesNothing(allocator, () => {
          for (const bad of [0, -8, 3, 48, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, 2 ** 32 + 64])
            throwsCode(
              () => allocator[call](Uint8Array, 8, { alignment: bad }),
              'ERR_OUT_OF_RANGE',
              '"options.alignment"'
            )
          for (const bad of ['64', 64n, null, {}, true, [64]])
            throwsCode(
              () => allocator[call](Uint8Array, 8, { alignment: bad as never }),
              'ERR_INVALID_ARG_TYPE',
              '"options.alignment"'
            )
          for (const bad of [null, 64, 'x', true, 8n])
            throwsCode(() => allocator[call](Uint8Array, 8, bad as never), 'ERR_INVALID_ARG_TYPE', '"options"')
          if (subject.mostAlignment < GiB)
            throwsCode(
              () => allocator[call](Uint8Array, 8, { alignment: subject.mostAlignment * 2 }),
              'ERR_UNSUPPORTED_OPERATION'
            )
        })
      })
    })
  }

  test('a long aligned block of fresh pages is zero without being filled', () => {
    if (subject.fit(64 * MiB) < 64 * MiB) return
    subject.run((allocator, arena) => {
      allocator.malloc(100)
      const before = arena.resident()
      const view = allocator.alloc(Float64Array, (64 * MiB) / 8, { alignment: 64 })
      assert.ok(arena.resident() - before < MiB)
      assert.is(view[view.length - 1], 0)
      allocator.check()
    }, 256 * MiB)
  })

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
