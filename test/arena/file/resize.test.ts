/**
 * Files that change their length under a mapping: here, by others, in a file system that clears nothing, and when the kernel refuses.
 *
 * Longer than other files: each mode, longer and shorter, with and without a second mapping.
 */

import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { constants } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { mapFile } from '../../../src/arena/file/map-file.ts'
import { systemError } from '../../../src/ffi/errno.ts'
import { GiB, KiB, MiB } from '../../../src/units.ts'
import { nodes, runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { canMount, MOUNTING, sharedMemoryFolder } from '../../helpers/machine.ts'
import { freshFile, freshPath, pattern, scratch } from '../../helpers/scratch.ts'

const { EACCES, EFBIG, ENOMEM, ENOSPC } = constants.errno
const page = new FakeOs().pageSize

test('longer and shorter: the file follows, views stay, what is new is zero', () => {
  const path = freshFile(100)
  const file = mapFile(path, { mode: 'write', maxByteLength: 4 * page })
  const early = file.view(Uint8Array, 0, 100)
  for (const length of [page, page + 1, 4 * page, 2 * page + 5, 0, 1, 100, page, 4 * page]) {
    const before = Buffer.from(file.bytes)
    file.resize(length)
    assert.equal([file.byteLength, statSync(path).size], [length, length])
    const kept = Math.min(length, before.length)
    assert.equal(Buffer.from(file.bytes).subarray(0, kept), before.subarray(0, kept))
    assert.ok(file.bytes.subarray(kept).every((byte) => byte === 0))
    assert.equal(readFileSync(path), Buffer.from(file.bytes))
    file.bytes.fill(length & 255 || 1)
    assert.is(early.length, 100)
    if (length >= 100) assert.is(early[99], file.bytes[99])
  }
  file.close()
})

test('views over what was cut read zero, and show the file again when it grows', () => {
  const file = mapFile(freshFile(3 * page), { mode: 'write' })
  const view = file.view(Uint8Array, 0, 3 * page)
  file.resize(page + 10)
  assert.equal(Buffer.from(view.subarray(0, page + 10)), pattern(page + 10))
  assert.ok(view.subarray(page + 10).every((byte) => byte === 0))
  view[2 * page] = 7
  file.resize(3 * page)
  assert.is(view[2 * page], 0)
  view[2 * page] = 8
  assert.is(readFileSync(file.path as string)[2 * page], 8)
  file.close()
})

test('a mapping that begins later in the file', () => {
  const path = freshFile(page + 50)
  const file = mapFile(path, { mode: 'write', offset: page + 3, maxByteLength: 2 * page })
  file.resize(2 * page)
  assert.is(statSync(path).size, 3 * page + 3)
  file.bytes.fill(1, 47)
  file.resize(10)
  assert.equal(readFileSync(path), pattern(page + 13))
  file.close()
})

test('no longer than was reserved, and no odd lengths', () => {
  const file = mapFile(freshFile(100), { mode: 'write', maxByteLength: 200 })
  for (const bad of [201, -1, NaN, 0.5, Infinity])
    throwsCode(() => file.resize(bad), 'ERR_OUT_OF_RANGE', '"byteLength" expected a whole number from 0 to 200')
  throwsCode(() => file.resize('1' as never), 'ERR_INVALID_ARG_TYPE', '"byteLength"')
  assert.is(file.byteLength, 100)
  file.close()
})

test('new bytes have room on the disk; holes get it from reserveBlocks', () => {
  const path = freshPath()
  writeFileSync(path, '')
  truncateSync(path, MiB)
  const file = mapFile(path, { mode: 'write', maxByteLength: 2 * MiB })
  const blocks = (): number => statSync(path).blocks * 512
  assert.ok(blocks() < 64 * KiB)
  file.resize(MiB + 256 * KiB)
  assert.ok(blocks() >= 256 * KiB && blocks() < 512 * KiB)
  file.reserveBlocks(100, 400 * KiB)
  assert.ok(blocks() >= 656 * KiB && blocks() < 900 * KiB)
  file.reserveBlocks()
  assert.ok(blocks() >= MiB + 256 * KiB)
  assert.ok(file.bytes.every((byte) => byte === 0))
  assert.is(statSync(path).size, MiB + 256 * KiB)
  file.close()
})

const testOfMounts = canMount() ? test : test.skip

for (const folder of [scratch, sharedMemoryFolder()].filter((each) => each !== undefined))
  test(`stores behind the end of the file never become part of it (${folder === scratch ? 'disk' : 'memory'})`, () => {
    const path = `${folder}/sorites-stray-${process.pid}`
    for (const grow of ['resize', 'mapFile'] as const) {
      writeFileSync(path, pattern(100))
      const file = mapFile(path, { mode: 'write', maxByteLength: 3 * page })
      new Uint8Array(file.window(0).buffer).fill(9, 100)
      if (grow === 'resize') file.resize(2 * page + 1)
      else mapFile(path, { mode: 'write', byteLength: 2 * page + 1 }).close()
      assert.equal(readFileSync(path), Buffer.concat([pattern(100), Buffer.alloc(2 * page - 99)]))
      file.close()
    }
    unlinkSync(path)
  })

test('others have made the file longer: the mapping follows, and nothing of theirs is cut', () => {
  const path = freshFile(100)
  const file = mapFile(path, { mode: 'write', maxByteLength: 4 * page })
  appendFileSync(path, pattern(2 * page, 5))
  throwsCode(() => file.resize(50), 'ERR_UNSUPPORTED_OPERATION', 'goes on behind the mapping, which ends at 100')
  file.resize(page)
  assert.equal([file.byteLength, statSync(path).size], [page, 100 + 2 * page])
  assert.equal(Buffer.from(file.bytes).subarray(100), pattern(page - 100, 5))
  file.resize(100 + 2 * page)
  file.resize(50)
  assert.is(statSync(path).size, 50)
  file.close()
})

test('others have made the file shorter: resize makes it what is wanted', () => {
  for (const wanted of [3 * page, 4 * page, 2 * page, page, 10]) {
    const path = freshFile(3 * page)
    const file = mapFile(path, { mode: 'write', maxByteLength: 4 * page })
    truncateSync(path, page + 5)
    throwsCode(() => file.reserveBlocks(), 'ERR_TRUNCATED', `has ${page + 5} bytes now`)
    file.resize(wanted)
    file.check()
    assert.equal([file.byteLength, statSync(path).size], [wanted, wanted])
    const kept = Math.min(wanted, page + 5)
    assert.equal(Buffer.from(file.bytes), Buffer.concat([pattern(kept), Buffer.alloc(wanted - kept)]))
    file.close()
  }
})

test('two mappings, each with its own length', () => {
  const path = freshFile(page)
  const one = mapFile(path, { mode: 'write', maxByteLength: 4 * page })
  const two = mapFile(path, { mode: 'write', maxByteLength: 4 * page })
  one.resize(3 * page)
  one.bytes[2 * page] = 5
  two.resize(3 * page)
  assert.is(two.bytes[2 * page], 5)
  one.resize(page)
  throwsCode(() => two.check(), 'ERR_TRUNCATED')
  two.resize(page)
  two.check()
  one.close()
  two.close()
})

test('a file that was renamed, replaced or unlinked: its length cannot be changed, all else goes on', () => {
  const path = freshFile(100)
  const file = mapFile(path, { mode: 'write', maxByteLength: 200 })
  const moved = freshPath()
  renameSync(path, moved)
  throwsCode(() => file.resize(150), 'ENOENT', `open '${path}'`)
  writeFileSync(path, 'another file')
  throwsCode(() => file.resize(150), 'ERR_UNSUPPORTED_OPERATION', 'has been replaced by another file')
  throwsCode(() => file.reserveBlocks(), 'ERR_UNSUPPORTED_OPERATION')
  assert.is(readFileSync(path, 'utf8'), 'another file')
  file.check()
  file.bytes[0] = 77
  assert.is(readFileSync(moved)[0], 77)
  unlinkSync(path)
  renameSync(moved, path)
  file.resize(150)
  assert.is(statSync(path).size, 150)
  file.close()
})

test('a file that has no path any more is resized through a descriptor of its own, gone with close', () => {
  const path = freshFile(100)
  const os = new FakeOs()
  const fd = openSync(path, 'r+')
  unlinkSync(path)
  const file = mapFile(fd, { mode: 'write', maxByteLength: 2 * page, os })
  closeSync(fd)
  assert.is(os.files.opened.size, 1)
  file.resize(2 * page)
  file.bytes.fill(1)
  file.resize(50)
  file.check()
  throwsCode(() => file.view(Uint8Array, 0, 51), 'ERR_OUT_OF_RANGE')
  file.close()
  assert.is(os.files.opened.size, 0)
})

test('a file without a path that may not be opened again: only its length is out of reach', () => {
  const path = freshFile(page)
  const os = new FakeOs()
  const fd = openSync(path, 'r+')
  unlinkSync(path)
  os.fail('open', 1, EACCES)
  const file = mapFile(fd, { mode: 'write', maxByteLength: 2 * page, os })
  throwsCode(() => file.resize(2 * page), 'ERR_UNSUPPORTED_OPERATION', 'has no path and may not be opened again')
  file.check()
  file.bytes[3] = 9
  file.close()
  closeSync(fd)
})

/** Every call of the kernel that a change makes, refused in turn. */
for (const [from, to] of [
  [100, 3 * page],
  [3 * page + 5, 4 * page],
  [3 * page, page - 1],
  [3 * page, 0],
] as const)
  test(`from ${from} to ${to} bytes: whatever fails, file and mapping are as they were`, () => {
    for (let nth = 1, failed = true; failed; nth++) {
      const path = freshFile(from)
      const os = new FakeOs()
      const file = mapFile(path, { mode: 'write', maxByteLength: 4 * page, os })
      os.fail('any', nth, nth % 2 === 0 ? ENOSPC : ENOMEM)
      try {
        file.resize(to)
        failed = os.heal() === 0
      } catch (error) {
        assert.match((error as { code: string }).code, /ENOSPC|ENOMEM/)
        assert.equal([file.byteLength, statSync(path).size], [from, from], `call ${nth}: ${(error as Error).message}`)
        assert.equal(Buffer.from(file.bytes), pattern(from))
        file.bytes.fill(1)
        assert.ok(readFileSync(path).every((byte) => byte === 1))
        file.resize(to)
      }
      assert.equal([file.byteLength, statSync(path).size, os.files.opened.size], [to, to, 0])
      file.close()
      if (nth > 3) assert.ok(nth < 20)
    }
  })

test('mapFile: whatever fails, no descriptor, no addresses and no changed file are left', () => {
  // What fails after a file that is there has become longer cannot be taken back: others may have it. So no `populate` for that one.
  for (const [create, byteLength, populate] of [
    [false, 50, true],
    [false, 3 * page, false],
    [true, 3 * page, true],
  ] as const)
    for (let nth = 1, failed = true; failed; nth++) {
      const path = create ? freshPath() : freshFile(100)
      const os = new FakeOs()
      os.fail('any', nth, ENOSPC)
      try {
        const file = mapFile(path, { mode: 'write', create, byteLength, populate, os })
        failed = os.heal() === 0
        file.close()
      } catch (error) {
        assert.is((error as { code: string }).code, 'ENOSPC')
        assert.equal([os.live.size, os.files.opened.size], [0, 0], `call ${nth}`)
        if (create) throwsCode(() => statSync(path), 'ENOENT')
        else assert.equal(readFileSync(path), pattern(100))
      }
      assert.ok(nth < 40)
    }
})

/** What another process does in the moment before each kernel call of a growth, and then the call fails, or does not. */
for (const grow of ['resize', 'mapFile'] as const)
  for (const fails of [true, false])
    test(`${grow}: another makes the file longer meanwhile, and keeps it, whether the growth fails or not (${fails ? 'fails' : 'goes on'})`, () => {
      const theirs = pattern(2 * page, 3)
      const calls = ['fileSystem', 'reserve', 'mapFile', 'allocate', 'extend'] as const
      for (const call of calls) {
        const path = freshFile(100)
        const os = new FakeOs()
        const file = mapFile(path, { mode: 'write', maxByteLength: 8 * page, os })
        const target = (call in os ? os : os.files) as unknown as Record<string, (...args: unknown[]) => unknown>
        const real = (target[call] as (...args: unknown[]) => unknown).bind(target)
        let other: ReturnType<typeof mapFile<'write'>> | undefined
        target[call] = (...args) => {
          if (other === undefined) {
            other = mapFile(path, { mode: 'write', byteLength: 3 * page })
            other.bytes.set(theirs, page)
          }
          if (fails) throw systemError(call, ENOSPC)
          return real(...args)
        }
        const run = (): void => {
          if (grow === 'resize') file.resize(2 * page)
          else mapFile(path, { mode: 'write', byteLength: 2 * page, os }).close()
        }
        if (fails) throwsCode(run, 'ENOSPC')
        else run()
        if (other === undefined) {
          assert.is(call, 'reserve')
          continue
        }
        assert.is(statSync(path).size, 3 * page, call)
        assert.equal(Buffer.from(other.bytes.subarray(page)), theirs, call)
        other.check()
        for (const one of [file, other]) one.close()
        assert.is(os.files.opened.size, 0)
      }
    })

test('a limit on the length of files is known before anything is allocated', async () => {
  const path = freshFile(100)
  const child = await runChild(
    `
    import { mapFile } from ${JSON.stringify(new URL('../../../src/arena/file/map-file.js', import.meta.url).href)}
    import { statSync, existsSync } from 'node:fs'
    const path = ${JSON.stringify(path)}
    const code = (run) => { try { run(); return 'done' } catch (error) { return error.code + ' ' + error.path } }
    const file = mapFile(path, { mode: 'write', maxByteLength: 64 * MiB })
    const grown = [code(() => file.resize(64 * MiB)), code(() => mapFile(path, { mode: 'write', byteLength: 64 * MiB }))]
    const after = [statSync(path).size, statSync(path).blocks <= 128, file.byteLength]
    const made = [code(() => mapFile(path + '-new', { mode: 'write', create: true, byteLength: 64 * MiB })), code(() => Arena.open(path + '-new', { create: true, byteLength: 64 * MiB }))]
    report({ grown, after, made, left: existsSync(path + '-new') })`,
    { before: 'ulimit -f 1000' }
  )
  assert.equal(child.clean().report, {
    grown: [`EFBIG ${path}`, `EFBIG ${path}`],
    after: [100, true, 100],
    made: [`EFBIG ${path}-new`, `EFBIG ${path}-new`],
    left: false,
  })
})

test('a length that the file system cannot have', () => {
  const path = freshFile(10)
  const os = new FakeOs()
  os.fail('allocate', 1, EFBIG)
  throwsCode(() => mapFile(path, { mode: 'write', byteLength: GiB, os }), 'EFBIG')
  assert.is(statSync(path).size, 10)
})

for (const node of nodes) {
  test(`Node ${node.major}: a window that reaches past the file's end can be cloned, also after the file has shrunk`, async () => {
    const path = freshFile(3 * page)
    const child = await runChild(
      `
      import { mapFile } from ${JSON.stringify(new URL('../../../src/arena/file/map-file.js', import.meta.url).href)}
      const file = mapFile(${JSON.stringify(path)}, { mode: 'write', maxByteLength: 64 * MiB })
      const five = file.view(Uint8Array, 0, 5)
      const lengths = []
      for (const length of [${3 * page}, 100, 0, ${2 * page}]) {
        file.resize(length)
        lengths.push(structuredClone(five).buffer.byteLength)
      }
      report({ lengths, first: five[0] })
      `,
      { node }
    )
    const { report } = child.clean()
    assert.equal(report, { lengths: [64 * MiB, 64 * MiB, 64 * MiB, 64 * MiB], first: 0 })
  })

  testOfMounts(
    `Node ${node.major}: a full disk is ENOSPC, never a signal, and leaves everything as it was`,
    async () => {
      const folder = freshPath()
      mkdirSync(folder)
      const mount = 'mount -t tmpfs -o size=1m none "$SMALL_FOLDER"'
      const child = await runChild(
        `
      import { mapFile } from ${JSON.stringify(new URL('../../../src/arena/file/map-file.js', import.meta.url).href)}
      import { statSync, existsSync, writeFileSync, truncateSync } from 'node:fs'
      const folder = process.env.SMALL_FOLDER
      {
        const attempt = (run) => { try { run(); return 'done' } catch (error) { return error.code } }
        const path = folder + '/a'
        const created = attempt(() => mapFile(path, { mode: 'write', create: true, byteLength: 2 * MiB }))
        const left = existsSync(path)
        const file = mapFile(path, { mode: 'write', create: true, byteLength: 64 * KiB, maxByteLength: 8 * MiB })
        file.bytes.fill(1)
        const grown = attempt(() => file.resize(4 * MiB))
        const after = [file.byteLength, statSync(path).size, file.bytes.every((byte) => byte === 1)]
        const sparse = folder + '/b'
        writeFileSync(sparse, ''), truncateSync(sparse, 4 * MiB)
        const holes = mapFile(sparse, { mode: 'write' })
        const reserved = attempt(() => holes.reserveBlocks())
        const longer = attempt(() => mapFile(path, { mode: 'write', byteLength: 3 * MiB }))
        const small = attempt(() => file.resize(128 * KiB))
        report({ created, left, grown, after, reserved, longer, small, size: statSync(path).size, holes: statSync(sparse).size })
        file.close(), holes.close()
      }
      `,
        { node, env: { SMALL_FOLDER: folder }, before: `exec ${MOUNTING.join(' ')} '${mount} && exec "$@"' sh "$@"` }
      )
      const { report } = child.clean()
      assert.equal(report, {
        created: 'ENOSPC',
        left: false,
        grown: 'ENOSPC',
        after: [64 * KiB, 64 * KiB, true],
        reserved: 'ENOSPC',
        longer: 'ENOSPC',
        small: 'done',
        size: 128 * KiB,
        holes: 4 * MiB,
      })
    }
  )
}

test.run()
