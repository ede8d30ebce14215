/**
 * The traces of the malloc lab of CS:APP, `*.rep`: four numbers, then one request a line.
 *
 *     20000     suggested size of the heap    not used (newer files: a weight)
 *     3         N: ids
 *     8         requests
 *     1         weight                        not used
 *     a 0 512   block 0 = malloc(512)
 *     r 0 640   block 0 = realloc(block 0, 640); of a block never made it is a malloc, to 0 bytes a free
 *     f 0       free(block 0); `f -1` is a free of nothing
 *
 *     ids are below N, one of them is N - 1, and there are as many requests as the header says
 *
 * An id that is freed may be made again.
 * @module
 */
import { Buffer } from 'node:buffer'
import { TraceBuilder } from '../builder.ts'
import { TraceError } from '../error.ts'
import { FLAG_SYNTHETIC } from '../trace.ts'
import { Lines } from './lines.ts'
import { LiveBlocks } from './live-blocks.ts'
import type { TextReader } from './reader.ts'

const [ALLOC, REALLOC, FREE] = [...Buffer.from('arf')] as [number, number, number]

export const mallocLab: TextReader = {
  format: 'malloc-lab',
  accepts: (line) => /^-?\d+\s*$/.test(line),
  read(bytes) {
    const builder = new TraceBuilder()
    const blocks = new LiveBlocks<number>(builder)
    const lines = new Lines(bytes)
    headerNumber(lines, 'a size of the heap')
    const ids = headerNumber(lines, 'the number of ids')
    const wanted = headerNumber(lines, 'the number of requests')
    headerNumber(lines, 'a weight')
    let largest = -1
    let requests = 0
    for (; lines.next(); requests++) {
      if (requests === wanted) lines.fail(`the header says ${wanted} requests, this is another`)
      largest = Math.max(largest, readRequest(lines, blocks, ids))
    }
    if (requests < wanted)
      throw new TraceError('truncated', `the header says ${wanted} requests, the file has ${requests}`)
    if (largest !== ids - 1)
      throw new TraceError('summary', `the header says ${ids} ids, the largest in the file is ${largest}`)
    return { trace: builder.build(FLAG_SYNTHETIC), notes: [] }
  },
}

function headerNumber(lines: Lines, what: string): number {
  if (!lines.next()) throw new TraceError('truncated', `the file ends before ${what}`)
  const value = lines.signed(what)
  lines.end()
  return value
}

/** Reads one request; gives its id. */
function readRequest(lines: Lines, blocks: LiveBlocks<number>, ids: number): number {
  const request = lines.character('one of a, r, f and a blank')
  const id = lines.signed('an id')
  const nothing = request === FREE && id === -1
  if (!nothing && (id < 0 || id >= ids)) lines.fail(`id ${id} is not below ${ids}`)
  if (request === ALLOC) {
    if (blocks.has(id)) lines.fail(`block ${id} is live already`)
    blocks.malloc(id, lines.size())
  } else if (request === REALLOC) {
    const size = lines.size()
    if (!blocks.has(id)) blocks.malloc(id, size)
    else if (size === 0) blocks.free(id)
    else blocks.realloc(id, id, size)
  } else if (request === FREE) {
    if (!nothing && !blocks.has(id)) lines.fail(`block ${id} is not live`)
    if (!nothing) blocks.free(id)
  } else lines.fail('expected one of a, r, f')
  lines.end()
  return id
}
