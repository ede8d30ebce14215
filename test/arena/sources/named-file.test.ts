/**
 * Arenas with a name: they stay when all processes have gone, appear whole, tell of owners that died, and never meet a full disk late.
 *
 * Longer than other files: the whole life of a name, from making to taking away.
 */
import { spawnSync } from 'node:child_process'
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena } from '../../../src/arena/arena.ts'
import { fileLayoutOf } from '../../../src/arena/format/layout.ts'
import { fileError } from '../../../src/ffi/errno.ts'
import { KiB, MiB } from '../../../src/units.ts'
import { type NodeBinary, nodes, runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { canMount, MOUNTING, sharedMemoryFolder } from '../../helpers/machine.ts'
import { roomyFolder } from '../../helpers/scratch.ts'

let folder = ''
test.before.each(() => {
  folder = mkdtempSync(join(roomyFolder(), 'sorites-'))
})
test.after.each(() => rmSync(folder, { recursive: true, force: true }))

// biome-ignore lint/suspicious/noExplicitAny: what a child reports
async function run(node: NodeBinary, program: string): Promise<any> {
  return (await runChild(`const folder = ${JSON.stringify(folder)}\n${program}`, { node })).clean().report
}

test('it is made with all its blocks, closed, and found again with its bytes', () => {
  const os = new FakeOs()
  const path = join(folder, 'grains')
  const arena = Arena.open(path, { byteLength: MiB + 1, create: true, os })
  assert.equal([arena.byteLength, arena.shared, arena.path], [MiB + os.pageSize, true, path])
  assert.is(arena.view(Uint8Array, 0, arena.byteLength).lastIndexOf(1), -1)
  arena.view(Uint8Array, MiB, 3).set([1, 2, 3])
  const { size, blocks, mode } = statSync(path)
  assert.equal([size, mode & 0o777], [fileLayoutOf(MiB + 1, os.pageSize).mappingBytes, 0o600])
  assert.ok(blocks * 512 >= size)
  arena.close()
  for (const options of [{}, { byteLength: MiB + 1 }, { byteLength: MiB + os.pageSize, create: true }]) {
    const again = Arena.open(pathToFileURL(path), { ...options, os })
    assert.equal([...again.view(Uint8Array, MiB, 4)], [1, 2, 3, 0])
    assert.is(again.staleOwner, undefined)
    again.close()
  }
  assert.equal([os.files.opened.size, readdirSync(folder)], [0, ['grains']])
})

test('what is asked is checked, and nothing is made', () => {
  const path = join(folder, 'none')
  throwsCode(() => Arena.open(path), 'ENOENT', path)
  throwsCode(() => Arena.open(path, { create: true }), 'ERR_INVALID_ARG_TYPE', '"options.byteLength"')
  for (const bad of [0, -1, NaN, 2 ** 53])
    throwsCode(() => Arena.open(path, { byteLength: bad }), 'ERR_OUT_OF_RANGE', '"options.byteLength"')
  throwsCode(() => Arena.open(path, { create: 1 as never, byteLength: 1 }), 'ERR_INVALID_ARG_TYPE', '"options.create"')
  throwsCode(() => Arena.open(path, { permissions: 0o1000 }), 'ERR_OUT_OF_RANGE', '"options.permissions"')
  throwsCode(() => Arena.open(path, 5 as never), 'ERR_INVALID_ARG_TYPE', '"options"')
  for (const bad of [5, null, undefined, {}])
    throwsCode(() => Arena.open(bad as never), 'ERR_INVALID_ARG_TYPE', '"path"')
  for (const bad of ['', 'a\0b']) throwsCode(() => Arena.open(bad), 'ERR_OUT_OF_RANGE', '"path"')
  throwsCode(() => Arena.open(join(folder, 'no/such'), { byteLength: 1, create: true }), 'ENOENT', 'no/such')
  throwsCode(() => Arena.reserve(1, { shared: 1 as never }), 'ERR_INVALID_ARG_TYPE', '"options.shared"')
  assert.equal(readdirSync(folder), [])
})

test('a length that is not that of the file is refused', () => {
  const path = join(folder, 'grains')
  Arena.open(path, { byteLength: MiB, create: true }).close()
  for (const byteLength of [1, MiB - 4096, MiB + 1, 2 * MiB])
    throwsCode(
      () => Arena.open(path, { byteLength, create: true }),
      'ERR_OUT_OF_RANGE',
      `"options.byteLength" expected ${MiB}, the length of ${path}, got ${byteLength}`
    )
})

test('a name is taken away once, and only from its own file', () => {
  const os = new FakeOs()
  const path = join(folder, 'grains')
  const arena = Arena.open(path, { byteLength: MiB, create: true, os })
  const view = arena.view(Uint8Array, 0, 8).fill(4)
  const other = Arena.open(path, { os })
  assert.ok(arena.unlink())
  assert.not(arena.unlink())
  throwsCode(() => Arena.open(path, { os }), 'ENOENT')
  assert.equal([other.view(Uint8Array, 0, 1)[0], view[0]], [4, 4])
  const next = Arena.open(path, { byteLength: MiB, create: true, os })
  assert.not(other.unlink())
  assert.equal([next.view(Uint8Array, 0, 1)[0], readdirSync(folder)], [0, ['grains']])
  for (const one of [arena, other, next]) one.close()
  throwsCode(() => next.unlink(), 'ERR_ARENA_CLOSED')
  assert.is(os.files.opened.size, 0)
  throwsCode(() => Arena.reserve(MiB).unlink(), 'ERR_UNSUPPORTED_OPERATION', 'no name')
  throwsCode(() => Arena.reserve(MiB, { shared: true }).unlink(), 'ERR_UNSUPPORTED_OPERATION', 'no name')
})

/** Without files that have no name: as on NFS, vfat and others. */
function withoutUnnamed(os: FakeOs): FakeOs {
  os.files.createUnnamed = () => {
    throw fileError('open', constants.errno.EOPNOTSUPP, undefined)
  }
  return os
}

test('a name that another file takes while it is taken away goes back to that file', () => {
  const os = new FakeOs()
  const path = join(folder, 'grains')
  using arena = Arena.open(path, { byteLength: MiB, create: true, os })
  const rename = os.files.rename.bind(os.files)
  os.files.rename = (from, to) => {
    os.files.rename = rename
    rmSync(path)
    writeFileSync(path, 'theirs')
    rename(from, to)
  }
  assert.not(arena.unlink())
  assert.equal([readFileSync(path, 'utf8'), readdirSync(folder)], ['theirs', ['grains']])
})

test('a name that is replaced twice meanwhile: nothing is lost, and it is told where the file is', () => {
  const os = new FakeOs()
  const path = join(folder, 'grains')
  using arena = Arena.open(path, { byteLength: MiB, create: true, os })
  const rename = os.files.rename.bind(os.files)
  os.files.rename = (from, to) => {
    os.files.rename = rename
    rmSync(path)
    writeFileSync(path, 'second')
    rename(from, to)
    writeFileSync(path, 'third')
  }
  const { message } = throwsCode(() => arena.unlink(), 'ERR_UNSUPPORTED_OPERATION', 'replaced twice')
  const kept = / is (.+) now/.exec(message)?.[1] as string
  assert.equal([readFileSync(kept, 'utf8'), readFileSync(path, 'utf8')], ['second', 'third'])
})

test('a name is taken away where files cannot be renamed without replacing others', () => {
  for (const errno of [constants.errno.EINVAL, constants.errno.ENOSYS]) {
    const os = new FakeOs()
    const path = join(folder, 'grains')
    using arena = Arena.open(path, { byteLength: MiB, create: true, os })
    os.fail('rename', 1, errno)
    assert.ok(arena.unlink())
    assert.not(arena.unlink())
    assert.equal(readdirSync(folder), [])
  }
})

test('taking a name away: whatever fails, the name is there or it is gone, and nothing else', () => {
  const path = join(folder, 'grains')
  for (const call of ['status', 'rename', 'remove'] as const) {
    const os = new FakeOs()
    const arena = Arena.open(path, { byteLength: MiB, create: true, os })
    os.fail(call)
    throwsCode(() => arena.unlink(), 'ENOMEM')
    assert.equal(readdirSync(folder), ['grains'], call)
    assert.ok(arena.unlink())
    arena.close()
    assert.equal([readdirSync(folder), os.files.opened.size], [[], 0])
  }
})

test('of a symbolic link the file loses its name', () => {
  const path = join(folder, 'grains')
  const link = join(folder, 'link')
  Arena.open(path, { byteLength: MiB, create: true }).close()
  symlinkSync(path, link)
  using arena = Arena.open(link)
  assert.ok(arena.unlink())
  assert.equal(readdirSync(folder), ['link'])
  throwsCode(() => Arena.open(link, { create: true, byteLength: MiB }), 'ERR_UNSUPPORTED_OPERATION', 'leads nowhere')
})

test('what holds no arena is told, and left alone', () => {
  const fifo = join(folder, 'fifo')
  spawnSync('mkfifo', [fifo])
  for (const path of [fifo, '/dev/zero'])
    throwsCode(() => Arena.open(path, { create: true, byteLength: 1 }), 'ERR_UNSUPPORTED_OPERATION', 'no ordinary file')
  throwsCode(() => Arena.open(folder, { create: true, byteLength: 1 }), 'EISDIR')
  throwsCode(() => Arena.attach({ path: fifo }), 'ERR_UNSUPPORTED_OPERATION', 'no ordinary file')
})

for (const way of ['without a name', 'with a temporary name'] as const)
  test(`making one ${way}: whatever fails, nothing is left, no file, no descriptor and no mapping`, () => {
    const path = join(folder, 'grains')
    let failures = 0
    for (let nth = 1, failed = true; failed; nth++) {
      const os = way === 'without a name' ? new FakeOs() : withoutUnnamed(new FakeOs())
      os.fail('any', nth)
      try {
        const arena = Arena.open(path, { byteLength: MiB, create: true, os })
        failed = os.heal() === 0
        arena.close()
      } catch (error) {
        failures++
        assert.is((error as { code: string }).code, 'ENOMEM', `call ${nth}`)
        assert.equal([os.live.size, os.files.opened.size], [0, 0], `call ${nth}`)
        // What has its name is there: another may have it already.
        if (os.count('publish') + os.count('rename') === 0) assert.equal(readdirSync(folder), [], `call ${nth}`)
      }
      assert.equal(
        readdirSync(folder).filter((name) => name !== 'grains'),
        [],
        `call ${nth}`
      )
      rmSync(path, { force: true })
      assert.ok(nth < 100)
    }
    assert.ok(failures >= 12)
  })

test('the next arena that is made in the folder removes what a process left that was killed in unlink', async () => {
  const path = join(folder, 'grains')
  const program = `
    const path = ${JSON.stringify(path)}
    const os = new FakeOs()
    os.files.remove = () => process.kill(process.pid, 'SIGKILL')
    Arena.open(path, { byteLength: MiB, create: true, os }).unlink()`
  assert.is((await runChild(program)).signal, 'SIGKILL')
  assert.match(readdirSync(folder).join(' '), /^\.sorites-\S+-\d+\.\d+$/)
  Arena.open(path, { byteLength: MiB, create: true }).close()
  assert.equal(readdirSync(folder), ['grains'])
})

test('opening one: whatever fails, nothing is left', () => {
  const path = join(folder, 'grains')
  Arena.open(path, { byteLength: MiB, create: true }).close()
  for (const call of ['open', 'status', 'read', 'reserve', 'mapFile', 'adviseHugePages', 'view'] as const)
    for (const nth of call === 'mapFile' ? [1, 2] : [1]) {
      const os = new FakeOs()
      os.fail(call, nth)
      throwsCode(() => Arena.open(path, { os }), 'ENOMEM')
      assert.equal([os.live.size, os.files.opened.size, os.heal()], [0, 0, 0], call)
      Arena.open(path, { os }).close()
    }
})

test('a second name that cannot be taken away is no reason to fail', () => {
  const os = new FakeOs()
  withoutUnnamed(os)
  os.files.rename = () => {
    throw fileError('rename', constants.errno.EINVAL, undefined)
  }
  os.fail('remove')
  Arena.open(join(folder, 'grains'), { byteLength: MiB, create: true, os }).close()
  assert.is(os.heal(), 0)
  assert.is(readdirSync(folder).filter((name) => name === 'grains').length, 1)
})

test('where a file system has no holes, a purge writes zeros', () => {
  const os = new FakeOs()
  using arena = Arena.open(join(folder, 'grains'), { byteLength: MiB, create: true, os })
  const bytes = arena.view(Uint8Array, 0, MiB).fill(3)
  os.fail('removePages', 1, constants.errno.EOPNOTSUPP)
  arena.purge(8192, 8192)
  assert.equal([bytes[8191], bytes[8192], bytes[16383], bytes[16384]], [3, 0, 0, 3])
  assert.is(os.heal(), 0)
})

test('the name comes and goes while it is opened', () => {
  const os = new FakeOs()
  const path = join(folder, 'grains')
  const publish = os.files.publish.bind(os.files)
  let rounds = 0
  // Another process is always a little faster, and then takes its file away.
  os.files.publish = (fd, to) => {
    if (++rounds < 4) writeFileSync(to, 'theirs')
    try {
      publish(fd, to)
    } finally {
      if (rounds < 4) rmSync(to)
    }
  }
  Arena.open(path, { byteLength: MiB, create: true, os }).close()
  assert.equal([rounds, readdirSync(folder), os.files.opened.size], [4, ['grains'], 0])
})

test('an owner of another start of the machine is dead, one of another container may be alive', () => {
  const path = join(folder, 'grains')
  const elsewhere = new FakeOs()
  elsewhere.threads.where = { boot: 1, namespace: 2 }
  const lost = Arena.open(path, { byteLength: MiB, create: true, os: elsewhere })
  const found = Arena.open(path)
  assert.equal(found.staleOwner, { processId: process.pid, threadId: process.pid })
  found.close()
  lost.close()
  const container = new FakeOs()
  container.threads.where = { ...container.threads.place(), namespace: 2 }
  const theirs = Arena.open(path, { os: container })
  const ours = Arena.open(path)
  assert.is(ours.staleOwner, undefined)
  for (const one of [theirs, ours]) one.close()
})

test('purging gives blocks back, and populating takes them before it takes pages', () => {
  const os = new FakeOs()
  const path = join(folder, 'grains')
  const arena = Arena.open(path, { byteLength: 4 * MiB, create: true, os })
  const bytes = arena.view(Uint8Array, 0, 4 * MiB).fill(1)
  const before = statSync(path).blocks
  arena.purge(MiB, 2 * MiB)
  assert.equal([bytes[MiB - 1], bytes[MiB], bytes[3 * MiB - 1], bytes[3 * MiB]], [1, 0, 0, 1])
  assert.ok(before - statSync(path).blocks > 3000)
  os.fail('allocate')
  throwsCode(() => arena.populate(), 'ENOMEM', 'fallocate')
  assert.is(os.count('populate'), 0)
  arena.populate()
  assert.ok(statSync(path).blocks >= before)
  arena.close()
})

for (const node of nodes) {
  const label = `Node ${node.major}`

  test(`${label}: five that make it at the same time all have the same`, async () => {
    const report = await run(
      node,
      `
      import { readdirSync } from 'node:fs'
      const peers = Array.from({ length: 5 }, (_, i) => new Peer(\`
        post('ready')
        await next()
        const arena = Arena.open(data.path, { byteLength: 8 * MiB, create: true })
        Atomics.add(arena.view(Int32Array, 4096, 1), 0, 10 ** data.i)
        post(arena.handle().generation)\`, { data: { path: folder + '/grains', i } }))
      for (const peer of peers) await peer.next()
      for (const peer of peers) peer.post('go')
      const generations = await Promise.all(peers.map((peer) => peer.next()))
      await Promise.all(peers.map((peer) => peer.ended()))
      const arena = Arena.open(folder + '/grains')
      report({ generations: new Set(generations).size, sum: arena.view(Int32Array, 4096, 1)[0], files: readdirSync(folder) })
      arena.close()`
    )
    assert.equal(report, { generations: 1, sum: 11111, files: ['grains'] })
  })

  test(`${label}: an owner that was killed is told, one that closed or lives is not`, async () => {
    const report = await run(
      node,
      `
      const path = folder + '/grains', owner = (arena) => arena.staleOwner ?? 'none'
      const open = (text) => new Peer('const arena = Arena.open(data.path, { byteLength: MiB, create: true }); ' + text, { data: { path } })
      const first = open('post(1); await next(); arena.close(); post(2); await next()')
      await first.next()
      const alive = Arena.open(path)
      const whileAlive = owner(alive)
      alive.close()
      first.post('close')
      await first.next()
      const afterClose = Arena.open(path)
      const closed = owner(afterClose)
      afterClose.close()
      await first.kill()
      const second = open('arena.view(Uint8Array, 0, 8).fill(5); post(process.pid); await next()')
      const pid = await second.next()
      await second.kill()
      const heir = Arena.open(path), guest = Arena.open(path)
      report({ whileAlive, closed, told: owner(heir), pid, guest: owner(guest), bytes: [...heir.view(Uint8Array, 0, 8)] })
      heir.close(), guest.close()
      report({ after: owner(Arena.open(path)) })`
    )
    assert.equal([report.whileAlive, report.closed, report.guest, report.after], ['none', 'none', 'none', 'none'])
    assert.equal(report.told, { processId: report.pid, threadId: report.pid })
    assert.equal(report.bytes, [5, 5, 5, 5, 5, 5, 5, 5])
  })

  test(`${label}: an arena in shared memory, opened by two processes and a worker`, async () => {
    const report = await run(
      node,
      `
      import { existsSync } from 'node:fs'
      const path = ${JSON.stringify(join(sharedMemoryFolder() ?? folder, 'shared'))}
      const arena = Arena.open(path, { byteLength: MiB, create: true }), words = arena.view(Int32Array, 0, 1)
      const text = 'const arena = Arena.attach(data); for (let i = 0; i < 100_000; i++) Atomics.add(arena.view(Int32Array, 0, 1), 0, 1); post([arena.path, arena.shared])'
      const peer = new Peer(text, { data: { path } }), thread = new Thread(text + '; await next()', arena.handle())
      const seen = [await peer.next(), await thread.next()]
      for (let i = 0; i < 100_000; i++) Atomics.add(words, 0, 1)
      await peer.ended()
      await thread.kill()
      const there = [existsSync(path), arena.unlink(), existsSync(path)]
      report({ seen, sum: words[0], there, path })`
    )
    assert.equal(report.seen, [
      [report.path, true],
      [report.path, true],
    ])
    assert.equal([report.sum, report.there], [300_000, [true, true, false]])
  })
}

const testOfMounts = canMount() ? test : test.skip

testOfMounts('a full disk is an error, when it is made and when it is populated, and never a signal', async () => {
  const script = `mount -t tmpfs -o size=16m none '${folder}' && exec "$@"`
  const report = await run(
    nodes[0] as NodeBinary,
    `
    const body = \`
      await import('node:fs').then(async ({ readdirSync, writeFileSync, statfsSync }) => {
        const code = (run) => { try { return run(), 'fine' } catch (error) { return error.code + ' ' + error.syscall } }
        const tooLong = code(() => Arena.open(data + '/long', { byteLength: 64 * MiB, create: true }))
        const left = readdirSync(data)
        const arena = Arena.open(data + '/arena', { byteLength: 8 * MiB, create: true })
        const bytes = arena.view(Uint8Array, 0, 8 * MiB).fill(1)
        arena.purge()
        const { bavail, bsize } = statfsSync(data)
        writeFileSync(data + '/filler', Buffer.alloc(bavail * bsize - 1024 * 1024))
        const populated = code(() => arena.populate())
        post([tooLong, left, populated, bytes[0], code(() => arena.populate(0, 4096))])
      })\`
    const peer = new Peer(body, { data: folder, before: ${JSON.stringify([...MOUNTING, script, 'sh'])} })
    const outcome = await peer.next()
    report({ outcome, ended: await peer.ended() })`
  )
  assert.equal(report.ended, '0')
  assert.equal(report.outcome, ['ENOSPC fallocate', [], 'ENOSPC fallocate', 0, 'fine'])
})

test('an arena that was moved elsewhere is the same', () => {
  const os = new FakeOs()
  const [path, moved] = [join(folder, 'grains'), join(folder, 'moved')]
  const arena = Arena.open(path, { byteLength: 64 * KiB, create: true, os })
  const { generation } = arena.handle()
  renameSync(path, moved)
  assert.not(arena.unlink())
  const again = Arena.attach({ path: moved, generation } as { path: string }, { os })
  assert.is(again.handle().generation, generation)
  for (const one of [arena, again]) one.close()
})

test('an arena that was attached by the way to a descriptor goes by a descriptor of its own', () => {
  const path = join(folder, 'grains')
  using first = Arena.open(path, { create: true, byteLength: 65536 })
  const second = Arena.attach({ fd: first.fd as number })
  using third = Arena.attach({ path: second.path as string })
  second.close()
  assert.is(third.path, `/proc/${process.pid}/fd/${third.fd}`)
  Arena.attach({ path: third.path as string }).close()
  throwsCode(() => third.unlink(), 'ERR_UNSUPPORTED_OPERATION', 'no name')
})

test.run()
