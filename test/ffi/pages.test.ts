/** The calls about the pages of mapped files, on the real kernel. */
import { closeSync, constants, mkdirSync, openSync, readFileSync, readlinkSync, truncateSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LinuxOs } from '../../src/ffi/linux/linux.ts'
import { readSmaps } from '../../src/ffi/procfs.ts'
import type { Address } from '../../src/units.ts'
import { throwsCode } from '../helpers/errors.ts'
import { freshFile, freshPath, pattern } from '../helpers/scratch.ts'

const os = new LinuxOs()
const { files, pageSize: page } = os
const plus = (address: Address, bytes: number): Address => (address + bytes) as Address

/** Runs something with a descriptor for reading and writing. */
function withFile(path: string, run: (fd: number) => void): void {
  const fd = files.open(path, 'read-write')
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
    for (const bad of [-1, NaN, 0.5, 2 ** 31])
      throwsCode(() => os.mapFile(address, page, bad, 0, 'private', 'read'), 'ERR_OUT_OF_RANGE', '"fd"')
    for (const bad of ['3', undefined, 3n] as unknown[])
      throwsCode(() => os.mapFile(address, page, bad as number, 0, 'private', 'read'), 'ERR_INVALID_ARG_TYPE', '"fd"')
    for (const bad of [-page, NaN, 8, 2 ** 53])
      throwsCode(() => os.mapFile(address, page, fd, bad, 'private', 'read'), 'ERR_OUT_OF_RANGE', '"fileOffset"')
    for (const bad of ['0', undefined] as unknown[])
      throwsCode(
        () => os.mapFile(address, page, fd, bad as number, 'private', 'read'),
        'ERR_INVALID_ARG_TYPE',
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

test('removePages makes a hole, for all', () => {
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
  throwsCode(() => files.open(folder, 'read-write'), 'EISDIR')
  const fd = files.open(folder, 'read')
  const address = os.reserve(page, page)
  throwsCode(() => os.mapFile(address, page, fd, 0, 'private', 'read'), 'ENODEV')
  os.release(address, page)
  files.close(fd)
  assert.throws(() => readlinkSync(`/proc/self/fd/${fd}`))
})

test.run()
