import { existsSync, readFileSync } from 'node:fs'
import { constants as platform } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { EINVAL, ENOMEM, errnoName, systemError } from '../../src/ffi/errno.ts'
import * as constants from '../../src/ffi/libc/constants.ts'
import { requirePlatform, systemOs } from '../../src/ffi/system.ts'
import { throwsCode } from '../helpers/errors.ts'

/** Linux's own headers, where a compiler has brought them. The two architectures include the same generic file. */
const headers = [
  '/usr/include/asm-generic/mman-common.h',
  '/usr/include/asm-generic/mman.h',
  '/usr/include/linux/mman.h',
  '/usr/include/linux/prctl.h',
  '/usr/include/linux/memfd.h',
  '/usr/include/linux/fcntl.h',
  '/usr/include/asm-generic/fcntl.h',
  '/usr/include/linux/futex.h',
  '/usr/include/linux/time.h',
  '/usr/include/linux/falloc.h',
  '/usr/include/linux/magic.h',
  '/usr/include/asm-generic/resource.h',
]

/** Where the numbers of system calls are, by architecture. */
const callHeaders: Record<string, { paths: string[]; prefix: string }> = {
  x64: { paths: ['/usr/include/x86_64-linux-gnu/asm/unistd_64.h', '/usr/include/asm/unistd_64.h'], prefix: '__NR_' },
  arm64: { paths: ['/usr/include/asm-generic/unistd.h'], prefix: '__NR_' },
}

/** C writes octal with a zero in front. */
function cNumber(text: string): number {
  return /^0\d/.test(text) ? Number.parseInt(text, 8) : Number(text)
}

test('the numbers are those of the kernel headers', () => {
  const text = headers
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n')
  const { SYSTEM_CALLS, ...numbers } = constants
  for (const [name, value] of Object.entries(numbers)) {
    const line = new RegExp(`^#\\s*define\\s+${name}\\s+(0x[0-9a-fA-F]+|\\d+)`, 'm').exec(text)
    if (line !== null) assert.is(value, cNumber(line[1] as string), name)
  }
  assert.is(Object.keys(numbers).length, 59)
  assert.equal(Object.keys(SYSTEM_CALLS), ['x64', 'arm64'])
})

test('file systems have the numbers of the kernel headers', () => {
  const path = '/usr/include/linux/magic.h'
  if (!existsSync(path)) return
  const text = readFileSync(path, 'utf8')
  const magic = (name: string): number => Number(new RegExp(`^#define\\s+${name}\\s+(\\S+)`, 'm').exec(text)?.[1])
  for (const name of [
    'PROC_SUPER',
    'SYSFS',
    'CGROUP_SUPER',
    'CGROUP2_SUPER',
    'DEBUGFS',
    'TRACEFS',
    'SECURITYFS',
    'SELINUX',
    'NSFS',
  ])
    assert.ok(constants.PSEUDO_FILE_SYSTEMS.has(magic(`${name}_MAGIC`)), name)
  for (const name of [
    'TMPFS',
    'EXT4_SUPER',
    'BTRFS_SUPER',
    'XFS_SUPER',
    'NFS_SUPER',
    'OVERLAYFS_SUPER',
    'FUSE_SUPER',
    'RAMFS',
  ])
    assert.not(constants.PSEUDO_FILE_SYSTEMS.has(magic(`${name}_MAGIC`)), name)
})

test('system calls have the numbers of the kernel headers', () => {
  for (const [architecture, calls] of Object.entries(constants.SYSTEM_CALLS)) {
    const { paths, prefix } = callHeaders[architecture] as { paths: string[]; prefix: string }
    const path = paths.find((candidate) => existsSync(candidate))
    if (path === undefined) continue
    const text = readFileSync(path, 'utf8')
    for (const [name, number] of Object.entries(calls)) {
      const line = new RegExp(`^#define ${prefix}${name} (\\d+)`, 'm').exec(text)
      if (line !== null) assert.is(number, Number(line[1]), `${architecture} ${name}`)
    }
  }
})

test('an errno has the name and the reason that Node gives it', () => {
  assert.is(ENOMEM, platform.errno.ENOMEM)
  assert.is(EINVAL, platform.errno.EINVAL)
  assert.is(errnoName(12), 'ENOMEM')
  assert.is(errnoName(999), 'errno 999')
  const error = systemError('madvise', 12, { length: 4096, detail: ', detail' })
  assert.is(error.message, 'ENOMEM: not enough memory, detail, madvise, 4096 bytes')
  assert.equal([error.code, error.errno, error.syscall, error.length], ['ENOMEM', -12, 'madvise', 4096])
  assert.match(systemError('mmap', 999).message, 'unknown error')
})

test('other platforms are refused by name', () => {
  for (const [name, architecture] of [
    ['darwin', 'arm64'],
    ['win32', 'x64'],
    ['linux', 'ia32'],
    ['linux', 'mips'],
  ])
    throwsCode(
      () => requirePlatform(name as string, architecture as string),
      'ERR_UNSUPPORTED_OPERATION',
      `${name} on ${architecture}`
    )
  requirePlatform('linux', 'x64')
  requirePlatform('linux', 'arm64')
})

test('the system is made once', () => {
  assert.is(systemOs(), systemOs())
  assert.is(systemOs().platform, process.platform)
  assert.is(Math.log2(systemOs().pageSize) % 1, 0)
})

test.run()
