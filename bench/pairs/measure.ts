/**
 * Measures peers against each other: in rounds, all peers in each round in rotated order, so that a busy neighbour or a hot CPU
 * hits all of them. Only one peer's blocks live at a time, in a process of its own (case.ts).
 * @module
 */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Order } from './ring.ts'

/** Which table of peers: offsets and pointers, or typed arrays (peer.ts); heaps in other circumstances (variant.ts). */
export type Kind = 'raw' | 'view' | 'variant'

export interface Case {
  readonly byteLength: number
  readonly liveCount: number
  readonly order: Order
}

export interface Plan {
  readonly rounds: number
  /** Milliseconds of timed batches a peer and round. */
  readonly time: number
  /** Milliseconds during which the garbage collector is watched after that; 0: not at all. */
  readonly collectorMs: number
  /** A peer that takes longer to make its blocks is left out … */
  readonly fillMs: number
  /** … and one whose first batch takes longer. */
  readonly batchMs: number
}

/** What one child process is asked to measure. */
export interface Request {
  readonly kind: Kind
  readonly name: string
  readonly what: Case
  readonly plan: Plan
}

/** What it found; without a time it was left out. */
export interface Found {
  /** Nanoseconds a pair of malloc and free: the median batch. */
  readonly time?: number
  /** Milliseconds of garbage collection in a million pairs. */
  readonly collectorMs?: number
}

export const PLAN: Plan = { rounds: 3, time: 40, collectorMs: 0, fillMs: 3000, batchMs: 300 }

/** By peer: what each round found; undefined for a peer that was left out. */
export type Measured = ReadonlyMap<string, readonly Required<Found>[] | undefined>

export function measure(kind: Kind, names: readonly string[], what: Case, plan: Plan = PLAN): Measured {
  const found = new Map<string, Required<Found>[] | undefined>(names.map((name) => [name, []]))
  for (let round = 0; round < plan.rounds; round++)
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length]!
      const list = found.get(name)
      if (list === undefined) continue
      const { time, collectorMs = 0 } = inChild({ kind, name, what, plan })
      if (time === undefined) found.set(name, undefined)
      else list.push({ time, collectorMs })
    }
  return found
}

/** Nanoseconds a pair of one peer, by round; empty for one that was left out. */
export function timesOf(measured: Measured, name: string): readonly number[] {
  return (measured.get(name) ?? []).map(({ time }) => time)
}

/** One peer's time over another's, by round. */
export function ratios(measured: Measured, subject: string, over: string): readonly number[] {
  const own = timesOf(measured, subject)
  return timesOf(measured, over).map((time, round) => own[round]! / time)
}

function inChild(request: Request): Found {
  const file = fileURLToPath(new URL('./case.js', import.meta.url))
  const args = ['--expose-gc', '--max-old-space-size=4096', file, JSON.stringify(request)]
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Found
}
