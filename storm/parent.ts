/**
 * Runs programs in child processes: many in one child, so that starting it costs little, and the one that a child dies of is known.
 *
 *     ended       how the child judged it          crashed     the signal, or the status        hung     no answer in time: killed
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Task } from './child.ts'
import type { Outcome } from './run.ts'

const file = fileURLToPath(new URL('child.js', import.meta.url))

/** A child is replaced after so many programs: by then its address space has holes enough. */
const PROGRAMS_A_CHILD = 200

export class Child {
  readonly #timeoutMs: number
  #process: ChildProcess | undefined
  #programs = 0

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  /** How many programs the child has run that runs now. */
  get programs(): number {
    return this.#programs
  }

  async run(task: Task): Promise<Outcome> {
    if (this.#programs >= PROGRAMS_A_CHILD) this.end()
    const child = this.#process ?? (await this.#start())
    this.#programs++
    return new Promise((resolve) => {
      let hung = false
      const timer = setTimeout(() => {
        hung = true
        child.kill('SIGKILL')
      }, this.#timeoutMs)
      const done = (outcome: Outcome): void => {
        clearTimeout(timer)
        child.removeAllListeners('message')
        child.removeAllListeners('close')
        resolve(outcome)
      }
      child.once('message', (outcome) => done(outcome as Outcome))
      child.once('close', (status, signal) => {
        this.#process = undefined
        const wrong = hung
          ? `hung: no end after ${this.#timeoutMs} ms`
          : `crashed: ${signal ?? `status ${status}`}\n${this.#complaint}`
        done({ calls: 0, failures: 0, tally: [], wrong, at: -1 })
      })
      child.send(task)
    })
  }

  end(): void {
    this.#process?.removeAllListeners('close')
    this.#process?.kill('SIGKILL')
    this.#process = undefined
    this.#programs = 0
  }

  #complaint = ''

  async #start(): Promise<ChildProcess> {
    this.#programs = 0
    this.#complaint = ''
    const child = spawn(process.execPath, ['--expose-gc', '--no-warnings', '--enable-source-maps', file], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      serialization: 'advanced',
    })
    this.#process = child
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint = (this.#complaint + text).slice(-4000)
    })
    await new Promise((resolve) => child.once('message', resolve))
    return child
  }
}
