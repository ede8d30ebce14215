/**
 * Reads text line by line and word by word, straight from the bytes: no string is made for a line that is as it should be, so a line costs
 * about 50 ns. Blank lines are passed over, a carriage return counts as a blank. Anything unexpected throws a `TraceError`
 * that names the line.
 *
 *     const lines = new Lines(bytes)
 *     while (lines.next()) {
 *       const thread = lines.decimal('a thread')
 *       …
 *       lines.end()
 *     }
 * @module
 */
import { Buffer } from 'node:buffer'
import { TraceError } from '../error.ts'
import { LARGEST } from '../trace.ts'

/**
 * A 64-bit address: a number up to 2^52, above that its hexadecimal digits (Android marks the upper byte). Equal addresses are equal
 * values.
 */
export type Address = number | string

const NEWLINE = 10
const BLANK = 32
const ZERO = 48
const NINE = 57
const CLOSING = 93
const MINUS = 45
const LOWER_X = 120
/** Characters of a line that an error shows. */
const SHOWN = 60
/** Hexadecimal digits that a number holds exactly. */
const EXACT_DIGITS = 13
const MOST_DIGITS = 16

export class Lines {
  readonly #bytes: Uint8Array
  #next = 0
  #start = 0
  #at = 0
  #end = 0
  #number = 0
  #whole = true

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Number of the line, from 1. */
  get number(): number {
    return this.#number
  }

  /** Whether the line ends with a newline: what a program was writing when it was killed does not. */
  get whole(): boolean {
    return this.#whole
  }

  /** Goes to the next line that is not blank; false when there is none. */
  next(): boolean {
    const bytes = this.#bytes
    while (this.#next < bytes.length) {
      this.#number++
      const found = bytes.indexOf(NEWLINE, this.#next)
      this.#whole = found >= 0
      const end = found < 0 ? bytes.length : found
      this.#start = this.#at = this.#next
      this.#next = end + 1
      this.#end = end
      if (this.#skip() < end) return true
    }
    return false
  }

  /** The byte at which the next word begins, 0 at the end of the line. */
  peek(): number {
    const at = this.#skip()
    return at < this.#end ? this.#bytes[at]! : 0
  }

  /** The next word; '' at the end of the line. At most 32 characters of it. */
  word(): string {
    const start = this.#skip()
    while (this.#at < this.#end && this.#bytes[this.#at]! > BLANK) this.#at++
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, Math.min(32, this.#at - start)).toString(
      'latin1'
    )
  }

  /** The next word is one character; gives its code. */
  character(expected: string): number {
    const at = this.#skip()
    if (at >= this.#end || (at + 1 < this.#end && this.#bytes[at + 1]! > BLANK)) this.fail(`expected ${expected}`)
    this.#at = at + 1
    return this.#bytes[at]!
  }

  /** A whole number in decimal digits, up to `most`; `end` is a byte that may follow it at once, such as a colon, and is passed over. */
  decimal(what: string, most: number = Number.MAX_SAFE_INTEGER, end = 0): number {
    const bytes = this.#bytes
    const start = this.#skip()
    let at = start
    let value = 0
    for (; at < this.#end && bytes[at]! >= ZERO && bytes[at]! <= NINE; at++)
      if (value <= Number.MAX_SAFE_INTEGER) value = value * 10 + (bytes[at]! - ZERO)
    if (at === start || (at < this.#end && bytes[at]! > BLANK && bytes[at] !== end)) this.fail(`expected ${what}`)
    if (value > most) this.fail(`${what} of ${digits(bytes, start, at)} is above ${most}`)
    this.#at = at < this.#end && bytes[at] === end ? at + 1 : at
    return value
  }

  /** As `decimal`, and it may be negative. */
  signed(what: string): number {
    const negative = this.peek() === MINUS
    if (negative) this.#at++
    return negative ? -this.decimal(what) : this.decimal(what)
  }

  /** A number of bytes in decimal digits: below 2^31, as a trace wants it. */
  size(): number {
    const value = this.decimal('a size', Infinity)
    if (value > LARGEST) this.fail('the size is not below 2^31')
    return value
  }

  /** A number of bytes in hexadecimal digits, `0x` before them or not; Infinity above 2^52. */
  hexadecimal(what: string): number {
    const value = this.address(what)
    return typeof value === 'number' ? value : Infinity
  }

  /** An address in hexadecimal digits, `0x` before them or not. */
  address(what: string): Address {
    const bytes = this.#bytes
    let at = this.#skip()
    if (bytes[at] === ZERO && at + 2 < this.#end && (bytes[at + 1]! | 32) === LOWER_X) at += 2
    const start = at
    while (at < this.#end && bytes[at] === ZERO) at++
    const first = at
    let value = 0
    for (let digit = 0; at < this.#end && (digit = hexDigit(bytes[at]!)) >= 0; at++)
      if (at - first < EXACT_DIGITS) value = value * 16 + digit
    if (at === start || (at < this.#end && bytes[at]! > BLANK)) this.fail(`expected ${what}`)
    if (at - first > MOST_DIGITS) this.fail(`${what} has ${at - first} digits`)
    this.#at = at
    return at - first <= EXACT_DIGITS ? value : digits(bytes, first, at).toLowerCase()
  }

  /** Passes over what stands before the last `] ` of the line, and over that. */
  passBracket(): void {
    const bytes = this.#bytes
    for (let at = this.#end - 2; at >= this.#start; at--)
      if (bytes[at] === CLOSING && bytes[at + 1] === BLANK) {
        this.#at = at + 1
        return
      }
    this.fail('expected a place in brackets')
  }

  /** The line ends here. */
  end(): void {
    if (this.#skip() < this.#end) this.fail(`expected the end of the line`)
  }

  /** Throws an error that names the line, shows it and says why. */
  fail(reason: string): never {
    const text = digits(this.#bytes, this.#start, Math.min(this.#end, this.#start + SHOWN))
    const shown = JSON.stringify(this.#end - this.#start > SHOWN ? `${text}…` : text.trimEnd())
    throw new TraceError('line', `${reason}, in ${shown}`, { line: Math.max(1, this.#number) })
  }

  #skip(): number {
    const bytes = this.#bytes
    let at = this.#at
    while (at < this.#end && bytes[at]! <= BLANK) at++
    this.#at = at
    return at
  }
}

/** The characters from one place to another. */
function digits(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, Math.min(to - from, 200)).toString('latin1')
}

/** What a hexadecimal digit stands for, or -1. */
function hexDigit(byte: number): number {
  if (byte >= ZERO && byte <= NINE) return byte - ZERO
  const letter = byte | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}
