/**
 * Threads that come and go at random: they attach, make views, claim, close, drop, are terminated while they write; and the main
 * thread reserves, closes and drops meanwhile. In the end nothing is left: no mapping, no descriptor.
 *
 * A worker is terminated only when it has answered: koffi ends the process when a thread is terminated inside its call for a window.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compiled, nodes, runChild } from '../../helpers/child.ts'

/** Steps of the main thread at least; `SOAK=1` for a hundred times as many. */
const STEPS = process.env.SOAK === undefined ? 80 : 8000

const BODY = `
const random = (most) => Math.floor(Math.random() * most)
const holder = { kind: 'Slab', blockAround: () => undefined, innerClaims() {}, revoked() {} }
const held = []
Arena.reserve(1).close()
post('ready')
for (;;) {
  const handle = await next()
  try {
    const arena = Arena.attach(handle)
    const views = [[Uint8Array, random(GiB), 4096], [Float64Array, GiB + 8 * random(1000), 512], [Uint8Array, GiB - 10, 20]].map((each) => arena.view(...each))
    for (const view of views) view.fill(random(256))
    try {
      const claim = insideOf(arena).claim({ holder, offset: 4096 * random(20), byteLength: 8192, metadataBytes: () => random(9000) })
      if (random(2)) claim.release()
    } catch (error) { if (error.code !== 'ERR_ARENA_BUSY') throw error }
    if (random(3)) held.push({ arena, views })
    else arena.close(random(2) ? { detach: true } : {})
    if (random(3) === 0 && held.length > 0) {
      const [{ arena, views }] = held.splice(random(held.length), 1)
      arena.close()
      for (const view of views) if (view.length > 0) view[0] = 1
    }
    if (random(5) === 0) held.splice(0, 1)
    if (random(10) === 0) gc()
  } catch (error) { if (error.code !== 'ERR_ARENA_CLOSED') throw error }
  const writing = random(6) === 0 && held.length > 0
  post(writing ? 'writing' : 'done')
  for (let i = 0; writing; i++) for (const { views } of held) for (const view of views) view[i % view.length] = i
}`

for (const node of nodes)
  test(`Node ${node.major}: threads come and go, and nothing is left of what none has`, async () => {
    const child = await runChild(
      `
      import { readdirSync, readlinkSync } from 'node:fs'
      import { readMaps } from ${JSON.stringify(compiled('src/ffi/procfs'))}
      import { recheckNow } from ${JSON.stringify(compiled('src/arena/mapping/recheck'))}
      const random = (most) => Math.floor(Math.random() * most)
      const os = new FakeOs()
      const link = (fd) => { try { return readlinkSync('/proc/self/fd/' + fd) } catch { return '' } }
      const files = () => readdirSync('/proc/self/fd').filter((fd) => link(fd).includes('memfd:sorites')).length
      // Whichever thread it is of: a mapping of ours is longer than anything else here.
      const mappings = () => readMaps().filter(({ start, end, permissions }) => end - start > 1.9 * GiB && permissions.startsWith('rw')).length
      let threads = [], arenas = [], killed = 0, passed = 0
      const start = async () => { const thread = new Thread(${JSON.stringify(BODY)}); await thread.next(); return thread }
      const replace = async (thread) => { killed++; await threads[thread].kill(); threads[thread] = await start() }
      for (let i = 0; i < 3; i++) threads.push(await start())
      for (let step = 0; step < ${STEPS} || killed < 4 || passed < 20; step++) {
        const choice = random(8), thread = random(3)
        if (choice < 2 && arenas.length < 12) arenas.push(Arena.reserve(2 * GiB, { os, shared: random(2) === 1 }))
        else if (choice < 5 && arenas.length > 0) {
          threads[thread].post(arenas[random(arenas.length)].handle())
          passed++
          if ((await threads[thread].next()) === 'writing') await replace(thread)
        } else if (choice === 5 && arenas.length > 0) {
          const [arena] = arenas.splice(random(arenas.length), 1)
          if (random(2)) arena.view(Uint8Array, 5, 100).fill(1)
          arena.close(random(2) ? { detach: true } : {})
        } else if (choice === 6) {
          await replace(thread)
        } else if (arenas.length > 0 && random(3) === 0) arenas.splice(random(arenas.length), 1)
        if (random(20) === 0) gc()
      }
      for (const thread of threads) await thread.kill()
      for (const arena of arenas) arena.close({ detach: true })
      arenas = threads = undefined
      await collect(() => { recheckNow(true); return mappings() === 0 && files() === 0 })
      report({ mappings: mappings(), live: os.live.size, files: files(), killed, passed })`,
      { node }
    )
    const { report } = child.clean()
    assert.equal([report.mappings, report.live, report.files], [0, 0, 0], JSON.stringify(report))
    assert.ok(report.killed >= 4 && report.passed >= 20, JSON.stringify(report))
  })

test.run()
