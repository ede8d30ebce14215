/** Readers that follow a file which a writer makes longer and shorter. */
import { appendFileSync, closeSync, openSync, renameSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { mapFile } from '../../../src/arena/file/map-file.ts'
import { MiB } from '../../../src/units.ts'
import { nodes, runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { MAP_FILE } from '../../helpers/map-file.ts'
import { freshFile, freshPath, pattern } from '../../helpers/scratch.ts'

const page = new FakeOs().pageSize

const bytesOf = (file: { read(offset: number, byteLength: number): Uint8Array; byteLength: number }): Buffer =>
  Buffer.from(file.read(0, file.byteLength))

for (const mode of ['read', 'write'] as const)
  for (const hardened of mode === 'read' ? [false, true] : [false])
    test(`${mode}${hardened ? ', hardened' : ''}: a file that grows byte by byte and page by page is followed`, () => {
      const path = freshFile(0)
      const options = hardened ? ({ mode: 'read', hardened } as const) : ({ mode } as const)
      const file = mapFile(path, { ...options, maxByteLength: 4 * page })
      assert.equal([file.byteLength, file.maxByteLength], [0, 4 * page])
      const whole = pattern(5 * page)
      let early: { length: number; [index: number]: number } | undefined
      let length = 0
      for (const more of [1, 9, page - 10, 1, page - 1, page + 7, page - 7, 5]) {
        appendFileSync(path, whole.subarray(length, length + more))
        length += more
        file.resize()
        assert.is(file.byteLength, Math.min(length, 4 * page))
        assert.equal(bytesOf(file), whole.subarray(0, file.byteLength))
        early ??= file.view(Uint8Array, 0, 1)
        assert.equal([early.length, early[0]], [1, whole[0]])
        file.resize()
      }
      file.close()
    })

test('a longer file than there are addresses for is mapped up to there, from wherever the mapping begins', () => {
  const path = freshFile(3 * page)
  const file = mapFile(path, { mode: 'read', maxByteLength: page })
  assert.equal(bytesOf(file), pattern(page))
  const later = mapFile(path, { mode: 'read', offset: page + 3, maxByteLength: 10 * page })
  assert.equal(bytesOf(later), pattern(3 * page).subarray(page + 3))
  appendFileSync(path, 'end')
  later.resize()
  assert.is(bytesOf(later).subarray(-3).toString(), 'end')
  throwsCode(
    () => mapFile(path, { mode: 'read', byteLength: page, maxByteLength: page - 1 }),
    'ERR_OUT_OF_RANGE',
    '"options.maxByteLength"'
  )
  file.close()
  later.close()
})

test('a part that was mapped at first grows to what the file has', () => {
  const file = mapFile(freshFile(3 * page), { mode: 'read', byteLength: 10, maxByteLength: 2 * page })
  assert.is(file.byteLength, 10)
  file.resize()
  assert.equal(bytesOf(file), pattern(2 * page))
  file.close()
})

test('a file that became shorter: views stay and read zero there, and show it again when it grows', () => {
  for (const mode of ['read', 'write'] as const) {
    const path = freshFile(3 * page)
    const file = mapFile(path, { mode, maxByteLength: 4 * page })
    const view = file.view(Uint8Array, 0, 3 * page) as Uint8Array
    truncateSync(path, page + 5)
    file.resize()
    assert.is(file.byteLength, page + 5)
    assert.equal(Buffer.from(view), Buffer.concat([pattern(page + 5), Buffer.alloc(2 * page - 5)]))
    file.check()
    throwsCode(() => file.view(Uint8Array, page, 6), 'ERR_OUT_OF_RANGE')
    truncateSync(path, 0)
    file.resize()
    assert.is(file.byteLength, 0)
    assert.ok(view.every((byte) => byte === 0))
    writeFileSync(path, pattern(3 * page, 5))
    file.resize()
    assert.equal(Buffer.from(view), pattern(3 * page, 5))
    file.close()
  }
})

test('a file that is cut between the question and the answer is covered to what is left', () => {
  const path = freshFile(page)
  const os = new FakeOs()
  const file = mapFile(path, { mode: 'read', maxByteLength: 4 * page, os })
  appendFileSync(path, Buffer.alloc(3 * page, 1))
  const mapping = os.mapFile.bind(os)
  os.mapFile = (...args) => {
    mapping(...args)
    truncateSync(path, page + 1)
  }
  file.resize()
  assert.is(file.byteLength, page + 1)
  // The whole window can be copied: no page of it lies beyond the file's end.
  assert.is(structuredClone(file.window(0).buffer).byteLength, 4 * page)
  file.close()
})

test('what the reader may not, and what the writer may as before', () => {
  const path = freshFile(100)
  const file = mapFile(path, { mode: 'read', maxByteLength: 200 })
  throwsCode(() => file.resize(150), 'ERR_UNSUPPORTED_OPERATION', "mode 'read'")
  throwsCode(() => file.reserveBlocks(), 'ERR_UNSUPPORTED_OPERATION')
  throwsCode(() => mapFile(path, { mode: 'copy' }).resize(), 'ERR_UNSUPPORTED_OPERATION', "mode 'copy'")
  const moved = freshPath()
  renameSync(path, moved)
  throwsCode(() => file.resize(), 'ENOENT')
  writeFileSync(path, 'another file')
  throwsCode(() => file.resize(), 'ERR_UNSUPPORTED_OPERATION', 'replaced by another file')
  assert.is(file.byteLength, 100)
  file.close()
  throwsCode(() => file.resize(), 'ERR_ARENA_CLOSED')
})

test('a file without a path is followed through a descriptor of its own', () => {
  const path = freshFile(100)
  const os = new FakeOs()
  const fd = openSync(path, 'a+')
  unlinkSync(path)
  const file = mapFile(fd, { mode: 'read', maxByteLength: 4 * page, os })
  appendFileSync(fd, pattern(page))
  closeSync(fd)
  file.resize()
  assert.is(file.byteLength, page + 100)
  file.close()
  assert.is(os.files.opened.size, 0)
})

test('following: whatever fails, the mapping is as it was', () => {
  for (const [from, to] of [
    [100, 3 * page],
    [3 * page, 100],
  ] as const)
    for (let nth = 1, failed = true; failed; nth++) {
      const path = freshFile(from)
      const os = new FakeOs()
      const file = mapFile(path, { mode: 'read', maxByteLength: 4 * page, os })
      const view = file.view(Uint8Array, 0, from)
      truncateSync(path, to)
      os.fail('any', nth)
      try {
        file.resize()
        failed = os.heal() === 0
      } catch (error) {
        assert.is((error as { code: string }).code, 'ENOMEM')
        assert.equal([file.byteLength, os.files.opened.size], [from, 0])
        if (from < to) assert.is(structuredClone(file.window(0).buffer).byteLength, 4 * page)
        file.resize()
      }
      assert.equal([file.byteLength, view.length, os.files.opened.size], [to, from, 0])
      assert.equal(bytesOf(file).subarray(0, 100), pattern(100))
      file.close()
      assert.ok(nth < 20)
    }
})

for (const node of nodes)
  test(`Node ${node.major}: a reader follows a writer in another process, byte for byte`, async () => {
    const path = freshPath()
    const child = await runChild(
      `${MAP_FILE}
      const path = ${JSON.stringify(path)}
      const peer = new Peer(\`
        const { mapFile } = await import(${JSON.stringify(new URL('../../../src/arena/file/map-file.js', import.meta.url).href)})
        const file = mapFile(data, { mode: 'write', create: true, maxByteLength: 8 * MiB })
        post('made')
        for (let length = 1; length < 8 * MiB; length = length * 2 + 13) {
          const before = file.byteLength
          file.resize(length)
          file.bytes.fill(before & 255, before)
          post(length)
          await next()
        }
        file.close()
        post(0)\`, { data: path })
      await peer.next()
      const file = mapFile(path, { mode: 'read', maxByteLength: 8 * MiB }), first = []
      let before = 0, wrong = 0, rounds = 0
      for (let length = await peer.next(); length > 0; length = await peer.next()) {
        file.resize()
        if (file.byteLength !== length) wrong++
        const part = file.view(Uint8Array, before, length - before)
        first.push([part, before & 255])
        for (const [view, value] of first) if (view[0] !== value || view[view.length - 1] !== value) wrong++
        before = length, rounds++
        peer.post('on')
      }
      report({ wrong, rounds, ended: await peer.ended() })`,
      { node }
    )
    const { report } = child.clean()
    assert.equal([report.wrong, report.ended], [0, '0'])
    assert.ok(report.rounds > 15 && MiB > 0)
  })

test.run()
