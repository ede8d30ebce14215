/**
 * Files that are made: whole or not at all, by the process that is first; one that is killed on the way leaves nothing.
 *
 * Longer than other files: making a file, interrupted at every step.
 */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena } from '../../../src/arena/arena.ts'
import { mapFile } from '../../../src/arena/file/map-file.ts'
import { temporaryName } from '../../../src/arena/sources/temporary-names.ts'
import { fileError } from '../../../src/ffi/errno.ts'
import { systemOs } from '../../../src/ffi/system.ts'
import { MiB } from '../../../src/units.ts'
import { type NodeBinary, nodes, runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { MAP_FILE } from '../../helpers/map-file.ts'

const { EISDIR, ENOENT, ENOSPC, ENOSYS, EOPNOTSUPP } = constants.errno

let folder = ''
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'sorites-making-'))
})
test.after.each(() => rmSync(folder, { recursive: true, force: true }))

/** A file system that has no files without a name. */
function withoutUnnamed(errno: number = EOPNOTSUPP): FakeOs {
  const os = new FakeOs()
  os.files.createUnnamed = () => {
    throw fileError('open', errno, undefined)
  }
  return os
}

const ways = { 'without a name': () => new FakeOs(), 'with a temporary name': () => withoutUnnamed() }

for (const [way, make] of Object.entries(ways)) {
  test(`${way}: a new file has its permissions, its blocks and its zeros, and the folder nothing else`, () => {
    const mask = process.umask(0o022)
    try {
      for (const [permissions, mode] of [
        [undefined, 0o600],
        [0o666, 0o644],
        [0o640, 0o640],
        [0o400, 0o400],
      ] as const) {
        const path = join(folder, `file-${permissions}`)
        const os = make()
        const file = mapFile(path, { mode: 'write', create: true, byteLength: MiB, permissions, os })
        assert.equal([statSync(path).mode & 0o777, statSync(path).size], [mode, MiB])
        assert.ok(statSync(path).blocks * 512 >= MiB)
        assert.ok(file.bytes.every((byte) => byte === 0))
        file.bytes[5] = 7
        assert.is(readFileSync(path)[5], 7)
        file.close()
        assert.is(os.files.opened.size, 0)
        const arena = Arena.open(`${path}-arena`, { byteLength: MiB, create: true, permissions, os: make() })
        assert.is(statSync(`${path}-arena`).mode & 0o777, mode)
        arena.close()
      }
      assert.ok(readdirSync(folder).every((name) => name.startsWith('file-')))
    } finally {
      process.umask(mask)
    }
  })

  test(`${way}: the name is taken meanwhile: the other's file is mapped, whatever it is`, () => {
    for (const content of ['', 'grains', 'x'.repeat(10_000)]) {
      const path = join(folder, `taken-${content.length}`)
      const os = make()
      for (const call of ['publish', 'rename'] as const) {
        const real = os.files[call].bind(os.files) as (...args: never[]) => void
        os.files[call] = (...args: unknown[]) => {
          writeFileSync(path, content)
          real(...(args as never[]))
        }
      }
      const file = mapFile(path, { mode: 'write', create: true, os })
      assert.equal([file.byteLength, Buffer.from(file.bytes).toString()], [content.length, content])
      file.close()
      assert.is(os.files.opened.size, 0)
    }
  })

  test(`${way}: a maker that fails leaves alone what another has made meanwhile`, () => {
    for (let nth = 1, failed = true; failed; nth++) {
      const path = join(folder, `theirs-${nth}`)
      const os = make()
      // Of a temporary name that cannot be removed there is nothing to be said.
      os.files.remove = (name) => rmSync(name)
      const mine = os.files.entryAt.bind(os.files)
      // The other is there as soon as it is known that the file is not.
      os.files.entryAt = (asked) => {
        const found = mine(asked)
        if (asked === path) writeFileSync(path, 'theirs, and mapped')
        return found
      }
      os.fail('any', nth, ENOSPC)
      try {
        const file = mapFile(path, { mode: 'write', create: true, byteLength: 5, os })
        failed = os.heal() === 0
        file.close()
      } catch {
        assert.equal([os.live.size, os.files.opened.size], [0, 0])
      }
      if (os.count('entryAt') > 0) assert.is(readFileSync(path, 'utf8'), 'theirs, and mapped', `call ${nth}`)
      assert.ok(nth < 60)
    }
    assert.equal(
      readdirSync(folder).filter((name) => !name.startsWith('theirs-')),
      []
    )
  })
}

test('every answer of kernels and file systems that have no files without a name', () => {
  for (const errno of [EOPNOTSUPP, EISDIR, ENOENT, constants.errno.EINVAL]) {
    const path = join(folder, `file-${errno}`)
    mapFile(path, { mode: 'write', create: true, byteLength: 5, os: withoutUnnamed(errno) }).close()
    assert.is(statSync(path).size, 5)
  }
  throwsCode(() => mapFile(join(folder, 'no/such'), { mode: 'write', create: true }), 'ENOENT', 'no/such')
})

test('without /proc a temporary name is used', () => {
  const os = new FakeOs()
  os.fail('pathOf')
  mapFile(join(folder, 'grains'), { mode: 'write', create: true, byteLength: 5, os }).close()
  assert.equal(
    [os.count('publish'), os.count('rename'), readdirSync(folder), os.files.opened.size],
    [0, 1, ['grains'], 0]
  )
})

test('without renaming a second name is given, and the first taken away', () => {
  const os = withoutUnnamed()
  os.files.rename = () => {
    throw fileError('rename', ENOSYS, undefined)
  }
  mapFile(join(folder, 'grains'), { mode: 'write', create: true, byteLength: 5, os }).close()
  assert.equal(readdirSync(folder), ['grains'])
  assert.is(statSync(join(folder, 'grains')).nlink, 1)
})

test('a symbolic link that leads nowhere is refused, one that leads to a file is followed', () => {
  const [link, target] = [join(folder, 'link'), join(folder, 'target')]
  symlinkSync(target, link)
  for (const os of [new FakeOs(), withoutUnnamed()]) {
    throwsCode(
      () => mapFile(link, { mode: 'write', create: true, byteLength: 8, os }),
      'ERR_UNSUPPORTED_OPERATION',
      `${link} is a symbolic link that leads nowhere`
    )
    throwsCode(
      () => Arena.open(link, { create: true, byteLength: 8, os }),
      'ERR_UNSUPPORTED_OPERATION',
      'leads nowhere'
    )
  }
  assert.equal(readdirSync(folder), ['link'])
  symlinkSync(link, `${link}-2`)
  throwsCode(() => mapFile(`${link}-2`, { mode: 'write', create: true }), 'ERR_UNSUPPORTED_OPERATION', 'leads nowhere')
  const loop = join(folder, 'loop')
  symlinkSync(loop, loop)
  throwsCode(() => mapFile(loop, { mode: 'write', create: true }), 'ELOOP')
  throwsCode(() => Arena.open(loop, { create: true, byteLength: 8 }), 'ELOOP')
  writeFileSync(target, 'grains')
  assert.is(mapFile(link, { mode: 'write', create: true }).byteLength, 6)
})

test('a link that appears after the question does not loop, and a name that comes and goes ends in an error', () => {
  const path = join(folder, 'grains')
  for (const place of [() => symlinkSync(join(folder, 'none'), path), () => writeFileSync(path, '')]) {
    const os = new FakeOs()
    const publish = os.files.publish.bind(os.files)
    os.files.publish = (fd, to) => {
      place()
      try {
        publish(fd, to)
      } finally {
        rmSync(path)
      }
    }
    throwsCode(() => mapFile(path, { mode: 'write', create: true, byteLength: 8, os }), 'ENOENT')
    assert.equal([os.count('publish'), os.files.opened.size, os.live.size, readdirSync(folder)], [9, 0, 0, []])
  }
})

/** The name of a file that process 4194303 would have made, which is none. */
function nameOfTheDead(path: string, identity?: string): string {
  const name = temporaryName(systemOs(), path, identity)
  return name.replace(`-${process.pid}-${process.pid}-`, '-4194303-4194303-')
}

test('temporary files of dead processes are removed, and no others', () => {
  const path = join(folder, 'grains')
  const stale = nameOfTheDead(path)
  const unlinked = nameOfTheDead(path)
  writeFileSync(stale, '')
  writeFileSync(unlinked, '')
  const { dev, ino } = statSync(unlinked)
  const meant = `${unlinked}-${dev}.${ino}`
  rmSync(unlinked)
  writeFileSync(meant, '')
  const own = statSync(meant)
  const renamed = `${unlinked}-${own.dev}.${own.ino}`
  if (renamed !== meant) {
    rmSync(meant)
    writeFileSync(renamed, '')
  }
  const fields = stale.split('-')
  const kept = [
    temporaryName(systemOs(), path),
    // Another start of the machine, another namespace, another file than is meant, a name that only begins so, a folder.
    [fields[0], ...fields.slice(1)].join('-').replace(/sorites-\d+-/, 'sorites-5-'),
    stale.replace(/(sorites-\d+)-\d+-/, '$1-5-'),
    `${stale}-1.1`,
    join(folder, '.sorites-0123456789abcdef'),
    join(folder, '.sorites-mine'),
  ]
  for (const name of kept) writeFileSync(name, '')
  const below = nameOfTheDead(path)
  mkdirSync(below)
  mapFile(path, { mode: 'write', create: true, byteLength: 5, os: withoutUnnamed() }).close()
  const names = (all: string[]): string[] => all.map((name) => name.slice(name.lastIndexOf('/') + 1)).sort()
  const expected = names([...kept, below, path])
  const found = readdirSync(folder).sort()
  const meantIsOwn = statSync(renamed, { throwIfNoEntry: false }) === undefined
  assert.equal(meantIsOwn ? found : found.filter((name) => !renamed.endsWith(name)), expected)
})

test('a stale temporary name of another user is left alone', () => {
  const path = join(folder, 'grains')
  const stale = nameOfTheDead(path)
  writeFileSync(stale, '')
  const os = withoutUnnamed()
  os.files.pretended = { user: 4242, groups: [4242] }
  Arena.open(path, { create: true, byteLength: 1, os, permissions: 0o666 }).close()
  assert.is(readdirSync(folder).length, 2)
})

/** Runs a program that is killed right before its nth kernel call, for each n, until it ends by itself. */
async function killed(program: string, check: (nth: number) => void): Promise<number> {
  for (let nth = 1; nth < 80; nth += 2) {
    const results = await Promise.all(
      [nth, nth + 1].map(async (call) => {
        const home = join(folder, `home-${call}`)
        mkdirSync(home)
        const { signal } = await runChild(
          `${MAP_FILE}
          import { fileError } from ${JSON.stringify(new URL('../../../src/ffi/errno.js', import.meta.url).href)}
          const folder = ${JSON.stringify(home)}, os = new FakeOs()
          const withoutUnnamed = () => { os.files.createUnnamed = () => { throw fileError('open', ${EOPNOTSUPP}, undefined) } }
          const after = (run) => { os.dieBefore(${call}); run(); os.dieBefore(Infinity) }
          ${program}
          report({ done: true })`,
          { node: nodes[0] as NodeBinary }
        )
        return signal
      })
    )
    for (const [index, signal] of results.entries()) {
      check(nth + index)
      if (signal !== 'SIGKILL') return nth + index - 1
    }
  }
  throw new Error('it never ended by itself')
}

const makers = {
  mapFile: `after(() => mapFile(folder + '/grains', { mode: 'write', create: true, byteLength: MiB, populate: true, os }))`,
  'Arena.open': `after(() => Arena.open(folder + '/grains', { create: true, byteLength: MiB, os }))`,
}

for (const [name, program] of Object.entries(makers)) {
  test(`${name}: killed before any kernel call, it has made all or nothing`, async () => {
    const calls = await killed(program, (nth) => {
      const names = readdirSync(join(folder, `home-${nth}`))
      assert.ok(names.length === 0 || names.join() === 'grains', `${nth}: ${names}`)
      if (names.length > 0) assert.ok(statSync(join(folder, `home-${nth}`, 'grains')).size >= MiB)
    })
    assert.ok(calls >= 10, `${calls}`)
  })

  // Both make files in the same way.
  if (name === 'mapFile') continue

  test(`${name}: killed with a temporary name, the next one clears it away`, async () => {
    const left = new Set<number>()
    await killed(`withoutUnnamed(); ${program}`, (nth) => {
      const home = join(folder, `home-${nth}`)
      if (readdirSync(home).some((one) => one.startsWith('.sorites-'))) left.add(nth)
      const grains = statSync(join(home, 'grains'), { throwIfNoEntry: false })
      if (grains !== undefined) assert.ok(grains.size >= MiB)
      mapFile(join(home, 'next'), { mode: 'write', create: true, byteLength: 5, os: withoutUnnamed() }).close()
      assert.ok(
        readdirSync(home).every((one) => one === 'grains' || one === 'next'),
        `${nth}: ${readdirSync(home)}`
      )
    })
    assert.ok(left.size > 0)
  })
}

test('resize: killed before any kernel call, the file has the old length or the new, and its bytes', async () => {
  const program = `fs.writeFileSync(folder + '/grains', 'grain after grain')
    const file = mapFile(folder + '/grains', { mode: 'write', maxByteLength: MiB, os })
    after(() => file.resize(MiB))`
  await killed(program, (nth) => {
    const bytes = readFileSync(join(folder, `home-${nth}`, 'grains'))
    assert.ok(bytes.length === 17 || bytes.length === MiB, `${nth}: ${bytes.length}`)
    assert.is(bytes.subarray(0, 17).toString(), 'grain after grain')
    assert.ok(bytes.subarray(17).every((byte) => byte === 0))
  })
})

test('unlink: killed before any kernel call, the name is there or gone, and the next unlink clears away what is left', async () => {
  const program = `const arena = Arena.open(folder + '/grains', { create: true, byteLength: MiB, os }); after(() => arena.unlink())`
  await killed(program, (nth) => {
    const home = join(folder, `home-${nth}`)
    const other = Arena.open(join(home, 'other'), { create: true, byteLength: 1 })
    assert.ok(other.unlink())
    other.close()
    assert.ok(
      readdirSync(home).every((name) => name === 'grains'),
      `${nth}: ${readdirSync(home)}`
    )
  })
})

for (const node of nodes)
  test(`Node ${node.major}: of many that make the same file at once, one wins, and those that fail touch nothing`, async () => {
    const child = await runChild(
      `${MAP_FILE}
      const folder = ${JSON.stringify(folder)}
      const text = \`
        const { mapFile } = await import(${JSON.stringify(new URL('../../../src/arena/file/map-file.js', import.meta.url).href)})
        post('ready')
        for (;;) {
          const path = await next()
          if (path === null) break
          let outcome
          try {
            const os = new FakeOs()
            if (data % 2 === 1) os.fail('any', 8 + Math.floor(Math.random() * 12), 28)
            const file = mapFile(path, { mode: 'write', create: true, byteLength: data === 0 ? 65536 : 4096 * (1 + data), os })
            Atomics.add(file.view(Int32Array, 4, 1), 0, 1)
            outcome = 'mapped'
            // To be kept while others fail.
            globalThis.kept = [...(globalThis.kept ?? []), file]
            for (const one of globalThis.kept) one.bytes[one.byteLength - 1]
          } catch (error) { outcome = error.code }
          post(outcome)
        }\`
      const peers = [0, 1, 2, 3].map((data) => new Peer(text, { data }))
      for (const peer of peers) await peer.next()
      const codes = new Set()
      let wrong = 0
      for (let round = 0; round < 40; round++) {
        const path = folder + '/grains-' + round
        for (const peer of peers) peer.post(path)
        const outcomes = await Promise.all(peers.map((peer) => peer.next()))
        for (const outcome of outcomes) codes.add(outcome)
        const mapped = outcomes.filter((outcome) => outcome === 'mapped').length
        if (new Int32Array(new Uint8Array(fs.readFileSync(path)).buffer, 4, 1)[0] !== mapped) wrong++
      }
      for (const peer of peers) peer.post(null)
      const ends = await Promise.all(peers.map((peer) => peer.ended()))
      report({ wrong, ends, codes: [...codes].sort(), others: fs.readdirSync(folder).filter((name) => !name.startsWith('grains-')) })`,
      { node }
    )
    const { report } = child.clean()
    assert.equal([report.wrong, report.ends, report.others], [0, ['0', '0', '0', '0'], []])
    assert.equal(
      report.codes.filter((code: string) => code !== 'mapped' && code !== 'ENOSPC'),
      []
    )
  })

test.run()
