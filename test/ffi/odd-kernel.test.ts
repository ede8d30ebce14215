/**
 * What `LinuxOs` does with kernels and runtimes that refuse what this machine's would grant.
 *
 * Longer than other files: each answer that an unusual kernel gives.
 */

import { ftruncateSync, readFileSync, statSync } from 'node:fs'
import { constants } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  MADV_DONTDUMP,
  MADV_DONTFORK,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_NOEXEC_SEAL,
} from '../../src/ffi/libc/constants.ts'
import { type Libc, libc } from '../../src/ffi/libc/libc.ts'
import { LinuxOs } from '../../src/ffi/linux/linux.ts'
import { readSmaps } from '../../src/ffi/procfs.ts'
import { type Address, MiB } from '../../src/units.ts'
import { nodes, runChild } from '../helpers/child.ts'
import { throwsCode } from '../helpers/errors.ts'
import { freshFile, freshPath, pattern } from '../helpers/scratch.ts'

const { EAGAIN, EINTR, EMFILE, EINVAL, EFAULT, EIO, ENOMEM, ENOSPC, ENOSYS, EOPNOTSUPP, EPERM } = constants.errno

const CALLS = [
  'mmap',
  'munmap',
  'madvise',
  'mincore',
  'msync',
  'mlock2',
  'munlock',
  'fallocate',
  'lseek',
  'processVmReadv',
] as const

/** The real libc, but some calls fail: `refuse` gives the errno with which. */
function refusing(refuse: (call: string, ...args: unknown[]) => number): Libc {
  const real = libc()
  let errno = 0
  const wrapped: Record<string, unknown> = { ...real, errno: () => errno || real.errno() }
  for (const call of CALLS)
    wrapped[call] = (...args: number[]) => {
      errno = refuse(call, ...args)
      return errno === 0 ? (real[call] as (...args: number[]) => number)(...args) : -1
    }
  return wrapped as unknown as Libc
}

const adviceIs =
  (...numbers: number[]) =>
  (call: string, ...args: unknown[]) =>
    call === 'madvise' && numbers.includes(args[2] as number) ? EINVAL : 0

test('without MADV_POPULATE_WRITE each page is written to, and keeps its contents', () => {
  const os = new LinuxOs(refusing(adviceIs(MADV_POPULATE_WRITE)))
  const page = os.pageSize
  const address = os.reserve(4 * page, page)
  const bytes = new Uint8Array(os.view(address, 4 * page))
  bytes[page] = 7
  os.populate(address, 4 * page)
  const vector = new Uint8Array(4)
  os.residency(address, 4 * page, vector)
  assert.equal(
    vector.map((flags) => flags & 1),
    new Uint8Array([1, 1, 1, 1])
  )
  assert.equal([bytes[0], bytes[page]], [0, 7])
  os.release(address, 4 * page)
})

test('populate passes other errnos on', () => {
  const os = new LinuxOs(refusing((call) => (call === 'madvise' ? EFAULT : 0)))
  const address = os.reserve(MiB, MiB)
  const error = throwsCode(() => os.populate(address, MiB), 'EFAULT', `madvise, ${MiB} bytes`)
  assert.not.ok(error.message.includes(address.toString(16)))
  throwsCode(() => os.adviseHugePages(address, MiB, 'never'), 'EFAULT')
  throwsCode(() => os.purge(address, MiB), 'EFAULT')
  os.release(address, MiB)
})

test('a kernel without the newest flag for memory files makes one without it', () => {
  const real = libc()
  const flags: number[] = []
  const os = new LinuxOs({
    ...real,
    memfd_create: (name, wanted) => {
      flags.push(wanted)
      return real.memfd_create(name, wanted === (MFD_CLOEXEC | MFD_NOEXEC_SEAL) ? 0xffff : wanted)
    },
  })
  const fd = os.files.createInMemory(MiB, 'older')
  assert.equal(flags, [MFD_CLOEXEC | MFD_NOEXEC_SEAL, MFD_CLOEXEC | MFD_ALLOW_SEALING])
  assert.equal([os.files.isSealed(fd), os.files.status(fd).byteLength], [true, MiB])
  os.files.close(fd)
})

test('a memory file that cannot have its seals is closed again', () => {
  let closed = 0
  const real = libc()
  const os = new LinuxOs({
    ...real,
    fcntl: () => -1,
    errno: () => ENOMEM,
    close: (fd: number) => {
      closed++
      return real.close(fd)
    },
  })
  throwsCode(() => os.files.createInMemory(MiB, 'x'), 'ENOMEM', 'fcntl')
  assert.is(closed, 1)
})

test('no second descriptor is to be had: opening fails, and a new file is taken away again', () => {
  const os = new LinuxOs({ ...libc(), fcntl: () => -1, errno: () => EMFILE })
  const path = freshPath()
  throwsCode(() => os.files.create(path, 0o600), 'EMFILE', 'fcntl')
  throwsCode(() => statSync(path), 'ENOENT')
  throwsCode(() => os.files.open(freshFile('x'), 'read'), 'EMFILE', 'fcntl')
})

test('a kernel without huge pages takes no advice, and that is no error', () => {
  const os = new LinuxOs(refusing(adviceIs(MADV_HUGEPAGE, MADV_NOHUGEPAGE)))
  const address = os.reserve(MiB, MiB)
  os.adviseHugePages(address, MiB, 'never')
  os.adviseHugePages(address, MiB, 'advise')
  os.release(address, MiB)
})

test('a kernel that keeps nothing from children is no error, one that keeps nothing from dumps is', () => {
  const os = new LinuxOs(refusing(adviceIs(MADV_DONTFORK, MADV_DONTDUMP)))
  const address = os.reserve(MiB, MiB)
  os.replace(address, MiB)
  throwsCode(() => os.keepFromDumps(address, MiB), 'EINVAL', 'madvise')
  os.release(address, MiB)
})

test('reserve: the ends cannot be given back, so all of it is', () => {
  let unmapped = 0
  let refused = 0
  const os = new LinuxOs(
    refusing((call, _, length) => {
      if (call !== 'munmap') return 0
      if (refused++ === 0) return ENOMEM
      unmapped = length as number
      return 0
    })
  )
  throwsCode(() => os.reserve(4 * MiB, 64 * MiB), 'ENOMEM', 'munmap')
  assert.is(unmapped, 68 * MiB - os.pageSize)
})

test('release, replace and residency pass the errno on, and the mapping stays on record', () => {
  let errno = ENOMEM
  const os = new LinuxOs(refusing((_, address) => (address === 0 ? 0 : errno)))
  const address = os.reserve(os.pageSize, os.pageSize)
  throwsCode(() => os.release(address, os.pageSize), 'ENOMEM', 'munmap')
  throwsCode(() => os.replace(address, os.pageSize), 'ENOMEM', 'mmap')
  throwsCode(() => os.residency(address, os.pageSize, new Uint8Array(1)), 'ENOMEM', 'mincore')
  errno = 0
  os.release(address, os.pageSize)
})

/** A file of so many bytes, mapped whole, on a kernel that refuses something. */
function mapped(os: LinuxOs, byteLength: number): { path: string; fd: number; address: Address; bytes: Uint8Array } {
  const path = freshFile(byteLength)
  const fd = os.files.open(path, 'read-write')
  const length = Math.ceil(byteLength / os.pageSize) * os.pageSize
  const address = os.reserve(length, os.pageSize)
  os.mapFile(address, length, fd, 0, 'shared', 'read-write')
  return { path, fd, address, bytes: new Uint8Array(os.view(address, length)) }
}

test('without MADV_POPULATE_READ each page is read, and one that is gone is EFAULT all the same', () => {
  const os = new LinuxOs(refusing(adviceIs(MADV_POPULATE_READ)))
  const byteLength = 3 * MiB
  const { fd, address } = mapped(os, byteLength)
  os.populateRead(address, byteLength)
  const entry = readSmaps().find(({ start }) => start === address)
  assert.is(entry?.fields.get('Rss'), byteLength)
  ftruncateSync(fd, byteLength - os.pageSize)
  throwsCode(() => os.populateRead(address, byteLength), 'EFAULT', 'madvise')
  os.release(address, byteLength)
  os.files.close(fd)
})

for (const errno of [EPERM, ENOSYS])
  test(`where process_vm_readv is forbidden (${errno}) the copy goes through /proc/self/mem`, () => {
    const os = new LinuxOs(refusing((call) => (call === 'processVmReadv' ? errno : 0)))
    const { fd, address } = mapped(os, 2 * os.pageSize)
    const target = Buffer.alloc(2 * os.pageSize)
    assert.is(os.copyOut((address + 5) as Address, 100, target), 100)
    assert.equal(target.subarray(0, 100), pattern(200).subarray(5, 105))
    ftruncateSync(fd, os.pageSize)
    assert.is(os.copyOut(address, 2 * os.pageSize, target), os.pageSize)
    os.release(address, 2 * os.pageSize)
    os.files.close(fd)
  })

test('copyOut passes other errnos on', () => {
  const os = new LinuxOs(refusing((call) => (call === 'processVmReadv' ? ENOMEM : 0)))
  const { fd, address } = mapped(os, os.pageSize)
  throwsCode(() => os.copyOut(address, 1, new Uint8Array(1)), 'ENOMEM', 'process_vm_readv')
  os.release(address, os.pageSize)
  os.files.close(fd)
})

test('a signal during the allocation: it is tried again', () => {
  let signals = 3
  const os = new LinuxOs(refusing((call) => (call === 'fallocate' && signals-- > 0 ? EINTR : 0)))
  const path = freshFile('x')
  const fd = os.files.open(path, 'read-write')
  os.files.allocate(fd, 0, MiB)
  assert.equal([signals, statSync(path).size], [-1, 1])
  signals = 3
  os.files.extend(fd, MiB)
  assert.equal([signals, statSync(path).size], [-1, MiB])
  os.files.close(fd)
})

test('a file system without fallocate: what is added is written, what is there is not touched', () => {
  const os = new LinuxOs(refusing((call) => (call === 'fallocate' ? EOPNOTSUPP : 0)))
  const path = freshFile(100)
  const fd = os.files.open(path, 'read-write')
  throwsCode(() => os.files.allocate(fd, 99, MiB), 'ENOTSUP', `fallocate '${path}', ${MiB} bytes`)
  assert.is(statSync(path).size, 100)
  os.files.extend(fd, 100 + 2 * MiB + 5)
  os.files.extend(fd, 100)
  throwsCode(() => os.files.clear(fd, 0, 10), 'ENOTSUP')
  assert.equal(readFileSync(path), Buffer.concat([pattern(100), Buffer.alloc(2 * MiB + 5)]))
  assert.ok(statSync(path).blocks * 512 >= 2 * MiB)
  os.files.close(fd)
})

test('allocate passes other errnos on', () => {
  const os = new LinuxOs(refusing((call) => (call === 'fallocate' ? ENOSPC : 0)))
  const fd = os.files.open(freshFile('x'), 'read-write')
  throwsCode(() => os.files.allocate(fd, 0, MiB), 'ENOSPC', 'fallocate')
  os.files.close(fd)
})

test('a file system that does not tell of holes: every position counts as data', () => {
  const os = new LinuxOs(refusing((call) => (call === 'lseek' ? EINVAL : 0)))
  const fd = os.files.open(freshFile(''), 'read-write')
  os.files.truncate(fd, MiB)
  assert.equal([os.files.nextData(fd, 0), os.files.nextData(fd, 77)], [0, 77])
  os.files.close(fd)
})

test('sync, lock and unlock pass the errno on', async () => {
  const errnos: Record<string, number> = { msync: EIO, mlock2: EPERM, munlock: EAGAIN }
  const os = new LinuxOs({
    ...refusing((call) => errnos[call] ?? 0),
    msyncLater: async () => -EIO,
  })
  const { fd, address } = mapped(os, os.pageSize)
  throwsCode(() => os.sync(address, os.pageSize, 'sync'), 'EIO', 'msync')
  throwsCode(() => os.lock(address, os.pageSize), 'EPERM', 'mlock2')
  throwsCode(() => os.unlock(address, os.pageSize), 'EAGAIN', 'munlock')
  const error = await os.syncLater(address, os.pageSize).catch((reason) => reason)
  assert.equal([error.code, error.syscall, error.length], ['EIO', 'msync', os.pageSize])
  os.release(address, os.pageSize)
  os.files.close(fd)
})

test('a runtime that gives no buffers over memory of others is unsupported', () => {
  const os = new LinuxOs({
    ...libc(),
    view: () => {
      throw new Error('This runtime does not support external buffers')
    },
  })
  const address = os.reserve(MiB, MiB)
  throwsCode(() => os.view(address, MiB), 'ERR_UNSUPPORTED_OPERATION', 'external buffers')
  os.release(address, MiB)
})

for (const node of nodes) {
  test(`Node ${node.major}: importing loads no koffi, the first use does`, async () => {
    const child = await runChild(
      `
      const loaded = () => process.report.getReport().sharedObjects.some((path) => path.includes('koffi'))
      const imported = loaded()
      Arena.reserve(MiB)
      report({ imported, used: loaded() })
      `,
      { node }
    )
    assert.equal(child.clean().report, { imported: false, used: true })
  })

  test(`Node ${node.major}: on another platform the import works and the first use says what is wrong`, async () => {
    const child = await runChild(
      `
      Object.defineProperty(process, 'platform', { value: 'win32' })
      try { Arena.reserve(MiB) } catch (error) { report({ code: error.code, message: error.message }) }
      `,
      { node }
    )
    const { report } = child.clean()
    assert.is(report.code, 'ERR_UNSUPPORTED_OPERATION')
    assert.match(report.message, 'win32 on')
  })

  test(`Node ${node.major}: what tests put into the runtime's globals changes nothing`, async () => {
    const child = await runChild(
      `
      Arena.reserve(MiB).close()
      for (const [name, value] of [['pid', 1], ['arch', 'ia32']]) Object.defineProperty(process, name, { value })
      globalThis.Buffer = globalThis.TextEncoder = undefined
      const arena = Arena.reserve(MiB, { shared: true, name: 'é' })
      const again = Arena.attach(JSON.parse(JSON.stringify(arena.handle())))
      const heap = new Heap(arena)
      heap.setRoot('root', heap.malloc(100))
      const reader = Heap.attach(again)
      const { role } = reader
      reader.close()
      heap.destroy()
      arena.populate(0, 65536)
      again.close()
      arena.close()
      report({ role })
      `,
      { node }
    )
    assert.is(child.clean().report.role, 'reader')
  })

  test(`Node ${node.major}: where addons are forbidden the first use says what is wrong`, async () => {
    const child = await runChild(
      `try { Arena.reserve(MiB) } catch (error) { report({ code: error.code, message: error.message }) }`,
      { node, flags: [node.major < 22 ? '--experimental-permission' : '--permission', '--allow-fs-read=*'] }
    )
    const { report } = child.clean()
    assert.is(report.code, 'ERR_UNSUPPORTED_OPERATION')
    assert.match(report.message, 'koffi cannot be loaded')
  })
}

test.run()
