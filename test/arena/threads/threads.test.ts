/**
 * One mapping, several threads of a process: which closes when, which is terminated, and what is left of it. Every test is a child that
 * must end by itself, never by a signal, on every Node.
 *
 * Longer than other files: each moment at which a thread may end.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compiled, type NodeBinary, nodes, runChild } from '../../helpers/child.ts'

const again = `import { recheckNow } from ${JSON.stringify(compiled('src/arena/mapping/recheck'))}\n`
const control = `import { tableOf } from ${JSON.stringify(compiled('test/helpers/thread-table'))}\n`

// biome-ignore lint/suspicious/noExplicitAny: what a child reports
async function run(node: NodeBinary, program: string): Promise<any> {
  return (await runChild(`${again}${control}${program}`, { node })).clean().report
}

/** Both kinds have the same life inside a process. */
const KINDS = { private: '{ os }', shared: '{ os, shared: true }' }

for (const node of nodes) {
  const label = `Node ${node.major}`

  for (const [kind, options] of Object.entries(KINDS)) {
    test(`${label}, ${kind}: both see the same bytes, at every place`, async () => {
      const report = await run(
        node,
        `
        const os = new FakeOs(), arena = Arena.reserve(3 * GiB, ${options})
        const places = [0, 4096, GiB - 8, GiB, 3 * GiB - 8]
        places.forEach((at, i) => arena.view(Float64Array, at, 1).fill(i + 0.5))
        const thread = new Thread(\`
          const arena = Arena.attach(data.handle)
          post([arena.byteLength, arena.pageSize, arena.shared, arena.closed])
          post(data.places.map((at) => arena.view(Float64Array, at, 1)[0]))
          data.places.forEach((at, i) => arena.view(Float64Array, at, 1).fill(-i))
          post('written')\`, { handle: arena.handle(), places })
        const facts = await thread.next(), read = await thread.next()
        await thread.next()
        await thread.kill()
        report({ facts, read, written: places.map((at) => arena.view(Float64Array, at, 1)[0] + 0), page: arena.pageSize })
        arena.close()`
      )
      assert.equal(report.facts, [3 * 2 ** 30, report.page, kind === 'shared', false])
      assert.equal(report.read, [0.5, 1.5, 2.5, 3.5, 4.5])
      assert.equal(report.written, [0, -1, -2, -3, -4])
    })

    test(`${label}, ${kind}: the worker closes first, then the creator`, async () => {
      const report = await run(
        node,
        `
        const os = new FakeOs(), arena = Arena.reserve(2 * GiB, ${options}), view = arena.view(Uint8Array, GiB, 8).fill(5)
        const [base, byteLength] = [...os.live][0]
        const thread = new Thread(\`
          const arena = Arena.attach(data), view = arena.view(Uint8Array, 2 ** 30, 8)
          view[1] = 6
          arena.close()
          await next()
          post([view.length, arena.closed])
          await next()\`, arena.handle())
        thread.post('on')
        const stale = await thread.next()
        const kept = [...view.subarray(0, 3)]
        arena.close()
        const rest = [os.files.opened.size, view.length === 0 || view[0] === 0]
        await thread.kill()
        recheckNow()
        const unmapped = await collect(() => { recheckNow(); return !isMapped(base, byteLength) && view.length === 0 })
        report({ stale, kept, rest, left: mappedBytes(base, byteLength), replaced: os.count('replace') })`
      )
      assert.equal(report.stale, [node.major < 22 ? 8 : 0, true])
      assert.equal(report.kept, [5, 6, 5])
      assert.equal(report.rest, [0, true])
      assert.is(report.replaced, 1)
    })

    test(`${label}, ${kind}: the creator closes first; the worker keeps the memory, and unmaps it`, async () => {
      const report = await run(
        node,
        `
        const os = new FakeOs(), arena = Arena.reserve(2 * GiB, ${options})
        const [base, byteLength] = [...os.live][0]
        arena.view(Uint8Array, GiB, 8).fill(5)
        const thread = new Thread(\`
          const os = new FakeOs()
          let arena = Arena.attach(data, { os })
          post('here')
          await next()
          let view = arena.view(Uint8Array, 2 ** 30, 8)
          const seen = [...view]
          arena.close({ detach: true })
          arena = view = undefined
          await collect(() => os.live.size === 0)
          post({ seen, live: os.live.size, released: os.count('release') })
          await next()\`, arena.handle())
        await thread.next()
        arena.close({ detach: true })
        const before = [os.live.size, os.count('replace') + os.count('release'), mappedBytes(base, byteLength) === byteLength]
        await collect(() => os.live.size === 0)
        const drained = os.live.size
        thread.post('on')
        const there = await thread.next()
        report({ before, drained, there, mapped: mappedBytes(base, byteLength) })
        await thread.kill()`
      )
      assert.equal(report.before.slice(1), [0, true])
      assert.is(report.drained, 0)
      assert.equal(report.there, { seen: [5, 5, 5, 5, 5, 5, 5, 5], live: 0, released: 1 })
      assert.is(report.mapped, 0)
    })

    test(`${label}, ${kind}: the creator is a thread that ends; one that attaches later still has the bytes`, async () => {
      const report = await run(
        node,
        `
        const maker = new Thread(\`
          const arena = Arena.reserve(2 ** 30${kind === 'shared' ? ', { shared: true }' : ''})
          arena.view(Uint8Array, 0, 8).fill(9)
          post(arena.handle())\`)
        const handle = await maker.next()
        await maker.ended()
        const os = new FakeOs(), arena = Arena.attach(handle, { os })
        const [base, byteLength] = [...os.live][0]
        const seen = arena.view(Uint8Array, 0, 8)[7], { fd } = arena
        arena.close({ detach: true })
        let code
        try { Arena.attach(handle) } catch (error) { code = error.code }
        const unmapped = await collect(() => os.live.size === 0)
        report({ seen, code, unmapped, left: mappedBytes(base, byteLength), closed: fd === undefined || os.files.closed.has(fd) })`
      )
      assert.equal(report, { seen: 9, code: 'ERR_ARENA_CLOSED', unmapped: true, left: 0, closed: true })
    })

    test(`${label}, ${kind}: a worker is terminated with views; the next close ends the mapping`, async () => {
      const report = await run(
        node,
        `
        const os = new FakeOs(), arena = Arena.reserve(2 * GiB, ${options})
        const [base, byteLength] = [...os.live][0]
        const thread = new Thread(\`
          const arena = Arena.attach(data), view = arena.view(Uint8Array, 0, 1 << 20)
          post('here')
          for (let i = 0; ; i++) view[i & 0xfffff] = i\`, arena.handle())
        await thread.next()
        await thread.kill()
        arena.close({ detach: true })
        report({ left: mappedBytes(base, byteLength), live: os.live.size, files: os.files.opened.size, released: os.count('release') })`
      )
      assert.equal(report, { left: 0, live: 0, files: 0, released: 1 })
    })

    test(`${label}, ${kind}: the creator closes, then the worker is terminated: the next look ends the mapping`, async () => {
      const report = await run(
        node,
        `
        const os = new FakeOs(), arena = Arena.reserve(2 * GiB, ${options})
        const [base, byteLength] = [...os.live][0]
        const thread = new Thread(\`
          const arena = Arena.attach(data)
          globalThis.view = arena.view(Uint8Array, 0, 32 << 20).fill(1)
          post('here')
          await next()\`, arena.handle())
        await thread.next()
        arena.close({ detach: true })
        const before = mappedBytes(base, byteLength) === byteLength
        const rss = rssBytes()
        await thread.kill()
        // Where the machine is slow a timer may have looked already.
        Arena.reserve(MiB).close()
        report({ before, left: mappedBytes(base, byteLength), files: os.files.opened.size, fallen: rss - rssBytes() })`
      )
      assert.equal([report.before, report.left, report.files], [true, 0, 0])
      assert.ok(report.fallen > 30 * 2 ** 20, `${report.fallen}`)
    })

    test(`${label}, ${kind}: without another look, a timer finds that the worker is dead`, async () => {
      const report = await run(
        node,
        `
        const os = new FakeOs(), arena = Arena.reserve(2 * GiB, ${options})
        const [base, byteLength] = [...os.live][0]
        const thread = new Thread('Arena.attach(data); post(1); await next()', arena.handle())
        await thread.next()
        arena.close({ detach: true })
        await thread.kill()
        // Not "until no byte is mapped": what is unmapped may be had by anything else at once.
        while (mappedBytes(base, byteLength) === byteLength) await turns(10)
        report({ left: mappedBytes(base, byteLength), whole: byteLength })`
      )
      assert.ok(report.left < report.whole / 2, JSON.stringify(report))
    })

    test(`${label}, ${kind}: a handle that is not attached to changes nothing`, async () => {
      const report = await run(
        node,
        `
        const os = new FakeOs(), arena = Arena.reserve(2 * GiB, ${options})
        const thread = new Thread('post(Object.keys(data)); await next()', arena.handle())
        const keys = await thread.next()
        arena.close({ detach: true })
        const freed = await collect(() => os.live.size === 0)
        report({ keys, freed, files: os.files.opened.size })
        await thread.kill()`
      )
      assert.ok(report.keys.includes('generation'))
      assert.equal([report.freed, report.files], [true, 0])
    })

    test(`${label}, ${kind}: two arenas of one mapping in one thread`, async () => {
      const report = await run(
        node,
        `
        const os = new FakeOs(), first = Arena.reserve(2 * GiB, ${options})
        const second = Arena.attach(first.handle(), { os }), third = Arena.attach(second.handle(), { os })
        first.view(Uint8Array, 0, 1)[0] = 7
        const seen = [second, third].map((arena) => arena.view(Uint8Array, 0, 1)[0])
        first.close({ detach: true })
        third.close({ detach: true })
        const still = second.view(Uint8Array, 0, 1)[0], live = os.live.size
        second.close({ detach: true })
        const freed = await collect(() => os.live.size === 0)
        report({ seen, still, live, freed, files: os.files.opened.size, released: os.count('release') })`
      )
      assert.equal(report, { seen: [7, 7], still: 7, live: 1, freed: true, files: 0, released: 1 })
    })

    test(`${label}, ${kind}: process.exit with everything alive`, async () => {
      const child = await runChild(
        `
        const os = new FakeOs(), arena = Arena.reserve(2 * GiB, ${options}), closed = Arena.reserve(2 * GiB, ${options})
        globalThis.views = [arena.view(Uint8Array, 0, 8), closed.view(Uint8Array, 0, 8)]
        const threads = [1, 2].map(() => new Thread(\`
          const arenas = data.map((handle) => Arena.attach(handle))
          const views = arenas.map((arena) => arena.view(Uint8Array, 0, 1 << 20))
          post('here')
          for (let i = 0; ; i++) views[i & 1][i & 0xfffff] = i\`, [arena.handle(), closed.handle()]))
        for (const thread of threads) await thread.next()
        closed.close()
        process.on('exit', () => views.forEach((view) => { view[0] = 1 }))
        process.exit(7)`,
        { node }
      )
      assert.equal([child.status, child.signal, child.stderr], [7, null, ''])
    })
  }

  test(`${label}: an arena that is dropped without being closed keeps its views' memory until they are garbage`, async () => {
    const report = await run(
      node,
      `
      const os = new FakeOs()
      const open = () => {
        const arena = Arena.reserve(2 * GiB, { os })
        return [arena.handle(), arena.view(Uint8Array, 0, 8).fill(3)]
      }
      let [handle, view] = open()
      const thread = new Thread('const arena = Arena.attach(data); post(1); await next(); arena.close(); post(2); await next()', handle)
      await thread.next()
      await collect(() => os.live.size === 0)
      const kept = [os.live.size, view[0]]
      thread.post('close')
      await thread.next()
      const after = view[0]
      view = undefined
      await collect(() => os.live.size === 0)
      report({ kept, after, live: os.live.size })
      await thread.kill()`
    )
    assert.equal(report, { kept: [1, 3], after: 3, live: 0 })
  })

  test(`${label}: forty workers that hold a thousand views are terminated while they write`, async () => {
    const report = await run(
      node,
      `
      const os = new FakeOs(), arena = Arena.reserve(4 * GiB, { os }), handle = arena.handle()
      let mine = arena.view(Uint32Array, 3 * GiB, 1024).fill(0xabcdef)
      let rounds = 0
      const once = async (round) => {
        const last = Arena.reserve(2 * GiB, { os, shared: round % 2 === 1 })
        const thread = new Thread(\`
          const [arena, last] = data.map((handle) => Arena.attach(handle))
          globalThis.views = Array.from({ length: 1000 }, (_, i) => [arena, last][i & 1].view(Uint8Array, i * 100_000, 4096))
          post(1)
          for (let i = 0; ; i++) views[i % 1000][i & 4095] = i\`, [handle, last.handle()])
        await thread.next()
        // This one ends with the worker: no other thread has it.
        last.close()
        await thread.kill()
        gc()
        Arena.reserve(MiB).close()
        rounds++
      }
      for (let round = 0; round < 40; round++) await once(round)
      const intact = mine.every((word) => word === 0xabcdef)
      const slots = tableOf(handle)
      slots.freeEndedRows(os)
      const held = slots.count(1)
      arena.close({ detach: true })
      mine = undefined
      await collect(() => os.live.size === 0)
      report({ rounds, intact, held, live: os.live.size, files: os.files.opened.size })`
    )
    assert.equal(report, { rounds: 40, intact: true, held: 1, live: 0, files: 0 })
  })
}

test.run()
