/**
 * One side of a job, in this process, and what it cost.
 *
 *     cpuSeconds     user and system time of all threads of the process, the collector's among them
 *     peakBytes      most resident memory of the process (VmHWM), Node's own 40 to 50 MiB among them
 *     ownBytes       resident memory at the end that belongs to no file (RssAnon)
 *     pausesMs       how long the garbage collector stopped the program in all; longestMs: once
 * @module
 */
import { readFileSync } from 'node:fs'
import { PerformanceObserver } from 'node:perf_hooks'
import { KiB } from '../../src/units.ts'
import type { Scale, Side } from './job.ts'

export interface Cost {
  readonly operations: number
  readonly checksum: number
  readonly readyMs: number
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakBytes: number
  readonly ownBytes: number
  readonly pauses: number
  readonly pausesMs: number
  readonly longestMs: number
}

/** A field of /proc/self/status, in bytes. */
function statusBytes(field: string): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))
  if (found === null) throw new Error(`/proc/self/status has no ${field}`)
  return Number(found[1]) * KiB
}

export async function measure(side: Side, scale: Scale): Promise<Cost> {
  const pauses: number[] = []
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) pauses.push(duration)
  })
  observer.observe({ entryTypes: ['gc'] })
  const [startCpu, start] = [process.cpuUsage(), performance.now()]
  const { operations, checksum, readyMs = 0, cpuStart = startCpu } = await side.run(scale)
  const [seconds, cpu] = [(performance.now() - start) / 1e3, process.cpuUsage(cpuStart)]
  // Pauses are reported in turns of the event loop.
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
  observer.disconnect()
  return {
    operations,
    checksum,
    readyMs,
    seconds,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    peakBytes: statusBytes('VmHWM'),
    ownBytes: statusBytes('RssAnon'),
    pauses: pauses.length,
    pausesMs: pauses.reduce((sum, pause) => sum + pause, 0),
    longestMs: Math.max(0, ...pauses),
  }
}
