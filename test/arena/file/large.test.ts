/** Files longer than a window, than 4 GiB, and than the longest ArrayBuffer: sparse ones, which take no disk. */
import { closeSync, openSync, readSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { mapFile } from '../../../src/arena/file/map-file.ts'
import { GiB, KiB, MiB, TiB } from '../../../src/units.ts'
import { nodes, runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { MAP_FILE } from '../../helpers/map-file.ts'
import { freshPath } from '../../helpers/scratch.ts'

/** A file of so many bytes that takes no disk, but for a mark at each of these positions: the position's own number. */
function sparse(byteLength: number, marks: readonly number[]): string {
  const path = freshPath()
  writeFileSync(path, '')
  truncateSync(path, byteLength)
  const fd = openSync(path, 'r+')
  for (const mark of marks) writeSync(fd, new Uint8Array(new Float64Array([mark]).buffer), 0, 8, mark)
  closeSync(fd)
  return path
}

function numberAt(path: string, position: number): number {
  const number = new Float64Array(1)
  const fd = openSync(path, 'r')
  readSync(fd, new Uint8Array(number.buffer), 0, 8, position)
  closeSync(fd)
  return number[0] as number
}

const MARKS = [0, GiB - 8, GiB, 3 * GiB + 40, 4 * GiB - 8, 4 * GiB, 5 * GiB + 16, 9 * GiB - 8]

test('windowBytes: views of a file and of its arena lie in windows of that length; the long window is as it was', () => {
  const path = sparse(5 * MiB, [0, MiB - 8, MiB, 4 * MiB])
  for (const [windowBytes, ofFile, ofArena] of [
    [undefined, 5 * MiB, 5 * MiB],
    [MiB, MiB, MiB],
    [2 * MiB, 2 * MiB, 2 * MiB],
  ] as const) {
    using file = mapFile(path, { mode: 'copy', windowBytes })
    assert.is(file.view(Float64Array, MiB, 1).buffer.byteLength, ofFile)
    assert.is(file.view(Float64Array, MiB, 1)[0], MiB)
    const across = file.view(Float64Array, MiB - 8, 2)
    assert.equal([...across], [MiB - 8, MiB])
    assert.is(file.offsetOf(across), MiB - 8)
    const { buffer, start } = file.window(4 * MiB)
    assert.equal([start, new Float64Array(buffer)[MiB / 2]], [0, 4 * MiB])
    const inArena = file.arena.view(Uint8Array, 0, 8)
    assert.is(inArena.buffer.byteLength, Math.min(ofArena, file.arena.byteLength))
  }
  for (const bad of [MiB / 2, 3 * MiB, 2 * GiB, 0])
    throwsCode(() => mapFile(path, { mode: 'read', windowBytes: bad }), 'ERR_OUT_OF_RANGE', 'options.windowBytes')
  throwsCode(
    () => mapFile(path, { mode: 'read', windowBytes: '1' as never }),
    'ERR_INVALID_ARG_TYPE',
    'options.windowBytes'
  )
})

for (const node of nodes)
  for (const mode of ['read', 'copy', 'write'] as const)
    test(`Node ${node.major}, mode '${mode}': 9 GiB, every part of it`, async () => {
      const path = sparse(9 * GiB, MARKS)
      const child = await runChild(
        `${MAP_FILE}
        const marks = ${JSON.stringify(MARKS)}
        const file = mapFile(${JSON.stringify(path)}, { mode: '${mode}' })
        const wrong = marks.filter((mark) => file.view(Float64Array, mark, 1)[0] !== mark)
        const windows = marks.filter((mark) => {
          const { buffer, start } = file.window(mark)
          return new Float64Array(buffer)[(mark - start) / 8] !== mark
        })
        const read = marks.filter((mark) => new Float64Array(file.read(mark, 8).buffer)[0] !== mark)
        const across = file.view(Float64Array, GiB - 8, 2)
        const long = file.view(Uint8Array, 3 * GiB, 2 * GiB + 5)
        let whole
        try { whole = file.bytes.length } catch (error) { whole = error.code + ' ' + error.message }
        if (file.mode !== 'read') file.view(Float64Array, 6 * GiB, 1)[0] = 6.5
        for (const mark of marks) file.check(mark, 8), file.populate(mark, 8)
        report({
          wrong, windows, read, across: [...across], offset: file.offsetOf(across.subarray(1)), long: [long.length, file.offsetOf(long)],
          whole, length: file.byteLength, stored: file.view(Float64Array, 6 * GiB, 1)[0], resident: file.resident(4 * GiB, 8),
        })
        file.sync()
        file.close()
        report({ rss: rssBytes() })`,
        { node }
      )
      const { report } = child.clean()
      const whole =
        node.major < 22 ? /^ERR_OUT_OF_RANGE "length" expected at most 4294967296 bytes in one view/ : /^9663676416$/
      assert.match(String(report.whole), whole)
      const { wrong, windows, read, across, offset, long, length, stored, resident } = report
      assert.equal({ wrong, windows, read }, { wrong: [], windows: [], read: [] })
      assert.equal([across, offset, long], [[GiB - 8, GiB], GiB, [2 * GiB + 5, 3 * GiB]])
      assert.equal([length, stored, resident], [9 * GiB, mode === 'read' ? 0 : 6.5, 8])
      assert.ok(report.rss < 400 * MiB, `${report.rss}`)
      assert.is(numberAt(path, 6 * GiB), mode === 'write' ? 6.5 : 0)
    })

test('a part behind 4 GiB, from an odd byte on', () => {
  const path = sparse(9 * GiB, MARKS)
  for (const mode of ['read', 'copy', 'write'] as const) {
    using file = mapFile(path, { mode, offset: 5 * GiB + 13, byteLength: 100 })
    const { buffer, byteOffset } = file.view(Uint8Array, 3, 8)
    assert.is(new DataView(buffer as ArrayBuffer, byteOffset, 8).getFloat64(0, true), 5 * GiB + 16)
  }
})

test('resized across windows and across 4 GiB, sparse and not', () => {
  const path = sparse(100, [])
  const file = mapFile(path, { mode: 'write', maxByteLength: 5 * GiB })
  truncateSync(path, 5 * GiB)
  file.resize(5 * GiB)
  file.view(Float64Array, 5 * GiB - 8, 1)[0] = 0.5
  assert.is(numberAt(path, 5 * GiB - 8), 0.5)
  file.resize(GiB + 10)
  const view = file.view(Uint8Array, GiB, 10).fill(3)
  assert.is(statSync(path).size, GiB + 10)
  file.resize(GiB + MiB)
  assert.ok(statSync(path).blocks * 512 < 2 * MiB)
  assert.is(view[9], 3)
  file.close()
})

test('addresses for a tebibyte of growth cost nothing', () => {
  const path = sparse(100, [])
  const file = mapFile(path, { mode: 'write', maxByteLength: TiB })
  file.resize(64 * KiB)
  file.view(Uint8Array, 64 * KiB - 1, 1)[0] = 1
  assert.is(statSync(path).size, 64 * KiB)
  file.close()
})

test('a heap of 16 GiB in a sparse file takes the pages it needs', async () => {
  const child = await runChild(
    `${MAP_FILE}
    const file = mapFile(${JSON.stringify(sparse(16 * GiB, []))}, { mode: 'write' })
    const before = rssBytes()
    const heap = new Heap(file.arena)
    const blocks = Array.from({ length: 100 }, (_, index) => heap.alloc(Float64Array, 1000).fill(index))
    heap.check()
    report({ grown: rssBytes() - before, blocks: fs.statSync(file.path).blocks * 512, sum: blocks.reduce((sum, block) => sum + block[999], 0) })
    file.close()`
  )
  const { report } = child.clean()
  assert.ok(report.grown < 24 * MiB, `${report.grown}`)
  assert.ok(report.blocks < 4 * MiB, `${report.blocks}`)
  assert.is(report.sum, 4950)
})

test('more than can be addressed is ENOMEM, and nothing is left', () => {
  const os = new FakeOs()
  const path = sparse(100, [])
  throwsCode(() => mapFile(path, { mode: 'write', maxByteLength: 128 * TiB, os }), 'ENOMEM', 'mmap')
  throwsCode(() => mapFile(path, { mode: 'write', maxByteLength: 129 * TiB, os }), 'ERR_OUT_OF_RANGE')
  throwsCode(
    () => mapFile(path, { mode: 'write', offset: 2 ** 53 - 100, maxByteLength: 200, os }),
    'ERR_OUT_OF_RANGE',
    '"options.offset"'
  )
  assert.equal([os.live.size, os.files.opened.size], [0, 0])
})

test.run()
