/**
 * Another process for the programs of child.ts: what `Thread` is for workers.
 *
 *     const peer = new Peer(`const arena = Arena.attach({ fd: 3 }); post(arena.view(Uint8Array, 0, 1)[0])`, { fds: [arena.fd] })
 *     await peer.next()
 *
 * The text sees what a thread's does. It runs under the same Node, inherits the descriptors as 3, 4, …, and is killed at the latest
 * when this process ends.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { compiled } from './compiled.ts'

export interface PeerOptions {
  readonly data?: unknown
  readonly fds?: readonly number[]
  /** A command in front of Node's: `['prlimit', '--as=…']`. */
  readonly before?: readonly string[]
}

export class Peer {
  readonly process: ChildProcess
  readonly #messages: unknown[] = []
  readonly #readers: { resolve(value: unknown): void; reject(error: unknown): void }[] = []
  readonly #exit: Promise<string>
  #over = false

  constructor(body: string, options: PeerOptions = {}) {
    const { data, fds = [], before = [] } = options
    const node = [process.execPath, '--expose-gc', '--no-warnings', '--input-type=module', '-e', program(body)]
    const [command, ...args] = [...before, ...node]
    const child = spawn(command as string, args, {
      stdio: ['ignore', 'inherit', 'inherit', ...fds, 'ipc'],
      env: { ...process.env, PEER_DATA: JSON.stringify(data ?? null) },
    })
    process.on('exit', () => child.kill('SIGKILL'))
    child.on('message', (message) => {
      const reader = this.#readers.shift()
      if (reader === undefined) this.#messages.push(message)
      else reader.resolve(message)
    })
    this.process = child
    this.#exit = new Promise((resolve) =>
      child.on('close', (status, signal) => {
        this.#over = true
        for (const { reject } of this.#readers) reject(new Error(`the peer has ended: ${signal ?? status}`))
        resolve(String(signal ?? status))
      })
    )
  }

  /** The next message; rejected when the process has ended without one. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is the test's own affair
  next(): Promise<any> {
    if (this.#messages.length > 0) return Promise.resolve(this.#messages.shift())
    if (this.#over) return Promise.reject(new Error('the peer has ended'))
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }))
  }

  post(message: unknown): void {
    this.process.send(message as object)
  }

  /** Kills it, and waits until it is gone. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL')
    await this.#exit
  }

  /** Waits until it has ended; its status, or the signal. */
  ended(): Promise<string> {
    return this.#exit
  }
}

function program(body: string): string {
  const imports = {
    'src/arena/arena': 'Arena, insideOf',
    'src/allocator/heap/heap': 'Heap',
    'src/units': 'KiB, MiB, GiB, TiB',
    'test/helpers/fake-os': 'FakeOs',
  }
  const lines = Object.entries(imports).map(
    ([path, names]) => `import { ${names} } from ${JSON.stringify(compiled(path))}`
  )
  return `
${lines.join('\n')}
import { collect, isMapped, mappedBytes, rssBytes, turns } from ${JSON.stringify(compiled('test/helpers/inside'))}
const data = JSON.parse(process.env.PEER_DATA)
const post = (value) => process.send(value)
const next = () => new Promise((resolve) => process.once('message', resolve))
${body}
// The channel would keep the process alive.
process.disconnect()
`
}
