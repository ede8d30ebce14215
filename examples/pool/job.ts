/**
 * The job of the recipe: a report, compressed. Any function of the job's number will do that gives the same bytes each time.
 * @module
 */
import { createHash } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'

/** Bytes that a result takes at most, its record included. */
export const MOST_BYTES = 1024

export function resultOf(id: number): Buffer {
  const lines = Array.from({ length: 2 + (id % 8) }, (_, line) => {
    const digest = createHash('sha1').update(`${id}:${line}`).digest('hex')
    return `report ${id}, line ${line}: ${digest}\n`
  })
  return deflateRawSync(lines.join(''))
}
