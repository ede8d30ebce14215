/**
 * The JavaScript side of traces.bench.ts: one trace through one allocator, in a process of its own. Takes the arguments of src/cli/native/replay-source.ts
 * after the allocator's name, and prints the same lines.
 *
 *     node --expose-gc in-node.js heap|unchecked|floor TRACE PASSES MORE_MS QUIET_NS
 *     node in-node.js --spin
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import {
  ArenaToucher,
  coldPass,
  Floor,
  slotsLeft,
  type Target,
  type Toucher,
  tablesFor,
  warmPass,
} from '../../src/cli/replay/run/passes.ts'
import { GiB, type Arena as SoritesArena } from '../../src/index.ts'
import { readTrace } from '../../src/trace/readers/read-trace.ts'
import { importBuild, importUnchecked } from '../unchecked.ts'

const QUIET_WANTED = 5

/** Where a loop leaves its result, so that it is not for nothing. */
const sums = new Int32Array(1)

/** As in src/cli/native/replay-source.ts: takes about twice as long while the core's other hyperthread is busy. Nanoseconds. */
function spin(): number {
  const start = performance.now()
  let a = 1
  let b = 2
  let c = 3
  let d = 4
  for (let i = 0; i < 300_000; i++) {
    a = (a + i) | 0
    b ^= i
    c = (c + a) | 0
    d ^= b
  }
  sums[0] = a + b + c + d
  return (performance.now() - start) * 1e6
}

function statusBytes(key: string): number {
  const text = readFileSync('/proc/self/status', 'latin1')
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024
}

async function subject(name: string): Promise<{ target: Target; toucher: Toucher }> {
  if (name === 'floor') {
    const floor = new Floor()
    return { target: floor, toucher: floor }
  }
  const { Arena, Heap } = await (name === 'unchecked' ? importUnchecked() : importBuild())
  const arena: SoritesArena = Arena.reserve(64 * GiB)
  return { target: new Heap(arena), toucher: new ArenaToucher(arena) }
}

async function main(name: string, file: string, passes: number, moreMs: number, quietNs: number): Promise<void> {
  const trace = readTrace(file)
  const { target, toucher } = await subject(name)
  const tables = tablesFor(trace)
  const left = slotsLeft(trace)
  const drain = () => {
    for (const at of left) target.free(tables.blocks[at]!)
  }
  const { events } = trace.summary
  for (let i = 0; i < 60; i++) spin()
  globalThis.gc?.()
  globalThis.gc?.()
  // Makes the peak of RSS start anew.
  writeFileSync('/proc/self/clear_refs', '5')
  const before = statusBytes('VmRSS')
  let start = performance.now()
  coldPass(trace, target, toucher, tables)
  const cold = performance.now() - start
  console.log(`cold ${((cold * 1e6) / events).toFixed(3)}\npeak ${statusBytes('VmHWM') - before}`)
  drain()
  const lines: string[] = []
  let quiet = 0
  start = performance.now()
  while (lines.length < passes || (quiet < QUIET_WANTED && performance.now() - start < moreMs)) {
    const spunBefore = spin()
    const began = performance.now()
    warmPass(trace, target, toucher, tables)
    const took = performance.now() - began
    const spun = Math.max(spunBefore, spin())
    if (spun <= quietNs) quiet++
    lines.push(`pass ${((took * 1e6) / events).toFixed(3)} ${spun.toFixed(0)}`)
    drain()
  }
  console.log(lines.join('\n'))
}

if (process.argv[2] === '--spin') console.log(Math.min(...Array.from({ length: 1000 }, spin)).toFixed(0))
else {
  const [name, file, ...numbers] = process.argv.slice(2)
  await main(name!, file!, ...(numbers.map(Number) as [number, number, number]))
}
