/** Closing a mapped file, and what comes after: every test is a child that must end by itself, never by a signal. */
import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { KiB, MiB } from '../../../src/units.ts'
import { compiled, type NodeBinary, nodes, runChild } from '../../helpers/child.ts'
import { MAP_FILE } from '../../helpers/map-file.ts'
import { freshFile, pattern } from '../../helpers/scratch.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a child reports
async function run(node: NodeBinary, program: string): Promise<any> {
  return (await runChild(`${MAP_FILE}\n${program}`, { node })).clean().report
}

for (const node of nodes)
  for (const mode of ['read', 'copy', 'write'] as const) {
    const label = `Node ${node.major}, mode '${mode}'`
    const detaches = node.major >= 22

    test(`${label}: stale views never fault and never reach the file, whatever is done with them`, async () => {
      const path = freshFile(256 * KiB + 5)
      const report = await run(
        node,
        `
        import { probe } from ${JSON.stringify(compiled('test/helpers/stale'))}
        const results = []
        for (const detach of [undefined, false, true]) {
          const file = mapFile(${JSON.stringify(path)}, { mode: '${mode}', offset: 5 })
          const views = [file.bytes, file.view(Float64Array, 8, 100)]
          const { buffer } = file.window(0)
          file.close({ detach })
          fs.truncateSync(${JSON.stringify(path)}, 256 * KiB)
          for (const view of views) probe(view)
          results.push([views.map((view) => view.length), buffer.byteLength])
          fs.truncateSync(${JSON.stringify(path)}, 256 * KiB + 5)
        }
        report({ results })`
      )
      const attached = [[256 * KiB, 100], 256 * KiB]
      const detached = [[0, 0], 0]
      assert.equal(report.results, [detaches ? detached : attached, attached, detached])
      assert.equal(readFileSync(path).subarray(0, 256 * KiB), pattern(256 * KiB))
    })

    test(`${label}: RSS falls at once, addresses are unmapped once the last view is garbage`, async () => {
      const path = freshFile(12 * MiB)
      const report = await run(
        node,
        `
        const os = new FakeOs()
        let view
        const before = (() => {
          const file = mapFile(${JSON.stringify(path)}, { mode: '${mode}', os })
          view = file.bytes
          if (file.mode === 'copy') view.fill(1)
          file.populate()
          const before = rssBytes()
          file.close({ detach: false })
          return before
        })()
        const fallen = before - rssBytes()
        await collect(() => os.live.size === 0)
        const held = os.live.size
        const first = view[0]
        view = undefined
        report({ fallen, held, first, freed: await collect(() => os.live.size === 0) })`
      )
      assert.ok(report.fallen > 10 * MiB, `${report.fallen}`)
      assert.equal([report.held, report.first, report.freed], [1, 0, true])
    })

    test(`${label}: a file that is dropped without close keeps its stores, and is unmapped once nothing looks at it`, async () => {
      const path = freshFile(MiB)
      const report = await run(
        node,
        `
        const os = new FakeOs()
        let view = (() => mapFile(${JSON.stringify(path)}, { mode: '${mode}', os }).bytes)()
        view[9] = 200
        await collect(() => os.live.size === 0)
        const kept = [os.live.size, view[9]]
        view = undefined
        report({ kept, freed: await collect(() => os.live.size === 0), replaced: os.count('replace') })`
      )
      assert.equal(report, { kept: [1, 200], freed: true, replaced: 0 })
      assert.is(readFileSync(path)[9], mode === 'write' ? 200 : pattern(10)[9])
    })
  }

for (const node of nodes) {
  const label = `Node ${node.major}`

  test(`${label}: a file that was never looked at is unmapped at once`, async () => {
    const path = freshFile(MiB)
    const report = await run(
      node,
      `
      const os = new FakeOs()
      const file = mapFile(${JSON.stringify(path)}, { mode: 'write', os, populate: true })
      file.check(), file.sync(), file.read(5, 10)
      file.close()
      report({ live: os.live.size, replaced: os.count('replace') })`
    )
    assert.equal(report, { live: 0, replaced: 0 })
  })

  test(`${label}: the descriptor of a file without a path is closed with it, and when it is dropped`, async () => {
    const path = freshFile(MiB)
    const report = await run(
      node,
      `
      const os = new FakeOs()
      const fd = fs.openSync(${JSON.stringify(path)}, 'r+')
      fs.unlinkSync(${JSON.stringify(path)})
      const open = () => mapFile(fd, { mode: 'write', os })
      const closed = open()
      closed.close()
      const first = os.files.opened.size
      ;(() => { open() })()
      report({ first, second: os.files.opened.size, dropped: await collect(() => os.files.opened.size === 0), usable: fs.fstatSync(fd).size })`
    )
    assert.equal(report, { first: 0, second: 1, dropped: true, usable: MiB })
  })

  test(`${label}: process.exit with everything open`, async () => {
    const path = freshFile(MiB)
    const child = await runChild(
      `${MAP_FILE}
      globalThis.files = ['read', 'copy', 'write'].map((mode) => mapFile(${JSON.stringify(path)}, { mode }))
      globalThis.views = files.map((file) => file.bytes)
      views[2][0] = 201
      files[2].syncAsync()
      process.on('exit', () => { views[2][1] = 202 })
      process.exit(7)`,
      { node }
    )
    assert.equal([child.status, child.signal, child.stderr], [7, null, ''])
    assert.equal([...readFileSync(path).subarray(0, 2)], [201, 202])
  })

  test(`${label}: memory that a foreign detach has moved is never unmapped, and the file is made visible anew`, async () => {
    const path = freshFile(MiB)
    const report = await run(
      node,
      `
      const os = new FakeOs()
      const moved = []
      await (async () => {
        const file = mapFile(${JSON.stringify(path)}, { mode: 'write', os })
        const stale = file.bytes
        const stream = new ReadableStream({ type: 'bytes', start(c) { c.enqueue(stale) } })
        moved.push((await stream.getReader().read()).value)
        const fresh = file.bytes
        fresh[3] = 77
        report({ stale: stale.length, seen: moved[0][3], again: file.offsetOf(fresh) })
        file.close()
      })()
      await collect(() => os.live.size === 0)
      report({ live: os.live.size, after: moved[0][3] })`
    )
    assert.equal(report, { stale: 0, seen: 77, again: 0, live: 1, after: 0 })
    assert.is(readFileSync(path)[3], 77)
  })

  test(`${label}: closing during a write of the file's own bytes, pinned and not`, async () => {
    const path = freshFile(32 * MiB)
    const report = await run(
      node,
      `
      import { promises } from 'node:fs'
      const outcomes = []
      for (const pinned of [true, false]) {
        const file = mapFile(${JSON.stringify(path)}, { mode: 'read' })
        const writing = (view) => promises.writeFile('/dev/null', view)
        const running = pinned ? file.use(file.bytes, writing) : writing(file.bytes)
        let refused = false
        try { file.close() } catch (error) { refused = error.code === 'ERR_ARENA_BUSY' }
        outcomes.push(refused, await running.then(() => 'done', (error) => error.name))
        file.close()
      }
      report({ outcomes })`
    )
    assert.equal(report.outcomes.slice(0, 3), [true, 'done', false])
  })
}

test.run()
