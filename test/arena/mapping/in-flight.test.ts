/**
 * Closing while native operations run on the memory, unpinned: they may fail, but the process goes on. And pinned: they do not.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nodes, runChild } from '../../helpers/child.ts'

/** Those that copy their input first, and so hold nothing. */
const COPIES = ['subtle.digest']

/** Each starts an operation on `view` and gives its promise; `finish` lets it end. */
const OPERATIONS: Record<string, string> = {
  'fs.read': `
    execFileSync('mkfifo', [fifo])
    const fd = openSync(fifo, constants.O_RDWR)
    const running = promisify(read)(fd, view, 0, 4096, null)
    const finish = () => writeSync(fd, Buffer.alloc(4096, 7))`,
  'crypto.randomFill': `
    const running = promisify(randomFill)(view)
    const finish = () => undefined`,
  'zlib.gzip': `
    const running = promisify(gzip)(view)
    const finish = () => undefined`,
  'zlib.createGzip': `
    const stream = createGzip()
    const chunks = []
    stream.on('data', (chunk) => chunks.push(chunk))
    const running = new Promise((resolve, reject) => stream.on('end', resolve).on('error', reject))
    stream.end(view)
    const finish = () => undefined`,
  'subtle.digest': `
    const running = crypto.subtle.digest('SHA-256', view)
    const finish = () => undefined`,
  'fs.writeFile': `
    const running = promises.writeFile('/dev/null', view)
    const finish = () => undefined`,
}

const PRELUDE = `
import { execFileSync } from 'node:child_process'
import { randomFill } from 'node:crypto'
import { constants, openSync, promises, read, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { promisify } from 'node:util'
import { createGzip, gzip } from 'node:zlib'
const fifo = tmpdir() + '/sorites-fifo-' + process.pid
process.on('exit', () => rmSync(fifo, { force: true }))
const os = new FakeOs()
let outcome = 'pending'
process.on('uncaughtException', (error) => { outcome = 'uncaught ' + error.name })
`

/** A program that starts an operation, calls `during` on the arena while it runs, and reports how both ended. */
function program(start: string, during: string): string {
  return `${PRELUDE}
    const begin = async () => {
      const arena = Arena.reserve(256 * MiB, { os })
      const view = arena.view(Uint8Array, 0, 32 * MiB)
      ${start}
      running.then(() => { outcome = 'done' }, (error) => { outcome = 'failed ' + error.name })
      ${during}
      return finish
    }
    let finish = await begin()
    for (let round = 0; round < 5; round++) { gc(); await turns(1) }
    const waiting = outcome === 'pending' ? os.live.size : 1
    finish()
    while (outcome === 'pending') await turns(1)
    finish = undefined
    const freed = await collect(() => os.live.size === 0)
    report({ outcome, waiting, freed })
    process.exit(0)`
}

for (const node of nodes)
  for (const [name, start] of Object.entries(OPERATIONS)) {
    test(`Node ${node.major}: closing during ${name} without a pin`, async () => {
      const { report } = (await runChild(program(start, 'await turns(1)\narena.close()'), { node })).clean()
      // The addresses stay for as long as the operation may use them.
      if (!COPIES.includes(name)) assert.is(report.waiting, 1)
      assert.ok(report.freed)
      if (node.major < 22) assert.is(report.outcome, 'done')
      else assert.match(report.outcome, /^(done|failed|uncaught)/)
    })

    test(`Node ${node.major}: closing during ${name} that is pinned`, async () => {
      const during = `
        const pin = arena.pin()
        let refused = 0
        try { arena.close() } catch (error) { refused = error.code === 'ERR_ARENA_BUSY' ? 1 : 2 }
        if (refused !== 1) throw new Error('closed while pinned')
        const settled = () => { pin[Symbol.dispose](); arena.close() }
        running.then(settled, settled)`
      const { report } = (await runChild(program(start, during), { node })).clean()
      assert.equal([report.outcome, report.freed], ['done', true])
    })
  }

test.run()
