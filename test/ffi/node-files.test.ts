/** The calls about files, and about the pages of mapped ones, on the real kernel. */
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SystemError } from '../../src/errors.ts'
import { LinuxOs } from '../../src/ffi/linux.ts'
import { readSmaps } from '../../src/ffi/procfs.ts'
import { type Address, KiB, MiB } from '../../src/units.ts'
import { throwsCode } from '../helpers/errors.ts'
import { freshFile, freshPath, pattern, scratch } from '../helpers/scratch.ts'

const os = new LinuxOs()
const { files, pageSize: page } = os
const plus = (address: Address, bytes: number): Address => (address + bytes) as Address

/** Runs something with a descriptor for reading and writing. */
function withFile(path: string, run: (fd: number) => void): void {
  const fd = files.open(path, 'read-write', false)
  try {
    run(fd)
  } finally {
    files.close(fd)
  }
}

/** Runs something with so many pages of addresses, the file laid over the first of them. */
function withMapped(
  path: string,
  pages: number,
  sharing: 'shared' | 'private',
  run: (address: Address, bytes: Uint8Array) => void
): void {
  const address = os.reserve(pages * page, page)
  try {
    withFile(path, (fd) => os.mapFile(address, pages * page, fd, 0, sharing, 'read-write'))
    run(address, new Uint8Array(os.view(address, pages * page)))
  } finally {
    os.release(address, pages * page)
  }
}

test('open: for reading, for both, and a new one', () => {
  const path = freshFile('abc')
  const fd = files.open(path, 'read', false)
  const bytes = new Uint8Array(8)
  assert.is(files.read(fd, bytes, 1), 2)
  assert.equal([...bytes.subarray(0, 2)], [98, 99])
  throwsCode(() => files.write(fd, bytes, 0), 'EBADF', 'write')
  files.close(fd)
  withFile(path, (both) => files.write(both, Buffer.from('xyz'), 2))
  assert.is(readFileSync(path, 'utf8'), 'abxyz')
  throwsCode(() => files.open(path, 'read-write', true), 'EEXIST', `open '${path}'`)
  const made = freshPath()
  files.close(files.open(made, 'read-write', true))
  assert.is(statSync(made).size, 0)
  const error = throwsCode(() => files.open(freshPath('none'), 'read', false), 'ENOENT', 'open')
  assert.instance(error, SystemError)
  assert.equal([(error as SystemError).errno, (error as SystemError).syscall], [-2, 'open'])
  assert.match((error as SystemError).path ?? '', 'none')
})

test('open: descriptors are closed in programs that are started', () => {
  withFile(freshFile('x'), (fd) => {
    const flags = Number.parseInt(
      /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '',
      8
    )
    assert.ok((flags & 0o2000000) !== 0, flags.toString(8))
  })
})

test('open: a pipe without a writer does not hold anybody up, and is no ordinary file', () => {
  const fifo = freshPath()
  execFileSync('mkfifo', [fifo])
  const fd = files.open(fifo, 'read', false)
  assert.is(files.status(fd).regular, false)
  files.close(fd)
})

test('close: twice, or nothing at all, is no error', () => {
  files.close(2 ** 30)
})

test('status: of a descriptor and of a path, the same file or another', () => {
  const path = freshFile(1000)
  withFile(path, (fd) => {
    const status = files.status(fd)
    assert.equal([status.regular, status.byteLength], [true, 1000])
    assert.equal(files.statusAt(path), status)
    assert.is(files.pathOf(fd), path)
    const moved = freshPath()
    renameSync(path, moved)
    assert.is(files.statusAt(path), undefined)
    assert.is(files.pathOf(fd), moved)
    writeFileSync(path, 'another')
    assert.is.not(files.statusAt(path)?.identity, status.identity)
    unlinkSync(moved)
    assert.match(files.pathOf(fd) ?? '', 'deleted')
  })
  assert.is(files.statusAt(scratch)?.regular, false)
  assert.is(files.statusAt(`${path}/below`), undefined)
  assert.is(files.pathOf(2 ** 30), undefined)
  throwsCode(() => files.status(2 ** 30), 'EBADF', 'fstat')
})

test('truncate: longer, shorter, and not allowed', () => {
  const path = freshFile(100)
  withFile(path, (fd) => {
    files.truncate(fd, 5000)
    assert.is(statSync(path).size, 5000)
    files.truncate(fd, 10)
    assert.equal(readFileSync(path), pattern(10))
  })
  const fd = files.open(path, 'read', false)
  throwsCode(() => files.truncate(fd, 5), 'EINVAL', 'ftruncate')
  files.close(fd)
})

for (const folder of [scratch, '/dev/shm'])
  test(`allocate: room on the disk, a longer file, the same contents (${folder === scratch ? 'disk' : folder})`, () => {
    const path = `${folder}/sorites-allocate-${process.pid}`
    writeFileSync(path, 'abc')
    try {
      withFile(path, (fd) => {
        files.truncate(fd, MiB)
        assert.ok(fstatSync(fd).blocks * 512 < 64 * KiB)
        files.allocate(fd, 1, MiB)
        assert.is(fstatSync(fd).size, MiB + 1)
        assert.ok(fstatSync(fd).blocks * 512 >= MiB)
        assert.is(readFileSync(path).subarray(0, 4).toString('latin1'), 'abc\0')
        assert.ok(files.nextData(fd, 2 * MiB) === Infinity)
      })
    } finally {
      unlinkSync(path)
    }
  })

test('allocate: refuses what is no position and no length', () => {
  withFile(freshFile('x'), (fd) => {
    for (const bad of [-1, NaN, 0.5, 2 ** 53, Infinity, '1', undefined]) {
      throwsCode(() => files.allocate(fd, bad as number, 1), 'ERR_OUT_OF_RANGE', '"position"')
      throwsCode(() => files.allocate(fd, 0, bad as number), 'ERR_OUT_OF_RANGE', '"byteLength"')
      throwsCode(() => files.allocate(bad as number, 0, 1), 'ERR_OUT_OF_RANGE', '"fd"')
    }
    files.allocate(fd, 0, 0)
  })
  throwsCode(() => files.allocate(2 ** 30, 0, 1), 'EBADF', 'fallocate')
})

test('nextData: skips holes', () => {
  const path = freshFile('')
  withFile(path, (fd) => {
    files.truncate(fd, 64 * MiB)
    assert.is(files.nextData(fd, 0), Infinity)
    files.write(fd, Buffer.from('x'), 40 * MiB)
    assert.is(files.nextData(fd, 0), 40 * MiB)
    assert.is(files.nextData(fd, 41 * MiB), Infinity)
  })
  // No file system tells of a pipe: every position counts.
  assert.is(files.nextData(2 ** 30, 7), 7)
})

test('remove takes the name away', () => {
  const path = freshFile('x')
  files.remove(path)
  throwsCode(() => files.remove(path), 'ENOENT', 'unlink')
})

test('mapFile: shared stores reach the file, private ones do not', () => {
  for (const sharing of ['shared', 'private'] as const) {
    const path = freshFile(2 * page)
    withMapped(path, 2, sharing, (address, bytes) => {
      assert.equal(Buffer.from(bytes), pattern(2 * page))
      bytes[5] = 255
      assert.is(readFileSync(path)[5], sharing === 'shared' ? 255 : pattern(6)[5])
      os.advise(address, page, 'dontneed')
      assert.is(bytes[5], sharing === 'shared' ? 255 : pattern(6)[5])
      os.sync(address, page, 'sync')
      os.sync(address, page, 'async')
    })
  }
})

test('mapFile: a later part of the file, over part of the addresses', () => {
  const path = freshFile(4 * page)
  const address = os.reserve(4 * page, page)
  withFile(path, (fd) => os.mapFile(plus(address, page), 2 * page, fd, 2 * page, 'private', 'read'))
  const bytes = Buffer.from(os.view(address, 4 * page))
  assert.equal(bytes.subarray(page, 3 * page), pattern(4 * page).subarray(2 * page))
  assert.ok(bytes.subarray(0, page).every((byte) => byte === 0))
  const entry = readSmaps().find(({ start }) => start === address + page)
  assert.equal([entry?.permissions, entry?.fileOffset], ['r--p', 2 * page])
  os.replace(address, 4 * page)
  assert.ok(bytes.every((byte) => byte === 0))
  os.release(address, 4 * page)
})

test('mapFile refuses bad descriptors and offsets, and the kernel its own', () => {
  const address = os.reserve(page, page)
  const path = freshFile(page)
  withFile(path, (fd) => {
    for (const bad of [-1, NaN, 0.5, 2 ** 31, '3', undefined, 3n])
      throwsCode(() => os.mapFile(address, page, bad as number, 0, 'private', 'read'), 'ERR_OUT_OF_RANGE', '"fd"')
    for (const bad of [-page, NaN, 8, 2 ** 53, '0', undefined])
      throwsCode(
        () => os.mapFile(address, page, fd, bad as number, 'private', 'read'),
        'ERR_OUT_OF_RANGE',
        '"fileOffset"'
      )
  })
  throwsCode(() => os.mapFile(address, page, 2 ** 30, 0, 'private', 'read'), 'EBADF', 'mmap')
  const fd = openSync(path, constants.O_RDONLY)
  throwsCode(() => os.mapFile(address, page, fd, 0, 'shared', 'read-write'), 'EACCES', 'mmap')
  closeSync(fd)
  os.release(address, page)
})

test('syncLater writes on another thread', async () => {
  const path = freshFile(page)
  const address = os.reserve(page, page)
  withFile(path, (fd) => os.mapFile(address, page, fd, 0, 'shared', 'read-write'))
  new Uint8Array(os.view(address, page))[0] = 255
  await os.syncLater(address, page)
  assert.is(readFileSync(path)[0], 255)
  os.release(address, page)
})

test('every advice is taken', () => {
  withMapped(freshFile(4 * page), 4, 'shared', (address, bytes) => {
    for (const advice of ['normal', 'sequential', 'random', 'willneed', 'cold', 'pageout', 'dontneed'] as const)
      os.advise(address, 4 * page, advice)
    assert.equal(Buffer.from(bytes), pattern(4 * page))
  })
})

test('populateRead brings pages in and copies none; beyond the end it is EFAULT', () => {
  const path = freshFile(3 * page)
  withMapped(path, 3, 'private', (address) => {
    os.populateRead(address, 3 * page)
    const entry = readSmaps().find(({ start }) => start === address)
    assert.equal([entry?.fields.get('Rss'), entry?.fields.get('Anonymous')], [3 * page, 0])
    truncateSync(path, page + 1)
    os.populateRead(address, 2 * page)
    throwsCode(() => os.populateRead(address, 3 * page), 'EFAULT', 'madvise')
  })
})

test('removePages makes a hole, for everybody', () => {
  const path = freshFile(4 * page)
  withMapped(path, 4, 'shared', (address, bytes) => {
    os.removePages(plus(address, page), 2 * page)
    assert.ok(bytes.subarray(page, 3 * page).every((byte) => byte === 0))
    assert.ok(
      readFileSync(path)
        .subarray(page, 3 * page)
        .every((byte) => byte === 0)
    )
    assert.is(bytes[page - 1], pattern(page)[page - 1])
  })
  withMapped(path, 4, 'private', (address) => throwsCode(() => os.removePages(address, page), 'EACCES', 'madvise'))
})

test('lock keeps pages, copies none, and unlock lets go', () => {
  withMapped(freshFile(8 * page), 8, 'private', (address) => {
    const field = (name: string): number | undefined =>
      readSmaps()
        .find(({ start }) => start === address)
        ?.fields.get(name)
    os.lock(address, 8 * page)
    os.populateRead(address, 8 * page)
    assert.equal([field('Locked'), field('Anonymous')], [8 * page, 0])
    throwsCode(() => os.advise(address, page, 'dontneed'), 'EINVAL')
    os.unlock(address, 8 * page)
    assert.is(field('Locked'), 0)
  })
})

test('copyOut: any bytes, up to the first page that is not there', () => {
  const path = freshFile(3 * page)
  withMapped(path, 3, 'private', (address, bytes) => {
    const target = Buffer.alloc(3 * page)
    assert.is(os.copyOut(plus(address, 7), page, target), page)
    assert.equal(target.subarray(0, page), pattern(3 * page).subarray(7, 7 + page))
    bytes[page] = 255
    assert.is(os.copyOut(plus(address, page), 1, target), 1)
    assert.is(target[0], 255)
    truncateSync(path, page)
    assert.is(os.copyOut(address, 3 * page, target), page)
    assert.is(os.copyOut(plus(address, page), 1, target), 0)
    throwsCode(() => os.copyOut(address, 100, new Uint8Array(99)), 'ERR_OUT_OF_RANGE', '"target"')
    throwsCode(() => os.copyOut(address, 1, [0] as never), 'ERR_OUT_OF_RANGE', '"target"')
  })
})

test('copyOut into shared memory and into the smallest arrays', () => {
  withMapped(freshFile(page), 1, 'private', (address) => {
    for (const target of [
      new Uint8Array(1),
      new Uint8Array(new SharedArrayBuffer(16), 3, 8),
      Buffer.from('abcdefgh'),
    ]) {
      assert.is(os.copyOut(plus(address, 9), target.length, target), target.length)
      assert.equal([...target], [...pattern(64).subarray(9, 9 + target.length)])
    }
  })
})

test('a folder, and a file that cannot be mapped', () => {
  const folder = freshPath()
  mkdirSync(folder)
  throwsCode(() => files.open(folder, 'read-write', false), 'EISDIR')
  const fd = files.open(folder, 'read', false)
  const address = os.reserve(page, page)
  throwsCode(() => os.mapFile(address, page, fd, 0, 'private', 'read'), 'ENODEV')
  os.release(address, page)
  files.close(fd)
  assert.throws(() => readlinkSync(`/proc/self/fd/${fd}`))
})

test('a descriptor given by others keeps its position when it is opened anew', () => {
  const path = freshFile(100)
  const fd = openSync(path, 'r+')
  ftruncateSync(fd, 50)
  const again = files.open(`/proc/self/fd/${fd}`, 'read', false)
  files.nextData(again, 20)
  const position = /^pos:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
  assert.is(position, '0')
  files.close(again)
  closeSync(fd)
})

test.run()
