/**
 * What a mapped file shows, in each mode, from any byte on, and what its calls do to disk and memory.
 *
 * Longer than other files: one file a class, as `src/arena/file/mapped-file.ts`: every call in each of the three modes.
 */
import { execFileSync } from 'node:child_process'
import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { mapFile } from '../../../src/arena/file/map-file.ts'
import { MappedFile } from '../../../src/arena/file/mapped-file.ts'
import { readSmaps } from '../../../src/ffi/procfs.ts'
import { KiB } from '../../../src/units.ts'
import type { TypedArray, TypedArrayConstructor } from '../../../src/views.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { freshFile, freshPath, pattern } from '../../helpers/scratch.ts'

const MODES = ['read', 'copy', 'write'] as const
const page = new FakeOs().pageSize

/** Descriptors of this process, without the one that counting takes. */
const descriptors = (): number => readdirSync('/proc/self/fd').length

/** The bytes of a mapped file, for comparing and for writing whatever the mode. */
function bufferOf(file: MappedFile): Buffer {
  const { buffer, byteOffset, byteLength } = file.bytes
  return Buffer.from(buffer, byteOffset, byteLength)
}

for (const mode of MODES)
  test(`${mode}: a Buffer and a DataView over a part of it`, () => {
    const file = mapFile(freshFile(page + 7), { mode, offset: 3 })
    assert.equal(file.view(Buffer, 5, 20), pattern(page + 7).subarray(8, 28))
    const data = file.view(DataView, 5, 20)
    assert.is(data.getUint16(2), pattern(page + 7).readUInt16BE(10))
    assert.is(file.offsetOf(data as DataView), 5)
    throwsCode(() => file.view(Buffer, 5, page), 'ERR_OUT_OF_RANGE', '"length"')
    file.close()
  })

for (const mode of MODES)
  for (const length of [0, 1, 11, page - 1, page, page + 1, 5 * page + 7])
    test(`${mode}: a file of ${length} bytes is all there`, () => {
      const path = freshFile(length)
      const before = descriptors()
      const file = mapFile(path, { mode })
      assert.is(descriptors(), before, 'no descriptor is left open')
      assert.equal([file.byteLength, file.maxByteLength, file.mode, file.path], [length, length, mode, path])
      assert.equal(bufferOf(file), pattern(length))
      assert.is(file.pageSize, page)
      file.check()
      assert.equal(Buffer.from(file.read(0, length)), pattern(length))
      file.populate()
      assert.is(file.resident(), length)
      file.close()
    })

for (const mode of MODES)
  test(`${mode}: any part of a file, from any byte on`, () => {
    const whole = pattern(4 * page)
    const path = freshFile(4 * page)
    for (const [offset, length] of [
      [0, 10],
      [1, 10],
      [page - 1, 2],
      [page, page],
      [page + 3, 2 * page],
      [4 * page - 1, 1],
      [4 * page, 0],
      [5, 0],
    ] as const) {
      const file = mapFile(path, { mode, offset, byteLength: length })
      assert.equal(bufferOf(file), whole.subarray(offset, offset + length))
      assert.is(file.bytes.byteOffset, 0)
      assert.is(file.offsetOf(file.view(Uint8Array, length, 0)), length)
      if (length > 0) assert.equal([...file.read(length - 1, 1)], [whole[offset + length - 1]])
      assert.is(mapFile(path, { mode, offset }).byteLength, 4 * page - offset)
      file.close()
    }
  })

test('views of every type, also where the file puts them on an odd address', () => {
  const types: TypedArrayConstructor[] = [
    Int8Array,
    Uint16Array,
    Int32Array,
    Float32Array,
    Float64Array,
    BigUint64Array,
  ]
  const whole = pattern(2 * page)
  const path = freshFile(2 * page)
  for (const offset of [0, 3, 44, page - 4]) {
    const file = mapFile(path, { mode: 'read', offset })
    for (const type of types) {
      const wanted = new type(
        Uint8Array.from(whole.subarray(offset + 8, offset + 8 + 40)).buffer,
        0,
        40 / type.BYTES_PER_ELEMENT
      )
      const view = file.view(type, 8, wanted.length) as unknown as TypedArray
      assert.instance(view, type)
      assert.equal(Buffer.from(view.buffer, view.byteOffset, 40), Buffer.from(wanted.buffer))
      assert.is(file.offsetOf(view), 8)
      if (type.BYTES_PER_ELEMENT > 1)
        throwsCode(() => file.view(type, 1, 1), 'ERR_OUT_OF_RANGE', '"offset" expected a multiple')
    }
    file.close()
  }
})

test('views that do not lie in the file are refused', () => {
  using file = mapFile(freshFile(100), { mode: 'write', maxByteLength: page })
  for (const bad of [-1, 101, NaN, 0.5, page])
    throwsCode(() => file.view(Uint8Array, bad, 0), 'ERR_OUT_OF_RANGE', '"offset"')
  for (const bad of [-1, 91, NaN, 0.5]) throwsCode(() => file.view(Uint8Array, 10, bad), 'ERR_OUT_OF_RANGE', '"length"')
  throwsCode(() => file.view(Float64Array, 96, 1), 'ERR_OUT_OF_RANGE', '"length" expected a whole number from 0 to 0')
  throwsCode(() => file.view(DataView.prototype as never, 0, 1), 'ERR_INVALID_ARG_TYPE', '"type"')
  throwsCode(() => file.window(100), 'ERR_OUT_OF_RANGE', '"offset"')
  throwsCode(() => file.offsetOf(new Uint8Array(8)), 'ERR_OUT_OF_RANGE', 'a view of file "')
  throwsCode(() => file.offsetOf(7 as never), 'ERR_INVALID_ARG_TYPE', '"view"')
  using empty = mapFile(freshFile(''), { mode: 'read' })
  throwsCode(() => empty.window(0), 'ERR_OUT_OF_RANGE', '"offset"')
  assert.is(empty.view(Float64Array, 0, 0).length, 0)
})

test('a window shows the file from its first byte on, and nothing in front of it', () => {
  using file = mapFile(freshFile(2 * page), { mode: 'read', offset: 100, byteLength: 50 })
  const { buffer, start } = file.window(49)
  assert.equal([buffer.byteLength, start], [50, 0])
  assert.equal(Buffer.from(buffer), pattern(150).subarray(100))
})

test('read: a stray store neither fails nor reaches the file, nor another mapping of it', () => {
  const path = freshFile(page)
  using file = mapFile(path, { mode: 'read' })
  using other = mapFile(path, { mode: 'read' })
  bufferOf(file).fill(0)
  assert.equal(readFileSync(path), pattern(page))
  assert.equal(bufferOf(other), pattern(page))
})

test('copy: changes are seen here alone, and discard reverts them', () => {
  const path = freshFile(3 * page)
  using file = mapFile(path, { mode: 'copy' })
  file.bytes.fill(1)
  file.sync()
  assert.ok(file.bytes.every((byte) => byte === 1))
  assert.equal(readFileSync(path), pattern(3 * page))
  file.discard()
  assert.equal(bufferOf(file), pattern(3 * page))
})

test('copy: discard is exact to the byte', () => {
  const whole = pattern(4 * page + 100)
  const path = freshFile(4 * page + 100)
  for (const offset of [0, 37])
    for (const [start, end] of [
      [0, 1],
      [5, 9],
      [page - 1, page + 1],
      [page, 2 * page],
      [page + 1, 3 * page - 1],
      [2 * page, 4 * page],
      [10, 4 * page],
      [7, 7],
    ] as const) {
      const file = mapFile(path, { mode: 'copy', offset })
      file.bytes.fill(1)
      file.discard(start, end - start)
      const wanted = Buffer.alloc(file.byteLength, 1)
      whole.copy(wanted, start, offset + start, offset + end)
      assert.equal(bufferOf(file), wanted, `${offset}: ${start} to ${end}`)
      file.close()
    }
})

test('copy: a discarded page that had no changes stays the page of the file', () => {
  const path = freshFile(2 * page)
  const os = new FakeOs()
  using file = mapFile(path, { mode: 'copy', os })
  file.discard(5, page)
  const entry = readSmaps().find(({ start }) => os.live.has(start as never))
  assert.is(entry?.fields.get('Anonymous'), 0)
  assert.equal(bufferOf(file), pattern(2 * page))
})

test('copy: after a discard the file shows what others have written since', () => {
  const path = freshFile(page)
  using file = mapFile(path, { mode: 'copy' })
  file.bytes[0] = 99
  using writer = mapFile(path, { mode: 'write' })
  writer.bytes.fill(5)
  assert.is(file.bytes[0], 99)
  file.discard()
  assert.ok(file.bytes.every((byte) => byte === 5))
})

test('write: stores reach the file, other mappings and other processes, and reads through descriptors', () => {
  const path = freshFile(page)
  using file = mapFile(path, { mode: 'write' })
  using reader = mapFile(path, { mode: 'read' })
  file.view(Uint32Array, 8, 1)[0] = 0x64636261
  assert.equal(readFileSync(path).subarray(8, 12).toString(), 'abcd')
  assert.equal(bufferOf(reader).subarray(8, 12).toString(), 'abcd')
  const seen = execFileSync('dd', [`if=${path}`, 'bs=1', 'skip=8', 'count=4', 'status=none'], { encoding: 'latin1' })
  assert.is(seen, 'abcd')
  execFileSync('sh', ['-c', `printf wxyz | dd of="${path}" bs=1 seek=20 conv=notrunc status=none`])
  assert.equal(bufferOf(file).subarray(20, 24).toString(), 'wxyz')
})

test('atomics work on a file that is mapped for writing', () => {
  using file = mapFile(freshFile(Buffer.alloc(64)), { mode: 'write' })
  const words = file.view(Int32Array, 8, 4)
  Atomics.add(words, 1, 5)
  assert.is(Atomics.compareExchange(words, 1, 5, 9), 5)
  assert.is(Atomics.load(words, 1), 9)
})

test('a URL, a descriptor, a FileHandle: descriptors are left open, and may be closed', async () => {
  const path = freshFile(100)
  assert.is(mapFile(pathToFileURL(path), { mode: 'read' }).path, path)
  for (const mode of MODES) {
    const fd = openSync(path, 'r+')
    const before = descriptors()
    const file = mapFile(fd, { mode, maxByteLength: mode === 'write' ? 200 : undefined })
    assert.equal([descriptors(), file.path], [before, undefined])
    assert.is(fstatSync(fd).size, 100)
    closeSync(fd)
    assert.equal(bufferOf(file), pattern(100))
    if (mode === 'write') file.resize(200)
    file.check()
    file.close()
  }
  const handle = await open(path, 'r')
  const file = mapFile(handle, { mode: 'copy' })
  assert.is((await handle.stat()).size, 200)
  await handle.close()
  assert.equal(bufferOf(file).subarray(0, 100), pattern(100))
  throwsCode(() => mapFile(handle, { mode: 'read' }), 'ERR_OUT_OF_RANGE', '"file.fd"')
  file.close()
})

test('a relative path leads to the same file after a change of folder', () => {
  const folder = process.cwd()
  const path = freshFile(100)
  process.chdir(path.slice(0, -basename(path).length))
  const file = mapFile(basename(path), { mode: 'write', maxByteLength: 200 })
  assert.is(file.path, basename(path))
  process.chdir(folder)
  file.resize(150)
  assert.is(statSync(path).size, 150)
  file.close()
})

test('arguments are checked, and nothing is opened', () => {
  const os = new FakeOs()
  for (const bad of [undefined, null, {}, [], true, { fd: '3' }, 3n])
    throwsCode(() => mapFile(bad as never, { mode: 'read', os }), 'ERR_INVALID_ARG_TYPE', '"file"')
  for (const bad of ['', 'a\0b', -1, 1.5, NaN, 2 ** 31])
    throwsCode(() => mapFile(bad as never, { mode: 'read', os }), 'ERR_OUT_OF_RANGE', '"file"')
  throwsCode(() => mapFile(new URL('https://example.org/x'), { mode: 'read', os }), 'ERR_INVALID_URL_SCHEME')
  // Escapes that are no UTF-8, for which Node has an error without a code.
  throwsCode(() => mapFile(new URL('file:///%E0%A4%A'), { mode: 'read', os }), 'ERR_OUT_OF_RANGE', '"file"')
  for (const bad of [undefined, null, 'read'])
    throwsCode(() => mapFile('x', bad as never), 'ERR_INVALID_ARG_TYPE', '"options"')
  for (const mode of [undefined, null, 1])
    throwsCode(
      () => mapFile('x', { mode } as never),
      'ERR_INVALID_ARG_TYPE',
      "\"options.mode\" expected one of 'read', 'copy'"
    )
  throwsCode(() => mapFile('x', { mode: 'r' as never }), 'ERR_OUT_OF_RANGE', "'read', 'copy', 'write'")
  for (const name of ['offset', 'byteLength', 'maxByteLength'] as const) {
    for (const bad of [-1, 0.5, NaN, 2 ** 53])
      throwsCode(() => mapFile('x', { mode: 'write', [name]: bad, os }), 'ERR_OUT_OF_RANGE', `"options.${name}"`)
    throwsCode(
      () => mapFile('x', { mode: 'write', [name]: '1', os } as never),
      'ERR_INVALID_ARG_TYPE',
      `"options.${name}"`
    )
  }
  for (const name of ['create', 'hardened', 'populate'] as const)
    throwsCode(
      () => mapFile('x', { mode: 'write', [name]: 1, os } as never),
      'ERR_INVALID_ARG_TYPE',
      `"options.${name}"`
    )
  throwsCode(() => mapFile('x', { mode: 'read', os: {} as never }), 'ERR_INVALID_ARG_TYPE', '"options.os"')
  assert.equal([...os.calls], [])
})

test('options that belong to one mode are refused in the others', () => {
  const path = freshFile(100)
  for (const mode of ['read', 'copy'] as const) {
    throwsCode(
      () => mapFile(path, { mode, create: true }),
      'ERR_OUT_OF_RANGE',
      `"options.create" expected nothing: it is for mode 'write'`
    )
    throwsCode(() => mapFile(path, { mode, permissions: 0o600 }), 'ERR_OUT_OF_RANGE', '"options.permissions"')
  }
  throwsCode(
    () => mapFile(path, { mode: 'copy', maxByteLength: 200 }),
    'ERR_OUT_OF_RANGE',
    `"options.maxByteLength" expected nothing: it is for modes 'read' and 'write'`
  )
  throwsCode(() => mapFile(path, { mode: 'write', permissions: 0o600 }), 'ERR_OUT_OF_RANGE', '"options.permissions"')
  for (const bad of [-1, 0o1000, NaN])
    throwsCode(
      () => mapFile(path, { mode: 'write', create: true, permissions: bad }),
      'ERR_OUT_OF_RANGE',
      '"options.permissions"'
    )
  for (const mode of ['copy', 'write'] as const)
    throwsCode(() => mapFile(path, { mode, hardened: true }), 'ERR_OUT_OF_RANGE', '"options.hardened"')
  mapFile(path, { mode: 'read', create: false }).close()
})

test('calls that belong to one mode say so in the others', () => {
  const path = freshFile(100)
  const calls = {
    resize: (file: MappedFile) => file.resize(50),
    reserveBlocks: (file: MappedFile) => file.reserveBlocks(),
    discard: (file: MappedFile) => file.discard(),
    arena: (file: MappedFile) => file.arena,
  }
  for (const [mode, names] of [
    ['read', ['resize', 'reserveBlocks', 'discard', 'arena']],
    ['copy', ['resize', 'reserveBlocks']],
    ['write', ['discard']],
  ] as const)
    for (const name of names) {
      using file = mapFile(path, { mode }) as MappedFile
      throwsCode(() => calls[name](file), 'ERR_UNSUPPORTED_OPERATION', `mode '${mode}', which has no ${name}`)
    }
  assert.equal(readFileSync(path), pattern(100))
})

test('past the end of the file: refused in modes read and copy', () => {
  const path = freshFile(100)
  for (const mode of ['read', 'copy'] as const) {
    throwsCode(
      () => mapFile(path, { mode, byteLength: 101 }),
      'ERR_OUT_OF_RANGE',
      /"options.byteLength" expected at most 100, up to where/
    )
    throwsCode(() => mapFile(path, { mode, offset: 101 }), 'ERR_OUT_OF_RANGE', /"options.offset" expected at most 100/)
    throwsCode(() => mapFile(path, { mode, offset: 60, byteLength: 41 }), 'ERR_OUT_OF_RANGE', 'at most 40')
    throwsCode(() => mapFile(freshPath('none'), { mode }), 'ENOENT', 'open')
  }
  assert.is(statSync(path).size, 100)
})

test('past the end of the file: in mode write the file is made longer, with blocks', () => {
  const path = freshFile(100)
  const file = mapFile(path, { mode: 'write', byteLength: 64 * KiB })
  assert.is(statSync(path).size, 64 * KiB)
  assert.ok(statSync(path).blocks * 512 >= 64 * KiB)
  assert.equal(bufferOf(file), Buffer.concat([pattern(100), Buffer.alloc(64 * KiB - 100)]))
  file.close()
  const behind = mapFile(path, { mode: 'write', offset: 70 * KiB, byteLength: 10 })
  assert.is(statSync(path).size, 70 * KiB + 10)
  behind.close()
  const beyond = mapFile(path, { mode: 'write', offset: 100 * KiB, maxByteLength: 10 })
  assert.equal([beyond.byteLength, statSync(path).size], [0, 70 * KiB + 10])
  beyond.resize(10)
  assert.is(statSync(path).size, 100 * KiB + 10)
  beyond.close()
})

test('create: a new file, an old one as it is, and not without being asked', () => {
  const path = freshPath()
  throwsCode(() => mapFile(path, { mode: 'write', byteLength: 10 }), 'ENOENT', 'open')
  const made = mapFile(path, { mode: 'write', create: true, byteLength: 3 * page })
  assert.ok(bufferOf(made).every((byte) => byte === 0))
  assert.ok(statSync(path).blocks * 512 >= 3 * page)
  made.bytes[5] = 7
  made.close()
  const again = mapFile(path, { mode: 'write', create: true })
  assert.equal([again.byteLength, again.bytes[5]], [3 * page, 7])
  again.close()
  const empty = mapFile(freshPath(), { mode: 'write', create: true, maxByteLength: page })
  assert.is(empty.byteLength, 0)
  empty.resize(10)
  empty.bytes.fill(3)
  assert.equal([...readFileSync(empty.path as string)], Array(10).fill(3))
  empty.close()
})

test('what is no ordinary file is refused', () => {
  const folder = freshPath()
  mkdirSync(folder)
  const fifo = freshPath()
  execFileSync('mkfifo', [fifo])
  for (const path of [folder, fifo, '/dev/null'])
    throwsCode(() => mapFile(path, { mode: 'read' }), 'ERR_UNSUPPORTED_OPERATION', 'no ordinary file')
  throwsCode(() => mapFile(folder, { mode: 'write' }), 'EISDIR')
  throwsCode(() => mapFile('/dev/full', { mode: 'write' }), 'ERR_UNSUPPORTED_OPERATION', 'no ordinary file')
  throwsCode(() => mapFile(2 ** 30, { mode: 'read' }), 'EBADF')
})

test('a descriptor that may not write cannot be mapped for writing', () => {
  const path = freshFile(100)
  const fd = openSync(path, 'r')
  throwsCode(() => mapFile(fd, { mode: 'write' }), 'EACCES', 'mmap')
  throwsCode(() => mapFile(fd, { mode: 'write', byteLength: 200 }), 'EACCES', 'mmap')
  mapFile(fd, { mode: 'copy' }).bytes.fill(0)
  closeSync(fd)
  assert.equal(readFileSync(path), pattern(100))
})

test('sync, syncAsync, advise, populate, lock: any range, in any mode', async () => {
  const path = freshFile(5 * page + 9)
  for (const mode of MODES) {
    const file = mapFile(path, { mode, offset: 3 }) as MappedFile
    for (const [offset, byteLength] of [
      [0, file.byteLength],
      [page, 1],
      [page - 1, 2],
      [7, 0],
      [file.byteLength, 0],
    ] as const) {
      file.sync({ offset, byteLength })
      file.sync({ offset, byteLength, async: true })
      await file.syncAsync({ offset, byteLength })
      for (const advice of ['normal', 'sequential', 'random', 'willneed', 'cold', 'pageout'] as const)
        file.advise(advice, offset, byteLength)
      if (mode !== 'copy') file.advise('dontneed', offset, byteLength)
      file.lock(offset, byteLength)
      file.unlock(offset, byteLength)
      file.populate(offset, byteLength)
      assert.is(file.resident(offset, byteLength), byteLength)
    }
    assert.equal(bufferOf(file), pattern(5 * page + 9).subarray(3))
    file.close()
  }
})

test('sync reaches the disk: the kernel is asked in mode write alone, for whole pages', async () => {
  const os = new FakeOs()
  for (const mode of MODES) {
    const file = mapFile(freshFile(3 * page), { mode, os })
    file.sync()
    await file.syncAsync()
    file.close()
  }
  assert.equal([os.count('sync'), os.count('syncLater')], [1, 1])
})

test('syncAsync holds the file open, and the event loop runs meanwhile', async () => {
  const file = mapFile(freshFile(8 * page), { mode: 'write' })
  file.bytes.fill(1)
  const running = file.syncAsync()
  throwsCode(() => file.close(), 'ERR_ARENA_BUSY', 'pinned')
  await running
  file.close()
})

test('syncAsync: what the kernel refuses rejects, and the pin is gone', async () => {
  const os = new FakeOs()
  const file = mapFile(freshFile(page), { mode: 'write', os })
  os.fail('syncLater')
  const error = await file.syncAsync().catch((reason) => reason)
  assert.equal([error.code, error.syscall], ['ENOMEM', 'msync'])
  const wrong = await file.syncAsync({ offset: page + 1 }).catch((reason) => reason)
  assert.equal([wrong.code, /"options.offset"/.test(wrong.message)], ['ERR_OUT_OF_RANGE', true])
  file.close()
  assert.is((await file.syncAsync().catch((reason) => reason)).code, 'ERR_ARENA_CLOSED')
})

test("advise: 'dontneed' keeps what was written to a shared file, and is refused where it would lose changes", () => {
  const path = freshFile(page)
  using shared = mapFile(path, { mode: 'write' })
  shared.bytes[0] = 200
  shared.advise('dontneed')
  assert.is(shared.bytes[0], 200)
  using copy = mapFile(path, { mode: 'copy' })
  copy.bytes[0] = 1
  throwsCode(() => copy.advise('dontneed'), 'ERR_UNSUPPORTED_OPERATION', 'discard()')
  assert.is(copy.bytes[0], 1)
  throwsCode(() => copy.advise('never' as never), 'ERR_OUT_OF_RANGE', "'sequential'")
})

test('lock and populate copy no page of a private mapping', () => {
  for (const mode of ['read', 'copy'] as const) {
    const os = new FakeOs()
    using file = mapFile(freshFile(64 * page), { mode, os, populate: true })
    file.lock()
    const [base] = [...os.live.keys()]
    const entry = readSmaps().find(({ start }) => start === base)
    assert.equal([entry?.fields.get('Anonymous'), entry?.fields.get('Locked')], [0, 64 * page])
    file.unlock()
    file.close()
  }
})

test('populate asks for no more than there is', () => {
  const os = new FakeOs({ available: page })
  const path = freshPath()
  writeFileSync(path, '')
  execFileSync('truncate', ['-s', String(64 * page), path])
  throwsCode(() => mapFile(path, { mode: 'read', os, populate: true }), 'ENOMEM', `${page} available`)
  assert.equal([os.live.size, os.count('populateRead')], [0, 0])
})

test('ranges are checked in every call', () => {
  using file = mapFile(freshFile(100), { mode: 'copy' }) as MappedFile
  const calls: [string, (offset: number, byteLength: number) => unknown][] = [
    ['check', (offset, byteLength) => file.check(offset, byteLength)],
    ['read', (offset, byteLength) => file.read(offset, byteLength)],
    ['populate', (offset, byteLength) => file.populate(offset, byteLength)],
    ['resident', (offset, byteLength) => file.resident(offset, byteLength)],
    ['lock', (offset, byteLength) => file.lock(offset, byteLength)],
    ['unlock', (offset, byteLength) => file.unlock(offset, byteLength)],
    ['discard', (offset, byteLength) => file.discard(offset, byteLength)],
    ['advise', (offset, byteLength) => file.advise('normal', offset, byteLength)],
    ['sync', (offset, byteLength) => file.sync({ offset, byteLength })],
  ]
  for (const [name, call] of calls) {
    for (const bad of [-1, 101, NaN, 0.5, Infinity]) throwsCode(() => call(bad, 0), 'ERR_OUT_OF_RANGE', /offset"/)
    for (const bad of [-1, 91, NaN, 0.5, Infinity]) throwsCode(() => call(10, bad), 'ERR_OUT_OF_RANGE', /byteLength"/)
    throwsCode(() => call('0' as never, 1), 'ERR_INVALID_ARG_TYPE', /offset"/)
    call(100, 0)
    assert.ok(name)
  }
  throwsCode(() => file.sync(5 as never), 'ERR_INVALID_ARG_TYPE', '"options"')
  throwsCode(() => file.sync({ async: 1 as never }), 'ERR_INVALID_ARG_TYPE', '"options.async"')
})

test('read fills a target that is given, from its start, and leaves the rest of it alone', () => {
  using file = mapFile(freshFile(100), { mode: 'read' })
  const target = Buffer.alloc(20, 1)
  const result = file.read(30, 10, target)
  assert.is(result.buffer, target.buffer)
  assert.equal(Buffer.from(result), pattern(40).subarray(30))
  assert.equal(target, Buffer.concat([pattern(40).subarray(30), Buffer.alloc(10, 1)]))
  throwsCode(() => file.read(0, 21, target), 'ERR_OUT_OF_RANGE', '"target" expected at least 21 bytes')
  throwsCode(() => file.read(0, 1, [0] as never), 'ERR_INVALID_ARG_TYPE', '"target"')
  assert.is(file.read(100, 0).length, 0)
})

test('after close everything but close and the lengths says so', async () => {
  const path = freshFile(100)
  const file = mapFile(path, { mode: 'write' }) as MappedFile
  const view = file.view(Uint8Array, 0, 8)
  file.close()
  file.close()
  file[Symbol.dispose]()
  for (const call of [
    () => file.view(Uint8Array, 0, 1),
    () => file.bytes,
    () => file.window(0),
    () => file.offsetOf(view),
    () => file.check(),
    () => file.read(0, 1),
    () => file.resize(50),
    () => file.reserveBlocks(),
    () => file.sync(),
    () => file.advise('normal'),
    () => file.discard(),
    () => file.resident(),
    () => file.populate(),
    () => file.lock(),
    () => file.unlock(),
    () => file.pin(),
    () => file.arena,
  ])
    throwsCode(call, 'ERR_ARENA_CLOSED', `file "${path}" is closed`)
  assert.equal([file.closed, file.byteLength, file.mode, file.path], [true, 100, 'write', path])
})

test('a pin and a running operation hold the file open', async () => {
  const file = mapFile(freshFile(100), { mode: 'read' })
  const pin = file.pin()
  throwsCode(() => file.close(), 'ERR_ARENA_BUSY', 'pinned once')
  pin[Symbol.dispose]()
  const sum = file.use(file.bytes, async (view) => view.reduce((total, byte) => total + byte, 0))
  throwsCode(() => file.close(), 'ERR_ARENA_BUSY')
  assert.is(
    await sum,
    pattern(100).reduce((total, byte) => total + byte, 0)
  )
  assert.is((await file.use(new Uint8Array(1), async () => 1).catch((error) => error)).code, 'ERR_OUT_OF_RANGE')
  file.close()
})

for (const pageSize of [16, 64])
  test(`pages of ${pageSize} KiB: files are laid over by them, from any byte on`, () => {
    const os = new FakeOs({ pageSize: pageSize * KiB })
    const length = 3 * pageSize * KiB
    const path = freshFile(length)
    for (const offset of [0, 5000, pageSize * KiB + 1]) {
      using file = mapFile(path, { mode: 'copy', offset, os })
      assert.is(file.pageSize, pageSize * KiB)
      assert.equal(bufferOf(file), pattern(length).subarray(offset))
      file.bytes.fill(0)
      file.discard(10, 20_000)
      assert.equal(bufferOf(file).subarray(10, 20_010), pattern(length).subarray(offset + 10, offset + 20_010))
      assert.equal([file.bytes[9], file.bytes[20_010]], [0, 0])
      file.populate(3, 7)
      file.check(1, 100)
    }
    assert.is(os.live.size, 3)
  })

test('a mapped file is a MappedFile', () => {
  using file = mapFile(freshFile(1), { mode: 'read' })
  assert.instance(file, MappedFile)
})

test.run()
