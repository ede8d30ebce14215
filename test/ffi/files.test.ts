/**
 * The calls about files, on the real kernel.
 *
 * Longer than other files: call by call, with each errno.
 */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statfsSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SystemError } from '../../src/errors.ts'
import { LinuxOs } from '../../src/ffi/linux/linux.ts'
import { KiB, MiB, TiB } from '../../src/units.ts'
import { compiled, nodes, runChild } from '../helpers/child.ts'
import { throwsCode } from '../helpers/errors.ts'
import { sharedMemoryFolder } from '../helpers/machine.ts'
import { freshFile, freshPath, pattern, scratch } from '../helpers/scratch.ts'

const { files } = new LinuxOs()

/** Runs something with a descriptor for reading and writing. */
function withFile(path: string, run: (fd: number) => void): void {
  const fd = files.open(path, 'read-write')
  try {
    run(fd)
  } finally {
    files.close(fd)
  }
}

test('open: for reading, for both, and a new one', () => {
  const path = freshFile('abc')
  const fd = files.open(path, 'read')
  const bytes = new Uint8Array(8)
  assert.is(files.read(fd, bytes, 1), 2)
  assert.equal([...bytes.subarray(0, 2)], [98, 99])
  throwsCode(() => files.write(fd, bytes, 0), 'EBADF', 'write')
  files.close(fd)
  withFile(path, (both) => files.write(both, Buffer.from('xyz'), 2))
  assert.is(readFileSync(path, 'utf8'), 'abxyz')
  throwsCode(() => files.create(path, 0o600), 'EEXIST', `open '${path}'`)
  const made = freshPath()
  files.close(files.create(made, 0o600))
  assert.is(statSync(made).size, 0)
  const error = throwsCode(() => files.open(freshPath('none'), 'read'), 'ENOENT', 'open')
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

test('open: a pipe without a writer does not block, and is no ordinary file', () => {
  const fifo = freshPath()
  execFileSync('mkfifo', [fifo])
  const fd = files.open(fifo, 'read')
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
  const fd = files.open(path, 'read')
  throwsCode(() => files.truncate(fd, 5), 'EINVAL', 'ftruncate')
  files.close(fd)
})

for (const folder of [scratch, sharedMemoryFolder()].filter((each) => each !== undefined))
  test(`allocate: room on the disk, a longer file, the same contents (${folder === scratch ? 'disk' : 'memory'})`, () => {
    const path = `${folder}/sorites-allocate-${process.pid}`
    writeFileSync(path, 'abc')
    try {
      withFile(path, (fd) => {
        files.truncate(fd, MiB)
        assert.ok(fstatSync(fd).blocks * 512 < 64 * KiB)
        files.allocate(fd, 1, MiB)
        assert.is(fstatSync(fd).size, MiB)
        files.extend(fd, MiB + 1)
        files.extend(fd, 10)
        assert.is(fstatSync(fd).size, MiB + 1)
        assert.ok(fstatSync(fd).blocks * 512 >= MiB)
        assert.is(readFileSync(path).subarray(0, 4).toString('latin1'), 'abc\0')
        assert.ok(files.nextData(fd, 2 * MiB) === Infinity)
      })
    } finally {
      unlinkSync(path)
    }
  })

test('allocate: nothing, and no descriptor', () => {
  withFile(freshFile('x'), (fd) => files.allocate(fd, 0, 0))
  throwsCode(() => files.allocate(2 ** 30, 0, 1), 'EBADF', 'fstat')
  throwsCode(() => files.extend(2 ** 30, 1), 'EBADF', 'fallocate')
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

test('a descriptor given by others keeps its position when it is opened anew', () => {
  const path = freshFile(100)
  const fd = openSync(path, 'r+')
  ftruncateSync(fd, 50)
  const again = files.open(`/proc/self/fd/${fd}`, 'read')
  files.nextData(again, 20)
  const position = /^pos:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
  assert.is(position, '0')
  files.close(again)
  closeSync(fd)
})

test('a memory file has its length for ever, and no page', () => {
  const fd = files.createInMemory(TiB, 'a name '.repeat(60))
  assert.equal([files.status(fd).byteLength, files.isSealed(fd)], [TiB, true])
  assert.is(statSync(`/proc/self/fd/${fd}`).blocks, 0)
  assert.throws(
    () => truncateSync(`/proc/self/fd/${fd}`, 4096),
    (error: Error) => /EPERM/.test(error.message)
  )
  assert.is(files.status(fd).byteLength, TiB)
  files.close(fd)
})

test('a file that is made has its permissions, and no seals', () => {
  const path = freshPath()
  const mask = process.umask(0o022)
  const fd = files.create(path, 0o640)
  process.umask(mask)
  assert.equal([statSync(path).mode & 0o777, files.isSealed(fd)], [0o640, false])
  files.close(fd)
})

test('a file that there is no room for is an error', () => {
  const path = freshPath()
  const fd = files.create(path, 0o600)
  let error: { code?: string; path?: string } = {}
  try {
    files.allocate(fd, 4 * TiB, MiB)
  } catch (thrown) {
    error = thrown as typeof error
  }
  // A file system with room for that has none for the next.
  if (error.code === undefined) assert.throws(() => files.allocate(fd, 0, 4 * TiB))
  // Which of the two depends on the file system.
  else assert.match(error.code, /^(ENOSPC|EFBIG)$/)
  files.close(fd)
  unlinkSync(path)
})

test('names come and go', () => {
  const path = freshFile('x')
  files.link(path, `${path} second`)
  throwsCode(() => files.link(path, `${path} second`), 'EEXIST', 'second')
  files.remove(path)
  throwsCode(() => files.open(path, 'read-write'), 'ENOENT', `open '${path}'`)
  throwsCode(() => files.link(path, `${path} third`), 'ENOENT')
  files.close(files.open(`${path} second`, 'read-write'))
  throwsCode(() => files.open(scratch, 'read-write'), 'EISDIR')
})

test('a file without a name cannot be found until it is published, and nothing is replaced', () => {
  const folder = freshPath()
  mkdirSync(folder)
  const path = join(folder, 'grains')
  const mask = process.umask(0o027)
  const fd = files.createUnnamed(path, 0o666)
  process.umask(mask)
  files.write(fd, Buffer.from('abc'), 0)
  assert.equal(readdirSync(folder), [])
  assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'), /flags:\s+02\d{6}\d*\n/)
  symlinkSync('nowhere', path)
  throwsCode(() => files.publish(fd, path), 'EEXIST', `link '${path}'`)
  unlinkSync(path)
  files.publish(fd, path)
  assert.equal([readFileSync(path, 'utf8'), statSync(path).mode & 0o777, statSync(path).nlink], ['abc', 0o640, 1])
  throwsCode(() => files.publish(fd, path), 'EEXIST')
  throwsCode(() => files.publish(fd, join(folder, 'no/such')), 'ENOENT', 'no/such')
  throwsCode(() => files.publish(2 ** 30, join(folder, 'other')), 'ENOENT')
  files.setPermissions(fd, 0o604)
  assert.is(files.status(fd).permissions, 0o604)
  files.close(fd)
  throwsCode(() => files.createUnnamed(join(folder, 'no/such'), 0o600), 'ENOENT', 'no/such')
  assert.throws(() => files.createUnnamed('/proc/x', 0o600), /ENOTSUP|EACCES/)
  throwsCode(() => files.setPermissions(2 ** 30, 0), 'EBADF')
  // What is closed without a name is gone.
  files.close(files.createUnnamed(path, 0o600))
  assert.equal(readdirSync(folder), ['grains'])
})

test('rename replaces nothing', () => {
  const [path, other] = [freshFile('one'), freshFile('two')]
  throwsCode(() => files.rename(path, other), 'EEXIST', `rename '${path}'`)
  assert.equal([readFileSync(path, 'utf8'), readFileSync(other, 'utf8')], ['one', 'two'])
  const moved = freshPath()
  files.rename(path, moved)
  throwsCode(() => files.rename(path, moved), 'ENOENT')
  assert.is(readFileSync(moved, 'utf8'), 'one')
})

test('what a path itself names, and where it leads', () => {
  const [path, link] = [freshFile('one'), freshPath('link')]
  symlinkSync(path, link)
  assert.equal([files.entryAt(link)?.symbolicLink, files.statusAt(link)?.symbolicLink], [true, false])
  assert.equal(files.entryAt(path), files.statusAt(path))
  assert.equal([files.realPath(link), files.realPath(`${link}-none`)], [realpathSync(path), undefined])
  assert.is(files.entryAt(`${link}-none`), undefined)
  assert.is(files.entryAt(`${path}/below`), undefined)
  assert.ok(files.list(scratch).includes(basename(link)))
  assert.equal(files.list(`${link}-none`), [])
  const { user, groups } = files.credentials()
  assert.equal([user, groups[0]], [process.geteuid?.(), process.getegid?.()])
  assert.is(files.statusAt(path)?.owner, user)
})

test('allocate says beforehand that there is no room, and gives nothing', () => {
  const path = freshFile('abc')
  withFile(path, (fd) => {
    const { bfree, bsize } = statfsSync(path)
    const wanted = Math.min(bfree * bsize * 2, 8 * TiB)
    throwsCode(() => files.allocate(fd, 0, wanted), 'ENOSPC', 'bytes are free')
    const { size, blocks } = fstatSync(fd)
    assert.is(size, 3)
    assert.ok(blocks * 512 <= 64 * KiB)
  })
})

test('clear: bytes become zero, the length stays', () => {
  withFile(freshFile(pattern(20_000)), (fd) => {
    files.clear(fd, 10, 12_000)
    const bytes = new Uint8Array(20_000)
    assert.is(files.read(fd, bytes, 0), 20_000)
    assert.equal(
      Buffer.from(bytes),
      Buffer.concat([pattern(10), Buffer.alloc(12_000), pattern(20_000).subarray(12_010)])
    )
    files.clear(fd, 0, 0)
  })
})

test('a duplicate outlives the descriptor that it was made of', () => {
  const fd = files.createInMemory(4096, 'x')
  const copy = files.duplicate(fd)
  files.close(fd)
  assert.is(files.status(copy).byteLength, 4096)
  files.close(copy)
  throwsCode(() => files.duplicate(copy), 'EBADF', 'fcntl')
  throwsCode(() => files.isSealed(copy), 'EBADF', 'fcntl')
})

const refused = /ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)/
const refuses = (call: () => void): void =>
  assert.throws(call, (error: Error & { code: string }) => refused.test(error.code))

test('arguments that C would misread are refused', () => {
  for (const bad of [-1, 0.5, NaN, 2 ** 31, '0', null, undefined, {}, 0n]) {
    const fd = bad as number
    refuses(() => files.close(fd))
    refuses(() => files.duplicate(fd))
    refuses(() => files.status(fd))
    refuses(() => files.isSealed(fd))
    refuses(() => files.truncate(fd, 0))
    refuses(() => files.read(fd, new Uint8Array(1), 0))
    refuses(() => files.write(fd, new Uint8Array(1), 0))
    refuses(() => files.allocate(fd, 0, 1))
    refuses(() => files.nextData(fd, 0))
    refuses(() => files.extend(fd, 1))
    refuses(() => files.clear(fd, 0, 1))
    refuses(() => files.fileSystem(fd))
    refuses(() => files.appends(fd))
    refuses(() => files.publish(fd, 'x'))
    refuses(() => files.setPermissions(fd, 0))
  }
  for (const bad of ['', 'a\0b', 5, null, undefined, Buffer.from('x')]) {
    const path = bad as string
    refuses(() => files.open(path, 'read'))
    refuses(() => files.create(path, 0))
    refuses(() => files.remove(path))
    refuses(() => files.link(path, 'x'))
    refuses(() => files.link('x', path))
    refuses(() => files.createUnnamed(path, 0))
    refuses(() => files.publish(0, path))
    refuses(() => files.rename(path, 'x'))
    refuses(() => files.rename('x', path))
  }
  withFile(freshFile('x'), (fd) => {
    for (const bad of [-1, NaN, 0.5, 2 ** 53, Infinity, '1', undefined]) {
      refuses(() => files.allocate(fd, bad as number, 1))
      refuses(() => files.allocate(fd, 0, bad as number))
      refuses(() => files.read(fd, new Uint8Array(1), bad as number))
      refuses(() => files.truncate(fd, bad as number))
      refuses(() => files.extend(fd, bad as number))
      refuses(() => files.clear(fd, bad as number, 1))
      refuses(() => files.createUnnamed('x', bad as number))
      refuses(() => files.nextData(fd, bad as number))
    }
    throwsCode(() => files.read(fd, [] as never, 0), 'ERR_INVALID_ARG_TYPE', '"target"')
  })
  throwsCode(() => files.createInMemory(0, 'x'), 'ERR_OUT_OF_RANGE')
  throwsCode(() => files.create(freshPath(), 0o10000), 'ERR_OUT_OF_RANGE', '"permissions"')
})

test('permissions are asked', () => {
  const path = freshFile('x')
  chmodSync(path, 0o400)
  // The superuser may open it all the same.
  if (process.getuid?.() === 0) files.close(files.open(path, 'read-write'))
  else throwsCode(() => files.open(path, 'read-write'), 'EACCES')
})

for (const node of nodes) {
  test(`Node ${node.major}: a limit on the length of files is an error, and not a signal`, async () => {
    const program = `
      import { LinuxOs } from ${JSON.stringify(compiled('src/ffi/linux/linux'))}
      const { files } = new LinuxOs(), codes = []
      const fd = files.create(${JSON.stringify(freshPath())}, 0o600)
      for (const make of [() => files.createInMemory(GiB, 'x'), () => files.allocate(fd, 0, GiB)])
        try { make() } catch (error) { codes.push(error.code + ' ' + error.syscall) }
      report({ codes })`
    const child = await runChild(program, { node, before: 'ulimit -f 1000' })
    assert.equal(child.clean().report.codes, ['EFBIG ftruncate', 'EFBIG fallocate'])
  })

  test(`Node ${node.major}: a descriptor outlives the worker that asked for it, and Node says nothing of it`, async () => {
    const path = freshFile('grains')
    const program = `
      import { LinuxOs } from ${JSON.stringify(compiled('src/ffi/linux/linux'))}
      const thread = new Thread(\`
        const { LinuxOs } = await import(${JSON.stringify(compiled('src/ffi/linux/linux'))})
        post(new LinuxOs().files.open(data, 'read'))\`, ${JSON.stringify(path)})
      const fd = await thread.next()
      await thread.ended()
      const { files } = new LinuxOs(), bytes = new Uint8Array(6)
      report({ read: files.read(fd, bytes, 0), text: Buffer.from(bytes).toString() })
      files.close(fd)`
    assert.equal((await runChild(program, { node })).clean().report, { read: 6, text: 'grains' })
  })
}

test.run()
