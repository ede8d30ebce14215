import { spawnSync } from 'node:child_process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena, insideOf } from '../../src/arena/arena.ts'
import { EINVAL } from '../../src/ffi/errno.ts'
import { readSmaps } from '../../src/ffi/procfs.ts'
import { GiB, KiB, MiB, TiB } from '../../src/units.ts'
import type { TypedArray, TypedArrayConstructor } from '../../src/views.ts'
import { throwsCode } from '../helpers/errors.ts'
import { FakeOs } from '../helpers/fake-os.ts'

const types: TypedArrayConstructor[] = [
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

test('an arena has whole pages, and nothing of it is resident', () => {
  for (const wanted of [1, 4095, 4096, 4097, MiB, MiB + 1, 64 * GiB, TiB]) {
    using arena = Arena.reserve(wanted)
    assert.is(arena.byteLength % arena.pageSize, 0)
    assert.ok(arena.byteLength >= wanted && arena.byteLength - wanted < arena.pageSize)
    if (wanted < TiB) assert.is(arena.resident(), 0)
    assert.not(arena.closed)
  }
})

test('lengths that are none are refused, and nothing is taken', () => {
  const os = new FakeOs()
  for (const bad of [0, -1, -0, NaN, Infinity, -Infinity, 1.5, 2 ** 53, 128 * TiB + 1])
    throwsCode(() => Arena.reserve(bad, { os }), 'ERR_OUT_OF_RANGE', '"byteLength" expected a whole number')
  for (const bad of ['4096', 4096n, null, undefined, {}, []])
    throwsCode(() => Arena.reserve(bad as number, { os }), 'ERR_INVALID_ARG_TYPE', '"byteLength" expected a number')
  assert.is(os.count('reserve'), 0)
})

test('a length that is valid and too long is ENOMEM', () => {
  const os = new FakeOs()
  throwsCode(() => Arena.reserve(128 * TiB, { os }), 'ENOMEM', 'mmap')
  assert.is(os.live.size, 0)
})

test('options are checked', () => {
  for (const bad of [1, 'x', null])
    throwsCode(() => Arena.reserve(1, bad as never), 'ERR_INVALID_ARG_TYPE', '"options"')
  throwsCode(() => Arena.reserve(1, { name: 5 as never }), 'ERR_INVALID_ARG_TYPE', '"options.name"')
  throwsCode(() => Arena.reserve(1, { populate: 1 as never }), 'ERR_INVALID_ARG_TYPE', '"options.populate"')
  throwsCode(() => Arena.reserve(1, { hugePages: 'always' as never }), 'ERR_OUT_OF_RANGE', "'never', 'advise'")
  throwsCode(() => Arena.reserve(1, { hugePages: true as never }), 'ERR_INVALID_ARG_TYPE', '"options.hugePages"')
  throwsCode(() => Arena.reserve(1, { os: {} as never }), 'ERR_INVALID_ARG_TYPE', '"options.os"')
})

test('the kernel gets the name and the advice', () => {
  const os = new FakeOs()
  Arena.reserve(MiB, { os, name: 'cache' }).close()
  Arena.reserve(MiB, { os, hugePages: 'advise' }).close()
  assert.is(os.count('name'), 1)
  assert.is(os.count('adviseHugePages'), 3)
  assert.is(os.live.size, 0)
})

test('children do not get private pages, and core dumps get no page that is to be kept out of them', () => {
  const flagsAt = (address: number): readonly string[] =>
    readSmaps().find((entry) => entry.start <= address && address < entry.end)?.flags ?? []
  for (const shared of [false, true])
    for (const dump of [undefined, true, false]) {
      const os = new FakeOs()
      const arena = Arena.reserve(MiB, { os, shared, dump })
      const view = arena.view(Uint8Array, 0, 1)
      const [base = 0, length = 0] = [...os.live][0] ?? []
      const look = (): string[] =>
        [base, base + length - arena.pageSize].map((at) =>
          ['dc', 'dd'].filter((flag) => flagsAt(at).includes(flag)).join()
        )
      const wanted = [...(shared ? [] : ['dc']), ...(dump === false ? ['dd'] : [])].join()
      if (flagsAt(base).length > 0) assert.equal(look(), [wanted, wanted])
      assert.is(os.count('keepFromDumps'), dump === false ? 1 : 0)
      arena.close({ detach: false })
      assert.is(view[0], 0)
      if (flagsAt(base).length > 0) assert.ok(look().every((flags) => flags === (dump === false ? 'dc,dd' : 'dc')))
    }
})

test('an arena that cannot be kept out of core dumps is not made, where that was asked for', () => {
  const os = new FakeOs()
  for (const shared of [false, true]) {
    os.fail('keepFromDumps', 1, EINVAL)
    throwsCode(() => Arena.reserve(MiB, { os, shared, dump: false }), 'EINVAL', 'madvise')
    assert.is(os.live.size, 0)
  }
  throwsCode(() => Arena.reserve(MiB, { dump: 1 as never }), 'ERR_INVALID_ARG_TYPE', '"options.dump"')
})

test('a child is spawned, and the arena is as it was', () => {
  using arena = Arena.reserve(64 * MiB)
  const bytes = arena.view(Uint8Array, 0, 4 * MiB).fill(7)
  const child = spawnSync(process.execPath, ['-e', 'process.stdin.pipe(process.stdout)'], {
    input: bytes.subarray(0, 100),
  })
  assert.equal(
    [...child.stdout],
    Array.from({ length: 100 }, () => 7)
  )
  assert.ok(bytes.every((byte) => byte === 7))
})

test('the name is in errors', () => {
  const arena = Arena.reserve(MiB, { name: 'cache' })
  arena.close()
  throwsCode(() => arena.view(Uint8Array, 0, 1), 'ERR_ARENA_CLOSED', 'arena "cache" is closed')
})

test('pages of other sizes: everything is rounded to them', () => {
  for (const pageSize of [16 * KiB, 64 * KiB]) {
    using arena = Arena.reserve(pageSize + 1, { os: new FakeOs({ pageSize }) })
    assert.is(arena.pageSize, pageSize)
    assert.is(arena.byteLength, 2 * pageSize)
    arena.view(Uint8Array, pageSize + 5, 1)[0] = 1
    assert.is(arena.resident(), pageSize)
    assert.is(arena.resident(pageSize + 5, 1), 1)
    arena.purge(pageSize, pageSize)
    assert.is(arena.resident(), 0)
  }
})

test('views of every type see the same bytes, and offsetOf says where they are', () => {
  using arena = Arena.reserve(MiB)
  for (const type of types) {
    const view = arena.view(type, 4096, 5) as TypedArray
    assert.instance(view, type)
    assert.is(view.length, 5)
    assert.is(arena.offsetOf(view), 4096)
    assert.is(arena.offsetOf(view.subarray(2)), 4096 + 2 * type.BYTES_PER_ELEMENT)
  }
  arena.view(Uint32Array, 8, 1)[0] = 0x01020304
  assert.equal([...arena.view(Uint8Array, 8, 4)], [4, 3, 2, 1])
  const bytes = arena.view(Uint8Array, 8, 4)
  assert.is(arena.offsetOf(Buffer.from(bytes.buffer, bytes.byteOffset, 4)), 8)
  assert.is(arena.offsetOf(new DataView(bytes.buffer, 24, 4)), 24)
})

test('a Buffer and a DataView lie over the same bytes, also across the end of a window', () => {
  using arena = Arena.reserve(2 * GiB)
  for (const offset of [0, 13, GiB - 8, 2 * GiB - 32]) {
    const bytes: Buffer = arena.view(Buffer, offset, 32)
    const data: DataView = arena.view(DataView, offset, 32)
    assert.is(Object.getPrototypeOf(bytes), Buffer.prototype)
    assert.is(Object.getPrototypeOf(data), DataView.prototype)
    assert.equal([bytes.length, data.byteLength], [32, 32])
    assert.equal([arena.offsetOf(bytes), arena.offsetOf(data)], [offset, offset])
    bytes.writeUInt32BE(0x01020304, 5)
    assert.is(data.getUint32(5), 0x01020304)
    assert.is(arena.view(Uint8Array, offset + 8, 1)[0], 4)
  }
  for (const type of [Buffer, DataView]) {
    throwsCode(() => arena.view(type as BufferConstructor, 2 * GiB - 31, 32), 'ERR_OUT_OF_RANGE', '"length"')
    throwsCode(() => arena.view(type as BufferConstructor, -1, 32), 'ERR_OUT_OF_RANGE', '"offset"')
  }
})

test('view refuses what is not in the arena, or not on an element', () => {
  using arena = Arena.reserve(64 * KiB)
  const end = arena.byteLength
  for (const bad of [-1, NaN, 0.5, Infinity, end + 1, 2 ** 53])
    throwsCode(() => arena.view(Uint8Array, bad, 1), 'ERR_OUT_OF_RANGE', '"offset"')
  for (const bad of [-1, NaN, 0.5, Infinity, end + 1, 2 ** 53])
    throwsCode(() => arena.view(Uint8Array, 0, bad), 'ERR_OUT_OF_RANGE', '"length"')
  throwsCode(() => arena.view(Uint8Array, '0' as never, 1), 'ERR_INVALID_ARG_TYPE', '"offset"')
  throwsCode(() => arena.view(Uint8Array, 0, '1' as never), 'ERR_INVALID_ARG_TYPE', '"length"')
  throwsCode(() => arena.view(Float64Array, 4, 1), 'ERR_OUT_OF_RANGE', '"offset" expected a multiple of 8')
  throwsCode(
    () => arena.view(Float64Array, end - 8, 2),
    'ERR_OUT_OF_RANGE',
    '"length" expected a whole number from 0 to 1'
  )
  for (const bad of [Array, ArrayBuffer, 'Uint8Array', undefined, null, class extends Uint8Array {}])
    throwsCode(() => arena.view(bad as never, 0, 1), 'ERR_INVALID_ARG_TYPE', '"type"')
  assert.is(arena.resident(), 0)
})

test('offsetOf refuses what is not its own', () => {
  using arena = Arena.reserve(MiB)
  using other = Arena.reserve(MiB)
  arena.view(Uint8Array, 0, 1)
  for (const bad of [
    new Uint8Array(8),
    other.view(Uint8Array, 0, 8),
    new DataView(new ArrayBuffer(8)),
    Buffer.alloc(8),
  ])
    throwsCode(() => arena.offsetOf(bad), 'ERR_OUT_OF_RANGE', '"view"')
  const { buffer } = arena.view(Uint8Array, 0, 1)
  for (const bad of [null, undefined, 8, 'x', {}, buffer, { buffer, byteOffset: 8 }, [buffer]])
    throwsCode(() => arena.offsetOf(bad as never), 'ERR_INVALID_ARG_TYPE', '"view"')
  throwsCode(() => arena.offsetOf(new Uint8Array(new SharedArrayBuffer(8))), 'ERR_OUT_OF_RANGE', '"view"')
})

test('use holds the arena open until the promise is settled', async () => {
  const arena = Arena.reserve(MiB)
  const view = arena.view(Uint8Array, 0, 8)
  let finish = (_: number): void => undefined
  const running = arena.use(view, (given) => {
    assert.is(given, view)
    return new Promise<number>((resolve) => {
      finish = resolve
    })
  })
  throwsCode(() => arena.close(), 'ERR_ARENA_BUSY', 'pinned')
  assert.not(arena.closed)
  finish(5)
  assert.is(await running, 5)
  const failed = await arena.use(view, () => Promise.reject(new Error('no'))).catch((error: Error) => error.message)
  assert.is(failed, 'no')
  const threw = await arena
    .use(view, () => {
      throw new Error('at once')
    })
    .catch((error: Error) => error.message)
  assert.is(threw, 'at once')
  arena.close()
  assert.ok(arena.closed)
})

test('use refuses foreign views and what cannot be run', async () => {
  using arena = Arena.reserve(MiB)
  const code = (error: { code: string }): string => error.code
  assert.is(await arena.use(new Uint8Array(1), async () => 1).catch(code), 'ERR_OUT_OF_RANGE')
  assert.is(await arena.use(arena.view(Uint8Array, 0, 1), 5 as never).catch(code), 'ERR_INVALID_ARG_TYPE')
})

test('every pin counts, and counts once', () => {
  const arena = Arena.reserve(MiB)
  const first = arena.pin()
  const second = arena.pin()
  first[Symbol.dispose]()
  first[Symbol.dispose]()
  throwsCode(() => arena.close(), 'ERR_ARENA_BUSY', 'pinned once')
  second[Symbol.dispose]()
  arena.close()
})

test('after close everything but close and the lengths says so', () => {
  const arena = Arena.reserve(MiB)
  const view = arena.view(Uint8Array, 0, 8)
  arena.close()
  arena.close()
  arena[Symbol.dispose]()
  const holder = { kind: 'X', blockAround: () => undefined, innerClaims: () => undefined, revoked: () => undefined }
  for (const call of [
    () => arena.view(Uint8Array, 0, 1),
    () => arena.populate(),
    () => arena.purge(),
    () => arena.resident(),
    () => arena.offsetOf(view),
    () => arena.offsetOf(new Uint8Array(1)),
    () => arena.window(0),
    () => arena.pin(),
    () => insideOf(arena).windowBuffer(0),
    () => insideOf(arena).claim({ holder, metadataBytes: () => 0 }),
  ])
    throwsCode(call, 'ERR_ARENA_CLOSED', 'the arena is closed')
  assert.equal([arena.closed, arena.byteLength], [true, MiB])
  assert.ok(arena.pageSize > 0)
})

test('close takes a boolean', () => {
  using arena = Arena.reserve(MiB)
  arena.view(Uint8Array, 0, 1)
  throwsCode(() => arena.close({ detach: 1 as never }), 'ERR_INVALID_ARG_TYPE', '"options.detach"')
  throwsCode(() => arena.close(5 as never), 'ERR_INVALID_ARG_TYPE', '"options"')
  assert.not(arena.closed)
})

test('arenas start on a multiple of 1 GiB of addresses', () => {
  const os = new FakeOs()
  using first = Arena.reserve(MiB, { os })
  using second = Arena.reserve(3 * GiB, { os })
  for (const address of os.live.keys()) assert.is(address % GiB, 0)
  assert.is(first.byteLength + second.byteLength, 3 * GiB + MiB)
})

test.run()
