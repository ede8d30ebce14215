/**
 * The same job with sorites and with Node's Buffers, each in a fresh process (compare-body.ts).
 * @module
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Trace } from '../src/trace/trace.ts'
import type { Side } from './compare-body.ts'

export interface Comparison {
  readonly heap: Side
  readonly buffers: Side
  /** What the program had asked for and not freed, after so many events. */
  readonly live: readonly (readonly [event: number, bytes: number])[]
}

export function compare(file: string, trace: Trace): Comparison {
  return { heap: run('heap', file), buffers: run('buffers', file), live: liveOver(trace) }
}

function run(side: 'heap' | 'buffers', file: string): Side {
  const body = fileURLToPath(new URL('./compare-body.js', import.meta.url))
  const child = spawnSync(process.execPath, ['--expose-gc', body, side, file], {
    encoding: 'utf8',
    maxBuffer: Infinity,
  })
  if (child.status !== 0) throw new Error(`the comparison ended with ${child.signal ?? child.status}\n${child.stderr}`)
  return JSON.parse(child.stdout) as Side
}

const POINTS = 256

function liveOver({ meta, slot, size, summary }: Trace): [number, number][] {
  const sizes = new Float64Array(summary.slots)
  const every = Math.max(1, Math.ceil(meta.length / POINTS))
  const points: [number, number][] = [[0, 0]]
  let live = 0
  for (let event = 0; event < meta.length; event++) {
    // A free has size 0.
    live += size[event]! - sizes[slot[event]!]!
    sizes[slot[event]!] = size[event]!
    if ((event + 1) % every === 0 || event + 1 === meta.length) points.push([event + 1, live])
  }
  return points
}
