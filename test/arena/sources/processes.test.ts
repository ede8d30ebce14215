/** One arena, several processes: how they come to it, what they see, how they die, and what is left. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { GiB, MiB } from '../../../src/units.ts'
import { type NodeBinary, nodes, runChild } from '../../helpers/child.ts'
import { canBecomeAnother } from '../../helpers/machine.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a child reports
async function run(node: NodeBinary, program: string): Promise<any> {
  return (await runChild(program, { node })).clean().report
}

const testOfUsers = canBecomeAnother() ? test : test.skip

for (const node of nodes) {
  const label = `Node ${node.major}`

  test(`${label}: a child inherits the descriptor, a stranger opens the path, and all see the same`, async () => {
    const report = await run(
      node,
      `
      const os = new FakeOs(), arena = Arena.reserve(3 * GiB, { shared: true, os, name: 'grains' })
      const words = arena.view(Int32Array, 2 * GiB, 3)
      words[0] = 1
      const body = \`
        const arena = Arena.attach(data ?? { fd: 3 })
        const words = arena.view(Int32Array, 2 * GiB, 3)
        post([words[0], arena.byteLength, arena.shared, arena.path.startsWith('/proc/' + process.pid)])
        await next()
        Atomics.add(words, 1, 5)
        arena.close()
        post('closed')\`
      const peers = [new Peer(body, { fds: [arena.fd] }), new Peer(body, { data: { path: arena.path } }), new Peer(body, { data: arena.handle() })]
      const seen = await Promise.all(peers.map((peer) => peer.next()))
      for (const peer of peers) peer.post('go')
      await Promise.all(peers.map((peer) => peer.next()))
      const ends = await Promise.all(peers.map((peer) => peer.ended()))
      report({ seen, ends, sum: words[1], path: arena.path, pid: process.pid })
      arena.close()
      report({ fd: arena.fd ?? 'none', after: arena.path ?? 'none', files: os.files.opened.size })`
    )
    assert.equal(
      report.seen,
      Array.from({ length: 3 }, () => [1, 3 * GiB, true, true])
    )
    assert.equal([report.ends, report.sum], [['0', '0', '0'], 15])
    assert.match(report.path, new RegExp(`^/proc/${report.pid}/fd/\\d+$`))
    assert.equal([report.fd, report.after, report.files], ['none', 'none', 0])
  })

  test(`${label}: what one purges reads zero for the other, and the memory is gone`, async () => {
    const report = await run(
      node,
      `
      const arena = Arena.reserve(GiB, { shared: true }), page = arena.pageSize
      const bytes = arena.view(Uint8Array, 0, 32 * MiB)
      const peer = new Peer(\`
        const arena = Arena.attach({ fd: 3 }), bytes = arena.view(Uint8Array, 0, 32 * MiB).fill(7)
        post(arena.resident(0, 32 * MiB))
        await next()
        // Asked before reading: a hole that is read is a page again.
        const left = arena.resident(0, 32 * MiB)
        post([bytes.indexOf(0), bytes.indexOf(7, 8 * MiB), left])
        await next()
        arena.purge(5, 32 * MiB - 10)
        post('purged')
        await next()\`, { fds: [arena.fd] })
      const filled = [await peer.next(), bytes.every((byte) => byte === 7)]
      const rss = rssBytes()
      arena.purge(100, 4000 * page)
      const fallen = rss - rssBytes()
      peer.post('look')
      const there = await peer.next()
      peer.post('purge')
      await peer.next()
      const left = arena.resident(0, 32 * MiB) / page
      const here = [bytes[4], bytes[5], bytes.lastIndexOf(7, 32 * MiB - 6), bytes[32 * MiB - 5], left]
      await peer.kill()
      report({ filled, there, here, page, fallen })`
    )
    assert.equal(report.filled, [32 * MiB, true])
    assert.equal(report.there, [100, 100 + 4000 * report.page, 32 * MiB - 3999 * report.page])
    assert.equal(report.here, [7, 0, 4, 7, 2])
    assert.ok(report.fallen > 3000 * report.page, `${report.fallen}`)
  })

  test(`${label}: nothing is left when all were killed`, async () => {
    const report = await run(
      node,
      `
      import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
      // Memory files have no name that outlives them: what no process has open or mapped, the kernel has freed.
      const name = 'left-' + process.pid
      const reach = (read) => { try { return read() } catch { return [] } }
      const holders = () => readdirSync('/proc').filter((pid) => /^\\d+$/.test(pid) && (
        reach(() => readFileSync('/proc/' + pid + '/maps', 'latin1')).includes(name) ||
        reach(() => readdirSync('/proc/' + pid + '/fd').map((fd) => readlinkSync('/proc/' + pid + '/fd/' + fd))).some((link) => link.includes(name))
      )).length
      const maker = new Peer(\`
        const arena = Arena.reserve(GiB, { shared: true, name: data.name })
        arena.view(Uint8Array, 0, 16 * MiB).fill(1)
        post(arena.path)
        await next()\`, { data: { name } })
      const path = await maker.next()
      const user = new Peer('const arena = Arena.attach(data); globalThis.view = arena.view(Uint8Array, 0, 8); post(view[0]); await next(); post([view[0], arena.resident(0, 16 * MiB)]); await next()', { data: { path } })
      const seen = await user.next()
      const both = holders()
      await maker.kill()
      const one = holders()
      user.post('look')
      const still = await user.next()
      await user.kill()
      report({ seen, both, one, still, left: holders() })`
    )
    assert.equal(report, { seen: 1, both: 2, one: 1, still: [1, 16 * MiB], left: 0 })
  })

  test(`${label}: one process closes, and the other keeps the memory`, async () => {
    const report = await run(
      node,
      `
      const os = new FakeOs(), arena = Arena.reserve(2 * GiB, { shared: true, os })
      const view = arena.view(Uint8Array, 0, 8).fill(3)
      const peer = new Peer(\`
        const arena = Arena.attach({ fd: 3 }), view = arena.view(Uint8Array, 0, 8)
        post('here')
        await next()
        post([view[0], arena.view(Uint8Array, GiB, 4)[0]])
        view[0] = 9
        post(Arena.attach({ path: arena.path }).view(Uint8Array, 0, 8)[0])
        await next()\`, { fds: [arena.fd] })
      await peer.next()
      arena.close({ detach: false })
      const stale = view[0]
      view[0] = 200
      peer.post('look')
      const seen = await peer.next(), again = await peer.next()
      await peer.kill()
      report({ stale, seen, again, mine: view[0] })`
    )
    // What the closed arena's view reads and writes is not the arena any more.
    assert.equal(report, { stale: 0, seen: [3, 0], again: 9, mine: 200 })
  })

  test(`${label}: what cannot be attached to says why, by the field`, async () => {
    const report = await run(
      node,
      `
      import { openSync, closeSync, writeFileSync, writeSync, ftruncateSync, mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs'
      import { tmpdir } from 'node:os'
      const os = new FakeOs(), folder = mkdtempSync(tmpdir() + '/sorites-')
      const outcomes = {}
      const attempt = (name, source) => {
        try { Arena.attach(source, { os }).close(); outcomes[name] = 'attached' } catch (error) { outcomes[name] = error.code + ' ' + error.message }
      }
      const make = () => { Arena.open(folder + '/arena', { byteLength: MiB, create: true }).close(); return openSync(folder + '/arena', 'r+') }
      const words = { magic: 0, version: 4, layoutHash: 8, pageSize: 12, state: 16 }
      for (const [field, at] of Object.entries(words)) {
        const fd = make()
        writeSync(fd, new Uint8Array([1, 2, 3, 4]), 0, 4, at)
        attempt(field, { path: folder + '/arena' })
        closeSync(fd), rmSync(folder + '/arena')
      }
      const lengths = { byteLength: [24, 100], 'byteLength too': [24, 2 * MiB], metadataBytes: [32, NaN], directoryBytes: [56, 8 * MiB], 'directoryBytes too': [56, -4096] }
      for (const [field, [at, value]] of Object.entries(lengths)) {
        const fd = make()
        writeSync(fd, new Uint8Array(new Float64Array([value]).buffer), 0, 8, at)
        attempt(field, { path: folder + '/arena' })
        closeSync(fd), rmSync(folder + '/arena')
      }
      closeSync(make())
      truncateSync(folder + '/arena', statSync(folder + '/arena').size - 4096)
      attempt('truncated', { path: folder + '/arena' })
      truncateSync(folder + '/arena', 0)
      attempt('empty', { path: folder + '/arena' })
      writeFileSync(folder + '/text', 'grain after grain')
      attempt('text', { path: folder + '/text' })
      attempt('none', { path: folder + '/none' })
      attempt('folder', { path: folder })
      attempt('closed fd', { fd: 999 })
      attempt('pipe', { fd: 0 })
      const real = Arena.reserve(MiB, { shared: true })
      attempt('generation', { path: real.path, generation: '00' })
      attempt('right', { path: real.path, generation: real.handle().generation })
      attempt('url', { path: new URL('file://' + real.path) })
      rmSync(folder, { recursive: true })
      report({ ...outcomes, live: os.live.size, files: os.files.opened.size })`
    )
    const starts = (name: string, pattern: RegExp): void => assert.match(String(report[name]), pattern, name)
    for (const field of ['magic', 'state']) starts(field, new RegExp(`^ERR_CORRUPTED .*"${field}"`))
    for (const field of ['version', 'layoutHash', 'pageSize'])
      starts(
        field,
        new RegExp(`^ERR_UNSUPPORTED_OPERATION .*"${field}".*got 67305985: it was written by another build`)
      )
    starts('byteLength', /^ERR_CORRUPTED .*"byteLength".*whole pages.*got 100$/)
    starts('byteLength too', /^ERR_CORRUPTED .*"byteLength".*a file of \d+ bytes, got \d+$/)
    starts('metadataBytes', /^ERR_CORRUPTED .*"metadataBytes".*got NaN$/)
    starts('directoryBytes', /^ERR_CORRUPTED .*"directoryBytes".*at most/)
    starts('directoryBytes too', /^ERR_CORRUPTED .*"directoryBytes".*whole pages/)
    starts('truncated', /^ERR_CORRUPTED .*"byteLength".*a file of/)
    starts('empty', /^ERR_CORRUPTED .*"magic".*got 0x0$/)
    starts('text', /^ERR_CORRUPTED .*text: arena header: "magic"/)
    starts('none', /^ENOENT .*open '.*none'/)
    starts('folder', /^EISDIR/)
    starts('closed fd', /^EBADF/)
    starts('pipe', /^ERR_UNSUPPORTED_OPERATION .*no ordinary file/)
    starts('generation', /^ERR_OUT_OF_RANGE "source.generation"/)
    assert.equal([report.right, report.url, report.live, report.files], ['attached', 'attached', 0, 0])
  })

  testOfUsers(`${label}: another user may not attach`, async () => {
    const report = await run(
      node,
      `
      const arena = Arena.reserve(MiB, { shared: true })
      // It becomes the other user when it has read what it needs: the folder of this clone may be closed to others.
      const peer = new Peer(\`
        Arena.reserve(MiB).close()
        process.setgroups([])
        process.setgid(65534)
        process.setuid(65534)
        try { Arena.attach(data); post('attached') } catch (error) { post(error.code + ' ' + error.syscall + ' ' + error.path) }\`,
        { data: { path: arena.path } })
      report({ outcome: await peer.next(), path: arena.path })`
    )
    assert.is(report.outcome, `EACCES open ${report.path}`)
  })

  test(`${label}: 64 GiB and 1 TiB are shared as easily as a page, and take no memory`, async () => {
    const report = await run(
      node,
      `
      Arena.reserve(MiB, { shared: true }).close()
      const before = rssBytes()
      const arena = Arena.reserve(64 * GiB, { shared: true }), huge = Arena.reserve(TiB, { shared: true })
      const grown = rssBytes() - before
      arena.view(Float64Array, 64 * GiB - 8, 1)[0] = 0.5
      huge.view(Float64Array, TiB - 8, 1)[0] = 1.5
      const peer = new Peer(\`
        const [arena, huge] = [3, 4].map((fd) => Arena.attach({ fd }))
        post([arena.view(Float64Array, 64 * GiB - 8, 1)[0], huge.view(Float64Array, TiB - 8, 1)[0], arena.resident(63 * GiB)])\`,
        { fds: [arena.fd, huge.fd] })
      report({ seen: await peer.next(), grown, page: arena.pageSize })`
    )
    assert.equal(report.seen, [0.5, 1.5, report.page])
    assert.ok(report.grown < MiB, `${report.grown}`)
  })
}

test.run()
