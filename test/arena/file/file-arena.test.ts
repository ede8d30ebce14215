/**
 * The arena in a file: what allocators leave there is there again, a file that holds something else is left alone, purging is exact.
 *
 * Longer than other files: the same file is made, left and mapped anew by each test.
 */

import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Buddy } from '../../../src/allocator/buddy/buddy.ts'
import { Bump } from '../../../src/allocator/bump/bump.ts'
import { Heap } from '../../../src/allocator/heap/heap.ts'
import { Slab } from '../../../src/allocator/slab/slab.ts'
import { insideOf } from '../../../src/arena/arena.ts'
import { mapFile } from '../../../src/arena/file/map-file.ts'
import { type Layout, layoutWithin } from '../../../src/arena/format/layout.ts'
import { GiB, KiB, MiB } from '../../../src/units.ts'
import { nodes, runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { MAP_FILE } from '../../helpers/map-file.ts'
import { freshFile, freshPath, pattern } from '../../helpers/scratch.ts'
import { claim, Holder } from '../claims/holder.ts'

const { EOPNOTSUPP, ENOMEM } = constants.errno
const page = new FakeOs().pageSize
const layoutFor = (byteLength: number): Layout => layoutWithin(byteLength, page) as Layout

/** A sparse file of so many bytes. */
function hole(byteLength: number): string {
  const path = freshPath()
  writeFileSync(path, '')
  truncateSync(path, byteLength)
  return path
}

const create = (byteLength: number, os = new FakeOs()) =>
  mapFile(freshPath(), { mode: 'write', create: true, byteLength, os })

test('every allocator works in a file, in modes write and copy', () => {
  for (const mode of ['write', 'copy'] as const) {
    const path = hole(64 * MiB)
    const file = mapFile(path, { mode })
    const { arena } = file
    assert.is(arena, file.arena)
    assert.is(arena.byteLength, layoutFor(64 * MiB).byteLength)
    const quarter = 8 * MiB
    for (const allocator of [
      new Heap(arena, { offset: 0, byteLength: quarter }),
      new Buddy(arena, { offset: quarter, byteLength: quarter }),
      new Slab(arena, { offset: 2 * quarter, byteLength: quarter, slotSize: 512 }),
      new Bump(arena, { offset: 3 * quarter, byteLength: quarter }),
    ]) {
      const blocks = Array.from({ length: 200 }, (_, index) => allocator.alloc(Uint8Array, 500).fill(index))
      for (const [index, block] of blocks.entries()) assert.ok(block.every((byte) => byte === (index & 255)))
      if ('free' in allocator) for (const block of blocks) allocator.free(block)
      if ('purge' in allocator) allocator.purge()
      allocator.check()
      const again = allocator.alloc(Float64Array, 64)
      assert.ok(again.every((number) => number === 0))
      allocator.reset()
      allocator.check()
    }
    file.close()
  }
})

test('a heap on all of the arena finds room for its tables, from the shortest file on', () => {
  for (const byteLength of [76 * KiB, 128 * KiB, MiB + 5, 3 * MiB, GiB, 20 * GiB]) {
    const file = mapFile(hole(byteLength), { mode: 'write' })
    const heap = new Heap(file.arena)
    if (byteLength > 76 * KiB) heap.alloc(Uint8Array, 100).fill(1)
    heap.check()
    file.close()
  }
})

test('the arena lies on whole pages of the file, from the first byte of the mapping on', () => {
  const path = hole(MiB + page)
  const file = mapFile(path, { mode: 'write', offset: page, byteLength: MiB })
  const view = file.arena.view(Uint8Array, 40, 8).fill(9)
  assert.equal(file.view(Uint8Array, 40, 8), view)
  assert.equal([...readFileSync(path).subarray(page + 39, page + 49)], [0, 9, 9, 9, 9, 9, 9, 9, 9, 0])
  assert.is(file.arena.offsetOf(view), 40)
  assert.is(file.offsetOf(file.view(Uint8Array, 40, 8)), 40)
  throwsCode(() => file.arena.offsetOf(file.view(Uint8Array, 40, 8)), 'ERR_OUT_OF_RANGE')
  file.close()
  for (const offset of [1, 8, page - 1])
    throwsCode(
      () => mapFile(path, { mode: 'write', offset }).arena,
      'ERR_OUT_OF_RANGE',
      `"options.offset" expected a multiple of ${page}`
    )
})

test('too short a file has no arena', () => {
  for (const byteLength of [0, 1, page, 75 * KiB])
    throwsCode(
      () => mapFile(hole(byteLength), { mode: 'write' }).arena,
      'ERR_OUT_OF_RANGE',
      `"options.byteLength" expected at least ${76 * KiB} bytes, for an arena in the file, got ${byteLength}`
    )
})

test("no window of the arena shows its tables, and the file's own windows do", () => {
  const file = create(MiB)
  const { arena } = file
  claim(arena, new Holder('Heap'), 0, 64 * KiB, 100)
  assert.is(arena.window(0).buffer.byteLength, arena.byteLength)
  assert.is(file.bytes.length, MiB)
  assert.is.not(file.view(Uint32Array, arena.byteLength, 1)[0], 0)
  file.close()
})

test('nothing is written before the first claim', () => {
  const path = hole(MiB)
  const file = mapFile(path, { mode: 'write' })
  file.arena.view(Uint8Array, 0, 8)
  file.close()
  assert.is(statSync(path).blocks, 0)
})

test('closing keeps what is there: file and arena close together, pins of both count', () => {
  for (const closer of ['file', 'arena'] as const) {
    const path = hole(MiB)
    const file = mapFile(path, { mode: 'write' })
    const { arena } = file
    const heap = new Heap(arena)
    const block = heap.alloc(Uint8Array, 100).fill(7)
    const offset = arena.offsetOf(block)
    const pins = [file.pin(), arena.pin()]
    for (const pin of pins) {
      for (const one of [file, arena]) throwsCode(() => one.close(), 'ERR_ARENA_BUSY', 'pinned')
      pin[Symbol.dispose]()
    }
    if (closer === 'file') file.close()
    else arena.close()
    assert.equal([file.closed, arena.closed], [true, true])
    throwsCode(() => heap.malloc(8), 'ERR_ARENA_CLOSED')
    throwsCode(() => arena.view(Uint8Array, 0, 1), 'ERR_ARENA_CLOSED', `file "${path}" is closed`)
    throwsCode(() => file.arena, 'ERR_ARENA_CLOSED')
    assert.ok(
      readFileSync(path)
        .subarray(offset, offset + 100)
        .every((byte) => byte === 7)
    )
    const again = mapFile(path, { mode: 'write' })
    assert.equal(insideOf(again.arena).claims(), [
      { kind: 'Heap', offset: 0, byteLength: again.arena.byteLength, state: 'left', lasting: true },
    ])
    again.close()
  }
})

test('destroying a heap gives its claim back, and its bytes to the file system', () => {
  const path = hole(8 * MiB)
  const file = mapFile(path, { mode: 'write' })
  const heap = new Heap(file.arena)
  heap.alloc(Uint8Array, 4 * MiB).fill(1)
  file.sync()
  assert.ok(statSync(path).blocks * 512 > 4 * MiB)
  heap.destroy()
  assert.ok(statSync(path).blocks * 512 < 256 * KiB)
  file.close()
  const again = mapFile(path, { mode: 'write' })
  assert.equal(insideOf(again.arena).claims(), [])
  new Heap(again.arena).close()
  again.close()
})

test('copy: the file is untouched, whatever allocators do', () => {
  const path = freshFile(pattern(2 * MiB))
  const file = mapFile(path, { mode: 'copy' })
  const heap = new Heap(file.arena)
  for (let index = 0; index < 100; index++) heap.alloc(Uint8Array, 1000).fill(1)
  heap.check()
  heap.reset()
  heap.purge()
  file.close()
  assert.equal(readFileSync(path), pattern(2 * MiB))
})

test('copy: a heap in a file is taken up as it is, and the file keeps its own', () => {
  const path = hole(MiB)
  const file = mapFile(path, { mode: 'write' })
  new Heap(file.arena).alloc(Uint8Array, 100).fill(7)
  file.close()
  const before = readFileSync(path)
  const copy = mapFile(path, { mode: 'copy' })
  const adopted = insideOf(copy.arena).adopt({ holder: new Holder('Heap') })
  assert.ok(copy.bytes.includes(7))
  adopted?.release()
  assert.ok(copy.arena.view(Uint8Array, 0, copy.arena.byteLength).every((byte) => byte === 0))
  copy.close()
  assert.equal(readFileSync(path), before)
})

test('write: a file that holds something else where the tables would be is refused, and nothing of it is changed', () => {
  const path = freshFile(pattern(MiB))
  const file = mapFile(path, { mode: 'write' })
  const { metadataBytes } = layoutFor(MiB)
  throwsCode(
    () => file.arena,
    'ERR_UNSUPPORTED_OPERATION',
    `holds other data in the last ${metadataBytes} bytes of the mapping`
  )
  assert.equal(readFileSync(path), pattern(MiB))
  file.bytes.fill(0, MiB - metadataBytes)
  assert.is(file.arena.byteLength, MiB - metadataBytes)
  file.close()
  const late = freshFile(Buffer.alloc(MiB))
  const almost = mapFile(late, { mode: 'write' })
  almost.bytes[MiB - 1] = 1
  throwsCode(() => almost.arena, 'ERR_UNSUPPORTED_OPERATION')
  almost.close()
})

test('write: an arena of another length than is mapped is not run over', () => {
  const path = hole(4 * MiB)
  const file = mapFile(path, { mode: 'write' })
  new Heap(file.arena)
  file.close()
  for (const options of [{ byteLength: MiB }, { byteLength: 4 * MiB - page }])
    throwsCode(
      () => mapFile(path, { mode: 'write', ...options }).arena,
      'ERR_UNSUPPORTED_OPERATION',
      /holds an arena of 4194304 bytes and \d+ are mapped: map it to its end/
    )
  throwsCode(() => mapFile(path, { mode: 'write', byteLength: 5 * MiB }), 'ERR_ARENA_BUSY', 'holds an arena')
  assert.is(statSync(path).size, 4 * MiB)
  const raw = mapFile(path, { mode: 'write', maxByteLength: 8 * MiB })
  throwsCode(() => raw.resize(5 * MiB), 'ERR_ARENA_BUSY', 'holds an arena')
  throwsCode(() => raw.resize(MiB), 'ERR_ARENA_BUSY', 'holds an arena')
  raw.resize(4 * MiB)
  raw.arena
  throwsCode(() => raw.resize(4 * MiB), 'ERR_ARENA_BUSY', 'holds an arena')
  raw.close()
})

test('zeroed is true of holes, until another could have written there', () => {
  const zeroed = (
    path: string,
    before: (file: ReturnType<typeof mapFile>) => void,
    mode: 'write' | 'copy' = 'write'
  ) => {
    const file = mapFile(path, { mode })
    before(file)
    const answer = [0, 1, 2].map((window) => claim(file.arena, new Holder('Slab'), window * GiB, 4096).zeroed)
    file.close()
    return answer
  }
  const nothing = (): void => undefined
  assert.equal(zeroed(hole(4 * GiB), nothing), [true, true, true])
  assert.equal(zeroed(hole(4 * GiB), nothing, 'copy'), [true, true, true])
  const written = hole(4 * GiB)
  const file = mapFile(written, { mode: 'write' })
  file.view(Uint8Array, GiB + 5 * MiB, 1)[0] = 1
  file.close()
  assert.equal(zeroed(written, nothing), [true, false, true])
  for (const mode of ['write', 'copy'] as const) {
    assert.equal(
      zeroed(hole(4 * GiB), (mapped) => mapped.view(Uint8Array, 0, 1), mode),
      [false, false, false]
    )
    assert.equal(
      zeroed(hole(4 * GiB), (mapped) => mapped.window(2 * GiB), mode),
      [false, false, false]
    )
    assert.equal(
      zeroed(hole(4 * GiB), (mapped) => mapped.arena.view(Uint8Array, 0, 1), mode),
      [false, true, true]
    )
    assert.equal(
      zeroed(hole(4 * GiB), (mapped) => [mapped.arena, mapped.view(Uint8Array, 2 * GiB, 1)], mode),
      [true, true, false]
    )
  }
})

test('zeroed is never claimed where the file system does not tell of holes', () => {
  const os = new FakeOs()
  os.files.nextData = (_, position) => position
  const file = mapFile(hole(MiB), { mode: 'write', os })
  assert.not(claim(file.arena, new Holder('Slab')).zeroed)
  file.close()
})

test('blocks of a heap read zero, whatever the file held', () => {
  const content = pattern(2 * MiB)
  content.fill(0, layoutFor(2 * MiB).byteLength)
  for (const mode of ['write', 'copy'] as const) {
    const file = mapFile(freshFile(content), { mode })
    const heap = new Heap(file.arena)
    for (const length of [1, 100, 5000, 100_000, MiB])
      assert.ok(heap.alloc(Uint8Array, length).every((byte) => byte === 0))
    file.close()
  }
})

/** Makes every call about holes in files fail as on a file system that has none. */
function withoutHoles(): FakeOs {
  const os = new FakeOs()
  for (let times = 0; times < 1000; times++) os.fail('removePages', 1, EOPNOTSUPP)
  return os
}

for (const [label, mode, makeOs] of [
  ['write', 'write', () => new FakeOs()],
  ['write, on a file system without holes', 'write', withoutHoles],
  ['write, pages of 64 KiB', 'write', () => new FakeOs({ pageSize: 64 * KiB })],
  ['copy', 'copy', () => new FakeOs()],
] as const)
  test(`${label}: purge reads zero to the byte`, () => {
    const content = Buffer.alloc(2 * MiB)
    const file = mapFile(freshFile(content), { mode, os: makeOs() })
    const { arena, pageSize } = file
    for (const [start, end] of [
      [0, 8 * pageSize],
      [1, 2],
      [pageSize - 1, pageSize + 1],
      [1, 4 * pageSize - 1],
      [3 * pageSize + 5, 3 * pageSize + 9],
    ] as const) {
      const bytes = arena.view(Uint8Array, 0, 10 * pageSize).fill(1)
      arena.purge(start, end - start)
      assert.equal([bytes.indexOf(0), bytes.lastIndexOf(0)], [start, end - 1], `${start} ${end}`)
      assert.ok(bytes.subarray(start, end).every((byte) => byte === 0))
      if (mode === 'write')
        assert.equal(readFileSync(file.path as string).subarray(0, 10 * pageSize), Buffer.from(bytes))
    }
    file.close()
  })

test('copy: purge reads zero where the file has something, too', () => {
  const path = freshFile(pattern(2 * MiB))
  const file = mapFile(path, { mode: 'copy' })
  const { arena } = file
  const bytes = arena.view(Uint8Array, 0, MiB)
  arena.purge(5, 10 * page)
  assert.ok(bytes.subarray(5, 5 + 10 * page).every((byte) => byte === 0))
  assert.equal([bytes[4], bytes[5 + 10 * page]], [pattern(5)[4], pattern(6 + 10 * page)[5 + 10 * page]])
  file.close()
})

test('write: a purge punches a hole, so disk and memory come back', () => {
  const path = hole(32 * MiB)
  const file = mapFile(path, { mode: 'write' })
  file.arena.view(Uint8Array, 0, 16 * MiB).fill(1)
  assert.is(file.resident(0, 16 * MiB), 16 * MiB)
  file.sync()
  const before = statSync(path).blocks * 512
  file.arena.purge(0, 16 * MiB)
  assert.is(file.resident(0, 16 * MiB), 0)
  assert.ok(before - statSync(path).blocks * 512 > 15 * MiB)
  assert.is(statSync(path).size, 32 * MiB)
  file.close()
})

test('purge: what the kernel refuses leaves the range as it was', () => {
  const os = new FakeOs()
  const file = create(MiB, os)
  const bytes = file.arena.view(Uint8Array, 0, 4 * page).fill(1)
  os.fail('removePages', 1, ENOMEM)
  throwsCode(() => file.arena.purge(5, 3 * page), 'ENOMEM')
  assert.is(bytes.indexOf(0), -1)
  file.lock()
  throwsCode(() => file.arena.purge(0, page), 'EINVAL')
  file.unlock()
  file.arena.purge(0, page)
  file.close()
})

test('discard keeps off what an allocator, or the arena itself, has', () => {
  const file = mapFile(freshFile(pattern(2 * MiB)), { mode: 'copy' })
  file.bytes.fill(1, 0, MiB)
  const { arena } = file
  const slab = claim(arena, new Holder('Slab'), 10 * page, 2 * page)
  for (const [offset, length] of [
    [0, MiB],
    [10 * page, 1],
    [11 * page + 5, 1],
    [9 * page, 2 * page],
    [12 * page - 1, page],
  ] as const)
    throwsCode(() => file.discard(offset, length), 'ERR_ARENA_BUSY', 'Slab (8192 bytes')
  throwsCode(() => file.discard(arena.byteLength - 1, 2), 'ERR_ARENA_BUSY', "the arena's tables")
  throwsCode(() => file.discard(2 * MiB - 1), 'ERR_ARENA_BUSY', "the arena's tables")
  file.discard(0, 10 * page)
  assert.equal(Buffer.from(file.view(Uint8Array, 0, 10 * page)), pattern(10 * page))
  slab.release()
  file.discard(0, MiB)
  assert.equal(Buffer.from(file.view(Uint8Array, 0, MiB)), pattern(MiB))
  file.close()
})

test('opening the arena: whatever the kernel refuses, it can be opened the next time', () => {
  for (const mode of ['write', 'copy'] as const)
    for (let nth = 1, failed = true; failed; nth++) {
      const os = new FakeOs()
      const path = mode === 'copy' ? freshFile(pattern(MiB)) : hole(MiB)
      const file = mapFile(path, { mode, os })
      os.fail('any', nth)
      try {
        file.arena
        failed = os.heal() === 0
      } catch (error) {
        assert.is((error as { code: string }).code, 'ENOMEM')
      }
      const heap = new Heap(file.arena)
      heap.alloc(Uint8Array, 100)
      heap.check()
      assert.is(os.files.opened.size, 0)
      file.close()
      assert.ok(nth < 20)
    }
})

for (const node of nodes) {
  test(`Node ${node.major}: killed in the middle of it, a heap's bytes and claim are in the file all the same`, async () => {
    const path = hole(16 * MiB)
    const child = await runChild(
      `${MAP_FILE}
      const file = mapFile(${JSON.stringify(path)}, { mode: 'write' })
      const heap = new Heap(file.arena)
      const block = heap.alloc(Float64Array, 1000).fill(2.5)
      heap.setRoot('numbers', file.arena.offsetOf(block))
      report({ offset: file.arena.offsetOf(block) })
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), 5)`,
      { node }
    )
    assert.is(child.signal, 'SIGKILL')
    const file = mapFile(path, { mode: 'write' })
    assert.equal(
      insideOf(file.arena)
        .claims()
        .map(({ kind }) => kind),
      ['Heap']
    )
    assert.ok(file.arena.view(Float64Array, child.report.offset, 1000).every((number) => number === 2.5))
    const metadata = Buffer.from(
      insideOf(file.arena).adopt({ holder: new Holder('Heap') })?.metadata.buffer as ArrayBuffer
    )
    assert.ok(metadata.includes('numbers'))
    file.close()
  })

  test(`Node ${node.major}: a file that was cut down is closed, with a heap in it, and nothing of it is touched`, async () => {
    for (const length of [0, 4096, 16 * MiB - 4096]) {
      const child = await runChild(
        `${MAP_FILE}
        const path = ${JSON.stringify(hole(16 * MiB))}
        const file = mapFile(path, { mode: 'write' })
        const heap = new Heap(file.arena, { decayMs: -1 })
        heap.alloc(Float64Array, 1000).fill(2.5)
        fs.truncateSync(path, ${length})
        file.close()
        let code
        try { heap.malloc(8) } catch (error) { code = error.code }
        report({ closed: file.closed, code })`,
        { node }
      )
      assert.equal(child.clean().report, { closed: true, code: 'ERR_ARENA_CLOSED' })
    }
  })

  test(`Node ${node.major}: an arena in a file that is dropped is released when its last view is garbage`, async () => {
    const child = await runChild(
      `${MAP_FILE}
      const os = new FakeOs()
      let view = (() => {
        const file = mapFile(${JSON.stringify(hole(MiB))}, { mode: 'write', os })
        new Heap(file.arena, { decayMs: -1 }).alloc(Uint8Array, 10)
        return file.arena.view(Uint8Array, 0, 8)
      })()
      await collect(() => os.live.size === 0)
      const held = os.live.size
      view = undefined
      report({ held, freed: await collect(() => os.live.size === 0) })`,
      { node }
    )
    assert.equal(child.clean().report, { held: 1, freed: true })
  })
}

test.run()
