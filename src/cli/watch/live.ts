/**
 * A picture on the terminal that is drawn anew in the same place, below other output. Draws nothing where stderr is not a terminal.
 * @module
 */
import { atEnd } from '../failure.ts'

export class Live {
  readonly #stream: NodeJS.WriteStream
  readonly #settled: () => void
  #lines = 0
  #text = ''

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream
    this.#settled = atEnd(() => this.#erase())
  }

  get shown(): boolean {
    return this.#stream.isTTY === true
  }

  draw(text: string): void {
    if (!this.shown) return
    this.#erase()
    this.#text = text
    this.#stream.write(`${text}\n`)
    this.#lines = text.split('\n').length
  }

  /** Writes what a program has said above the picture. */
  above(stream: NodeJS.WriteStream, chunk: Uint8Array): void {
    this.#erase()
    stream.write(chunk)
    if (this.#text !== '' && chunk.at(-1) === 10) this.draw(this.#text)
  }

  stop(): void {
    this.#settled()
    this.#erase()
  }

  #erase(): void {
    if (this.#lines > 0) this.#stream.write(`\u001b[${this.#lines}A\u001b[J`)
    this.#lines = 0
  }
}
