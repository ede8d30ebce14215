/** Files that others may have placed where ours are looked for. The user is pretended; one test really runs as another. */
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena } from '../../../src/arena/arena.ts'
import { mapFile } from '../../../src/arena/file/map-file.ts'
import type { OpenOptions } from '../../../src/arena/options.ts'
import { MiB } from '../../../src/units.ts'
import { nodes, runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { MAP_FILE } from '../../helpers/map-file.ts'

let folder = ''
const mask = process.umask(0)
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'sorites-placed-'))
})
test.after.each(() => rmSync(folder, { recursive: true, force: true }))
test.after(() => {
  process.umask(mask)
})

const OWN = 0o700
const STICKY = 0o1777

/** The user that finds the file: its maker, the user 4242, or one of the maker's group. */
type Finder = 'maker' | 'other' | 'same group'

function osOf(finder: Finder): FakeOs {
  const os = new FakeOs()
  const group = statSync(folder).gid
  if (finder !== 'maker') os.files.pretended = { user: 4242, groups: finder === 'other' ? [4242] : [4242, group] }
  return os
}

/** Whether an arena of the maker's, with this mode in such a folder, is opened by the finder. */
function opens(finder: Finder, mode: number, folderMode: number, options: OpenOptions): boolean {
  const path = join(folder, 'grains')
  rmSync(path, { force: true })
  Arena.open(path, { create: true, byteLength: MiB, permissions: mode }).close()
  const before = readFileSync(path)
  chmodSync(folder, folderMode)
  const os = osOf(finder)
  try {
    Arena.open(path, { ...options, byteLength: MiB, os }).close()
    return true
  } catch (error) {
    assert.is((error as { code: string }).code, 'EACCES', (error as Error).message)
    assert.match((error as Error).message, /it was not|belongs to user|lets more users write/)
    assert.match((error as Error).message, 'permissions: 0o666')
    assert.equal([os.live.size, os.files.opened.size, readFileSync(path)], [0, 0, before])
    return false
  } finally {
    chmodSync(folder, OWN)
  }
}

test('our own file: opened, unless more may write to it than was asked for, where others can place files', () => {
  const create = { create: true }
  for (const [mode, folderMode, options, expected] of [
    [0o600, OWN, create, true],
    [0o666, OWN, create, true],
    [0o600, STICKY, create, true],
    [0o644, STICKY, create, true],
    [0o660, STICKY, create, false],
    [0o666, STICKY, create, false],
    [0o666, 0o770, create, false],
    [0o666, STICKY, { create: true, permissions: 0o660 }, false],
    [0o660, STICKY, { create: true, permissions: 0o660 }, true],
    [0o666, STICKY, { create: true, permissions: 0o666 }, true],
    [0o666, STICKY, { permissions: 0o600 }, false],
    [0o666, STICKY, {}, true],
  ] as const)
    assert.is(opens('maker', mode, folderMode, options), expected, JSON.stringify([mode, folderMode, options]))
})

test("another's file: only with permissions that let its owner write", () => {
  // The maker is root where tests run as root, and trusted.
  const root = process.getuid?.() === 0
  for (const [finder, mode, options, expected] of [
    ['other', 0o666, {}, root],
    ['other', 0o666, { create: true }, false],
    ['other', 0o600, { create: true }, root],
    ['other', 0o666, { permissions: 0o666 }, true],
    ['other', 0o666, { create: true, permissions: 0o666 }, true],
    ['other', 0o660, { create: true, permissions: 0o660 }, root],
    ['same group', 0o660, { create: true, permissions: 0o660 }, true],
    ['same group', 0o660, { permissions: 0o660 }, true],
    ['same group', 0o660, { create: true }, false],
  ] as const)
    assert.is(opens(finder, mode, STICKY, options), expected, JSON.stringify([finder, mode, options]))
})

test('a folder of another user is one where others can place files', () => {
  if (process.getuid?.() === 0) {
    const path = join(folder, 'grains')
    Arena.open(path, { create: true, byteLength: MiB }).close()
    chownSync(path, 4242, 4242)
    chownSync(folder, 4242, 4242)
    throwsCode(() => Arena.open(path), 'EACCES', 'it belongs to user 4242')
    throwsCode(() => Arena.open(path, { create: true, byteLength: MiB }), 'EACCES', 'it belongs to user 4242')
    Arena.open(path, { permissions: 0o666 }).close()
    chownSync(folder, 0, 0)
    chmodSync(folder, OWN)
    Arena.open(path).close()
    return
  }
  assert.is(opens('other', 0o600, OWN, { create: true }), false)
})

test('mapFile with create asks the same of a file that is there, and without create nothing', () => {
  const path = join(folder, 'file')
  writeFileSync(path, 'theirs')
  chmodSync(path, 0o666)
  chmodSync(folder, STICKY)
  const os = new FakeOs()
  throwsCode(
    () => mapFile(path, { mode: 'write', create: true, byteLength: 100, os }),
    'EACCES',
    'lets more users write'
  )
  assert.equal([readFileSync(path, 'utf8'), os.live.size, os.files.opened.size], ['theirs', 0, 0])
  for (const permissions of [0o666, 0o622])
    assert.is(mapFile(path, { mode: 'write', create: true, permissions }).byteLength, 6)
  for (const mode of ['read', 'copy', 'write'] as const) assert.is(mapFile(path, { mode }).byteLength, 6)
  chmodSync(path, 0o644)
  assert.is(mapFile(path, { mode: 'write', create: true }).byteLength, 6)
})

test('a symbolic link of another user, in a folder where others can make them, is not followed', () => {
  const own = join(folder, 'own')
  mkdirSync(own, { mode: 0o700 })
  const shared = join(folder, 'shared')
  mkdirSync(shared)
  chmodSync(shared, STICKY)
  const path = join(own, 'grains')
  const link = join(shared, 'link')
  Arena.open(path, { create: true, byteLength: MiB }).close()
  symlinkSync(path, link)
  Arena.open(link, { create: true, byteLength: MiB }).close()
  if (process.getuid?.() !== 0) {
    const os = osOf('other')
    throwsCode(() => Arena.open(link, { os, permissions: 0o666 }), 'EACCES', 'it is a symbolic link of user')
    return
  }
  lchownSync(link, 4242, 4242)
  throwsCode(() => Arena.open(link), 'EACCES', 'it is a symbolic link of user 4242')
  throwsCode(() => mapFile(link, { mode: 'write', create: true }), 'EACCES', 'it is a symbolic link of user 4242')
})

for (const node of nodes)
  test(`Node ${node.major}: what another user has placed is refused, and sharing with one works`, async () => {
    chmodSync(folder, STICKY)
    const child = await runChild(
      `${MAP_FILE}
      const folder = ${JSON.stringify(folder)}
      process.umask(0)
      const code = (run) => { try { return run() ?? 'done' } catch (error) { return error.code } }
      const open = (name, options) => code(() => Arena.open(folder + '/' + name, { byteLength: MiB, ...options }).close())
      const as = (user, run) => { process.setegid(user), process.seteuid(user); try { return run() } finally { process.seteuid(0), process.setegid(0) } }
      Arena.reserve(MiB).close()
      try { process.setgroups([]), as(4242, () => fs.readdirSync(folder)) } catch { report({ skipped: true }); process.exit(0) }
      as(4242, () => [open('private', { create: true, permissions: 0o600 }), open('open', { create: true, permissions: 0o666 })])
      open('of-root', { create: true, permissions: 0o666 })
      report({
        placed: [open('private', { create: true }), open('open', { create: true }), open('open', {})],
        shared: [open('open', { create: true, permissions: 0o666 }), open('open', { permissions: 0o666 })],
        other: as(4343, () => [open('private', {}), open('open', {}), open('open', { permissions: 0o666 }), open('of-root', {}), open('of-root', { create: true, permissions: 0o666 })]),
        unlink: as(4343, () => { const arena = Arena.open(folder + '/open', { permissions: 0o666 }); const gone = code(() => arena.unlink()); arena.close(); return gone }),
        left: fs.readdirSync(folder).sort(),
      })`,
      { node }
    )
    const { report } = child.clean()
    if (report.skipped)
      return console.log('(skipped: this process cannot be another user, or another user cannot enter the folder)')
    assert.equal(report, {
      placed: ['EACCES', 'EACCES', 'EACCES'],
      shared: ['done', 'done'],
      other: ['EACCES', 'EACCES', 'done', 'done', 'done'],
      unlink: 'EPERM',
      left: ['of-root', 'open', 'private'],
    })
  })

test.run()
