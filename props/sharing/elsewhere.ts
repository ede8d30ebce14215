/**
 * Parties that are elsewhere: in a worker, which gets a handle, and in another process, which inherits the descriptor as 3. This file
 * is also what they run.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import type { Arena } from '../../src/arena/arena.ts'
import { type Request, serve } from './party.ts'

/** A party to be asked by message, one request at a time. */
export interface Elsewhere {
  ask(request: Request): Promise<string>
  end(): Promise<void>
}

const file = fileURLToPath(import.meta.url)

export async function startWorker(arena: Arena): Promise<Elsewhere> {
  const worker = new Worker(file, { workerData: { party: arena.handle() }, execArgv: [] })
  const next = (): Promise<string> =>
    new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  await next()
  return {
    ask(request) {
      const answer = next()
      worker.postMessage(request)
      return answer
    },
    async end() {
      await worker.terminate()
    },
  }
}

export async function startProcess(arena: Arena): Promise<Elsewhere> {
  const child: ChildProcess = spawn(process.execPath, [file], {
    stdio: ['ignore', 'inherit', 'inherit', arena.fd, 'ipc'],
  })
  process.on('exit', () => child.kill('SIGKILL'))
  const next = (): Promise<string> =>
    new Promise((resolve, reject) => child.once('message', (text) => resolve(text as string)).once('error', reject))
  await next()
  return {
    ask(request) {
      const answer = next()
      child.send(request)
      return answer
    },
    end: () =>
      new Promise((resolve) => {
        child.once('close', () => resolve())
        child.kill('SIGKILL')
      }),
  }
}

const handle = (workerData as { party?: ReturnType<Arena['handle']> } | null)?.party
if (handle !== undefined)
  serve(
    handle,
    (listener) => parentPort?.on('message', listener),
    (text) => parentPort?.postMessage(text)
  )
else if (process.argv[1] === file)
  serve(
    { fd: 3 },
    (listener) => process.on('message', listener),
    (text) => process.send?.(text)
  )
