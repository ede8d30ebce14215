/**
 * Colours and width, as the stream that is written to can take them.
 *
 * Colours only on a terminal and without `NO_COLOR`; `FORCE_COLOR` wants them elsewhere too (https://no-color.org).
 * @module
 */

const STYLES = {
  bold: '1',
  dim: '2',
  red: '31',
  green: '32',
  yellow: '33',
  blue: '34',
  magenta: '35',
  cyan: '36',
} as const

export type Style = keyof typeof STYLES

/** What of a stream matters here. */
export interface Surface {
  readonly isTTY?: boolean
  readonly columns?: number
}

const DEFAULT_WIDTH = 80
/** Lines longer than this are hard to follow, however wide the terminal is. */
const WIDEST = 160
const NARROWEST = 40

export function hasColours(stream: Surface): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '' && FORCE_COLOR !== '0') return true
  return stream.isTTY === true && TERM !== 'dumb'
}

export function paint(stream: Surface, style: Style, text: string): string {
  return hasColours(stream) ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text
}

/** Columns of a line: those of the terminal, or of `COLUMNS`, or 80. */
export function widthOf(stream: Surface): number {
  const asked = Number(process.env.COLUMNS)
  // A terminal that does not know its width says 0.
  const columns = stream.columns || (asked > 0 ? asked : DEFAULT_WIDTH)
  return Math.max(NARROWEST, Math.min(WIDEST, Math.floor(columns)))
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what colours are made of
const ESCAPES = /\u001b\[[0-9;]*m/g

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what it looks for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

/** A text from elsewhere (the name of a file, of a process, of a policy) that can do nothing to a terminal: control characters show as `�`. */
export function printable(text: string): string {
  return text.replaceAll(CONTROLS, '\ufffd')
}

/** Columns that a text takes: escapes take none. */
export function columnsOf(text: string): number {
  return [...text.replaceAll(ESCAPES, '')].length
}

/** Cuts a plain text that is too long, with an ellipsis; at its front when the end says more, as in a path. */
export function shorten(text: string, columns: number, keep: 'start' | 'end' = 'start'): string {
  const letters = [...text]
  if (letters.length <= columns) return text
  if (columns < 2) return letters.slice(0, columns).join('')
  return keep === 'start' ? `${letters.slice(0, columns - 1).join('')}…` : `…${letters.slice(1 - columns).join('')}`
}
