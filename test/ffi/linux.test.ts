/**
 * Calls to the kernel about memory, against the kernel itself.
 *
 * Longer than other files: call by call, with each errno.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LinuxOs } from '../../src/ffi/linux/linux.ts'
import { readMaps, readPagemap, readSmaps } from '../../src/ffi/procfs.ts'
import { type Address, GiB, MiB, TiB } from '../../src/units.ts'
import { throwsCode } from '../helpers/errors.ts'

const os = new LinuxOs()
const page = os.pageSize
const plus = (address: Address, bytes: number): Address => (address + bytes) as Address

/** What ends the process, or passes unnoticed, when it reaches koffi or the kernel. */
const badAddresses: unknown[] = [
  0,
  0n,
  null,
  undefined,
  NaN,
  -1,
  1.5,
  2 ** 62,
  2n ** 62n,
  '4096',
  {},
  [],
  Infinity,
  -Infinity,
  page,
  2 ** 53,
  new Uint8Array(8),
]
const badLengths: unknown[] = [
  0,
  NaN,
  Infinity,
  -Infinity,
  -1,
  -page,
  1.5,
  2 ** 53,
  2 ** 60,
  '4096',
  null,
  undefined,
  4096n,
  {},
]

function withMapping(run: (address: Address, byteLength: number) => void, byteLength = 16 * page): void {
  const address = os.reserve(byteLength, page)
  try {
    run(address, byteLength)
  } finally {
    os.release(address, byteLength)
  }
}

function named(error: { code: string }): boolean {
  return error.code === 'ERR_OUT_OF_RANGE' || error.code === 'ERR_INVALID_ARG_TYPE'
}

function refuses(call: () => unknown, what: string): void {
  let error: { code: string } | undefined
  try {
    call()
  } catch (thrown) {
    error = thrown as { code: string }
  }
  assert.ok(error !== undefined && named(error), `${what}: ${String(error ?? 'accepted')}`)
}

const vector = new Uint8Array(16)
const room = new Uint8Array(32 * page)
const calls: Record<string, (address: Address, byteLength: number) => unknown> = {
  release: (address, byteLength) => os.release(address, byteLength),
  replace: (address, byteLength) => os.replace(address, byteLength),
  purge: (address, byteLength) => os.purge(address, byteLength),
  populate: (address, byteLength) => os.populate(address, byteLength),
  adviseHugePages: (address, byteLength) => os.adviseHugePages(address, byteLength, 'never'),
  keepFromDumps: (address, byteLength) => os.keepFromDumps(address, byteLength),
  name: (address, byteLength) => os.name(address, byteLength, 'x'),
  residency: (address, byteLength) => os.residency(address, byteLength, vector),
  view: (address, byteLength) => os.view(address, byteLength),
  mapFile: (address, byteLength) => os.mapFile(address, byteLength, 0, 0, 'private', 'read'),
  sync: (address, byteLength) => os.sync(address, byteLength, 'async'),
  syncLater: (address, byteLength) => os.syncLater(address, byteLength),
  advise: (address, byteLength) => os.advise(address, byteLength, 'normal'),
  populateRead: (address, byteLength) => os.populateRead(address, byteLength),
  removePages: (address, byteLength) => os.removePages(address, byteLength),
  lock: (address, byteLength) => os.lock(address, byteLength),
  unlock: (address, byteLength) => os.unlock(address, byteLength),
  copyOut: (address, byteLength) => os.copyOut(address, byteLength, room),
  disown: (address, byteLength) => os.disown(address, byteLength),
}

for (const [name, call] of Object.entries(calls)) {
  test(`${name} refuses every bad address and length`, () => {
    withMapping((address, byteLength) => {
      for (const bad of badAddresses) refuses(() => call(bad as Address, byteLength), `${name} at ${String(bad)}`)
      for (const bad of badLengths) refuses(() => call(address, bad as number), `${name} of ${String(bad)}`)
      refuses(() => call(plus(address, -page), byteLength), 'before the mapping')
      refuses(() => call(plus(address, page), byteLength), 'past the mapping')
      refuses(() => call(address, byteLength + page), 'longer than the mapping')
      if (name !== 'view' && name !== 'copyOut') refuses(() => call(plus(address, 8), page), 'not on a page')
    })
  })
}

test('reserve refuses every bad length and alignment', () => {
  for (const bad of [...badLengths, page + 1, page / 2])
    refuses(() => os.reserve(bad as number, page), `reserve ${String(bad)}`)
  for (const bad of [0, -1, NaN, 3 * page, page / 2, Infinity, '4096', null, undefined, 1.5])
    refuses(() => os.reserve(page, bad as number), `alignment ${String(bad)}`)
})

test('reserve gives zeroed pages, none of them resident, on the alignment asked for', () => {
  for (const alignment of [page, 64 * 1024, 2 * MiB, GiB]) {
    const address = os.reserve(4 * page, alignment)
    assert.is(address % alignment, 0)
    os.residency(address, 4 * page, vector)
    assert.equal([...vector.subarray(0, 4)], [0, 0, 0, 0])
    assert.ok(new Uint8Array(os.view(address, 4 * page)).every((byte) => byte === 0))
    os.release(address, 4 * page)
  }
})

test('reserve leaves nothing mapped around what it gives', () => {
  const before = readMaps().reduce((sum, entry) => sum + entry.end - entry.start, 0)
  const addresses = Array.from({ length: 20 }, () => os.reserve(4 * page, GiB))
  for (const address of addresses) os.release(address, 4 * page)
  const after = readMaps().reduce((sum, entry) => sum + entry.end - entry.start, 0)
  assert.ok(after - before < 64 * MiB, `${after - before} bytes left`)
})

test('a length beyond the address space is ENOMEM, with syscall, errno and length', () => {
  const error = throwsCode(() => os.reserve(512 * TiB, page), 'ENOMEM', 'mmap') as unknown as Record<string, unknown>
  assert.equal([error.errno, error.syscall, error.length], [-12, 'mmap', 512 * TiB])
})

test('a mapping is given back once', () => {
  const address = os.reserve(page, page)
  os.release(address, page)
  throwsCode(() => os.release(address, page), 'ERR_OUT_OF_RANGE')
  throwsCode(() => os.view(address, page), 'ERR_OUT_OF_RANGE')
})

test('populate makes pages resident and keeps their contents; purge makes them zero', () => {
  withMapping((address, byteLength) => {
    const bytes = new Uint8Array(os.view(address, byteLength))
    bytes[5 * page] = 7
    os.populate(plus(address, 4 * page), 4 * page)
    os.residency(address, byteLength, vector)
    assert.equal(
      [...vector].map((flags) => flags & 1),
      [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    )
    assert.is(bytes[5 * page], 7)
    os.purge(plus(address, 5 * page), page)
    os.residency(address, byteLength, vector)
    assert.equal(
      [...vector].map((flags) => flags & 1),
      [0, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    )
    assert.is(bytes[5 * page], 0)
  })
})

test('replace empties a range in its place', () => {
  withMapping((address, byteLength) => {
    const bytes = new Uint8Array(os.view(address, byteLength)).fill(1)
    os.replace(plus(address, page), 2 * page)
    assert.equal([bytes[page - 1], bytes[page], bytes[3 * page - 1], bytes[3 * page]], [1, 0, 0, 1])
  })
})

test('advice about huge pages is on record with the kernel', () => {
  withMapping((address, byteLength) => {
    os.adviseHugePages(address, byteLength, 'never')
    const flags = (): readonly string[] =>
      readSmaps().find((entry) => entry.start <= address && address < entry.end)?.flags ?? []
    if (flags().length === 0) return
    assert.ok(flags().includes('nh'), flags().join(' '))
    os.adviseHugePages(address, byteLength, 'advise')
    assert.ok(flags().includes('hg') && !flags().includes('nh'), flags().join(' '))
  }, 4 * MiB)
})

test('empty pages are kept from children, and from dumps if wanted, until they are released', () => {
  const flags = (at: number): readonly string[] =>
    readSmaps().find((entry) => entry.start <= at && at < entry.end)?.flags ?? []
  withMapping((address) => {
    if (flags(address).length === 0) return
    assert.ok(flags(address).includes('dc'), flags(address).join(' '))
    assert.not.ok(flags(address).includes('dd'))
    os.replace(plus(address, page), page)
    assert.ok(flags(plus(address, page)).includes('dc'))
    assert.not.ok(flags(plus(address, page)).includes('dd'))
    os.keepFromDumps(address, 4 * page)
    for (const at of [0, page, 3 * page]) assert.ok(flags(plus(address, at)).includes('dd'), `${at}`)
    os.replace(plus(address, page), page)
    os.replace(address, 4 * page)
    for (const at of [0, page, 3 * page]) {
      assert.ok(flags(plus(address, at)).includes('dd'), `${at}`)
      assert.ok(flags(plus(address, at)).includes('dc'), `${at}`)
    }
  }, 4 * page)
  withMapping((address) => assert.not.ok(flags(address).includes('dd')), 4 * page)
})

test('a name never fails, whatever it is made of', () => {
  withMapping((address, byteLength) => {
    for (const name of ['', 'plain', 'with [brackets] $ ` \\', 'ü'.repeat(200), '\0\n'])
      os.name(address, byteLength, name)
  })
})

test('residency wants a vector that is long enough', () => {
  withMapping((address, byteLength) => {
    throwsCode(() => os.residency(address, byteLength, new Uint8Array(15)), 'ERR_OUT_OF_RANGE', '"vector"')
    throwsCode(() => os.residency(address, byteLength, [] as unknown as Uint8Array), 'ERR_OUT_OF_RANGE', '"vector"')
  })
})

test('a mapping of another thread is put on record and taken off it, and stays', () => {
  const other = new LinuxOs()
  const address = other.reserve(4 * page, page)
  new Uint8Array(other.view(address, page))[5] = 7
  throwsCode(() => os.view(address, page), 'ERR_OUT_OF_RANGE')
  os.adopt(address, 4 * page)
  assert.is(new Uint8Array(os.view(address, page))[5], 7)
  throwsCode(() => os.adopt(address, 4 * page), 'ERR_OUT_OF_RANGE', 'no live mapping')
  throwsCode(() => os.adopt(plus(address, page), page), 'ERR_OUT_OF_RANGE', 'no live mapping')
  throwsCode(() => os.disown(address, page), 'ERR_OUT_OF_RANGE')
  os.disown(address, 4 * page)
  throwsCode(() => os.view(address, page), 'ERR_OUT_OF_RANGE')
  assert.is(new Uint8Array(other.view(address, page))[5], 7)
  other.release(address, 4 * page)
  throwsCode(() => os.adopt(address, 4 * page), 'ENOMEM', 'mincore')
  for (const bad of badAddresses) refuses(() => os.adopt(bad as Address, page), `adopt at ${String(bad)}`)
  for (const bad of badLengths) refuses(() => os.adopt(address, bad as number), `adopt of ${String(bad)}`)
})

test('a file is laid over pages: shared, and private', () => {
  withMapping((address, byteLength) => {
    const fd = os.files.createInMemory(8 * page, 'test')
    os.mapFile(address, 4 * page, fd, 4 * page, 'shared', 'read-write')
    os.mapFile(plus(address, 4 * page), 8 * page, fd, 0, 'shared', 'read')
    os.mapFile(plus(address, 12 * page), 4 * page, fd, 4 * page, 'private', 'read-write')
    const bytes = new Uint8Array(os.view(address, byteLength))
    bytes[page] = 5
    assert.equal([bytes[9 * page], bytes[13 * page]], [5, 5])
    bytes[13 * page] = 6
    assert.equal([bytes[page], bytes[9 * page], bytes[13 * page]], [5, 5, 6])
    for (const bad of [-1, 0.5, NaN, page / 2, '0'])
      refuses(() => os.mapFile(address, page, fd, bad as number, 'shared', 'read'), `offset ${bad}`)
    for (const bad of [-1, 0.5, NaN, 2 ** 31, '0', null])
      refuses(() => os.mapFile(address, page, bad as number, 0, 'shared', 'read'), `fd ${bad}`)
    os.files.close(fd)
    throwsCode(() => os.mapFile(address, page, fd, 0, 'shared', 'read'), 'EBADF', 'mmap')
    assert.is(bytes[page], 5)
  })
})

test('pages of a shared file are removed for all', () => {
  withMapping((address, byteLength) => {
    const fd = os.files.createInMemory(byteLength / 2, 'test')
    const half = byteLength / 2
    for (const at of [0, half]) os.mapFile(plus(address, at), half, fd, 0, 'shared', 'read-write')
    const bytes = new Uint8Array(os.view(address, byteLength))
    bytes.fill(7, 0, half)
    os.removePages(plus(address, page), 2 * page)
    assert.equal([bytes[page - 1], bytes[page], bytes[3 * page - 1], bytes[3 * page]], [7, 0, 0, 7])
    assert.equal([bytes[half + page - 1], bytes[half + page], bytes[half + 3 * page]], [7, 0, 7])
    os.files.close(fd)
    // The mapping alone has it now: its pages go with it.
    os.replace(address, byteLength)
    throwsCode(() => os.removePages(address, page), 'EINVAL', 'madvise')
  })
})

test('a view longer than the runtime can make is refused, not tried', () => {
  const byteLength = 8 * GiB
  const address = os.reserve(byteLength, page)
  try {
    if (os.maxViewBytes < byteLength) {
      throwsCode(() => os.view(address, os.maxViewBytes + 1), 'ERR_OUT_OF_RANGE', "the runtime's limit")
      assert.is(os.view(address, os.maxViewBytes).byteLength, os.maxViewBytes)
    } else assert.is(os.view(address, byteLength).byteLength, byteLength)
  } finally {
    os.release(address, byteLength)
  }
})

test('a view may start at any byte', () => {
  withMapping((address) => {
    new Uint8Array(os.view(address, page))[5] = 9
    assert.is(new Uint8Array(os.view(plus(address, 5), 1))[0], 9)
  })
})

test('pagemap agrees on what is present', () => {
  withMapping((address, byteLength) => {
    const bytes = new Uint8Array(os.view(address, byteLength))
    bytes[0] = bytes[3 * page] = 1
    const counts = readPagemap(address, byteLength, page)
    assert.equal([counts.pages, counts.present, counts.swapped], [16, 2, 0])
  })
})

test('available memory is a length', () => {
  assert.ok(os.availableMemory() > MiB)
})

test.run()
