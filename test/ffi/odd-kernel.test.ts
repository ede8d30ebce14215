/** What `LinuxOs` does with kernels and runtimes that refuse what this machine's would grant. */
import { constants } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_POPULATE_WRITE,
  MADV_REMOVE,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_NOEXEC_SEAL,
} from '../../src/ffi/constants.ts'
import { type Libc, libc } from '../../src/ffi/libc.ts'
import { LinuxOs } from '../../src/ffi/linux.ts'
import { MiB } from '../../src/units.ts'
import { nodes, runChild } from '../helpers/child.ts'
import { throwsCode } from '../helpers/errors.ts'

const { EINTR, EINVAL, EFAULT, ENOMEM, EOPNOTSUPP } = constants.errno

/** The real libc, but some calls fail: `refuse` gives the errno with which. */
function refusing(refuse: (call: string, ...args: unknown[]) => number): Libc {
  const real = libc()
  let errno = 0
  const wrapped: Record<string, unknown> = { ...real, errno: () => errno || real.errno() }
  for (const call of ['mmap', 'munmap', 'madvise', 'mincore'] as const)
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
  const error = throwsCode(() => os.populate(address, MiB), 'EFAULT', 'madvise at 0x')
  assert.equal((error as unknown as { address: number }).address, address)
  throwsCode(() => os.adviseHugePages(address, MiB, 'never'), 'EFAULT')
  throwsCode(() => os.purge(address, MiB), 'EFAULT')
  os.release(address, MiB)
})

test('a file system without holes: zeros are written', () => {
  const os = new LinuxOs(refusing((call, ...args) => (call === 'madvise' && args[2] === MADV_REMOVE ? EOPNOTSUPP : 0)))
  const address = os.reserve(MiB, MiB)
  const bytes = new Uint8Array(os.view(address, MiB)).fill(3)
  os.removePages(address, 2 * os.pageSize)
  assert.equal([bytes[0], bytes[2 * os.pageSize - 1], bytes[2 * os.pageSize]], [0, 0, 3])
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
  const fd = os.createMemoryFile(MiB, 'older')
  assert.equal(flags, [MFD_CLOEXEC | MFD_NOEXEC_SEAL, MFD_CLOEXEC | MFD_ALLOW_SEALING])
  assert.equal([os.fileStatus(fd).sealed, os.fileStatus(fd).byteLength], [true, MiB])
  os.closeFile(fd)
})

test('a memory file that cannot have its length or its seals is closed again', () => {
  for (const call of ['ftruncate', 'fcntl'] as const) {
    let closed = 0
    const real = libc()
    const os = new LinuxOs({
      ...real,
      [call]: () => -1,
      errno: () => ENOMEM,
      close: (fd: number) => {
        closed++
        return real.close(fd)
      },
    })
    throwsCode(() => os.createMemoryFile(MiB, 'x'), 'ENOMEM', call)
    assert.is(closed, 1)
  }
})

test('an allocation that a signal breaks off is taken up again', () => {
  const real = libc()
  let calls = 0
  const os = new LinuxOs({
    ...real,
    fallocate: (fd, mode, offset, length) => (++calls < 3 ? -1 : real.fallocate(fd, mode, offset, length)),
    errno: () => (calls < 3 ? EINTR : real.errno()),
  })
  const fd = os.createMemoryFile(MiB, 'x')
  os.allocateBlocks(fd, 0, MiB)
  assert.is(calls, 3)
  os.closeFile(fd)
})

test('a kernel without huge pages takes no advice, and that is no error', () => {
  const os = new LinuxOs(refusing(adviceIs(MADV_HUGEPAGE, MADV_NOHUGEPAGE)))
  const address = os.reserve(MiB, MiB)
  os.adviseHugePages(address, MiB, 'never')
  os.adviseHugePages(address, MiB, 'advise')
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
