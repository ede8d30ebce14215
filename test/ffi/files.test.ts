import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LinuxOs } from '../../src/ffi/linux.ts'
import { MiB, TiB } from '../../src/units.ts'
import { compiled, nodes, runChild } from '../helpers/child.ts'
import { throwsCode } from '../helpers/errors.ts'

const os = new LinuxOs()
const folder = mkdtempSync(join(tmpdir(), 'sorites-'))

test('a memory file has its length for ever, and no page', () => {
  const fd = os.createMemoryFile(TiB, 'a name '.repeat(60))
  const { byteLength, sealed } = os.fileStatus(fd)
  assert.equal([byteLength, sealed], [TiB, true])
  assert.is(statSync(`/proc/self/fd/${fd}`).blocks, 0)
  assert.is(spawnSync('truncate', ['-s', '4096', `/proc/${process.pid}/fd/${fd}`]).status, 1)
  assert.is(os.fileStatus(fd).byteLength, TiB)
  os.closeFile(fd)
})

test('a file is made with all its blocks, and under a free name only', () => {
  const path = join(folder, 'made')
  const fd = os.createFile(path, 2 * MiB, 0o640)
  const { size, blocks, mode } = statSync(path)
  assert.equal([size, blocks * 512 >= 2 * MiB, mode & 0o777], [2 * MiB, true, 0o640])
  assert.not(os.fileStatus(fd).sealed)
  const error = throwsCode(() => os.createFile(path, MiB, 0o600), 'EEXIST', path) as unknown as Record<string, unknown>
  assert.equal([error.syscall, error.path, error.errno], ['open', path, -17])
  assert.is(statSync(path).size, 2 * MiB)
  const again = os.openFile(path)
  assert.equal(os.fileStatus(again), os.fileStatus(fd))
  for (const one of [fd, again]) os.closeFile(one)
})

test('a file that there is no room for is an error, and nothing is left of it', () => {
  const path = join(folder, 'huge')
  let error: { code?: string; length?: number } = {}
  try {
    os.createFile(path, 4 * TiB, 0o600)
  } catch (thrown) {
    error = thrown as typeof error
  }
  // Which of the two depends on the file system.
  assert.match(String(error.code), /^(ENOSPC|EFBIG)$/)
  assert.is(error.length, 4 * TiB)
  assert.not(readdirSync(folder).includes('huge'))
})

test('names come and go', () => {
  const path = join(folder, 'first')
  os.closeFile(os.createFile(path, 4096, 0o600))
  os.linkFile(path, `${path} second`)
  throwsCode(() => os.linkFile(path, `${path} second`), 'EEXIST', 'second')
  os.unlinkFile(path)
  throwsCode(() => os.unlinkFile(path), 'ENOENT', 'unlink')
  throwsCode(() => os.openFile(path), 'ENOENT', `open '${path}'`)
  throwsCode(() => os.linkFile(path, `${path} third`), 'ENOENT')
  os.closeFile(os.openFile(`${path} second`))
  throwsCode(() => os.openFile(folder), 'EISDIR')
})

test('reading copies what is there', () => {
  const path = join(folder, 'read')
  writeFileSync(path, 'grains of sand')
  const fd = os.openFile(path)
  const target = new Uint8Array(8)
  assert.equal([os.readFile(fd, target, 7), Buffer.from(target).toString('latin1')], [7, 'of sand\0'])
  assert.equal([os.readFile(fd, target, 100), os.readFile(fd, new Uint8Array(0), 0)], [0, 0])
  os.closeFile(fd)
  throwsCode(() => os.readFile(fd, target, 0), 'EBADF', 'pread')
})

test('a duplicate outlives the descriptor that it was made of', () => {
  const fd = os.createMemoryFile(4096, 'x')
  const copy = os.duplicateFile(fd)
  os.closeFile(fd)
  assert.is(os.fileStatus(copy).byteLength, 4096)
  os.closeFile(copy)
  throwsCode(() => os.duplicateFile(copy), 'EBADF', 'fcntl')
  throwsCode(() => os.fileStatus(copy), 'EBADF')
})

test('blocks are allocated where there are none', () => {
  const path = join(folder, 'sparse')
  spawnSync('truncate', ['-s', '8M', path])
  const fd = os.openFile(path)
  assert.ok(statSync(path).blocks * 512 < MiB)
  os.allocateBlocks(fd, 2 * MiB, 4 * MiB)
  const { blocks, size } = statSync(path)
  assert.ok(size === 8 * MiB && blocks * 512 >= 4 * MiB && blocks * 512 < 5 * MiB, `${blocks}`)
  os.closeFile(fd)
  throwsCode(() => os.allocateBlocks(fd, 0, MiB), 'EBADF', 'fallocate')
})

test('arguments that C would misread are refused', () => {
  for (const bad of [-1, 0.5, NaN, 2 ** 31, '0', null, undefined, {}, 0n])
    for (const call of [
      () => os.closeFile(bad as number),
      () => os.duplicateFile(bad as number),
      () => os.fileStatus(bad as number),
      () => os.readFile(bad as number, new Uint8Array(1), 0),
      () => os.allocateBlocks(bad as number, 0, 1),
    ])
      assert.throws(call, (error: Error & { code: string }) => /ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)/.test(error.code))
  for (const bad of ['', 'a\0b', 5, null, undefined, Buffer.from('x')])
    for (const call of [
      () => os.openFile(bad as string),
      () => os.createFile(bad as string, 1, 0),
      () => os.unlinkFile(bad as string),
      () => os.linkFile(bad as string, 'x'),
      () => os.linkFile('x', bad as string),
    ])
      assert.throws(call, (error: Error & { code: string }) => /ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)/.test(error.code))
  throwsCode(() => os.createMemoryFile(0, 'x'), 'ERR_OUT_OF_RANGE')
  throwsCode(() => os.createFile(join(folder, 'x'), MiB, 0o10000), 'ERR_OUT_OF_RANGE', '"permissions"')
  throwsCode(() => os.readFile(0, [] as never, 0), 'ERR_INVALID_ARG_TYPE', '"target"')
})

test('permissions are asked', () => {
  const path = join(folder, 'locked')
  writeFileSync(path, 'x')
  chmodSync(path, 0o400)
  // The superuser may open it all the same.
  if (process.getuid?.() === 0) os.closeFile(os.openFile(path))
  else throwsCode(() => os.openFile(path), 'EACCES')
})

for (const node of nodes)
  test(`Node ${node.major}: a limit on the length of files is an error, and not a signal`, async () => {
    const program = `
      import { LinuxOs } from ${JSON.stringify(compiled('src/ffi/linux'))}
      const os = new LinuxOs(), codes = []
      for (const make of [() => os.createMemoryFile(GiB, 'x'), () => os.createFile(${JSON.stringify(join(folder, 'long'))}, GiB, 0o600)])
        try { make() } catch (error) { codes.push(error.code + ' ' + error.syscall) }
      report({ codes })`
    const child = await runChild(program, { node, before: 'ulimit -f 1000' })
    assert.equal(child.clean().report.codes, ['EFBIG ftruncate', 'EFBIG fallocate'])
  })

test.after(() => rmSync(folder, { recursive: true, force: true }))

test.run()
