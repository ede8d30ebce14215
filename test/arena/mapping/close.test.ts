/**
 * Closing, and what comes after: every test is a child that must end by itself, never by a signal.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena } from '../../../src/arena/arena.ts'
import { GiB, MiB } from '../../../src/units.ts'
import { compiled, type NodeBinary, nodes, runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a child reports
async function run(node: NodeBinary, program: string): Promise<any> {
  return (await runChild(program, { node })).clean().report
}

test('an arena that never made a buffer is unmapped at once', () => {
  const os = new FakeOs()
  const arena = Arena.reserve(GiB, { os })
  arena.populate(0, MiB)
  arena.resident()
  arena.purge()
  arena.close()
  assert.equal([os.live.size, os.count('replace'), os.count('release')], [0, 0, 1])
})

test('closing again asks nothing of the kernel', () => {
  const os = new FakeOs()
  const arena = Arena.reserve(GiB, { os })
  arena.view(Uint8Array, 0, 1)
  arena.close()
  const calls = [...os.calls]
  arena.close({ detach: true })
  arena[Symbol.dispose]()
  assert.equal([...os.calls], calls)
  assert.equal([os.count('replace'), os.count('release'), os.live.size], [1, 0, 1])
})

for (const node of nodes) {
  const label = `Node ${node.major}`
  const detaches = node.major >= 22

  test(`${label}: stale views never fault, whatever is done with them`, async () => {
    const report = await run(
      node,
      `
      import { inspect } from 'node:util'
      import { probe } from ${JSON.stringify(compiled('test/helpers/stale'))}
      const results = []
      for (const detach of [undefined, false, true]) {
        const arena = Arena.reserve(3 * GiB)
        const views = [arena.view(Uint8Array, 0, 4096), arena.view(Float64Array, GiB + 8, 100), arena.view(Uint8Array, GiB - 8, 16)]
        for (const view of views) view.fill(1)
        const { buffer } = arena.window(2 * GiB)
        arena.close({ detach })
        for (const view of views) probe(view)
        inspect(views), inspect(buffer)
        results.push([views.map((view) => view.length), buffer.byteLength])
      }
      report({ results })`
    )
    const attached = [[4096, 100, 16], GiB]
    const detached = [[0, 0, 0], 0]
    assert.equal(report.results, [detaches ? detached : attached, attached, detached])
  })

  test(`${label}: RSS falls at once, though the views live on`, async () => {
    const report = await run(
      node,
      `
      const arena = Arena.reserve(4 * GiB)
      const view = arena.view(Uint8Array, GiB - 32 * MiB, 64 * MiB).fill(1)
      const before = rssBytes()
      arena.close({ detach: false })
      report({ fallen: before - rssBytes(), first: view[0], length: view.length })`
    )
    assert.ok(report.fallen > 60 * MiB, `${report.fallen}`)
    assert.equal([report.first, report.length], [0, 64 * MiB])
  })

  test(`${label}: addresses are unmapped once the last view is garbage, and not before`, async () => {
    const report = await run(
      node,
      `
      const os = new FakeOs()
      const holder = { kind: 'Slab', blockAround: () => undefined, innerClaims() {}, revoked() {} }
      let views = []
      const open = (detach) => {
        const arena = Arena.reserve(2 * GiB, { os })
        insideOf(arena).claim({ holder, byteLength: MiB, metadataBytes: () => 8192 })
        views.push(arena.view(Uint8Array, 0, 8), arena.view(Uint8Array, GiB - 8, 16), arena.view(Uint8Array, GiB, 8))
        arena.close({ detach })
      }
      for (const detach of [undefined, true, false]) open(detach)
      const ranges = [...os.live]
      await collect(() => os.live.size < 3)
      const held = ranges.map(([address, length]) => mappedBytes(address, length) === length)
      views = undefined
      const freed = await collect(() => os.live.size === 0)
      report({ held, freed, mapped: ranges.map(([address, length]) => mappedBytes(address, length)), releases: os.count('release') })`
    )
    assert.equal(report, { held: [true, true, true], freed: true, mapped: [0, 0, 0], releases: 3 })
  })

  test(`${label}: one view of many keeps the addresses`, async () => {
    const report = await run(
      node,
      `
      const os = new FakeOs()
      const open = () => {
        const arena = Arena.reserve(4 * GiB, { os })
        for (let i = 0; i < 4; i++) insideOf(arena).windowBuffer(i)
        const kept = arena.view(Uint8Array, 3 * GiB + 5, 10).subarray(5)
        arena.close({ detach: false })
        return kept
      }
      const kept = open()
      await collect(() => os.live.size === 0)
      report({ live: os.live.size, value: kept[0] })`
    )
    assert.equal(report, { live: 1, value: 0 })
  })

  test(`${label}: an arena dropped without close is released when its last view is garbage`, async () => {
    const report = await run(
      node,
      `
      const os = new FakeOs()
      const open = (touch) => { const arena = Arena.reserve(2 * GiB, { os }); return touch(arena) }
      open(() => undefined)
      const unseen = await collect(() => os.live.size === 0)
      let view = open((arena) => { arena.view(Uint8Array, GiB, 8); return arena.view(Uint8Array, 0, 8).fill(3) })
      await collect(() => os.live.size === 0)
      const kept = [os.live.size, view[0]]
      view = undefined
      const freed = await collect(() => os.live.size === 0)
      report({ unseen, kept, freed, replaced: os.count('replace') })`
    )
    assert.equal(report, { unseen: true, kept: [1, 3], freed: true, replaced: 0 })
  })

  test(`${label}: the last unmapping is refused: memory is given back, and no view is disturbed`, async () => {
    const report = await run(
      node,
      `
      const os = new FakeOs()
      const open = () => { Arena.reserve(2 * GiB, { os }).view(Uint8Array, 0, 32 * MiB).fill(1) }
      open()
      const before = rssBytes()
      os.fail('release')
      await collect(() => os.count('purge') > 0)
      os.fail('release')
      os.fail('purge')
      open()
      await collect(() => os.count('purge') > 1)
      report({ fallen: before - rssBytes(), purges: os.count('purge'), live: os.live.size })`
    )
    assert.ok(report.fallen > -4 * MiB, `${report.fallen}`)
    assert.equal([report.purges, report.live], [2, 2])
  })

  test(`${label}: memory that a foreign detach has moved is never unmapped`, async () => {
    const report = await run(
      node,
      `
      import { detachByStream } from ${JSON.stringify(compiled('src/arena/mapping/detach'))}
      const os = new FakeOs()
      const moved = []
      const take = async (buffer) => {
        if (buffer.transfer) return moved.push(new Uint8Array(buffer.transfer()))
        const stream = new ReadableStream({ type: 'bytes', start(c) { c.enqueue(new Uint8Array(buffer)) } })
        moved.push((await stream.getReader().read()).value)
      }
      const open = async (after) => {
        const arena = Arena.reserve(2 * GiB, { os })
        arena.view(Uint8Array, 0, 8).fill(4)
        await take(arena.view(Uint8Array, 0, 8).buffer)
        after(arena)
      }
      await open((arena) => arena.close())
      await open((arena) => { insideOf(arena).windowBuffer(0); arena.close() })
      await open((arena) => insideOf(arena).windowBuffer(0))
      await open(() => undefined)
      await collect(() => os.live.size === 0)
      report({ live: os.live.size, values: moved.map((bytes) => bytes[0]) })`
    )
    assert.equal(report, { live: 4, values: [0, 0, 4, 4] })
  })

  test(`${label}: process.exit with live views, closed and open`, async () => {
    const child = await runChild(
      `
      const arenas = [Arena.reserve(2 * GiB), Arena.reserve(2 * GiB), Arena.reserve(2 * GiB)]
      globalThis.views = arenas.map((arena) => arena.view(Uint8Array, GiB - 8, 16).fill(1))
      arenas[0].close()
      arenas[1].close({ detach: false })
      process.on('exit', () => views.forEach((view) => { view[0] = 1 }))
      process.exit(7)`,
      { node }
    )
    assert.equal([child.status, child.signal, child.stderr], [7, null, ''])
  })

  test(`${label}: a worker that is terminated with live views`, async () => {
    const report = await run(
      node,
      `
      import { Worker } from 'node:worker_threads'
      const text = 'const { parentPort } = require("node:worker_threads");' +
        'import(${JSON.stringify(compiled('src/arena/arena'))}).then(({ Arena }) => {' +
        '  const arena = Arena.reserve(2 ** 31), view = arena.view(Uint8Array, 0, 1 << 20), closed = Arena.reserve(2 ** 31);' +
        '  const stale = closed.view(Uint8Array, 0, 1 << 20); closed.close({ detach: false });' +
        '  parentPort.postMessage(1); for (let i = 0; ; i++) { view[i & 0xfffff] = i; stale[i & 0xfffff] = i }' +
        '})'
      const mine = Arena.reserve(GiB), view = mine.view(Uint8Array, 0, 8).fill(5)
      let ended = 0
      for (let round = 0; round < 5; round++) {
        const worker = new Worker(text, { eval: true, execArgv: [] })
        await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject) })
        await worker.terminate()
        gc()
        ended++
      }
      mine.close()
      report({ ended })`
    )
    assert.is(report.ended, 5)
  })

  test(`${label}: addresses that closed arenas hold are named in the error, with the remedy`, async () => {
    const report = await run(
      node,
      `
      const held = []
      let message = ''
      for (let i = 0; i < 200 && message === ''; i++) {
        try {
          const arena = Arena.reserve(4 * TiB)
          held.push(arena.view(Uint8Array, 0, 8))
          arena.close()
        } catch (error) { message = error.code + ' ' + error.message }
      }
      const views = held.length
      held.length = 0
      let again = false
      await collect(() => { try { Arena.reserve(4 * TiB).close(); again = true } catch {} return again })
      report({ message, views, again })`
    )
    assert.match(report.message, /^ENOMEM .* GiB of closed arenas wait for the garbage collector.*reset/)
    assert.ok(report.views > 10)
    assert.ok(report.again)
  })

  test(`${label}: more arenas come and go than there are addresses for at one time`, async () => {
    const report = await run(
      node,
      `
      const os = new FakeOs()
      for (let i = 0; i < 4000; i++) {
        const arena = Arena.reserve(64 * GiB, { os })
        if (i % 2) arena.view(Uint8Array, i, 8).fill(1)
        arena.close()
        if (i % 200 === 0) await collect(() => os.live.size < 50)
      }
      await collect(() => os.live.size === 0)
      report({ live: os.live.size })`
    )
    assert.is(report.live, 0)
  })
}

test('a pinned arena stays as it was', () => {
  const os = new FakeOs()
  const arena = Arena.reserve(MiB, { os })
  const view = arena.view(Uint8Array, 0, 8).fill(2)
  const pin = arena.pin()
  for (let round = 0; round < 3; round++) throwsCode(() => arena.close(), 'ERR_ARENA_BUSY', 'pinned')
  assert.equal([view[0], arena.closed, os.count('replace')], [2, false, 0])
  pin[Symbol.dispose]()
  arena.close()
})

test.run()
