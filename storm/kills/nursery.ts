/**
 * Victims that have been started ahead, so that a kill does not wait for Node to start: the next ones start while one works.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { VICTIM } from './victim.ts'
import type { Work } from './work.ts'

const file = fileURLToPath(new URL('victim.js', import.meta.url))
const AHEAD = 2

interface Waiting {
  readonly process: ChildProcess
  readonly ready: Promise<unknown>
}

export class Nursery {
  readonly #fd: number | undefined
  readonly #waiting: Waiting[] = []

  /** `fd` is inherited as 3. */
  constructor(fd?: number) {
    this.#fd = fd
  }

  /** Gives work to a victim, and kills it `delay` milliseconds after it began, unless it does so itself. What it complained of. */
  async kill(given: Work, delay: number, meanwhile: () => void = () => undefined): Promise<string | undefined> {
    while (this.#waiting.length < AHEAD) this.#waiting.push(this.#start())
    const { process: child, ready } = this.#waiting.shift() as Waiting
    await ready
    const over = new Promise<void>((resolve) => child.once('close', () => resolve()))
    let wrong: string | undefined
    child.on('message', (text) => {
      if (text !== 'running') {
        wrong = String(text)
        child.kill('SIGKILL')
        return
      }
      meanwhile()
      setTimeout(() => child.kill('SIGKILL'), delay)
    })
    child.send(given)
    await over
    return wrong
  }

  end(): void {
    for (const { process: child } of this.#waiting.splice(0)) child.kill('SIGKILL')
  }

  #start(): Waiting {
    const child = spawn(process.execPath, ['--no-warnings', file, VICTIM], {
      stdio: ['ignore', 'ignore', 'inherit', this.#fd ?? 'ignore', 'ipc'],
      serialization: 'advanced',
    })
    process.once('exit', () => child.kill('SIGKILL'))
    return { process: child, ready: new Promise((resolve) => child.once('message', resolve)) }
  }
}
