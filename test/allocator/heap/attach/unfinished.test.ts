/**
 * A heap whose maker died before it was finished is none: whoever attaches passes it by, and finds the next.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Heap } from '../../../../src/allocator/heap/heap.ts'
import { heapTables } from '../../../../src/allocator/heap/layout.ts'
import { Arena } from '../../../../src/arena/arena.ts'
import { MiB } from '../../../../src/units.ts'
import { claim, Lasting } from '../../../arena/claims/holder.ts'
import { throwsCode } from '../../../helpers/errors.ts'

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

test.run()
