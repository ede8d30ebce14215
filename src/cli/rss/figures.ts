/**
 * Reads every figure of this process, with as little memory of its own as it can: what it makes would be measured.
 *
 *     /proc/self/status         VmSize, VmRSS, RssAnon, RssFile, RssShmem, VmPTE, VmSwap     right before and after a step
 *     getrusage                 faults, time on the CPU
 *     /proc/self/smaps_rollup   Rss, Anonymous, AnonHugePages, LazyFree                      outside the step's time
 *
 * The kernel counts what status shows by core, and adds up when a core has counted for long: on a machine with many cores it may be off by
 * MiBs. smaps_rollup walks the page tables and is exact, so resident and anonymous memory come from there where it can be read.
 * @module
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { parseFields } from '../../ffi/procfs.ts'
import type { Figures } from './experiment.ts'

const buffer = Buffer.alloc(16384)

/** A small file of /proc, through a buffer that is there already. */
function readProc(path: string): string {
  const fd = openSync(path, 'r')
  try {
    const length = readSync(fd, buffer, 0, buffer.length, 0)
    return buffer.toString('latin1', 0, length)
  } finally {
    closeSync(fd)
  }
}

/** What is read right before and after a step. Parsed later. */
export interface RawReading {
  readonly status: string
  readonly rollup: string
  readonly usage: NodeJS.ResourceUsage
  readonly now: number
}

export function readBefore(): RawReading {
  const rollup = readRollup()
  const status = readProc('/proc/self/status')
  const usage = process.resourceUsage()
  return { status, rollup, usage, now: performance.now() }
}

export function readAfter(): RawReading {
  const now = performance.now()
  const usage = process.resourceUsage()
  return { status: readProc('/proc/self/status'), rollup: readRollup(), usage, now }
}

/** The figures of a reading. `mincore` is asked of the arenas that the experiment watches. */
export function figuresOf({ status, rollup, usage, now }: RawReading, mincore: number): Figures {
  const fields = parseFields(status)
  const sums = parseFields(rollup)
  const of = (map: ReadonlyMap<string, number>, name: string): number => map.get(name) ?? 0
  return {
    reserved: of(fields, 'VmSize'),
    resident: sums.get('Rss') ?? of(fields, 'VmRSS'),
    anonymous: sums.get('Anonymous') ?? of(fields, 'RssAnon'),
    file: of(fields, 'RssFile'),
    shared: of(fields, 'RssShmem'),
    hugePages: of(sums, 'AnonHugePages') + of(sums, 'ShmemPmdMapped'),
    lazyFree: of(sums, 'LazyFree'),
    swap: of(fields, 'VmSwap'),
    pageTables: of(fields, 'VmPTE'),
    mincore,
    minorFaults: usage.minorPageFault,
    majorFaults: usage.majorPageFault,
    milliseconds: now,
    cpuMilliseconds: (usage.userCPUTime + usage.systemCPUTime) / 1000,
  }
}

/** Not there before Linux 4.14, nor in some sandboxes. */
function readRollup(): string {
  try {
    return readProc('/proc/self/smaps_rollup')
  } catch {
    return ''
  }
}

/** How each figure moved. */
export function changeOf(before: Figures, after: Figures): Record<string, number> {
  return Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)]))
}
