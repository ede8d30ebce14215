/**
 * Traces as the commands get them: by path, `-` for standard input. What is wrong with one is said in one line that names the file.
 * @module
 */
import { basename } from 'node:path'
import { TraceError } from '../../trace/error.ts'
import { type ParsedTrace, parseTrace, readBounded } from '../../trace/readers/read-trace.ts'
import { Failure, reasonOf } from '../failure.ts'

export interface LoadedTrace extends ParsedTrace {
  /** The file's name without what says only its format. */
  readonly name: string
}

const STANDARD_INPUT = 0

export function loadTrace(path: string): LoadedTrace {
  try {
    const parsed = parseTrace(readBounded(path === '-' ? STANDARD_INPUT : path))
    return { ...parsed, name: path === '-' ? 'stdin' : traceName(path) }
  } catch (error) {
    const what = path === '-' ? 'standard input' : path
    if (error instanceof TraceError) throw new Failure(`${what} is no trace: ${error.message}`)
    throw new Failure(`cannot read ${what}: ${reasonOf(error)}`)
  }
}

/** `git.mtrc.gz` is `git`. */
export function traceName(path: string): string {
  return basename(path)
    .replace(/\.(gz|zst|zip)$/, '')
    .replace(/\.(mtrc|mtrace|rep|txt)$/, '')
}
