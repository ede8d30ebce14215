/**
 * Traces as the commands get them: by path, `-` for standard input. What is wrong with one is said in one line that names the file.
 * @module
 */
import { basename } from 'node:path'
import { TraceError } from '../../trace/error.ts'
import { tooLong } from '../../trace/readers/compression.ts'
import { type ParsedTrace, parseTrace, readBounded } from '../../trace/readers/read-trace.ts'
import { Failure, reasonOf } from '../failure.ts'

export interface LoadedTrace extends ParsedTrace {
  /** The file's name without what says only its format. */
  readonly name: string
}

const MOST_BYTES = 2 ** 30

export async function loadTrace(path: string): Promise<LoadedTrace> {
  try {
    const parsed = parseTrace(path === '-' ? await readStandardInput() : readBounded(path, MOST_BYTES))
    return { ...parsed, name: path === '-' ? 'stdin' : traceName(path) }
  } catch (error) {
    const what = path === '-' ? 'standard input' : path
    if (error instanceof TraceError) throw new Failure(`${what} is no trace: ${error.message}`)
    throw new Failure(`cannot read ${what}: ${reasonOf(error)}`)
  }
}

/** Not by calls that wait: Ctrl-C must be heard while nothing comes. */
async function readStandardInput(): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let byteLength = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    byteLength += chunk.length
    if (byteLength > MOST_BYTES) throw tooLong('it', MOST_BYTES)
  }
  return Buffer.concat(chunks)
}

/** `git.mtrc.gz` is `git`. */
export function traceName(path: string): string {
  return basename(path)
    .replace(/\.(gz|zst|zip)$/, '')
    .replace(/\.(mtrc|mtrace|rep|txt)$/, '')
}
