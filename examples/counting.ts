/**
 * Counting words as `wc -w` does in the C locale: a word is what lies between white space and has a printable byte in it. Recent
 * versions of `wc` take every byte that is not white space for printable; older ones, those of ASCII.
 * @module
 */

const PRINTABLE = 1
const SPACE = 2

/** The class of each byte. White space: blank, tab, newline, vertical tab, form feed, carriage return. */
function classes(isPrintable: (byte: number) => boolean): Uint8Array {
  const isSpace = (byte: number): boolean => byte === 32 || (byte >= 9 && byte <= 13)
  return Uint8Array.from({ length: 256 }, (_, byte) => (isSpace(byte) ? SPACE : isPrintable(byte) ? PRINTABLE : 0))
}

export class WordCounter {
  words = 0
  readonly #classes: Uint8Array
  /** 1 until a printable byte has come since the last white space. */
  #outside = 1

  constructor(printable: 'ascii' | 'any') {
    this.#classes = classes((byte) => printable === 'any' || (byte > 32 && byte < 127))
  }

  /** Counts the words that begin in the bytes, which follow those of the last call. */
  add(bytes: { readonly [index: number]: number; readonly length: number }): void {
    const table = this.#classes
    let { words } = this
    let outside = this.#outside
    for (let at = 0; at < bytes.length; at++) {
      const kind = table[bytes[at] as number] as number
      words += outside & kind
      outside = (outside | (kind >>> 1)) & (kind ^ PRINTABLE) & 1
    }
    this.words = words
    this.#outside = outside
  }
}
