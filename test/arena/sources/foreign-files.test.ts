/** What `Arena.attach` and `Arena.open` are given that others have made: no arena, an arena of odd lengths, and files that are not sealed. */
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena, insideOf } from '../../../src/arena/arena.ts'
import { mapFile } from '../../../src/arena/file/map-file.ts'
import { fileLayoutOf, HEADER_BYTES, HeaderLength, layoutOf } from '../../../src/arena/format/layout.ts'
import { libc } from '../../../src/ffi/libc/libc.ts'
import { GiB, MiB } from '../../../src/units.ts'
import { runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { freshPath, scratch } from '../../helpers/scratch.ts'

const MFD_ALLOW_SEALING = 2
const F_ADD_SEALS = 1033
const [SEAL, SHRINK, GROW] = [1, 2, 4]

/** Runs something that must be refused, with nothing left behind. */
function refused(run: (os: FakeOs) => unknown, code: string, text: string | RegExp = ''): void {
  const os = new FakeOs()
  throwsCode(() => run(os), code, text)
  assert.equal([os.live.size, os.files.opened.size], [0, 0])
}

/** A copy of a shared arena of 1 MiB in a memory file with these seals. */
function copyWith(seals: number): number {
  const arena = Arena.reserve(MiB, { shared: true })
  const fd = libc().memfd_create('copy', MFD_ALLOW_SEALING)
  const header = new Uint8Array(HEADER_BYTES)
  readSync(arena.fd as number, header, 0, HEADER_BYTES, 0)
  ftruncateSync(fd, layoutOf(MiB, arena.pageSize).mappingBytes)
  writeSync(fd, header, 0, HEADER_BYTES, 0)
  if (seals > 0) assert.is(libc().fcntl(fd, F_ADD_SEALS, seals), 0)
  arena.close()
  return fd
}

test('sealed: what we make in memory is accepted, by descriptor, path and handle', () => {
  const arena = Arena.reserve(MiB, { shared: true })
  const os = new FakeOs()
  for (const source of [{ fd: arena.fd as number }, { path: arena.path as string }, arena.handle()])
    Arena.attach(source, { sealed: true, os: 'token' in source ? undefined : os }).close()
  Arena.open(arena.path as string, { sealed: true }).close()
  arena.close()
  // Memory of this process alone: there is nothing that others could shorten.
  const own = Arena.reserve(MiB)
  Arena.attach(own.handle(), { sealed: true }).close()
  own.close()
})

test('sealed: a memory file without all three seals is refused, and so is a named file', () => {
  for (const seals of [0, SHRINK, GROW, SHRINK | GROW, SEAL]) {
    const fd = copyWith(seals)
    refused(
      (os) => Arena.attach({ fd }, { sealed: true, os }),
      'ERR_UNSUPPORTED_OPERATION',
      /options\.sealed: .* can shorten it/
    )
    Arena.attach({ fd }).close()
    closeSync(fd)
  }
  const fd = copyWith(SHRINK | GROW | SEAL)
  Arena.attach({ fd }, { sealed: true }).close()
  closeSync(fd)
  const path = freshPath()
  const named = Arena.open(path, { create: true, byteLength: MiB })
  refused((os) => Arena.open(path, { sealed: true, os }), 'ERR_UNSUPPORTED_OPERATION', path)
  refused((os) => Arena.attach({ path }, { sealed: true, os }), 'ERR_UNSUPPORTED_OPERATION', path)
  refused((os) => Arena.attach({ fd: named.fd as number }, { sealed: true, os }), 'ERR_UNSUPPORTED_OPERATION')
  throwsCode(
    () => Arena.attach(named.handle(), { sealed: true }),
    'ERR_UNSUPPORTED_OPERATION',
    'the arena of this handle'
  )
  named.close()
})

test('sealed: no file is made that would be refused, and only true and false are asked for', () => {
  const before = readdirSync(scratch)
  const path = freshPath()
  refused((os) => Arena.open(path, { create: true, byteLength: MiB, sealed: true, os }), 'ERR_UNSUPPORTED_OPERATION')
  assert.equal(readdirSync(scratch), before)
  throwsCode(() => Arena.attach({ fd: 0 }, { sealed: 1 as never }), 'ERR_INVALID_ARG_TYPE', '"options.sealed"')
})

test('sealed files of arenas can become neither shorter nor longer', () => {
  const arena = Arena.reserve(MiB, { shared: true })
  const fd = openSync(arena.path as string, 'r+')
  for (const length of [0, 4096, GiB]) assert.throws(() => ftruncateSync(fd, length), /EPERM/)
  closeSync(fd)
  arena.close()
})

test('descriptors of anything are refused with a code, and nothing is left', () => {
  const opened: number[] = []
  const open = (path: string, flags = 'r+'): number => {
    const fd = openSync(path, flags)
    opened.push(fd)
    return fd
  }
  const sparse = libc().memfd_create('sparse', 0)
  opened.push(sparse)
  // Node has no numbers as large as this one.
  const { status } = spawnSync('truncate', ['-s', String(2n ** 62n), '/proc/self/fd/3'], {
    stdio: ['ignore', 'ignore', 'inherit', sparse],
  })
  assert.is(status, 0)
  const mapped = freshPath()
  const file = mapFile(mapped, { mode: 'write', create: true, byteLength: MiB })
  insideOf(file.arena).claims()
  const text = freshPath()
  writeFileSync(text, 'x'.repeat(100_000))
  const empty = freshPath()
  writeFileSync(empty, '')
  for (const [fd, code] of [
    [open('/dev/zero'), 'ERR_UNSUPPORTED_OPERATION'],
    [open('/dev/null'), 'ERR_UNSUPPORTED_OPERATION'],
    [open('/proc/self/maps', 'r'), 'ERR_CORRUPTED'],
    [open('/proc/self/status', 'r'), 'ERR_CORRUPTED'],
    [open(scratch, 'r'), 'ERR_UNSUPPORTED_OPERATION'],
    [sparse, 'ERR_CORRUPTED'],
    [open(mapped), 'ERR_UNSUPPORTED_OPERATION'],
    [open(text), 'ERR_CORRUPTED'],
    [open(empty), 'ERR_CORRUPTED'],
    [2 ** 31 - 1, 'EBADF'],
  ] as const)
    refused((os) => Arena.attach({ fd }, { os }), code)
  const arena = Arena.reserve(MiB, { shared: true })
  const readOnly = open(arena.path as string, 'r')
  refused((os) => Arena.attach({ fd: readOnly }, { os }), 'EACCES')
  for (const path of ['/dev/zero', scratch])
    for (const attach of [(os: FakeOs) => Arena.attach({ path }, { os }), (os: FakeOs) => Arena.open(path, { os })])
      refused(attach, path === scratch ? 'EISDIR' : 'ERR_UNSUPPORTED_OPERATION')
  for (const fd of opened) closeSync(fd)
  for (const one of [arena, file]) one.close()
})

test('pipes and terminals are not read, where reading would wait', async () => {
  const child = await runChild(`
    import { spawnSync } from 'node:child_process'
    const path = ${JSON.stringify(freshPath('pipe'))}
    spawnSync('mkfifo', [path])
    const codes = []
    for (const attach of [() => Arena.attach({ path }), () => Arena.open(path), () => Arena.attach({ fd: 0 })])
      try { attach(); codes.push('attached') } catch (error) { codes.push(error.code) }
    report({ codes })`)
  assert.equal(child.clean().report.codes, [
    'ERR_UNSUPPORTED_OPERATION',
    'ERR_UNSUPPORTED_OPERATION',
    'ERR_UNSUPPORTED_OPERATION',
  ])
})

test('lengths in a header that no arena has are refused before anything is mapped', () => {
  const path = freshPath()
  Arena.open(path, { create: true, byteLength: 64 * MiB }).close()
  const { pageSize } = new FakeOs()
  const layout = fileLayoutOf(64 * MiB, pageSize)
  const changed = (change: Partial<Record<keyof typeof HeaderLength, number>>): string => {
    const copy = freshPath()
    copyFileSync(path, copy)
    const fd = openSync(copy, 'r+')
    for (const [field, value] of Object.entries(change))
      writeSync(fd, new Uint8Array(new Float64Array([value]).buffer), 0, 8, 8 * HeaderLength[field as 'byteLength'])
    closeSync(fd)
    return copy
  }
  const { byteLength, metadataBytes, directoryBytes } = layout
  for (const [change, field] of [
    [{ directoryBytes: metadataBytes }, 'directoryBytes'],
    [{ directoryBytes: directoryBytes + pageSize }, 'directoryBytes'],
    [{ directoryBytes: pageSize }, 'directoryBytes'],
    [{ byteLength: byteLength - pageSize, metadataBytes: metadataBytes + pageSize }, 'metadataBytes'],
    [{ byteLength: pageSize, metadataBytes: byteLength + metadataBytes - pageSize }, 'metadataBytes'],
    [{ byteLength: byteLength + pageSize }, 'byteLength'],
    [{ metadataBytes: 2 ** 47 }, 'byteLength'],
    [{ metadataBytes: 2 ** 60 }, 'metadataBytes'],
    [{ directoryBytes: -pageSize }, 'directoryBytes'],
    [{ directoryBytes: pageSize / 2 }, 'directoryBytes'],
  ] as const) {
    const copy = changed(change)
    refused((os) => Arena.open(copy, { os }), 'ERR_CORRUPTED', `"${field}"`)
    const os = new FakeOs()
    throwsCode(() => Arena.open(copy, { os }), 'ERR_CORRUPTED')
    assert.equal([os.count('reserve'), os.count('view')], [0, 0])
  }
  // A memory file that was copied has the lengths of one, and is opened as what it is.
  const arena = Arena.reserve(MiB, { shared: true })
  arena.view(Uint8Array, 8, 1)[0] = 5
  const copy = freshPath()
  copyFileSync(arena.path as string, copy)
  const again = Arena.open(copy)
  assert.is(again.view(Uint8Array, 8, 1)[0], 5)
  for (const one of [arena, again]) one.close()
})

test.run()
