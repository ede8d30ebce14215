/**
 * Heap: the contract, and what is its own.
 *
 * Longer than other files: what a heap adds to the contract, call by call.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { partsOf } from '../../../src/allocator/facade.ts'
import { Heap } from '../../../src/allocator/heap/heap.ts'
import { heapLayout } from '../../../src/allocator/heap/layout.ts'
import { CLASS_COUNT, CLASS_SIZE, Size } from '../../../src/allocator/heap/size-classes.ts'
import { At, Root } from '../../../src/allocator/heap/words.ts'
import { Arena } from '../../../src/arena/arena.ts'
import { GiB, KiB, MiB } from '../../../src/units.ts'
import { Clock } from '../../helpers/clock.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { conformance } from '../conformance.ts'
import { balance, bytesAt, fill, readsZero } from '../subject.ts'

conformance('Heap', (arena, options) => new Heap(arena, options), { frees: true })

const test = suite('Heap')

function onHeap(byteLength: number, body: (heap: Heap, arena: Arena) => void): void {
  const arena = Arena.reserve(byteLength)
  try {
    body(new Heap(arena), arena)
  } finally {
    arena.close()
  }
}

test('every size to 5000 gets a block of its own that is long enough', () => {
  onHeap(64 * MiB, (heap, arena) => {
    for (let size = 0; size <= 5000; size++) {
      const block = heap.malloc(size)
      assert.ok(heap.usableSize(block) >= size)
      bytesAt(arena, block, size).fill(size)
    }
    heap.check()
    for (const { offset, byteLength } of heap.blocks()) {
      assert.is(heap.usableSize(offset), byteLength)
      heap.free(offset)
    }
    assert.is(heap.stats().usedCount, 0)
    heap.check()
  })
})

test('every slot of every class is found, and nothing between slots is', () => {
  onHeap(64 * MiB, (heap) => {
    for (let c = 0; c < CLASS_COUNT; c++) {
      const size = CLASS_SIZE[c] as number
      const slots = Array.from({ length: 600 }, () => heap.malloc(size))
      for (const slot of slots) {
        throwsCode(() => heap.free(slot + 8), size === 8 ? 'ERR_DOUBLE_FREE' : 'ERR_INVALID_FREE')
        throwsCode(() => heap.free(slot + 1), 'ERR_INVALID_FREE')
      }
      for (const slot of slots) heap.free(slot)
      throwsCode(() => heap.free(slots[300] as number), 'ERR_DOUBLE_FREE')
      heap.check()
    }
  })
})

test('a slot that was never handed out is told from one that was freed', () => {
  onHeap(MiB, (heap) => {
    const first = heap.malloc(64)
    const second = heap.malloc(64)
    throwsCode(() => heap.free(second + 64), 'ERR_INVALID_FREE', 'no block was ever handed out')
    heap.free(second)
    throwsCode(() => heap.free(second), 'ERR_DOUBLE_FREE', 'already been freed')
    throwsCode(() => heap.free(second + 64), 'ERR_INVALID_FREE', 'no block was ever handed out')
    heap.free(first)
    heap.check()
  })
})

test('the memory of an empty slab serves another class, and a span', () => {
  onHeap(256 * KiB, (heap) => {
    const small = fill(heap, 32)
    assert.is(heap.tryMalloc(1000), 0)
    for (const block of small) heap.free(block)
    const other = fill(heap, 1000)
    assert.ok(other.length * 1000 > 0.9 * 256 * KiB)
    for (const block of other) heap.free(block)
    heap.free(heap.malloc(250 * KiB))
    heap.check()
  })
})

test('freeing all and a purge give every page back', () => {
  onHeap(64 * MiB, (heap, arena) => {
    const blocks = Array.from({ length: 20000 }, (_, i) => heap.calloc((i * 37) % 3000))
    for (const block of blocks) heap.free(block)
    const before = heap.stats()
    const given = heap.purge()
    const after = heap.stats()
    assert.is(before.committedBytes - after.committedBytes, given)
    assert.is(after.committedBytes, after.metadataBytes)
    assert.is(arena.resident(), 0)
    balance(heap)
    heap.check()
  })
})

test('a purge after a reset gives everything back', () => {
  onHeap(4 * GiB, (heap, arena) => {
    heap.malloc(GiB - 64 * KiB)
    bytesAt(arena, heap.malloc(64 * MiB), 100_000).fill(1)
    heap.reset()
    heap.purge()
    assert.is(heap.stats().freeDirtyBytes, 0)
    assert.is(arena.resident(), 0)
    assert.ok(readsZero(arena, heap.calloc(100_000), 100_000))
    heap.check()
  })
})

test('the peak stays when memory is given back', () => {
  onHeap(64 * MiB, (heap) => {
    heap.free(heap.malloc(20 * MiB))
    const { peakCommittedBytes } = heap.stats()
    assert.ok(peakCommittedBytes >= 20 * MiB)
    heap.purge()
    assert.is(heap.stats().peakCommittedBytes, peakCommittedBytes)
  })
})

test('a span grows and shrinks where it is', () => {
  onHeap(MiB, (heap, arena) => {
    const block = heap.malloc(5000)
    bytesAt(arena, block, 5000).fill(7)
    assert.is(heap.realloc(block, 100_000), block)
    assert.ok(heap.usableSize(block) >= 100_000)
    assert.is(heap.realloc(block, 5000), block)
    assert.ok(heap.usableSize(block) < 5100)
    assert.ok(bytesAt(arena, block, 5000).every((byte) => byte === 7))
    heap.check()
  })
})

test('blocks fill windows to their ends and never cross one, unless they are longer', () => {
  onHeap(4 * GiB, (heap, arena) => {
    const blocks = fill(heap, 300 * MiB)
    assert.is(blocks.length, 12)
    for (const block of blocks) assert.is(Math.floor(block / GiB), Math.floor((block + 300 * MiB - 1) / GiB))
    for (const block of blocks) heap.free(block)
    const long = heap.malloc(2.5 * GiB)
    assert.ok(heap.usableSize(long) >= 2.5 * GiB)
    throwsCode(() => heap.free(GiB), 'ERR_INVALID_FREE', 'inside a block')
    heap.check()
    const view = arena.view(Uint8Array, long, 2.5 * GiB)
    view[2.5 * GiB - 1] = 1
    heap.free(long)
    throwsCode(() => heap.free(long), 'ERR_DOUBLE_FREE')
    assert.ok(heap.tryMalloc(3.5 * GiB) !== 0)
    heap.check()
  })
})

test('a slab that stands empty is not in the way of a huge block', () => {
  onHeap(3 * GiB, (heap) => {
    const blocks = [heap.malloc(48 * MiB), heap.malloc(240 * MiB), heap.calloc(480 * MiB), heap.calloc(0)]
    for (const block of blocks) heap.free(block)
    assert.ok(heap.tryMalloc(2.25 * GiB) !== 0)
    heap.check()
  })
})

test('small blocks in other windows are as good as in the first', () => {
  onHeap(3 * GiB, (heap, arena) => {
    const ballast = [heap.malloc(GiB - 64 * KiB), heap.malloc(GiB - 64 * KiB)]
    const blocks = Array.from({ length: 30000 }, (_, i) => heap.malloc(16 + (i % 500)))
    assert.ok(blocks.some((block) => block > 2 * GiB))
    for (const [i, block] of blocks.entries()) bytesAt(arena, block, 16).fill(i)
    for (const [i, block] of blocks.entries()) {
      assert.ok(bytesAt(arena, block, 16).every((byte) => byte === (i & 255)))
      heap.free(block)
      throwsCode(() => heap.free(block), 'ERR_DOUBLE_FREE')
    }
    for (const block of ballast) heap.free(block)
    heap.check()
  })
})

test('known-zero memory is not touched by calloc', () => {
  onHeap(64 * MiB, (heap, arena) => {
    const block = heap.calloc(32 * MiB)
    assert.is(arena.resident(), 0)
    heap.free(block)
    const used = heap.malloc(8 * MiB)
    bytesAt(arena, used, 8 * MiB).fill(1)
    heap.free(used)
    const again = heap.calloc(32 * MiB)
    assert.ok(readsZero(arena, again, 32 * MiB))
  })
})

test('roots are found by name, and only live blocks can be roots', () => {
  onHeap(MiB, (heap) => {
    const block = heap.malloc(100)
    heap.setRoot('index', block)
    assert.is(heap.root('index'), block)
    assert.is(heap.root('other'), 0)
    throwsCode(() => heap.setRoot('index', block + 8), 'ERR_INVALID_FREE')
    throwsCode(() => heap.setRoot('', block), 'ERR_OUT_OF_RANGE', '"name"')
    throwsCode(() => heap.setRoot('x'.repeat(65), block), 'ERR_OUT_OF_RANGE', '"name"')
    throwsCode(() => heap.setRoot('half \ud83d', block), 'ERR_OUT_OF_RANGE', '"name"')
    assert.is(heap.root('\u{1f600}'), 0)
    throwsCode(() => heap.setRoot(1 as unknown as string, block), 'ERR_INVALID_ARG_TYPE', '"name"')
    heap.setRoot('x'.repeat(64), block)
    assert.is(heap.root('x'.repeat(64)), block)
    assert.is(heap.root('x'.repeat(63)), 0)
    for (let i = 0; i < 1022; i++) heap.setRoot(`r${i}`, block)
    throwsCode(() => heap.setRoot('one more', block), 'ERR_OUT_OF_MEMORY', 'all 1024 roots')
    heap.setRoot('index', 0)
    heap.setRoot('one more', block)
    heap.check()
    heap.reset()
    heap.check()
    assert.is(heap.root('one more'), 0)
    assert.is(heap.root('r5'), 0)
  })
})

test('a thousand roots of 64 bytes each have their own offset, and outlive a purge of an empty heap', () => {
  onHeap(4 * MiB, (heap) => {
    const blocks = Array.from({ length: 1000 }, () => heap.malloc(24))
    const name = (i: number): string => `${'ü'.repeat(28)}${String(i).padStart(8, '0')}`
    const before = heap.stats().metadataBytes
    for (const [i, block] of blocks.entries()) heap.setRoot(name(i), block)
    for (let i = 0; i < 1000; i += 3) heap.setRoot(name(i), 0)
    for (let i = 0; i < 1000; i++) assert.is(heap.root(name(i)), i % 3 === 0 ? 0 : blocks[i])
    const grown = heap.stats().metadataBytes - before
    assert.ok(grown >= 1000 * 72 - 4096 && grown <= 1000 * 72 + 2 * 4096, `${grown}`)
    for (const block of blocks) heap.free(block)
    const large = Array.from({ length: 900 }, () => heap.malloc(4000))
    for (const block of large) heap.free(block)
    heap.purge()
    heap.check()
    for (let i = 0; i < 1000; i++) assert.is(heap.root(name(i)), i % 3 === 0 ? 0 : blocks[i])
  })
})

test('names that begin or end alike, or lie in one another, are different roots', () => {
  onHeap(4 * MiB, (heap) => {
    const letters = ['a', 'aaaa', 'aaaaa', 'aaaaaaaa', 'b', 'ba', 'aaaab', 'baaaa', 'xaaaaaaaa', 'yaaaaaaaa']
    const named = [...letters, '\u00e9', 'e\u0301', '\ufffd', '😀', '😀😀', '\u{10ffff}', '__proto__', ' ', '  ']
    const blocks = named.map(() => heap.malloc(8))
    for (const [i, name] of named.entries()) heap.setRoot(name, blocks[i] as number)
    assert.equal(
      named.map((name) => heap.root(name)),
      blocks
    )
    for (const [i, name] of named.entries()) {
      heap.setRoot(name, 0)
      assert.equal(
        named.map((other) => heap.root(other)),
        blocks.map((block, j) => (j <= i ? 0 : block))
      )
    }
    heap.check()
  })
})

test('half a surrogate pair is no name: in UTF-8 it would be the name of another root', () => {
  onHeap(MiB, (heap) => {
    const block = heap.malloc(8)
    heap.setRoot('\ufffd', block)
    for (const name of ['\ud800', '\udfff', 'a\udc00\ud800', '\ud83d']) {
      throwsCode(() => heap.root(name), 'ERR_OUT_OF_RANGE', '"name"')
      throwsCode(() => heap.setRoot(name, block), 'ERR_OUT_OF_RANGE', '"name"')
    }
    assert.is(heap.root('\ufffd'), block)
  })
})

test('a root that was being written when its writer died is not there, and nothing contradicts it', () => {
  onHeap(MiB, (heap, arena) => {
    const block = heap.malloc(100)
    const { offset, byteLength, metadata } = partsOf(heap).life.claim
    const words = new Int32Array(metadata.buffer)
    const layout = heapLayout(offset, byteLength, arena.pageSize)
    heap.setRoot('first', block)
    for (let stored = 0; stored <= Root.NAME_WORDS; stored++) {
      const at = layout.roots + Root.WORDS
      words[At.ROOT_TOP] = 2
      for (let i = 0; i < stored; i++) words[at + i] = 0x41414141
      heap.check()
      assert.is(heap.root('A'.repeat(64)), 0)
    }
    heap.setRoot('second', block)
    heap.check()
    assert.equal([heap.root('first'), heap.root('second'), words[At.ROOT_TOP]], [block, block, 2])
  })
})

test('a root is refused that would take the heap past its limit', () => {
  const arena = Arena.reserve(4 * MiB)
  const heap = new Heap(arena, { limit: 64 * KiB })
  const block = heap.malloc(100)
  let count = 0
  throwsCode(
    () => {
      for (; ; count++) heap.setRoot(`r${count}`, block)
    },
    'ERR_OUT_OF_MEMORY',
    'past its limit'
  )
  assert.ok(count > 300 && count < 1000, `${count}`)
  assert.ok(heap.stats().committedBytes <= 64 * KiB)
  heap.check()
  assert.is(heap.root(`r${count - 1}`), block)
  assert.is(heap.root(`r${count}`), 0)
  heap.setRoot('r7', 0)
  heap.setRoot('another', block)
  arena.close()
})

test('a small heap has fewer roots', () => {
  const arena = Arena.reserve(64 * KiB)
  const heap = new Heap(arena, { byteLength: 16 * KiB })
  const block = heap.malloc(8)
  for (let i = 0; i < 16; i++) heap.setRoot(`r${i}`, block)
  throwsCode(() => heap.setRoot('one more', block), 'ERR_OUT_OF_MEMORY', 'all 16 roots')
  heap.check()
  arena.close()
})

test('check finds a metadata word that was changed behind its back', () => {
  onHeap(MiB, (heap) => {
    for (let i = 0; i < 100; i++) heap.malloc(i * 40)
    heap.check()
    const { claim } = partsOf(heap).life
    const words = new Int32Array(claim.metadata.buffer)
    let found = 0
    // Words of the counters, classes and bins: each holds something that another word implies.
    for (let at = 65; at < 1200; at++) {
      const old = words[at] as number
      if (old === 0) continue
      words[at] = old ^ 64
      try {
        heap.check()
      } catch {
        found++
      }
      words[at] = old
    }
    heap.check()
    assert.ok(found > 20, `${found} changes were found`)
  })
})

test('an idle heap gives its memory back within one decay period, metadata included', () => {
  const clock = new Clock()
  const arena = Arena.reserve(256 * MiB)
  const heap = new Heap(arena, { decayMs: 1000, schedule: clock.schedule })
  assert.is(clock.timers, 0)
  const blocks = Array.from({ length: 50000 }, (_, i) => heap.calloc(i % 2000))
  assert.ok(arena.resident() > 40 * MiB)
  for (const block of blocks) heap.free(block)
  assert.is(clock.timers, 1)
  clock.advance(500)
  clock.advance(500)
  assert.is(arena.resident(), 0)
  assert.ok(heap.stats().metadataBytes <= 32 * KiB, `${heap.stats().metadataBytes}`)
  assert.is(clock.timers, 0)
  heap.check()
  heap.free(heap.malloc(5000))
  assert.is(clock.timers, 1)
  heap.close()
  assert.is(clock.timers, 0)
  arena.close()
})

test('decay leaves what a busy heap uses again and again', () => {
  const clock = new Clock()
  const arena = Arena.reserve(256 * MiB)
  const heap = new Heap(arena, { decayMs: 1000, schedule: clock.schedule })
  const ballast = heap.malloc(100_000)
  for (let tick = 0; tick < 10; tick++) {
    const block = heap.malloc(8 * MiB)
    bytesAt(arena, block, 8 * MiB).fill(1)
    clock.advance(500)
    heap.free(block)
  }
  assert.ok(heap.stats().freeDirtyBytes >= 8 * MiB)
  heap.free(ballast)
  heap.check()
  arena.close()
  assert.is(clock.timers, 0)
})

test('decayMs is checked; -1 never purges and 0 purges at once', () => {
  const arena = Arena.reserve(64 * MiB)
  for (const bad of [-2, 0.5, Number.NaN, 2 ** 31])
    throwsCode(() => new Heap(arena, { decayMs: bad }), 'ERR_OUT_OF_RANGE', 'decayMs')
  throwsCode(() => new Heap(arena, { decayMs: '5' as unknown as number }), 'ERR_INVALID_ARG_TYPE', 'decayMs')
  const clock = new Clock()
  const never = new Heap(arena, { decayMs: -1, schedule: clock.schedule, byteLength: 32 * MiB })
  never.free(never.calloc(MiB))
  assert.is(clock.timers, 0)
  assert.ok(never.stats().freeDirtyBytes >= MiB)
  const atOnce = new Heap(arena, { decayMs: 0, schedule: clock.schedule, offset: 32 * MiB })
  atOnce.free(atOnce.calloc(MiB))
  assert.is(atOnce.stats().freeDirtyBytes, 0)
  assert.is(clock.timers, 0)
  arena.close()
})

test('a request of SMALL_MAX gets a slot and one more byte a span', () => {
  onHeap(MiB, (heap) => {
    assert.is(heap.usableSize(heap.malloc(Size.SMALL_MAX)), Size.SMALL_MAX)
    assert.is(heap.usableSize(heap.malloc(Size.SMALL_MAX + 1)), Size.SMALL_MAX + 8)
  })
})

test('a range in which no block can begin is refused, and nothing is claimed', () => {
  const arena = Arena.reserve(MiB)
  for (const concurrent of [false, true]) {
    throwsCode(() => new Heap(arena, { byteLength: 8, concurrent }), 'ERR_OUT_OF_RANGE', '"options.byteLength"')
    for (const range of [{ byteLength: 16 }, { offset: 8, byteLength: 8 }]) {
      const heap = new Heap(arena, { ...range, concurrent })
      heap.check()
      heap.tryMalloc(8)
      heap.check()
      heap.close()
    }
  }
  arena.close()
})

test('a free span whose last bytes, too few for a span, lie on a page that is not there', () => {
  const arena = Arena.reserve(MiB)
  for (const concurrent of [false, true]) {
    const heap = new Heap(arena, { offset: 4096, byteLength: 4104, decayMs: -1, concurrent })
    heap.free(heap.malloc(1500))
    assert.is(heap.malloc(4096), 4096)
    heap.check()
    heap.close()
  }
  arena.close()
})

test('a limit holds in a range of any offset and length, a part of a page too', () => {
  const arena = Arena.reserve(MiB)
  for (const concurrent of [false, true])
    for (const offset of [0, 280, 2680, 4096, 4088])
      for (const byteLength of [1352, 3232, 3816, 4104, 8192])
        for (const limit of [8219, 8431, 12_000, 12_288, 13_000, 16_384, 17_000, 20_480, 22_000]) {
          const heap = new Heap(arena, { offset, byteLength, limit, concurrent })
          const blocks = []
          for (const size of [1100, 100, byteLength - 8, 2000, 8]) {
            const block = heap.tryMalloc(size)
            if (block !== 0) blocks.push(block)
            if (blocks.length === 2) heap.free(blocks.shift() as number)
            const { committedBytes, usedCount } = heap.stats()
            assert.ok(committedBytes <= limit || usedCount === 0, `${committedBytes} of ${limit}`)
          }
          heap.check()
          heap.close()
        }
  arena.close()
})

test.run()
