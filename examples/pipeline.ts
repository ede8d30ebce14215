/**
 * Example: a pipeline of threads. One reads texts, four count their words, one adds up; what is passed on are blocks of one heap. `--help`.
 *
 *     reader ──chunk──▶ parser 1 … 4 ──counts──▶ writer
 *
 * By reference, a chunk is a block: the reader allocates it, the parser that is done with it frees it; the counts are a block of the parser,
 * which the writer frees. `arena.refOf` makes of a view what survives `postMessage`, `arena.viewOf` the view on the other side. Beside it the same
 * with copies (`postMessage` of an array) and transfers (of its buffer).
 * @module
 */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isMainThread, MessageChannel, type MessagePort, Worker, workerData } from 'node:worker_threads'
import { bytes, table } from '../demo/print.ts'
import { Arena, type ArenaHandle, Heap, MiB } from '../src/index.ts'
import { parsed, quantile, verdict, whole } from './verdict.ts'

const HELP = `Usage: npm run example -- pipeline [options]

One thread makes texts, four count their words, one adds the counts up: by blocks of a
heap that all of them have, by copies, and by transfers.

  --mebibytes N   of text (default 64)
  --chunk N       bytes of a chunk (default 65536)
  --rounds N      rounds, of which the medians are given (default 3)
  --help          this text

Exit status: 0 when all three ways count the same, and the heap is empty afterwards.`

const WAYS = ['reference', 'copy', 'transfer'] as const
type Way = (typeof WAYS)[number]
const PARSERS = 4
/** Chunks under way at a time, so that none waits for memory. */
const WINDOW = 64

interface Part {
  readonly role: 'reader' | 'parser' | 'writer'
  readonly way: Way
  readonly handle: ArenaHandle
  readonly chunks: number
  readonly chunk: number
  readonly ports: readonly MessagePort[]
}

/** What travels: a view, by the way that is chosen. A sender by copy lets go of it, by reference hands it over. */
class Passing {
  readonly #way: Way
  readonly #arena: Arena
  readonly heap: Heap

  constructor(way: Way, handle: ArenaHandle) {
    this.#way = way
    this.#arena = Arena.attach(handle)
    this.heap = Heap.attach(this.#arena)
  }

  make<T extends Uint8Array | Uint32Array>(type: new (length: number) => T, length: number): T {
    return this.#way === 'reference' ? (this.heap.allocUnsafe(type as never, length) as T) : new type(length)
  }

  send(port: MessagePort, view: Uint8Array | Uint32Array): void {
    if (this.#way === 'reference') port.postMessage(this.#arena.refOf(view))
    else port.postMessage(view, this.#way === 'transfer' ? [view.buffer as ArrayBuffer] : [])
  }

  received(message: unknown): Uint8Array | Uint32Array {
    return this.#way === 'reference' ? (this.#arena.viewOf(message as never) as Uint8Array) : (message as Uint8Array)
  }

  done(view: Uint8Array | Uint32Array): void {
    if (this.#way === 'reference') this.heap.free(view)
  }

  close(): void {
    this.heap.close()
    this.#arena.close()
  }
}

/** Fills a chunk with words of one to nine letters. */
function writeWords(chunk: Uint8Array, seed: number): void {
  for (let at = 0, state = seed; at < chunk.length; at++) {
    state = (Math.imul(state, 1103515245) + 12345) | 0
    chunk[at] = state >>> 28 < 3 ? 32 : 97 + ((state >>> 16) & 15)
  }
}

function countWords(chunk: Uint8Array): number {
  let words = 0
  for (let at = 0, before = 32; at < chunk.length; at++) {
    const byte = chunk[at] as number
    if (byte !== 32 && before === 32) words++
    before = byte
  }
  return words
}

function read({ chunks, chunk, ports }: Part, passing: Passing): void {
  const [back, ...parsers] = ports as [MessagePort, ...MessagePort[]]
  let sent = 0
  const send = (): void => {
    const text = passing.make(Uint8Array, chunk)
    writeWords(text, sent + 1)
    passing.send(parsers[sent % PARSERS] as MessagePort, text)
    sent++
  }
  back.on('message', () => {
    if (sent < chunks) send()
    else end([back, ...parsers], passing)
  })
  while (sent < Math.min(WINDOW, chunks)) send()
}

function parse({ ports }: Part, passing: Passing): void {
  const [reader, writer] = ports as [MessagePort, MessagePort]
  reader.on('message', (message) => {
    const text = passing.received(message) as Uint8Array
    const counts = passing.make(Uint32Array, 2)
    counts.set([countWords(text), text.length])
    passing.done(text)
    passing.send(writer, counts)
  })
  reader.on('close', () => end([writer], passing))
}

function write({ chunks, ports }: Part, passing: Passing): void {
  const [main, reader, ...parsers] = ports as [MessagePort, MessagePort, ...MessagePort[]]
  let words = 0
  let length = 0
  let received = 0
  let begin = 0
  for (const parser of parsers)
    parser.on('message', (message) => {
      if (received === 0) begin = performance.now()
      const counts = passing.received(message)
      words += counts[0] as number
      length += counts[1] as number
      passing.done(counts)
      reader.postMessage(0)
      if (++received < chunks) return
      main.postMessage({ words, length, ms: performance.now() - begin })
      end([main, ...parsers], passing)
    })
}

function end(ports: readonly MessagePort[], passing: Passing): void {
  for (const port of ports) port.close()
  passing.close()
}

interface Counted {
  readonly words: number
  readonly length: number
  /** From the first counts to the last: starting threads takes longer than all of it. */
  readonly ms: number
}

/** Runs the pipeline once. */
async function run(way: Way, arena: Arena, chunks: number, chunk: number): Promise<Counted> {
  const channel = (): [MessagePort, MessagePort] => {
    const { port1, port2 } = new MessageChannel()
    return [port1, port2]
  }
  const [result, toMain] = channel()
  const [back, toReader] = channel()
  const texts = Array.from({ length: PARSERS }, channel)
  const counts = Array.from({ length: PARSERS }, channel)
  const start = (role: Part['role'], ports: MessagePort[]): Promise<unknown> =>
    once(
      new Worker(fileURLToPath(import.meta.url), {
        workerData: { role, way, handle: arena.handle(), chunks, chunk, ports } satisfies Part,
        transferList: ports,
      }),
      'exit'
    )
  const ended = [
    start('writer', [toMain, toReader, ...counts.map(([, port]) => port)]),
    ...texts.map(([, port], index) => start('parser', [port, (counts[index] as [MessagePort, MessagePort])[0]])),
    start('reader', [back, ...texts.map(([port]) => port)]),
  ]
  const counted = await new Promise<Counted>((resolve) => result.on('message', resolve))
  await Promise.all(ended)
  result.close()
  return counted
}

async function main(): Promise<void> {
  const options = parsed(HELP, () => {
    const { values } = parseArgs({
      options: {
        mebibytes: { type: 'string', default: '64' },
        chunk: { type: 'string', default: '65536' },
        rounds: { type: 'string', default: '3' },
        help: { type: 'boolean' },
      },
    })
    return {
      help: values.help,
      total: whole('--mebibytes', values.mebibytes, 1) * MiB,
      chunk: whole('--chunk', values.chunk, 16),
      rounds: whole('--rounds', values.rounds, 1),
    }
  })
  if (options === undefined) return
  const { total, chunk, rounds } = options
  const arena = Arena.reserve(256 * MiB)
  const heap = new Heap(arena, { concurrent: true })
  const found = new Map<Way, Counted[]>(WAYS.map((way) => [way, []]))
  for (let round = 0; round < rounds; round++)
    for (const way of WAYS) found.get(way)?.push(await run(way, arena, Math.ceil(total / chunk), chunk))
  const rows = WAYS.map((way) => {
    const ms = quantile((found.get(way) ?? []).map((one) => one.ms))
    return [way, `${ms.toFixed(0)} ms`, `${bytes(total / (ms / 1000))}/s`]
  })
  console.log(table(['way', 'time', 'text'], rows))
  const all = [...found.values()].flat()
  heap.check()
  verdict([
    { name: 'all ways count the same', ok: new Set(all.map(({ words }) => words)).size === 1 },
    { name: 'no block is left', ok: heap.stats().usedCount === 0 },
  ])
  arena.close()
}

if (isMainThread) await main()
else {
  const part = workerData as Part
  const passing = new Passing(part.way, part.handle)
  if (part.role === 'reader') read(part, passing)
  else if (part.role === 'parser') parse(part, passing)
  else write(part, passing)
}
