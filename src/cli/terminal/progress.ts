/**
 * How far a long run is: one line on stderr that is written over, with the time left; on a terminal only, and only from the first
 * second on.
 * @module
 */
import { atEnd } from '../failure.ts'
import { bar } from './chart.ts'
import { timeText } from './format.ts'
import { type Surface, shorten, widthOf } from './style.ts'

const FIRST_SHOWN_MS = 1000
const BETWEEN_MS = 100
const BAR_COLUMNS = 20

export class Progress {
  readonly #total: number
  readonly #stream: Surface & { write(text: string): unknown }
  readonly #now: () => number
  readonly #started: number
  readonly #settled: () => void
  #shownAt = -Infinity
  #shown = false

  constructor(
    total: number,
    stream: Surface & { write(text: string): unknown } = process.stderr,
    now: () => number = () => performance.now()
  ) {
    this.#total = total
    this.#stream = stream
    this.#now = now
    this.#started = now()
    this.#settled = atEnd(() => this.#clear())
  }

  /** So much is done, and this is going on now. */
  update(done: number, what: string): void {
    const now = this.#now()
    const elapsed = now - this.#started
    if (this.#stream.isTTY !== true || elapsed < FIRST_SHOWN_MS || now - this.#shownAt < BETWEEN_MS) return
    this.#shownAt = now
    this.#shown = true
    const share = Math.min(1, this.#total === 0 ? 1 : done / this.#total)
    const left = share > 0 ? `${timeText((elapsed * (1 - share)) / share)} left` : 'beginning'
    const text = `${bar(share, BAR_COLUMNS).padEnd(BAR_COLUMNS)} ${Math.floor(share * 100)} %, ${left}: ${what}`
    this.#stream.write(`\r\u001b[2K${shorten(text, widthOf(this.#stream) - 1)}`)
  }

  /** Takes the line away. */
  stop(): void {
    this.#settled()
    this.#clear()
  }

  #clear(): void {
    if (this.#shown) this.#stream.write('\r\u001b[2K')
    this.#shown = false
  }
}
