/**
 * Every call to the kernel made to fail, at every place where it is made: the error is the kernel's, the arena is as it was and
 * goes on working, and no mapping is left behind.
 */
import { constants } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena, insideOf } from '../../src/arena/arena.ts'
import type { ClaimHolder } from '../../src/arena/claim.ts'
import { SystemError } from '../../src/errors.ts'
import { type Address, GiB, KiB, MiB } from '../../src/units.ts'
import { throwsCode } from '../helpers/errors.ts'
import { FakeOs, type OsCall } from '../helpers/fake-os.ts'

const { EAGAIN, EINVAL, ENOMEM } = constants.errno

const holder: ClaimHolder = {
  kind: 'Slab',
  blockAround: (offset, byteLength) => ({ offset, byteLength }),
  innerClaims: () => undefined,
  revoked: () => undefined,
}

test('reserve: whatever fails, nothing is left', () => {
  const options = { name: 'x', hugePages: 'advise', populate: true } as const
  const counting = new FakeOs()
  Arena.reserve(MiB, { ...options, os: counting }).close()
  const total = [...counting.calls.values()].reduce((sum, count) => sum + count, 0) - counting.count('release')
  assert.ok(total >= 5)
  for (let nth = 1; nth <= total; nth++) {
    const os = new FakeOs()
    os.fail('any', nth, EAGAIN)
    throwsCode(() => Arena.reserve(MiB, { ...options, os }), 'EAGAIN')
    assert.equal([os.live.size, os.heal()], [0, 0], `call ${nth}`)
  }
})

test('reserve: ENOMEM passes through as it came', () => {
  const os = new FakeOs()
  os.fail('reserve', 1, ENOMEM)
  const error = throwsCode(() => Arena.reserve(MiB, { os }), 'ENOMEM', 'mmap')
  assert.instance(error, SystemError)
})

/** What is done to an arena, and the calls that it makes of the kernel. */
const actions: Record<string, { run: (arena: Arena) => unknown; calls: OsCall[] }> = {
  view: { run: (arena) => arena.view(Uint8Array, 2 * GiB, 8), calls: ['view'] },
  'view across': { run: (arena) => arena.view(Uint8Array, GiB - 4, 8), calls: ['view'] },
  window: { run: (arena) => arena.window(2 * GiB), calls: ['view'] },
  claim: {
    run: (arena) => insideOf(arena).claim({ holder, offset: 2 * GiB, byteLength: MiB, metadataBytes: () => 64 * KiB }),
    calls: ['view'],
  },
  purge: { run: (arena) => arena.purge(100, MiB), calls: ['purge'] },
  populate: { run: (arena) => arena.populate(0, MiB), calls: ['availableMemory', 'populate'] },
  resident: { run: (arena) => arena.resident(), calls: ['residency'] },
  close: { run: (arena) => arena.close(), calls: ['replace'] },
}

for (const [name, { run, calls }] of Object.entries(actions))
  for (const call of calls)
    test(`${name}: ${call} fails, and works the next time`, () => {
      const os = new FakeOs()
      const arena = Arena.reserve(3 * GiB, { os })
      const view = arena.view(Uint8Array, 0, 2 * MiB).fill(1)
      const claim = insideOf(arena).claim({ holder, offset: GiB, byteLength: MiB, metadataBytes: () => 256 })
      new Uint8Array(claim.metadata.buffer).fill(9)
      for (const errno of [ENOMEM, EAGAIN, EINVAL]) {
        os.fail(call, 1, errno)
        const error = throwsCode(() => run(arena), errno === ENOMEM ? 'ENOMEM' : errno === EAGAIN ? 'EAGAIN' : 'EINVAL')
        assert.instance(error, SystemError)
        assert.is(os.heal(), 0)
        assert.ok(!arena.closed && view[0] === 1 && view[MiB] === 1)
        assert.is(arena.offsetOf(view), 0)
        assert.ok(new Uint8Array(claim.metadata.buffer).every((byte) => byte === 9))
      }
      run(arena)
      if (!arena.closed) arena.close()
      assert.is(os.live.size, 1)
    })

test('close: the unmapping fails, and the arena stays open', () => {
  const os = new FakeOs()
  const arena = Arena.reserve(MiB, { os })
  os.fail('release')
  throwsCode(() => arena.close(), 'ENOMEM', 'munmap')
  assert.not(arena.closed)
  assert.is(arena.resident(), 0)
  arena.close()
  assert.is(os.live.size, 0)
})

test('claim: whichever call fails, its metadata and its range are free again', () => {
  for (const metadataBytes of [64, 8192]) {
    const counting = new FakeOs()
    const request = { holder, metadataBytes: () => metadataBytes }
    insideOf(Arena.reserve(MiB, { os: counting })).claim(request)
    for (let nth = 1; nth <= counting.count('view'); nth++) {
      const os = new FakeOs()
      const arena = Arena.reserve(MiB, { os })
      os.fail('view', nth)
      throwsCode(() => insideOf(arena).claim(request), 'ENOMEM')
      const claims = Array.from({ length: 3 }, () => {
        const claim = insideOf(arena).claim({ ...request, metadataBytes: () => 3 * MiB })
        claim.release()
        return claim.metadata.buffer
      })
      assert.is(new Set(claims).size, 1)
      arena.close()
    }
  }
})

test('release of a claim: the purge of its range fails, and it is still held', () => {
  const os = new FakeOs()
  using arena = Arena.reserve(MiB, { os })
  const view = arena.view(Uint8Array, 0, MiB).fill(1)
  const claim = insideOf(arena).claim({ holder, byteLength: 64 * KiB, metadataBytes: () => 64 })
  os.fail('purge')
  throwsCode(() => claim.release(), 'ENOMEM')
  throwsCode(() => insideOf(arena).claim({ holder, byteLength: MiB, metadataBytes: () => 64 }), 'ERR_ARENA_BUSY')
  assert.is(view[0], 1)
  claim.release()
  assert.equal([view[0], view[64 * KiB]], [0, 1])
})

test('release of a claim: the purge of its metadata fails, and it reads zero all the same', () => {
  const os = new FakeOs()
  using arena = Arena.reserve(MiB, { os })
  const request = { holder, byteLength: 64 * KiB, metadataBytes: () => 64 * KiB }
  const claim = insideOf(arena).claim(request)
  new Uint8Array(claim.metadata.buffer).fill(1)
  os.fail('purge', 2)
  claim.release()
  assert.is(os.heal(), 0)
  assert.ok(new Uint8Array(insideOf(arena).claim(request).metadata.buffer).every((byte) => byte === 0))
})

test('purge with ragged edges: the kernel refuses, and not a byte has changed', () => {
  const os = new FakeOs()
  using arena = Arena.reserve(MiB, { os })
  const view = arena.view(Uint8Array, 0, MiB).fill(1)
  os.fail('purge')
  throwsCode(() => arena.purge(5, 3 * os.pageSize), 'ENOMEM')
  assert.is(view.indexOf(0), -1)
})

test('purge with ragged edges: no window can be had, and not a byte has changed', () => {
  const os = new FakeOs()
  using arena = Arena.reserve(MiB, { os })
  const across = new Uint8Array(os.view([...os.live.keys()][0] as Address, MiB)).fill(1)
  os.fail('view')
  throwsCode(() => arena.purge(5, 3 * os.pageSize), 'ENOMEM')
  assert.is(across.indexOf(0), -1)
})

test('resident: a later slice fails', () => {
  const os = new FakeOs()
  using arena = Arena.reserve(3 * GiB, { os })
  os.fail('residency', 5, EAGAIN)
  throwsCode(() => arena.resident(), 'EAGAIN', 'mincore')
  assert.is(arena.resident(), 0)
})

test.run()
