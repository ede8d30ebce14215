/**
 * One timing, in a process of its own: `node case.js REQUEST` prints `{"time": nanoseconds}`, or `{}` for a peer that cannot.
 * @module
 */
import { Bench } from 'tinybench'
import type { Request } from './measure.ts'
import { type PeerMaker, rawPeers, viewPeers } from './peer.ts'
import { BATCH, orderTable, Ring } from './ring.ts'

/** Nanoseconds a pair of malloc and free: the median batch. */
function time<B>(maker: PeerMaker<B>, { what, plan }: Request): number | undefined {
  const { byteLength, liveCount, order } = what
  const peer = maker(byteLength, liveCount)
  if (peer === undefined) return undefined
  const ring = Ring.fill(peer, orderTable(order, liveCount), byteLength, liveCount, plan.fillMs)
  if (ring === undefined) return undefined
  globalThis.gc?.()
  const start = performance.now()
  ring.batch()
  if (performance.now() - start > plan.batchMs) return undefined
  const bench = new Bench({ time: plan.time, warmupTime: plan.time, iterations: 5, warmupIterations: 5 })
  bench.add('batch', ring.batch)
  bench.runSync()
  const result = bench.tasks[0]!.result
  if (result.state !== 'completed') throw new Error(`tinybench: ${result.state}`)
  return (result.latency.p50 * 1e6) / BATCH
}

const request = JSON.parse(process.argv[2]!) as Request
const { kind, name } = request
console.log(JSON.stringify({ time: kind === 'raw' ? time(rawPeers[name]!, request) : time(viewPeers[name]!, request) }))
