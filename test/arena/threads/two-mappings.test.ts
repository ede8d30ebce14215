/**
 * One process has the same arena twice, by two mappings of its file, and handles of both: each handle leads to its own mapping, and
 * nothing is left of either when all have closed.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compiled, nodes, runChild } from '../../helpers/child.ts'

for (const node of nodes)
  test(`Node ${node.major}: handles of two mappings of one arena, closed in all orders`, async () => {
    const { report } = (
      await runChild(
        `
        import { recheckNow } from ${JSON.stringify(compiled('src/arena/mapping/recheck'))}
        const orders = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]]
        const found = []
        for (const order of orders) for (const viewed of [true, false]) {
          const os = new FakeOs()
          const first = Arena.reserve(64 * KiB, { os, shared: true }), second = Arena.attach({ fd: first.fd }, { os })
          const handles = [first.handle(), second.handle()]
          const arenas = [first, second, ...handles.map((handle) => Arena.attach(handle, { os }))]
          if (viewed) arenas[2].view(Uint8Array, 8, 1)[0] = 7
          const seen = viewed ? arenas.map((arena) => arena.view(Uint8Array, 8, 1)[0]) : []
          for (const at of order) arenas[at].close({ detach: true })
          await collect(() => { recheckNow(true); return os.live.size === 0 })
          found.push([seen, os.live.size, os.files.opened.size])
        }
        report({ found })`,
        { node }
      )
    ).clean()
    assert.equal(
      report.found,
      Array.from({ length: 8 }, (_, round) => [round % 2 === 0 ? [7, 7, 7, 7] : [], 0, 0])
    )
  })

for (const node of nodes)
  test(`Node ${node.major}: the next mapping of an arena, where one was that is gone`, async () => {
    const { report } = (
      await runChild(
        `
        import { recheckNow } from ${JSON.stringify(compiled('src/arena/mapping/recheck'))}
        const found = []
        for (let round = 0; round < 4; round++) {
          const first = Arena.reserve(64 * KiB, { shared: true }), second = Arena.attach({ fd: first.fd })
          const own = Arena.attach(first.handle()), other = Arena.attach(second.handle())
          other.close()
          second.close()
          // The kernel places it where the second was, as a rule.
          const next = Arena.attach({ fd: first.fd })
          if (round % 2 === 0) own.close()
          if (round > 1) first.close()
          const handle = next.handle()
          recheckNow(true)
          const attached = [Arena.attach(handle), Arena.attach(handle)]
          next.view(Uint8Array, 8, 1)[0] = round
          found.push(attached.map((arena) => arena.view(Uint8Array, 8, 1)[0]))
          for (const arena of [first, own, next, ...attached]) arena.close({ detach: true })
        }
        report({ found })`,
        { node }
      )
    ).clean()
    assert.equal(report.found, [
      [0, 0],
      [1, 1],
      [2, 2],
      [3, 3],
    ])
  })

test.run()
