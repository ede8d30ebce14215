/**
 * Hands in a worker and in another process, asked by message, one order at a time. This file is also what they run.
 * @module
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Hand } from './hand.ts'
import type { Answer, Order } from './tools.ts'

/** Something that does what it is told, here or elsewhere. */
export interface Asked {
  readonly where: 'here' | 'worker' | 'process'
  ask(order: Order): Answer | Promise<Answer>
  /** Ends it where it is: `terminate` or SIGKILL. */
  kill(): Promise<void>
}

const file = fileURLToPath(import.meta.url)
const SERVE = 'sorites-storm-hand'

/** A hand of this thread. */
export function here(): Asked {
  const hand = new Hand()
  return { where: 'here', ask: (order) => hand.run(order), kill: async () => undefined }
}

/** What is common to both: answers come one by one; when it has ended, there is none. */
class Line {
  readonly #readers: { resolve(answer: Answer): void; reject(error: Error): void }[] = []
  #over: Error | undefined

  read(): Promise<Answer> {
    if (this.#over !== undefined) return Promise.reject(this.#over)
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }))
  }

  came(answer: Answer): void {
    this.#readers.shift()?.resolve(answer)
  }

  end(why: string): void {
    this.#over ??= new Error(why)
    for (const { reject } of this.#readers.splice(0)) reject(this.#over)
  }
}

export async function startWorker(): Promise<Asked> {
  const worker = new Worker(file, { workerData: SERVE })
  const line = new Line()
  worker.on('message', (answer) => line.came(answer))
  worker.on('error', (error) => line.end(`the worker failed: ${error.stack}`))
  worker.on('exit', () => line.end('the worker has ended'))
  await line.read()
  return {
    where: 'worker',
    ask(order) {
      const answer = line.read()
      worker.postMessage(order)
      return answer
    },
    async kill() {
      await worker.terminate()
    },
  }
}

/** `fd` is inherited as 3. */
export async function startProcess(fd: number | undefined): Promise<Asked> {
  const child = spawn(process.execPath, ['--expose-gc', '--no-warnings', file, SERVE], {
    stdio: ['ignore', 'ignore', 'inherit', fd ?? 'ignore', 'ipc'],
    serialization: 'advanced',
  })
  const line = new Line()
  const over = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const end = (): boolean => child.kill('SIGKILL')
  process.once('exit', end)
  child.on('message', (answer) => line.came(answer as Answer))
  child.on('close', (status, signal) => {
    process.removeListener('exit', end)
    line.end(`the process has ended: ${signal ?? status}`)
  })
  await line.read()
  return {
    where: 'process',
    ask(order) {
      const answer = line.read()
      child.send(order)
      return answer
    },
    async kill() {
      end()
      await over
    },
  }
}

function serve(on: (listener: (order: Order) => void) => void, answer: (answer: Answer) => void): void {
  const hand = new Hand()
  on(async (order) => answer(await hand.run(order)))
  answer({})
}

if (!isMainThread && workerData === SERVE)
  serve(
    (listener) => parentPort?.on('message', listener),
    (answer) => parentPort?.postMessage(answer)
  )
else if (isMainThread && process.argv[2] === SERVE) {
  process.once('disconnect', () => process.exit())
  serve(
    (listener) => process.on('message', listener as (message: unknown) => void),
    (answer) => process.send?.(answer)
  )
}
