/** The server of examples/http: the recipe as it is run, what it refuses, and how it closes. */
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BumpPool } from '../../examples/http/bump-pool.ts'
import { NUMBERS, writeReport } from '../../examples/http/report.ts'
import { ReportServer } from '../../examples/http/server.ts'
import { KiB } from '../../src/index.ts'
import { nodes } from '../helpers/child.ts'
import { passes, refuses } from './recipes.ts'

for (const node of nodes)
  test(`Node ${node.major}: http sends the right bytes, pins them, and drains`, () => {
    const out = passes(node, 3, 'http', '--requests', '200', '--clients', '4', '--size', '64', '--waiting', '2')
    assert.match(out, /free throws ERR_BLOCK_PINNED/)
    assert.match(out, /ok {3}198 responses were right, 2 were given up/)
    assert.match(out, /2 responses of 16\.0 MiB were on their way; 2 arrived whole/)
  })

test('http: help, and wrong arguments', () =>
  refuses('http', [
    [['--requests', '-1'], /--requests expected a whole number from 1 to \d+, got "-1"/],
    [['--size', '20000'], /--size expected a whole number from 1 to 16384, got "20000"/],
    [['--clients', ''], /--clients expected/],
  ]))

async function ask(port: number, path: string, method = 'GET'): Promise<IncomingMessage> {
  const asked = request({ port, path, method, host: '127.0.0.1', agent: false })
  asked.end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return response
}

async function read(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function report(seed: number, length: number): Buffer {
  const body = Buffer.alloc(length)
  writeReport(body, new Float64Array(NUMBERS), seed)
  return body
}

test('ReportServer: what is wrong gets a status and a line', async () => {
  const server = new ReportServer(1)
  const port = await server.listen()
  for (const [path, method, status, line] of [
    ['/', 'GET', 404, 'expected GET /report/SEED/LENGTH\n'],
    ['/report/1/2/3', 'GET', 404, 'expected GET /report/SEED/LENGTH\n'],
    ['/report/1/10', 'POST', 404, 'expected GET /report/SEED/LENGTH\n'],
    ['/report/1/16777217', 'GET', 400, 'LENGTH expected at most 16777216, got 16777217\n'],
  ] as const) {
    const response = await ask(port, path, method)
    assert.equal([response.statusCode, String(await read(response))], [status, line])
  }
  assert.is(server.active, 0)
  for (const length of [0, 1, 100_000])
    assert.equal(await read(await ask(port, `/report/5/${length}`)), report(5, length))
  await server.close()
})

test('ReportServer: more requests than bumps are refused, and closing waits for those under way', async () => {
  const server = new ReportServer(2)
  const port = await server.listen()
  const long = 16_777_216
  const responses = await Promise.all([1, 2].map((seed) => ask(port, `/report/${seed}/${long}`)))
  assert.is(server.active, 2)
  const refused = await ask(port, '/report/3/10')
  assert.equal([refused.statusCode, String(await read(refused))], [503, 'too many requests\n'])
  let closed = false
  const closing = server.close().then(() => (closed = true))
  const late = await ask(port, '/report/3/10')
  assert.equal([late.statusCode, String(await read(late)), closed], [503, 'closing\n', false])
  assert.equal(await read(responses[0] as IncomingMessage), report(1, long))
  assert.not.ok(closed)
  assert.equal(await read(responses[1] as IncomingMessage), report(2, long))
  await closing
  await once(request({ port, host: '127.0.0.1', agent: false }), 'error').then(([error]) =>
    assert.is(error.code, 'ECONNREFUSED')
  )
})

test('ReportServer: a client that gives up gives its bump back', async () => {
  const server = new ReportServer(1)
  const port = await server.listen()
  for (let round = 0; round < 3; round++) {
    const response = await ask(port, `/report/${round}/16777216`)
    assert.is(response.statusCode, 200)
    response.destroy()
    while (server.active > 0) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  assert.equal(await read(await ask(port, '/report/9/1000')), report(9, 1000))
  await server.close()
})

test('BumpPool: a bump is not given back while a block of it is pinned', async () => {
  const pool = new BumpPool(1, 64 * KiB)
  const bump = pool.take()
  assert.ok(bump)
  assert.is(pool.take(), undefined)
  const pin = bump.pin(bump.alloc(Uint8Array, 10))
  assert.throws(
    () => pool.give(bump),
    (error: NodeJS.ErrnoException) => error.code === 'ERR_BLOCK_PINNED'
  )
  assert.is(pool.taken, 1)
  const closed = pool.close()
  pin[Symbol.dispose]()
  await closed
  pool.give(bump)
  assert.is(pool.taken, 0)
})

test.run()
