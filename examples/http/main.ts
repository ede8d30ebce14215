/**
 * Recipe: HTTP responses from a pool of bump allocators (server.ts, bump-pool.ts), under load, against Buffers. `--help`.
 *
 *     early free   a block is freed while a socket sends it, without a pin and with one (early-free.ts)
 *     load         each server in a fresh process (serve.ts), its clients in another (load.ts); every byte is verified
 *     shutdown     the server is told to close while clients have not read their responses: all of them arrive, and it ends
 * @module
 */
import { type ChildProcess, execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { bytes, table } from '../../demo/print.ts'
import { KiB } from '../../src/index.ts'
import { settings } from '../settings.ts'
import { verdict } from '../verdict.ts'
import { type EarlyFree, freeEarly } from './early-free.ts'
import type { Load } from './load.ts'
import { LONGEST, NUMBERS, writeReport } from './report.ts'
import type { Order, Served, ServerMessage } from './serve.ts'

const HELP = `Usage: npm run example -- http [options]

HTTP responses that are sent from a pool of bump allocators, without a copy: what happens
to a block that is freed too early, what load costs, against Buffers, and a shutdown that
waits for the responses on their way.

  --requests N    requests of the load (default 20000)
  --clients N     clients that ask at the same time (default 32)
  --size N        KiB of the longest response of the load (default 256)
  --waiting N     responses on their way at the shutdown (default 8)
  --help          this text

Exit status: 0 when every client got the right bytes, 1 when not.`

interface Options {
  readonly requests: number
  readonly clients: number
  readonly size: number
  readonly waiting: number
}

interface Result {
  readonly load: Load
  readonly served: Served
  /** At the shutdown: responses on their way, those that arrived whole, and the server's exit status. */
  readonly onTheWay: number
  readonly arrived: number
  readonly status: number | null
}

const path = (file: string): string => fileURLToPath(new URL(`./${file}`, import.meta.url))

/** The next message of a server. Rejects when it ends without one. */
async function messageOf<K extends string>(server: ChildProcess, kind: K): Promise<ServerMessage & Record<K, unknown>> {
  const ended = new AbortController()
  const fail = (): void => ended.abort(new Error('the server has ended'))
  server.once('exit', fail)
  try {
    for (;;) {
      const [message] = (await once(server, 'message', { signal: ended.signal })) as [ServerMessage]
      if (kind in message) return message as ServerMessage & Record<K, unknown>
    }
  } finally {
    server.off('exit', fail)
  }
}

function tell<K extends string>(server: ChildProcess, order: Order, kind: K): ReturnType<typeof messageOf<K>> {
  const answer = messageOf(server, kind)
  server.send(order)
  return answer
}

/** Asks for a report, and does not read it yet. */
async function unread(port: number, seed: number): Promise<IncomingMessage> {
  const request = get({ port, host: '127.0.0.1', path: `/report/${seed}/${LONGEST}`, agent: false })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return response
}

async function isRight(response: IncomingMessage, seed: number): Promise<boolean> {
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  const expected = Buffer.alloc(LONGEST)
  writeReport(expected, new Float64Array(NUMBERS), seed)
  return Buffer.concat(chunks).equals(expected)
}

async function measure(kind: 'bumps' | 'buffers', options: Options): Promise<Result> {
  const { requests, clients, size, waiting } = options
  const server = fork(path('serve.js'), [kind, String(Math.max(clients, waiting))])
  try {
    const { port } = (await messageOf(server, 'port')) as { port: number }
    const args = [path('load.js'), String(port), String(clients), String(requests), String(size * KiB)]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    const { served } = (await tell(server, 'figures', 'served')) as { served: Served }
    const responses = await Promise.all(Array.from({ length: waiting }, (_, seed) => unread(port, seed)))
    const exited = once(server, 'exit')
    const { closing: onTheWay } = (await tell(server, 'close', 'closing')) as { closing: number }
    const right = await Promise.all(responses.map(isRight))
    const [status] = (await exited) as [number | null]
    return { load: JSON.parse(stdout), served, onTheWay, arrived: right.filter(Boolean).length, status }
  } finally {
    server.kill('SIGKILL')
  }
}

function row(name: string, { load, served }: Result): string[] {
  return [
    name,
    (load.right / load.seconds).toFixed(0),
    `${load.medianMs.toFixed(1)} ms`,
    `${load.slowestMs.toFixed(1)} ms`,
    `${(served.cpuMs / 1000).toFixed(2)} s`,
    bytes(served.peakRssBytes),
    String(served.collections),
    `${served.pausesMs.toFixed(0)} ms`,
  ]
}

function print(without: EarlyFree, pinned: EarlyFree, bumps: Result, buffers: Result, options: Options): void {
  const share = ((100 * without.wrongBytes) / without.byteLength).toFixed(0)
  console.log(`
A block that is freed while a socket sends it: without a pin ${share} % of what the client gets
are another block's bytes, and there is no error. With one, free throws ${pinned.code}
and the client gets what was sent.

${options.requests} requests by ${options.clients} clients, responses up to ${options.size} KiB
`)
  const head = ['', 'a second', 'median', '99 of 100', 'CPU', 'RSS', 'collections', 'pauses']
  console.log(table(head, [row('from bumps', bumps), row('from Buffers', buffers)]))
  console.log(`
HTTP itself takes most of the time by either way. What the pool gives is a bound: so many
responses are on their way at most, in memory that no collection has to find.

At the shutdown ${bumps.onTheWay} responses of ${bytes(LONGEST)} were on their way; ${bumps.arrived} arrived whole, then the
server gave its memory back and ended by itself.
`)
}

async function run(options: Options): Promise<void> {
  const without = await freeEarly(false)
  const pinned = await freeEarly(true)
  const bumps = await measure('bumps', options)
  const buffers = await measure('buffers', options)
  print(without, pinned, bumps, buffers, options)
  const { right, wrong, refused, givenUp } = bumps.load
  verdict([
    {
      name: 'free during a response threw ERR_BLOCK_PINNED, and the client got the right bytes',
      ok: pinned.code === 'ERR_BLOCK_PINNED' && pinned.wrongBytes === 0,
    },
    {
      name: `${right} responses were right, ${givenUp} were given up by their clients, none was wrong or refused`,
      ok: wrong === 0 && refused === 0 && right + givenUp === options.requests,
    },
    {
      name: `shutdown: ${bumps.arrived} responses on their way arrived whole, and the server ended with status ${bumps.status}`,
      ok: bumps.arrived === options.waiting && bumps.status === 0,
    },
  ])
}

const options = settings(HELP, {
  requests: { default: 20_000, least: 1, most: 100_000_000 },
  clients: { default: 32, least: 1, most: 1000 },
  size: { default: 256, least: 1, most: LONGEST / KiB },
  waiting: { default: 8, least: 1, most: 64 },
})
if (options !== undefined) await run(options)
