/**
 * Shared arenas on a kernel that refuses: at every place where it is asked, the error is its own, the arena is as it was, and no
 * mapping and no descriptor is left behind.
 */
import { constants } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena } from '../../../src/arena/arena.ts'
import { recheckNow } from '../../../src/arena/mapping/recheck.ts'
import { MappingState } from '../../../src/arena/threads/table-memory.ts'
import { RowState } from '../../../src/arena/threads/thread-table.ts'
import { GiB, MiB } from '../../../src/units.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs, type OsCall } from '../../helpers/fake-os.ts'
import { tableOf } from '../../helpers/thread-table.ts'
import { claim, Holder } from '../claims/holder.ts'

const { EAGAIN } = constants.errno

/** Calls that make something or change something, in one go. */
function total(os: FakeOs, without: readonly OsCall[]): number {
  return [...os.calls].reduce((sum, [call, count]) => sum + (without.includes(call) ? 0 : count), 0)
}

test('reserve: whatever fails, nothing is left', () => {
  const options = { shared: true, name: 'x', hugePages: 'advise', populate: true } as const
  const counting = new FakeOs()
  Arena.reserve(MiB, { ...options, os: counting })
  const calls = total(counting, ['futexWake'])
  assert.ok(calls >= 9, `${calls}`)
  for (let nth = 1; nth <= calls; nth++) {
    const os = new FakeOs()
    os.fail('any', nth, EAGAIN)
    throwsCode(() => Arena.reserve(MiB, { ...options, os }), 'EAGAIN')
    assert.equal([os.live.size, os.files.opened.size, os.heal()], [0, 0, 0], `call ${nth}`)
  }
})

test('attach by path and by descriptor: whatever fails, nothing is left', () => {
  const arena = Arena.reserve(MiB, { shared: true })
  for (const source of [{ path: arena.path as string }, { fd: arena.fd as number }]) {
    const counting = new FakeOs()
    Arena.attach(source, { os: counting, populate: true })
    const calls = total(counting, ['futexWake'])
    assert.ok(calls >= 8, `${calls}`)
    for (let nth = 1; nth <= calls; nth++) {
      const os = new FakeOs()
      os.fail('any', nth, EAGAIN)
      throwsCode(() => Arena.attach(source, { os, populate: true }), 'EAGAIN')
      assert.equal([os.live.size, os.files.opened.size, os.heal()], [0, 0, 0], `call ${nth}`)
    }
  }
})

test('attach by handle: whatever fails, no slot is taken, and the mapping is not on record', () => {
  const arena = Arena.reserve(MiB)
  const handle = arena.handle()
  const table = tableOf(handle)
  for (const [call, nth] of [
    ['adopt', 1],
    ['copyOut', 1],
    ['view', 1],
    ['adviseHugePages', 1],
    ['populate', 1],
  ] as const) {
    const os = new FakeOs({ asThread: true })
    os.fail(call, nth, EAGAIN)
    throwsCode(() => Arena.attach(handle, { os, hugePages: 'advise', populate: true }), 'EAGAIN')
    assert.equal([os.live.size, table.count(RowState.held), os.heal()], [0, 1, 0], `${call} ${nth}`)
    Arena.attach(handle, { os }).close()
    assert.equal([os.live.size, table.state], [0, MappingState.open])
  }
})

test('handle: its header cannot be made, and can the next time', () => {
  const os = new FakeOs()
  const arena = Arena.reserve(MiB, { os })
  os.fail('view')
  throwsCode(() => arena.handle(), 'ENOMEM')
  const { generation } = arena.handle()
  assert.is(arena.handle().generation, generation)
  arena.close()
})

test('close: the memory cannot be given back, and the arena is open, its slot held', () => {
  for (const view of [false, true]) {
    const os = new FakeOs()
    const arena = Arena.reserve(MiB, { os, shared: true })
    const table = tableOf(arena.handle())
    if (view) arena.view(Uint8Array, 0, 8).fill(5)
    os.fail('replace')
    os.fail('release')
    throwsCode(() => arena.close(), 'ENOMEM')
    assert.equal([arena.closed, table.state, table.count(RowState.held)], [false, MappingState.open, 1])
    os.heal()
    if (view) assert.is(arena.view(Uint8Array, 0, 8)[7], 5)
    claim(arena, new Holder('Slab'))
    arena.close({ detach: true })
    assert.equal([os.files.opened.size, table.count(RowState.held)], [0, 0])
  }
})

test('close: allocators on a shared arena are closed by then', () => {
  const os = new FakeOs()
  const arena = Arena.reserve(MiB, { os, shared: true })
  const slab = new Holder('Slab')
  claim(arena, slab)
  arena.view(Uint8Array, 0, 8)
  os.fail('replace')
  throwsCode(() => arena.close(), 'ENOMEM')
  assert.equal(slab.told, ['revoked'])
  claim(arena, new Holder('Heap'))
})

test('the last unmapping is refused: it is tried again at the next look', () => {
  const os = new FakeOs()
  const arena = Arena.reserve(MiB, { os })
  const table = tableOf(arena.handle())
  os.fail('release')
  arena.close({ detach: true })
  assert.equal([table.state, os.count('release'), os.count('purge')], [MappingState.closed, 1, 1])
  recheckNow()
  assert.equal([table.state, os.live.size, os.count('release')], [MappingState.gone, 0, 2])
  recheckNow()
  assert.is(os.count('release'), 2)
})

test('a dead thread’s mapping cannot be unmapped: it is tried again', () => {
  // Two kernels stand for two threads: one that dies, and one that has left.
  const os = new FakeOs()
  const other = new FakeOs({ asThread: true })
  const arena = Arena.reserve(2 * GiB, { os })
  const table = tableOf(arena.handle())
  const lost = Arena.attach(arena.handle(), { os: other })
  assert.is(table.count(RowState.held), 2)
  arena.close({ detach: true })
  assert.equal([table.state, os.live.size], [MappingState.open, 0])
  os.threads.dead.add(process.pid)
  for (const call of ['adopt', 'release'] as const) {
    os.fail(call)
    recheckNow(true)
    assert.equal([table.state, os.live.size, os.heal()], [MappingState.open, 0, 0], call)
  }
  recheckNow(true)
  assert.equal([table.state, os.live.size], [MappingState.gone, 0])
  assert.ok(!lost.closed)
})

test('purging and populating a shared arena: the kernel refuses, and it works the next time', () => {
  const os = new FakeOs()
  const arena = Arena.reserve(MiB, { os, shared: true })
  const bytes = arena.view(Uint8Array, 0, MiB).fill(1)
  os.fail('removePages')
  throwsCode(() => arena.purge(5, 3 * os.pageSize), 'ENOMEM', 'madvise')
  assert.is(bytes.indexOf(0), -1)
  arena.purge(5, 3 * os.pageSize)
  assert.equal([bytes.indexOf(0), bytes.indexOf(1, 5)], [5, 3 * os.pageSize + 5])
  os.fail('populate')
  throwsCode(() => arena.populate(), 'ENOMEM')
  arena.populate()
  assert.equal([os.count('purge'), os.count('removePages') > 1], [0, true])
  arena.close()
})

test.run()
