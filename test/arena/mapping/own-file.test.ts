/** The descriptor of an arena is closed by other code, and another file gets its number: nothing happens to that file. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { runChild } from '../../helpers/child.ts'
import { MAP_FILE } from '../../helpers/map-file.ts'

const USE = `
  import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
  import { tmpdir } from 'node:os'
  import { join } from 'node:path'
  const folder = mkdtempSync(join(tmpdir(), 'own-file-'))
  const victim = join(folder, 'victim')
  const code = (run) => { try { run(); return 'done' } catch (error) { return error.code } }
  function steal(arena) {
    const { fd } = arena
    closeSync(fd)
    writeFileSync(victim, Buffer.alloc(MiB, 5))
    // The lowest free number is given; there may be others below.
    for (let turn = 0; turn < 100; turn++) if (openSync(victim, 'r+') === fd) return fd
    throw new Error('the number went elsewhere')
  }
  const intact = (fd) => fstatSync(fd).size === MiB && readFileSync(victim).every((byte) => byte === 5)
`

test('a shared arena, of one thread and of several', async () => {
  const child = await runChild(`${USE}
    const outcomes = []
    for (const threads of [false, true]) {
      const arena = Arena.reserve(MiB, { shared: true })
      if (threads) arena.handle()
      const heap = new Heap(arena)
      const view = heap.alloc(Uint8Array, 100000).fill(7)
      const fd = steal(arena)
      heap.free(view)
      heap.purge()
      heap.check()
      arena.close()
      outcomes.push(intact(fd))
      closeSync(fd)
    }
    rmSync(folder, { recursive: true })
    report({ outcomes })`)
  assert.equal(child.clean().report.outcomes, [true, true])
})

test('a named arena: its blocks and its name are not those of the file that has the number', async () => {
  const child = await runChild(`${USE}
    const path = join(folder, 'named')
    const arena = Arena.open(path, { create: true, byteLength: MiB })
    const fd = steal(arena)
    const { blocks } = statSync(victim)
    const refused = [code(() => arena.populate()), code(() => arena.unlink())]
    arena.close()
    const outcomes = [...refused, intact(fd), statSync(victim).blocks === blocks, existsSync(path)]
    rmSync(folder, { recursive: true })
    report({ outcomes })`)
  assert.equal(child.clean().report.outcomes, ['EBADF', 'EBADF', true, true, true])
})

test('a descriptor that is ours is closed, by the last thread too', async () => {
  const child = await runChild(`
    import { readdirSync } from 'node:fs'
    const count = () => readdirSync('/proc/self/fd').length
    Arena.reserve(MiB, { shared: true }).close()
    const before = count()
    for (let round = 0; round < 20; round++) {
      const arena = Arena.reserve(MiB, { shared: true })
      const again = round % 2 ? Arena.attach(arena.handle()) : Arena.attach({ fd: arena.fd })
      arena.close()
      again.close()
    }
    report({ left: count() - before })`)
  assert.is(child.clean().report.left, 0)
})

test('the descriptor that a mapped file without a name has kept', async () => {
  const child = await runChild(`${MAP_FILE}${USE}
    import { readdirSync, unlinkSync } from 'node:fs'
    const path = join(folder, 'gone')
    writeFileSync(path, Buffer.alloc(8192))
    const given = openSync(path, 'r+')
    unlinkSync(path)
    const open = () => readdirSync('/proc/self/fd').map(Number)
    const before = open()
    const file = mapFile(given, { mode: 'write', maxByteLength: MiB })
    const kept = open().filter((fd) => !before.includes(fd) && code(() => fstatSync(fd)) === 'done' && fstatSync(fd).ino === fstatSync(given).ino)
    if (kept.length !== 1) throw new Error('kept ' + kept)
    const fd = steal({ fd: kept[0] })
    const refused = [code(() => file.resize(4096)), code(() => file.resize())]
    file.close()
    const outcomes = [...refused, intact(fd), fstatSync(given).size]
    rmSync(folder, { recursive: true })
    report({ outcomes })`)
  assert.equal(child.clean().report.outcomes, ['ERR_UNSUPPORTED_OPERATION', 'ERR_UNSUPPORTED_OPERATION', true, 8192])
})

test.run()
