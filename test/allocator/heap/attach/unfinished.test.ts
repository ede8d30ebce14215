/**
 * A heap whose maker died before it was finished is none: an attach passes it by, and finds the next.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Heap } from '../../../../src/allocator/heap/heap.ts'
import { heapTables } from '../../../../src/allocator/heap/layout.ts'
import { Arena } from '../../../../src/arena/arena.ts'
import { MiB } from '../../../../src/units.ts'
import { claim, Lasting } from '../../../arena/claims/holder.ts'
import { throwsCode } from '../../../helpers/errors.ts'
import { Peer } from '../../../helpers/peer.ts'

/** Two claims of heaps that were never finished, and a heap behind them. */
function arenaWithBoth(): Arena {
  const arena = Arena.reserve(4 * MiB, { shared: true })
  const heap = new Heap(arena, { offset: 2 * MiB, byteLength: MiB })
  heap.setRoot('found', heap.malloc(8))
  heap.close()
  for (const offset of [0, MiB]) claim(arena, new Lasting('Heap'), offset, MiB, heapTables(MiB).byteLength).leave()
  return arena
}

for (const role of ['writer', 'reader', undefined] as const)
  test(`as ${role ?? 'what can be had'}: the first that is finished`, () => {
    using arena = arenaWithBoth()
    const heap = Heap.attach(arena, role && { role })
    assert.is(heap.role, role ?? 'writer')
    assert.is.not(heap.root('found'), 0)
    throwsCode(() => Heap.attach(arena, { offset: MiB }), 'ERR_NOT_FOUND', 'options.offset')
  })

test('a writer has made their room free', () => {
  using arena = arenaWithBoth()
  Heap.attach(arena)
  new Heap(arena, { offset: 0, byteLength: 2 * MiB }).close()
})

/** A process that makes a heap, and kills itself the first time that `call` is made with the writer's record begun. */
async function makerKilledAt(arena: Arena, call: 'Atomics.store' | 'Math.imul'): Promise<void> {
  const peer = new Peer(
    `const arena = Arena.attach({ fd: 3 }), { store } = Atomics, { imul } = Math
    const die = () => process.kill(process.pid, 'SIGKILL')
    let begun = false
    Atomics.store = (words, at, value) => {
      begun ||= words.length === 8 && value === process.pid
      if (begun && data === 'Atomics.store') die()
      return store(words, at, value)
    }
    Math.imul = (one, other) => (begun && data === 'Math.imul' ? die() : imul(one, other))
    new Heap(arena)`,
    { fds: [arena.fd as number], data: call }
  )
  assert.is(await peer.ended(), 'SIGKILL')
}

test('a maker that dies before its heap has a writer leaves none', async () => {
  using arena = Arena.reserve(4 * MiB, { shared: true })
  await makerKilledAt(arena, 'Atomics.store')
  throwsCode(() => Heap.attach(arena), 'ERR_NOT_FOUND')
  new Heap(arena).close()
})

test('a maker that dies between its role and the seal leaves a heap, which is rebuilt', async () => {
  using arena = Arena.reserve(4 * MiB, { shared: true })
  await makerKilledAt(arena, 'Math.imul')
  const heap = Heap.attach(arena, { role: 'writer' })
  assert.ok(heap.recovered)
  heap.malloc(100)
  heap.check()
})

test.run()
