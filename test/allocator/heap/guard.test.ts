/**
 * A guard against the heap's getting slower or larger unnoticed, by counts that are the same on every machine: what the committed traces make
 * it commit, purge, and leave its fast paths for, and the length of the code that V8 is to inline. No test reads a clock.
 *
 * The values were recorded on 2026-11-24 with pages of 4 KiB. A count may rise by a tenth, a peak by a fiftieth. Whoever changes a policy records
 * what it does here (a failure prints it), and says in the commit why what rose may rise.
 * @module
 */
import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemOs } from '../../../src/ffi/system.ts'
import { compiled, nodes, runChild } from '../../helpers/child.ts'
import type { Counts, SlowCall } from './guard-run.ts'

/** What a trace came to. `purges` and `purgedPages`: in the first pass, and in the third. */
interface Recorded {
  /** Peak of committed bytes, metadata included, over the peak of requested bytes. */
  readonly peak: number
  /** Metadata over committed bytes after the last event. */
  readonly metadata: number
  readonly purges: readonly [number, number]
  readonly purgedPages: readonly [number, number]
  readonly slowCalls: Readonly<Record<SlowCall, number>>
}

const recorded: Readonly<Record<string, Recorded>> = {
  convert: {
    peak: 1.0079,
    metadata: 0.0016,
    purges: [165, 34],
    purgedPages: [15621, 26416],
    slowCalls: { refill: 3447, settle: 556, allocate: 2857, join: 2901 },
  },
  dot: {
    peak: 1.0363,
    metadata: 0.0106,
    purges: [2, 56],
    purgedPages: [55, 2615],
    slowCalls: { refill: 4841, settle: 880, allocate: 757, join: 850 },
  },
  git: {
    peak: 1.0416,
    metadata: 0.006,
    purges: [126, 14],
    purgedPages: [1056, 202],
    slowCalls: { refill: 2911, settle: 605, allocate: 3696, join: 22857 },
  },
  gs: {
    peak: 1.0487,
    metadata: 0.0036,
    purges: [61, 3],
    purgedPages: [1808, 142],
    slowCalls: { refill: 90, settle: 84, allocate: 687, join: 1108 },
  },
  pygrow: {
    peak: 1.0107,
    metadata: 0.0062,
    purges: [58, 65],
    purgedPages: [10183, 10332],
    slowCalls: { refill: 504, settle: 902, allocate: 13689, join: 26837 },
  },
  sqlite: {
    peak: 1.0243,
    metadata: 0.0161,
    purges: [0, 10],
    purgedPages: [0, 2522],
    slowCalls: { refill: 61, settle: 22, allocate: 15957, join: 18895 },
  },
}

const PEAK_HEADROOM = 1.02
const HEADROOM = 1.1
/** Counts near zero may rise by so many. */
const FEW = 16
const PASSES = ['first', 'third']

const test = suite('guard')
const folder = fileURLToPath(new URL('../../../../traces', import.meta.url))
const files = readdirSync(folder).filter((name) => name.endsWith('.mtrc.gz'))
const guard = JSON.stringify(compiled('test/allocator/heap/guard-run'))

test('every committed trace is recorded here', () => {
  assert.equal(files.map((name) => basename(name, '.mtrc.gz')).sort(), Object.keys(recorded).sort())
})

for (const name of systemOs().pageSize === 4096 ? files : [])
  test(`${name} commits, purges, and leaves the fast paths no more than recorded`, async () => {
    const child = await runChild(`
      const { countReplay } = await import(${guard})
      report(countReplay(${JSON.stringify(join(folder, name))}))
    `)
    const counts = child.clean().report as Counts
    const found = toRecord(counts)
    const risen = [...rises(found, recorded[basename(name, '.mtrc.gz')] as Recorded)]
    assert.equal(risen, [], `${risen.join('; ')}\nto record: ${JSON.stringify(found)}`)
  })

function toRecord({ purges, purgedPages, slowCalls, ...bytes }: Counts): Recorded {
  const share = (part: number, whole: number) => Math.ceil((part / whole) * 1e4) / 1e4
  return {
    peak: share(bytes.peakCommittedBytes, bytes.peakLiveBytes),
    metadata: share(bytes.metadataBytes, bytes.committedBytes),
    purges,
    purgedPages,
    slowCalls,
  }
}

/** What is larger than it may be. */
function* rises(found: Recorded, was: Recorded): Generator<string> {
  if (!(found.peak <= was.peak * PEAK_HEADROOM)) yield `peak: ${found.peak} of live, recorded was ${was.peak}`
  if (!(found.metadata <= was.metadata * HEADROOM)) yield `metadata: ${found.metadata}, recorded was ${was.metadata}`
  const counts: [string, number, number][] = [0, 1].flatMap((pass): [string, number, number][] => [
    [`purges, ${PASSES[pass]} pass`, found.purges[pass] as number, was.purges[pass] as number],
    [`pages purged, ${PASSES[pass]} pass`, found.purgedPages[pass] as number, was.purgedPages[pass] as number],
  ])
  for (const call of Object.keys(was.slowCalls) as SlowCall[])
    counts.push([`calls of ${call}`, found.slowCalls[call], was.slowCalls[call]])
  for (const [what, count, before] of counts)
    if (!(count <= Math.max(before * HEADROOM, before + FEW))) yield `${what}: ${count}, recorded were ${before}`
}

/** V8 inlines a function of up to so many bytes of bytecode, and functions of up to so many in all into one loop. */
const INLINED_BYTES = 460
const INLINED_TOGETHER = 920
/** What a loop that mallocs and frees needs for itself. */
const LOOP_BYTES = 200

for (const node of nodes)
  test(`Node ${node.major}: V8 can inline malloc and free in one loop, and cannot inline what they hand over to`, async () => {
    const program = `
      const heap = new Heap(Arena.reserve(MiB), { decayMs: -1 })
      const blocks = Array.from({ length: 1000 }, () => heap.malloc(64))
      for (const block of blocks) heap.free(block)
      heap.calloc(8), heap.free(heap.realloc(heap.malloc(8), 100_000))
    `
    const bytes = new Map<string, number>()
    for (const name of ['malloc', 'free', 'calloc', 'realloc', '#allocate', '#freeOther']) {
      const flags = ['--print-bytecode', `--print-bytecode-filter=${name}`]
      const { stdout } = (await runChild(program, { node, flags })).clean()
      bytes.set(name, Number(/^Bytecode length: (\d+)$/m.exec(stdout)?.[1]))
    }
    const [malloc, free, ...others] = [...bytes.values()] as [number, number, ...number[]]
    const found = JSON.stringify([...bytes])
    assert.ok(malloc <= INLINED_BYTES && free <= INLINED_BYTES, found)
    assert.ok(malloc + free <= INLINED_TOGETHER - LOOP_BYTES, found)
    assert.ok(
      others.every((length) => length > INLINED_BYTES),
      found
    )
  })

test.run()
