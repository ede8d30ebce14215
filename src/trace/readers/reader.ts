/**
 * What a reader of a text format is.
 * @module
 */
import type { Trace } from '../trace.ts'

/** The formats that traces are read from. */
export type TraceFormat = 'MTRC' | 'memory_replay' | 'mtrace' | 'malloc-lab'

export interface TextReader {
  readonly format: TraceFormat
  /** Whether a file whose first line that is not blank begins so is of this format. */
  accepts(line: string): boolean
  /** Reads the whole text. Throws a `TraceError` that names the line. */
  read(bytes: Uint8Array): { readonly trace: Trace; readonly notes: readonly string[] }
}
