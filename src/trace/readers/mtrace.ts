/**
 * What glibc's `mtrace()` writes to the file that `MALLOC_TRACE` names. One line a call, two for a realloc, sizes in hexadecimal digits;
 * the place of the call stands before, between `@` and a bracket, unless it is unknown:
 *
 *     = Start
 *     @ ./program:(main+0x1e)[0x11d1] + 0x55f3 0x64     malloc, calloc, memalign: a block of 0x64 bytes
 *     @ ./program:[0x1201] < 0x55f3                     realloc of this one …
 *     @ ./program:[0x1201] > 0x56b0 0x1388              … gave that one
 *     @ ./program:[0x1226] - 0x56b0                     free
 *     @ ./program:[0x126d] ! 0x56b0 0x4000              a realloc that failed
 *     = End
 *
 * A block at `(nil)` is a call that failed. calloc and memalign cannot be told from malloc, nor one thread from another. A program that was
 * killed leaves the file in the middle of a line: that line is left out, and the trace is marked as cut short.
 * @module
 */
import { Buffer } from 'node:buffer'
import { TraceBuilder } from '../builder.ts'
import { FLAG_FETCHED, FLAG_TRUNCATED, LARGEST } from '../trace.ts'
import { type Address, Lines } from './lines.ts'
import { LiveBlocks } from './live-blocks.ts'
import type { TextReader } from './reader.ts'

const [AT, EQUALS, PLUS, MINUS, FROM, TO, FAILED, OPENING] = [...Buffer.from('@=+-<>!(')] as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
]

export const mtrace: TextReader = {
  format: 'mtrace',
  accepts: (line) => /^(= Start|@ .*\] [-+<>!] |[-+<>!] (0x|\(nil\)))/.test(line),
  read(bytes) {
    const builder = new TraceBuilder()
    const reading = new Reading(new Lines(bytes), new LiveBlocks<Address>(builder))
    const cut = reading.run()
    const notes = reading.blocks.notes
    if (cut) notes.push('the last line is not whole: left out')
    return { trace: builder.build(FLAG_FETCHED | (cut ? FLAG_TRUNCATED : 0)), notes }
  },
}

class Reading {
  readonly lines: Lines
  readonly blocks: LiveBlocks<Address>
  /** The block of a realloc whose second line comes next. */
  #old: Address | undefined

  constructor(lines: Lines, blocks: LiveBlocks<Address>) {
    this.lines = lines
    this.blocks = blocks
  }

  /** Reads all lines; whether the last was cut short. */
  run(): boolean {
    while (this.lines.next()) {
      if (!this.lines.whole) return true
      if (this.lines.peek() === EQUALS) this.#mark()
      else this.#call()
    }
    return false
  }

  #call(): void {
    const { lines } = this
    if (lines.peek() === AT) lines.passBracket()
    const call = lines.character('one of + - < > ! and a blank')
    if (this.#old !== undefined && call !== TO) lines.fail('expected the second line of a realloc, with ">"')
    const address = this.#address()
    if (call === PLUS) this.#made(address)
    else if (call === MINUS) {
      if (address !== 0) this.blocks.free(address)
    } else if (call === FROM) this.#old = address
    else if (call === TO) this.#resized(address)
    else if (call === FAILED) lines.hexadecimal('a size')
    else lines.fail('expected one of + - < > !')
    lines.end()
  }

  /** `= Start` and `= End`. */
  #mark(): void {
    this.lines.character('a mark')
    const word = this.lines.word()
    if (word !== 'Start' && word !== 'End') this.lines.fail('expected "= Start" or "= End"')
    this.lines.end()
  }

  #address(): Address {
    if (this.lines.peek() !== OPENING) return this.lines.address('an address')
    if (this.lines.word() !== '(nil)') this.lines.fail('expected an address')
    return 0
  }

  #made(address: Address): void {
    const byteLength = this.lines.hexadecimal('a size')
    if (address === 0) return
    this.blocks.malloc(address, this.#checked(byteLength))
  }

  #resized(address: Address): void {
    const old = this.#old
    if (old === undefined) this.lines.fail('the line before is not the first line of a realloc, with "<"')
    const byteLength = this.lines.hexadecimal('a size')
    this.#old = undefined
    if (address === 0) return
    if (old === 0) this.blocks.malloc(address, this.#checked(byteLength))
    else this.blocks.realloc(old!, address, this.#checked(byteLength))
  }

  #checked(byteLength: number): number {
    if (byteLength > LARGEST) this.lines.fail('the size is not below 2^31')
    return byteLength
  }
}
