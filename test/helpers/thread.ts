/**
 * A worker for the programs of child.ts: it runs the text of an async function, and what it posts is read here one by one.
 *
 *     const thread = new Thread(`const arena = Arena.attach(data); post(arena.view(Uint8Array, 0, 1)[0])`, arena.handle())
 *     await thread.next()
 *
 * The text sees `Arena`, `Heap`, `FakeOs`, the units, `collect`, `turns`, `data` (what was given), `post(value)`, and `next()`, which
 * gives the next message from outside.
 * @module
 */
import { Worker } from 'node:worker_threads'
import { compiled } from './compiled.ts'

export class Thread {
  readonly worker: Worker
  readonly #messages: unknown[] = []
  readonly #readers: { resolve(value: unknown): void; reject(error: unknown): void }[] = []
  #error: unknown

  constructor(body: string, data?: unknown) {
    this.worker = new Worker(program(body), { eval: true, workerData: data, execArgv: [] })
    this.worker.on('message', (message) => {
      const reader = this.#readers.shift()
      if (reader === undefined) this.#messages.push(message)
      else reader.resolve(message)
    })
    this.worker.on('error', (error) => this.#fail(error))
    this.worker.on('exit', () => this.#fail(new Error('the worker has ended')))
  }

  /** The next message; rejected when the worker has ended without one. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is the test's own affair
  next(): Promise<any> {
    if (this.#messages.length > 0) return Promise.resolve(this.#messages.shift())
    if (this.#error !== undefined) return Promise.reject(this.#error)
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }))
  }

  post(message: unknown): void {
    this.worker.postMessage(message)
  }

  /** Ends it wherever it is. */
  async kill(): Promise<void> {
    await this.worker.terminate()
  }

  /** Waits until it has ended by itself. */
  async ended(): Promise<void> {
    if (this.#error === undefined) await new Promise((resolve) => this.worker.once('exit', resolve))
  }

  #fail(error: unknown): void {
    this.#error ??= error
    for (const reader of this.#readers.splice(0)) reader.reject(this.#error)
  }
}

/** The worker's script. Scripts that are evaluated are not modules, so what it needs is imported by call. */
function program(body: string): string {
  const imports = [
    'src/arena/arena',
    'src/allocator/heap/heap',
    'src/units',
    'test/helpers/fake-os',
    'test/helpers/inside',
  ]
  return `
const { parentPort, workerData: data } = require('node:worker_threads')
const post = (value) => parentPort.postMessage(value)
const next = () => new Promise((resolve) => parentPort.once('message', resolve))
Promise.all(${JSON.stringify(imports.map(compiled))}.map((path) => import(path))).then(async (parts) => {
  const { Arena, insideOf, Heap, KiB, MiB, GiB, TiB, FakeOs, collect, turns, isMapped, mappedBytes, rssBytes } = Object.assign({}, ...parts)
  ${body}
}).catch((error) => setImmediate(() => { throw error }))
`
}
