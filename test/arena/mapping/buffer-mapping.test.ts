/**
 * The seam under an arena: on plain ArrayBuffers, all allocators pass the conformance suite, and no address, no kernel call and no
 * ArrayBuffer of one's own for each table is needed.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Os } from '../../../src/ffi/os.ts'
import { Arena, Buddy, Bump, GiB, Heap, KiB, MiB, Slab } from '../../../src/index.ts'
import { conformance } from '../../allocator/conformance.ts'
import { bufferArena } from '../../helpers/buffer-mapping.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'

const reserve = Arena.reserve
/** Arenas that were made of plain ArrayBuffers, and those that had to be the kernel's. */
const made = { buffers: 0, kernel: 0 }

/** Whether an arena is one that plain ArrayBuffers can stand for: in one window, private, without a kernel that is to fail. */
function isPlain(byteLength: number, os: object | undefined): boolean {
  const ordinary = os === undefined || (os instanceof FakeOs && os.pageSize !== 4096)
  return typeof byteLength === 'number' && byteLength <= GiB && ordinary
}

// The suite makes its arenas with `Arena.reserve`: here it gets arenas in plain ArrayBuffers.
Arena.reserve = (byteLength, options) => {
  if (!isPlain(byteLength, options?.os) || options?.shared === true) {
    made.kernel++
    return reserve(byteLength, options)
  }
  made.buffers++
  return bufferArena(byteLength, (options?.os as Os | undefined)?.pageSize).arena
}

conformance('Heap in plain buffers', (arena, options) => new Heap(arena, options), { frees: true })
conformance('Slab in plain buffers', (arena, options) => new Slab(arena, { slotSize: 64, ...options }), {
  frees: true,
  mostBytes: 64,
  mostAlignment: 64,
})
conformance('Buddy in plain buffers', (arena, options) => new Buddy(arena, options), { frees: true })
conformance('Bump in plain buffers', (arena, options) => new Bump(arena, options), { frees: false })

test('nearly all arenas of the suite were plain ArrayBuffers', () => {
  assert.ok(made.buffers > 500, JSON.stringify(made))
  assert.ok(made.kernel * 10 < made.buffers, JSON.stringify(made))
})

test('tables of several allocators are ranges of one buffer; memory given back reads zero', () => {
  const { arena, mapping } = bufferArena(4 * MiB)
  const heap = new Heap(arena, { byteLength: 2 * MiB })
  const slab = new Slab(arena, { slotSize: 64, offset: 2 * MiB, byteLength: MiB })
  const view = heap.alloc(Float64Array, 64 * KiB)
  view.fill(1)
  slab.alloc(Uint8Array, 64).fill(2)
  heap.check()
  slab.check()
  assert.ok(arena.resident() >= 512 * KiB)
  heap.free(view)
  heap.purge()
  slab.close()
  assert.ok(mapping.purges.bytes >= 512 * KiB, JSON.stringify(mapping.purges))
  heap.close()
  assert.is(arena.resident(), 0)
  arena.close()
  assert.is(arena.closed, true)
})

test('what only the kernel has is refused with a code', () => {
  const { arena } = bufferArena(MiB)
  throwsCode(() => arena.handle(), 'ERR_UNSUPPORTED_OPERATION', 'plain ArrayBuffers')
  throwsCode(() => arena.unlink(), 'ERR_UNSUPPORTED_OPERATION')
  throwsCode(() => arena.wake(0), 'ERR_UNSUPPORTED_OPERATION')
  assert.equal([arena.shared, arena.fd, arena.path], [false, undefined, undefined])
  arena.close()
})

test.run()
