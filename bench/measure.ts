/**
 * Times peers against each other: in rounds, all peers in each round in rotated order, so that a busy neighbour or a hot CPU
 * hits all of them; the median over rounds is kept. Only one peer's blocks live at a time.
 * @module
 */
import { Bench } from 'tinybench'
import type { PeerMaker } from './peer.ts'
import { BATCH, type Order, orderTable, Ring } from './ring.ts'

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

export const PLAN: Plan = { rounds: 3, time: 40, fillMs: 3000, batchMs: 300 }

/** Nanoseconds a pair of malloc and free, by round; undefined for a peer that was left out. */
export type Timings = Map<string, readonly number[] | undefined>

export function measure<B>(peers: Readonly<Record<string, PeerMaker<B>>>, what: Case, plan: Plan = PLAN): Timings {
  const names = Object.keys(peers)
  const found = new Map<string, number[] | undefined>(names.map((name) => [name, []]))
  for (let round = 0; round < plan.rounds; round++)
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length]!
      const list = found.get(name)
      if (list === undefined) continue
      const time = timeOnce(peers[name]!, what, plan)
      if (time === undefined) found.set(name, undefined)
      else list.push(time)
    }
  return found
}

function timeOnce<B>(maker: PeerMaker<B>, { byteLength, liveCount, order }: Case, plan: Plan): number | undefined {
  const peer = maker(byteLength, liveCount)
  if (peer === undefined) return undefined
  try {
    const ring = new Ring(peer, orderTable(order, liveCount), byteLength, liveCount, plan.fillMs)
    const start = performance.now()
    ring.batch()
    if (performance.now() - start > plan.batchMs) return undefined
    const bench = new Bench({ time: plan.time, warmupTime: plan.time / 2, iterations: 5, warmupIterations: 5 })
    bench.add('batch', ring.batch)
    bench.runSync()
    const result = bench.tasks[0]!.result
    ring.empty()
    if (result.state !== 'completed') throw new Error(`tinybench: ${result.state}`)
    return (result.latency.p50 * 1e6) / BATCH
  } catch (error) {
    if (/take over|tinybench/.test(String(error))) return undefined
    throw error
  } finally {
    peer.end()
    globalThis.gc?.()
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
