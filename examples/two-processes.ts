/**
 * Example: a ring buffer of records in a shared arena between two Node processes, against the same over a pipe. `--help`.
 *
 *     this process ── records ──▶ ring in shared memory, or pipe ──▶ two-processes-reader.ts, which inherits the arena as 3
 *
 * Every record is verified by its number and checksum where it arrives, and the digest of all of them here. The three channels
 * take turns, so that what else the machine does hits them alike; the medians are given.
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { table } from '../demo/print.ts'
import { Arena } from '../src/index.ts'
import { CHANNELS, type Channel, type Received, send } from './channels.ts'
import { expectedDigest, RECORD_BYTES } from './records.ts'
import { ringBytes } from './ring.ts'

const HELP = `Usage: npm run example -- two-processes [options]

Sends records of 64 bytes from one Node process to another: through a ring buffer in
an arena that both map, and through a pipe. Verifies every record.

  --records N     records through the ring and the batched pipe, each round (default
                  2000000); the pipe with one write a record gets a twentieth
  --rounds N      rounds, of which the medians are given (default 5)
  --capacity N    records in the ring, a power of two (default 16384)
  --help          this text

Exit status: 0 when every record arrived as it was sent, 1 when not.`

interface Options {
  readonly records: number
  readonly rounds: number
  readonly capacity: number
}

/** Records each second, by channel and round. */
type Rates = Map<Channel, number[]>

async function measure(options: Options): Promise<Rates> {
  const folder = mkdtempSync(join(tmpdir(), 'sorites-'))
  const fifo = join(folder, 'pipe')
  const arena = Arena.reserve(ringBytes(options.capacity), { shared: true, name: 'ring' })
  const reader = startReader(arena, fifo)
  try {
    spawnSync('mkfifo', [fifo], { stdio: 'inherit' })
    const rates: Rates = new Map(CHANNELS.map((channel) => [channel, []]))
    // The first round is for the compiler.
    for (let round = -1; round < options.rounds; round++)
      for (const channel of CHANNELS) {
        const rate = await sendOnce(channel, options.records, reader, arena, fifo)
        if (round >= 0) rates.get(channel)?.push(rate)
      }
    return rates
  } finally {
    reader.kill()
    rmSync(folder, { recursive: true })
    arena.close()
  }
}

function startReader(arena: Arena, fifo: string): ChildProcess {
  const path = fileURLToPath(new URL('./two-processes-reader.js', import.meta.url))
  // A memory file's descriptor, passed on as 3, is all that the other process needs.
  return spawn(process.execPath, [path, fifo], { stdio: ['ignore', 'inherit', 'inherit', arena.fd, 'ipc'] })
}

/** Sends records once; gives how many a second arrived. */
async function sendOnce(
  channel: Channel,
  records: number,
  reader: ChildProcess,
  arena: Arena,
  fifo: string
): Promise<number> {
  const count = Math.ceil(channel === 'pipe, 1 write a record' ? records / 20 : records)
  // The request has to be on its way, and the reader on its, before this thread is busy sending.
  reader.send({ channel, count })
  await answerOf(reader)
  send(channel, count, arena, fifo)
  const { digest, seconds } = (await answerOf(reader)) as Received
  if (digest !== expectedDigest(count)) throw new Error(`${channel}: the digest of ${count} records is ${digest}`)
  return count / seconds
}

/** The reader's next message; rejected when it ends instead. */
function answerOf(reader: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (status: number | null): void => reject(new Error(`the reader ended with status ${status}`))
    reader.once('exit', ended)
    reader.once('message', (message) => {
      reader.off('exit', ended)
      resolve(message)
    })
  })
}

function report(rates: Rates): void {
  const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] as number
  const ring = median(rates.get('ring') ?? [])
  const rows = [...rates].map(([channel, values]) => {
    const rate = median(values)
    const range = `${millions(Math.min(...values))} … ${millions(Math.max(...values))}`
    const times = channel === 'ring' ? '·' : `${(ring / rate).toFixed(1)} ×`
    return [channel, millions(rate), range, `${((rate * RECORD_BYTES) / 2 ** 20).toFixed(0)} MiB/s`, times]
  })
  console.log(table(['', 'records/s', 'range', 'bytes', 'the ring is'], rows))
  console.log('\nEvery record was verified by its number and its checksum, and the digest of all of them.')
}

function millions(rate: number): string {
  return `${(rate / 1e6).toFixed(2)} M`
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1)
    throw new Error(`--${name} expected a whole number from 1, got "${text}"`)
  return number
}

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '2000000' },
    rounds: { type: 'string', default: '5' },
    capacity: { type: 'string', default: '16384' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) console.log(HELP)
else {
  const [records, rounds, capacity] = (['records', 'rounds', 'capacity'] as const).map((name) =>
    wholeNumber(name, values[name])
  )
  if (!Number.isInteger(Math.log2(capacity as number)))
    throw new Error(`--capacity expected a power of two, got ${capacity}`)
  report(await measure({ records: records as number, rounds: rounds as number, capacity: capacity as number }))
}
