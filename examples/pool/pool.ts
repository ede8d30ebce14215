/**
 * A pool of processes that store their results in one arena, and that is whole again whenever one of them is killed.
 *
 *     pool ── channel ── worker 0 ── part 0 ┐
 *          ── channel ── worker 1 ── part 1 ├─ arena with a name, in a file
 *          ── …                             ┘
 *
 * A worker that ends is replaced. Its job, if it had one, goes to its successor, which has its part of the arena and so knows whether the
 * result was stored. A job that ends its worker again and again is given up; so are all, when no worker gets to work any more.
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Message } from './worker.ts'

/** So often a job, or a place in the pool, may lose its worker before it is given up. */
const MOST_LOSSES = 10
const program = fileURLToPath(new URL('./worker.js', import.meta.url))

interface Job {
  readonly id: number
  losses: number
  readonly resolve: () => void
  readonly reject: (reason: Error) => void
}

interface Place {
  readonly part: number
  worker: ChildProcess
  ready: boolean
  job: Job | undefined
  /** Workers that ended before they were ready, in a row. */
  failures: number
}

export class Pool {
  /** Workers that came after one that died, and records that those had not finished. */
  recoveries = 0
  unfinished = 0
  readonly #path: string
  readonly #places: Place[]
  readonly #queue: Job[] = []
  #closing = false
  #failure: Error | undefined

  /** `path`: a file that holds an arena. */
  constructor(path: string, workers: number) {
    this.#path = path
    this.#places = Array.from({ length: workers }, (_, part) => {
      const worker = fork(program, [path, String(part), String(workers)])
      return { part, worker, ready: false, job: undefined, failures: 0 }
    })
    for (const place of this.#places) this.#listen(place)
  }

  /** Kills a worker, in the middle of whatever it does. */
  kill(part: number): void {
    this.#places[part]?.worker.kill('SIGKILL')
  }

  /** Does a job. Its result is stored when the promise is fulfilled. */
  run(id: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ id, losses: 0, resolve, reject })
      this.#dispatch()
    })
  }

  /** Ends the workers, by this signal or by hanging up, and waits until they have ended. */
  async close(signal?: NodeJS.Signals): Promise<void> {
    this.#closing = true
    await Promise.all(
      this.#places.map(async ({ worker }) => {
        if (worker.exitCode !== null || worker.signalCode !== null) return
        const ended = once(worker, 'exit')
        if (signal !== undefined) worker.kill(signal)
        else if (worker.connected) worker.disconnect()
        await ended
      })
    )
    this.#giveUp(new Error('the pool was closed'))
  }

  #dispatch(): void {
    if (this.#failure !== undefined) this.#giveUp(this.#failure)
    for (const place of this.#places) {
      if (!place.ready || place.job !== undefined) continue
      place.job = this.#queue.shift()
      if (place.job === undefined) return
      this.#send(place, place.job)
    }
  }

  #send(place: Place, job: Job): void {
    // What could not be sent is sent to the next worker: its channel is closed because it has ended.
    place.worker.send(job.id, () => undefined)
  }

  #listen(place: Place): void {
    const { worker } = place
    worker.on('message', (message: Message) => this.#hear(place, message))
    worker.on('error', (error) => this.#fail(error))
    worker.on('exit', () => this.#replace(place))
  }

  #hear(place: Place, message: Message): void {
    if ('ready' in message) {
      place.ready = true
      place.failures = 0
      if (message.recovered) this.recoveries++
      this.unfinished += message.unfinished
      if (place.job !== undefined) this.#send(place, place.job)
    } else {
      const { job } = place
      place.job = undefined
      if ('done' in message) job?.resolve()
      else job?.reject(new Error(`job ${message.failed}: ${message.reason}`))
    }
    this.#dispatch()
  }

  /** A worker has ended: another takes its place, its part of the arena, and its job. */
  #replace(place: Place): void {
    if (this.#closing || this.#failure !== undefined) return
    const { job, ready } = place
    place.ready = false
    if (!ready && ++place.failures >= MOST_LOSSES) {
      this.#fail(new Error(`worker ${place.part} has failed to start ${MOST_LOSSES} times`))
      return
    }
    if (ready && job !== undefined && ++job.losses >= MOST_LOSSES) {
      place.job = undefined
      job.reject(new Error(`job ${job.id} has ended ${MOST_LOSSES} workers`))
    }
    place.worker = fork(program, [this.#path, String(place.part), String(this.#places.length)])
    this.#listen(place)
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#giveUp(this.#failure)
  }

  #giveUp(error: Error): void {
    for (const place of this.#places) {
      place.job?.reject(error)
      place.job = undefined
    }
    for (const { reject } of this.#queue.splice(0)) reject(error)
  }
}
