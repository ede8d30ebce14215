/**
 * How far a long run is: a bar on a terminal, on stderr; elsewhere a line every tenth part of the way, so that a log stays short.
 * `npm run bench` says in BENCH_POSITION which of its benches this is.
 * @module
 */
import { Presets, SingleBar } from 'cli-progress'

export class Progress {
  readonly #total: number
  readonly #bar: SingleBar | undefined
  readonly #started = performance.now()
  #done = 0

  constructor(total: number) {
    this.#total = total
    if (process.stderr.isTTY !== true || total === 0) return
    const { BENCH_POSITION } = process.env
    const position = BENCH_POSITION === undefined ? '' : `${BENCH_POSITION} `
    const format = `${position}{bar} {value} of {total}, {eta_formatted} left: {what}`
    this.#bar = new SingleBar({ format, stream: process.stderr, clearOnComplete: true, hideCursor: true }, Presets.rect)
    this.#bar.start(total, 0, { what: '' })
  }

  /** One more step is about to begin. */
  next(what: string): void {
    this.#bar?.update(this.#done, { what })
    const tenth = Math.max(1, Math.ceil(this.#total / 10))
    if (this.#bar === undefined && this.#done % tenth === 0) {
      const seconds = ((performance.now() - this.#started) / 1000).toFixed(0)
      console.error(`${this.#done} of ${this.#total} after ${seconds} s: ${what}`)
    }
    this.#done++
  }

  stop(): void {
    this.#bar?.stop()
  }
}
