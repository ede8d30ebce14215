/** Files that are no storage, and descriptors that do not write where they are told to: nothing is written before it is known. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  closeSync,
  constants as fsConstants,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { constants } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { mapFile } from '../../../src/arena/file/map-file.ts'
import { fileError } from '../../../src/ffi/errno.ts'
import { LinuxOs } from '../../../src/ffi/linux/linux.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { freshFile, freshPath, pattern, scratch } from '../../helpers/scratch.ts'

const page = new FakeOs().pageSize
const MODES = ['read', 'copy', 'write'] as const

/** What the kernel makes up. Each is left out where it is not there, or may not be read. */
const PSEUDO = [
  '/proc/sys/kernel/domainname',
  '/proc/sys/kernel/ostype',
  '/proc/self/oom_score_adj',
  '/proc/self/maps',
  '/proc/self/comm',
  '/proc/meminfo',
  '/proc/version',
  '/sys/kernel/mm/transparent_hugepage/enabled',
  '/sys/kernel/vmcoreinfo',
  '/sys/power/state',
  '/sys/kernel/security/lsm',
  '/sys/fs/cgroup/cgroup.procs',
  '/sys/fs/cgroup/memory/cgroup.procs',
  '/sys/fs/cgroup/unified/cgroup.procs',
  '/sys/kernel/debug/sleep_time',
  '/sys/kernel/tracing/trace',
  '/sys/kernel/tracing/tracing_on',
]

/** What changes without us: the processes of the machine come and go. */
const MOVING = /\/(maps|meminfo|cgroup\.procs|trace)$/

/** What a file has, or why it cannot be read. */
function contentOf(path: string): string {
  try {
    return MOVING.test(path) ? '' : readFileSync(path, 'latin1')
  } catch (error) {
    return (error as { code: string }).code
  }
}

test('files that the kernel makes up are refused in every mode, with the reason, and are as they were', () => {
  let tried = 0
  for (const path of PSEUDO.filter((one) => statSync(one, { throwIfNoEntry: false }) !== undefined))
    for (const mode of MODES)
      for (const byteLength of mode === 'write' ? [undefined, 0, 16, 4097] : [undefined, 0, 1]) {
        const before = contentOf(path)
        const os = new FakeOs()
        let error: { code: string; message: string } | undefined
        try {
          mapFile(path, { mode, byteLength, maxByteLength: mode === 'write' ? page * 4 : undefined, os })
        } catch (thrown) {
          error = thrown as typeof error
        }
        const { code = 'none', message = '' } = error ?? {}
        // Not every user may write to them, or read them.
        assert.match(
          code,
          /^(ERR_UNSUPPORTED_OPERATION|EACCES|EPERM|EROFS)$/,
          `${path} ${mode} ${byteLength}: ${message}`
        )
        if (code === 'ERR_UNSUPPORTED_OPERATION')
          assert.match(message, 'file system that the kernel makes up, and says')
        assert.equal([os.live.size, os.files.opened.size, os.count('write'), os.count('extend')], [0, 0, 0, 0])
        assert.is(contentOf(path), before, path)
        tried++
      }
  assert.ok(tried > 50)
})

test('a descriptor of such a file is refused as well, and so is making one longer later', () => {
  const path = '/proc/self/comm'
  const fd = openSync(path, 'r+')
  for (const mode of MODES) throwsCode(() => mapFile(fd, { mode }), 'ERR_UNSUPPORTED_OPERATION', '0 bytes')
  throwsCode(() => mapFile(fd, { mode: 'write', byteLength: 5 }), 'ERR_UNSUPPORTED_OPERATION')
  assert.match(readFileSync(path, 'utf8'), /\S/)
  closeSync(fd)
  const os = new FakeOs()
  const file = mapFile(freshFile(100), { mode: 'write', maxByteLength: page * 4, os })
  os.files.fileSystem = () => 'pseudo'
  throwsCode(() => file.resize(page * 2), 'ERR_UNSUPPORTED_OPERATION', 'cannot be made longer: nothing was written')
  assert.equal([statSync(file.path as string).size, os.count('allocate')], [100, 0])
})

test('a file that is said to have bytes on such a file system is mapped if the kernel can', () => {
  const os = new FakeOs()
  os.files.fileSystem = () => 'pseudo'
  const path = freshFile(100)
  for (const mode of MODES) assert.is(mapFile(path, { mode, os }).byteLength, 100)
  os.fail('mapFile', 1, constants.errno.ENODEV)
  throwsCode(() => mapFile(path, { mode: 'read', os }), 'ERR_UNSUPPORTED_OPERATION', '100 bytes')
  os.fail('mapFile', 1, constants.errno.ENOMEM)
  throwsCode(() => mapFile(path, { mode: 'read', os }), 'ENOMEM')
  os.files.fileSystem = () => 'huge'
  throwsCode(() => mapFile(path, { mode: 'read', os }), 'ERR_UNSUPPORTED_OPERATION', 'huge pages')
})

test('kinds of file systems', () => {
  const { files } = new LinuxOs()
  for (const [path, kind] of [
    ['/proc/self/maps', 'pseudo'],
    ['/sys/kernel', 'pseudo'],
    [scratch, 'storage'],
    ['/dev/shm', 'storage'],
  ] as const) {
    const fd = files.open(path, 'read')
    assert.is(files.fileSystem(fd), kind, path)
    files.close(fd)
  }
  throwsCode(() => files.fileSystem(2 ** 30), 'EBADF', 'fstatfs')
  throwsCode(() => files.appends(2 ** 30), 'EBADF', 'fcntl')
})

for (const folder of [scratch, '/dev/shm'])
  test(`a descriptor that appends: exact length, no stray bytes (${folder === scratch ? 'disk' : folder})`, () => {
    const path = `${folder}/sorites-append-${process.pid}`
    try {
      for (const refuse of [undefined, 'fallocate'] as const) {
        writeFileSync(path, pattern(100))
        const stray = mapFile(path, { mode: 'write' })
        // Behind the end of the file, in its last page.
        const strays = mapFile(path, { mode: 'write', maxByteLength: page })
        new Uint8Array(strays.window(0).buffer).fill(9, 100)
        const os = new FakeOs()
        if (refuse !== undefined) {
          for (const call of ['allocate', 'clear'] as const)
            os.files[call] = () => {
              throw fileError('fallocate', constants.errno.EOPNOTSUPP, path)
            }
          os.files.extend = (fd, byteLength) => {
            const end = statSync(path).size
            os.files.write(fd, new Uint8Array(byteLength - end), end)
          }
        }
        const fd = openSync(path, 'a+')
        const file = mapFile(fd, { mode: 'write', byteLength: 2 * page + 5, maxByteLength: 4 * page, os })
        assert.equal(readFileSync(path), Buffer.concat([pattern(100), Buffer.alloc(2 * page - 95)]))
        assert.is(os.files.appends(fd), true)
        file.resize(3 * page)
        assert.equal(readFileSync(path), Buffer.concat([pattern(100), Buffer.alloc(3 * page - 100)]))
        file.bytes[page] = 3
        file.close()
        assert.is(os.files.opened.size, 0)
        appendFileSync(fd, 'end')
        assert.is(statSync(path).size, 3 * page + 3)
        closeSync(fd)
        stray.close()
        strays.close()
        unlinkSync(path)
      }
    } finally {
      if (statSync(path, { throwIfNoEntry: false }) !== undefined) unlinkSync(path)
    }
  })

test('a descriptor that appends and cannot be opened once more is refused, and nothing is written', () => {
  const path = freshFile(100)
  const os = new FakeOs()
  const fd = openSync(path, 'a+')
  os.fail('open', 1, constants.errno.EACCES)
  throwsCode(() => mapFile(fd, { mode: 'write', byteLength: 200, os }), 'ERR_UNSUPPORTED_OPERATION', '"file" is')
  assert.equal(readFileSync(path), pattern(100))
  for (const mode of ['read', 'copy'] as const) assert.is(mapFile(fd, { mode, os }).byteLength, 100)
  closeSync(fd)
})

test('descriptors that cannot be mapped as wanted: an error of the kernel, and the file as it was', () => {
  const path = freshFile(100)
  // O_PATH has no name in node:fs.
  for (const [flags, modes] of [
    [0o10000000, MODES],
    [fsConstants.O_WRONLY, MODES],
    [fsConstants.O_WRONLY | fsConstants.O_APPEND, ['read', 'copy']],
    [fsConstants.O_RDONLY, ['write']],
  ] as const) {
    const fd = openSync(path, flags)
    for (const mode of modes)
      for (const byteLength of mode === 'write' ? [undefined, 200] : [undefined]) {
        const os = new FakeOs()
        throwsCode(() => mapFile(fd, { mode, byteLength, os }), flags === 0o10000000 ? 'EBADF' : 'EACCES')
        assert.equal([os.live.size, os.files.opened.size], [0, 0])
      }
    closeSync(fd)
  }
  assert.equal(readFileSync(path), pattern(100))
})

test('sealed files in memory, folders, pipes, devices: refused as they are', () => {
  const os = new LinuxOs()
  const sealed = os.files.createInMemory(page, 'sealed')
  throwsCode(() => mapFile(sealed, { mode: 'write', byteLength: 2 * page }), 'EPERM')
  assert.is(mapFile(sealed, { mode: 'write' }).byteLength, page)
  os.files.close(sealed)
  const fifo = freshPath()
  execFileSync('mkfifo', [fifo])
  const folder = freshPath()
  mkdirSync(folder)
  for (const path of [fifo, folder, '/dev/null', '/dev/zero'])
    for (const mode of MODES)
      for (const create of mode === 'write' ? [true, false] : [false])
        assert.throws(
          () => mapFile(path, { mode, create, byteLength: create ? 10 : undefined }),
          (error: { code: string }) => /^(ERR_UNSUPPORTED_OPERATION|EISDIR|EACCES)$/.test(error.code)
        )
})

test('files that may only be appended to, or not changed, and swap files', () => {
  for (const attribute of ['a', 'i']) {
    const path = freshFile(100)
    const before = openSync(path, 'r+')
    if (spawnSync('chattr', [`+${attribute}`, path]).status !== 0) {
      closeSync(before)
      console.log('(no attributes can be set on files here)')
      continue
    }
    try {
      throwsCode(() => mapFile(path, { mode: 'write', byteLength: 200 }), 'EPERM')
      assert.throws(() => mapFile(before, { mode: 'write', byteLength: 200 }), /EACCES|EPERM/)
      assert.is(mapFile(path, { mode: 'read' }).byteLength, 100)
      if (attribute === 'a') {
        const fd = openSync(path, 'a+')
        throwsCode(() => mapFile(fd, { mode: 'write', byteLength: 200 }), 'ERR_UNSUPPORTED_OPERATION', '"file" is')
        closeSync(fd)
      }
      assert.equal(readFileSync(path), pattern(100))
    } finally {
      execFileSync('chattr', [`-${attribute}`, path])
      closeSync(before)
    }
  }
  const swap = freshFile(Buffer.alloc(40 * page))
  execFileSync('chmod', ['600', swap])
  spawnSync('mkswap', [swap])
  if (spawnSync('swapon', [swap]).status !== 0) return console.log('(no swap file can be had here)')
  try {
    const before = readFileSync(swap)
    assert.throws(() => mapFile(swap, { mode: 'write', byteLength: 50 * page }), /ETXTBSY|EPERM/)
    assert.equal(readFileSync(swap).subarray(0, page), before.subarray(0, page))
  } finally {
    execFileSync('swapoff', [swap])
  }
})

test.run()
