/**
 * One measurement, in a process of its own: `node --expose-gc case.js REQUEST` prints what it found as JSON, or `{}` for a peer that cannot.
 * @module
 */
import { PerformanceObserver } from 'node:perf_hooks'
import { Bench } from 'tinybench'
import type { Found, Request } from './measure.ts'
import { type PeerMaker, rawPeers, viewPeers } from './peer.ts'
import { BATCH, orderTable, Ring } from './ring.ts'
import { heapVariants } from './variant.ts'

async function measure<B>(maker: PeerMaker<B>, request: Request): Promise<Found> {
  const { what, plan } = request
  const { byteLength, liveCount, order } = what
  const peer = await maker(byteLength, liveCount)
  if (peer === undefined) return {}
  const ring = Ring.fill(peer, orderTable(order, liveCount), byteLength, liveCount, plan.fillMs)
  if (ring === undefined) return {}
  globalThis.gc?.()
  const start = performance.now()
  ring.batch()
  if (performance.now() - start > plan.batchMs) return {}
  const time = pairTime(ring, plan.time)
  return plan.collectorMs > 0 ? { time, collectorMs: await collectorTime(ring, plan.collectorMs) } : { time }
}

/** Nanoseconds a pair of malloc and free: the median batch. */
function pairTime(ring: Ring, ms: number): number {
  const bench = new Bench({ time: ms, warmupTime: ms, iterations: 5, warmupIterations: 5 })
  bench.add('batch', ring.batch)
  bench.runSync()
  const result = bench.tasks[0]!.result
  if (result.state !== 'completed') throw new Error(`tinybench: ${result.state}`)
  return (result.latency.p50 * 1e6) / BATCH
}

/** Milliseconds that the garbage collector stops the program for in a million pairs. */
async function collectorTime(ring: Ring, ms: number): Promise<number> {
  let collected = 0
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) collected += entry.duration
  })
  observer.observe({ entryTypes: ['gc'] })
  let batches = 0
  for (const until = performance.now() + ms; performance.now() < until; batches++) ring.batch()
  // Entries arrive in turns of the loop.
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  observer.disconnect()
  return (collected / (batches * BATCH)) * 1e6
}

const request = JSON.parse(process.argv[2]!) as Request
const { kind, name } = request
const found =
  kind === 'view'
    ? measure(viewPeers[name]!, request)
    : measure(kind === 'raw' ? rawPeers[name]! : heapVariants[name]!, request)
console.log(JSON.stringify(await found))
