/**
 * Times peers against each other: in rounds, all peers in each round in rotated order, so that a busy neighbour or a hot CPU
 * hits all of them; the median over rounds is kept. Only one peer's blocks live at a time.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Order } from './ring.ts'

/** Which table of peers: offsets and pointers, or typed arrays. */
export type Kind = 'raw' | 'view'

export interface Case {
  readonly byteLength: number
  readonly liveCount: number
  readonly order: Order
}

export interface Plan {
  readonly rounds: number
  /** Milliseconds of timed batches a peer and round. */
  readonly time: number
  /** A peer that takes longer to make its blocks is left out … */
  readonly fillMs: number
  /** … and one whose first batch takes longer. */
  readonly batchMs: number
}

/** What one child process is asked to time. */
export interface Request {
  readonly kind: Kind
  readonly name: string
  readonly what: Case
  readonly plan: Plan
}

export const PLAN: Plan = { rounds: 3, time: 40, fillMs: 3000, batchMs: 300 }

/** Nanoseconds a pair of malloc and free, by round; undefined for a peer that was left out. */
export type Timings = Map<string, readonly number[] | undefined>

export function measure(kind: Kind, names: readonly string[], what: Case, plan: Plan = PLAN): Timings {
  const found = new Map<string, number[] | undefined>(names.map((name) => [name, []]))
  for (let round = 0; round < plan.rounds; round++)
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length]!
      const list = found.get(name)
      if (list === undefined) continue
      const time = inChild({ kind, name, what, plan })
      if (time === undefined) found.set(name, undefined)
      else list.push(time)
    }
  return found
}

function inChild(request: Request): number | undefined {
  const file = fileURLToPath(new URL('./case.js', import.meta.url))
  const args = ['--expose-gc', '--max-old-space-size=4096', file, JSON.stringify(request)]
  return (JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as { time?: number }).time
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
