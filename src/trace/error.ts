/**
 * What can be wrong with a trace, or with an allocator that a trace is replayed through.
 *
 *     TraceError      `fault` says which rule of the format is broken, `event` or `line` where
 *     ReplayError     `event` says at which call the allocator broke its contract
 * @module
 */

/** Which rule of the format a trace breaks. */
export type TraceFault =
  | 'compression'
  | 'magic'
  | 'version'
  | 'truncated'
  | 'trailing'
  | 'event'
  | 'summary'
  | 'line'
  | 'length'

/** The bytes are not a valid trace. `fault` says which rule they break, `event` or `line` where. */
export class TraceError extends Error {
  /** Always the same: see the page of errors. */
  readonly code = 'ERR_INVALID_TRACE'
  /** Which rule the bytes break. */
  readonly fault: TraceFault
  /** Index of the impossible event, where there is one. */
  readonly event: number | undefined
  /** Number of the line, from 1, in a format of lines. */
  readonly line: number | undefined

  constructor(
    fault: TraceFault,
    message: string,
    options: { readonly event?: number; readonly line?: number; readonly cause?: unknown } = {}
  ) {
    const { event, line, cause } = options
    const where = event !== undefined ? `event ${event}: ` : line !== undefined ? `line ${line}: ` : ''
    super(where + message, { cause })
    this.fault = fault
    this.event = event
    this.line = line
  }
}

/** An allocator broke its contract during a verified replay: it lost contents, or gave out a block that it should not. */
export class ReplayError extends Error {
  /** Always the same: see the page of errors. */
  readonly code = 'ERR_REPLAY'
  /** Index of the event at which it was seen. */
  readonly event: number

  constructor(event: number, message: string) {
    super(`event ${event}: ${message}`)
    this.event = event
  }
}

for (const type of [TraceError, ReplayError])
  Object.defineProperty(type.prototype, 'name', { value: type.name, configurable: true, writable: true })
