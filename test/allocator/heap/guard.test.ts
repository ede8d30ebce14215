/**
 * A guard against the heap's getting slower or larger unnoticed, by counts that are the same on every machine: what the committed traces make
 * it commit, purge, and leave its fast paths for, and the length of the code that V8 is to inline. No test reads a clock.
 *
 * The values were recorded on 2026-11-29 with pages of 4 KiB. A count may rise by a tenth, a peak by a fiftieth. A change of policy is
 * recorded here (a failure prints the values); its commit says why what rose may rise.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs'
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
    peak: 1.0071,
    metadata: 0.0015,
    purges: [155, 16],
    purgedPages: [12382, 20641],
    slowCalls: { refill: 3441, settle: 556, allocate: 1065, join: 1315 },
  },
  dot: {
    peak: 1.0386,
    metadata: 0.0098,
    purges: [1, 6],
    purgedPages: [2, 1295],
    slowCalls: { refill: 4843, settle: 881, allocate: 1150, join: 1276 },
  },
  git: {
    peak: 1.0391,
    metadata: 0.0059,
    purges: [182, 0],
    purgedPages: [951, 0],
    slowCalls: { refill: 2892, settle: 596, allocate: 338, join: 7561 },
  },
  gs: {
    peak: 1.0275,
    metadata: 0.0034,
    purges: [75, 2],
    purgedPages: [1468, 71],
    slowCalls: { refill: 86, settle: 84, allocate: 607, join: 1224 },
  },
  pygrow: {
    peak: 1.0113,
    metadata: 0.0057,
    purges: [48, 112],
    purgedPages: [8595, 13819],
    slowCalls: { refill: 505, settle: 902, allocate: 11248, join: 27164 },
  },
  sqlite: {
    peak: 1.023,
    metadata: 0.0159,
    purges: [0, 0],
    purgedPages: [0, 0],
    slowCalls: { refill: 51, settle: 26, allocate: 26380, join: 41432 },
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
      heap.calloc(8), heap.memalign(64, 64), heap.free(heap.realloc(heap.malloc(8), 100_000))
    `
    const bytes = new Map<string, number>()
    for (const name of ['malloc', 'free', 'calloc', 'memalign', 'realloc', '#mallocSlow', '#allocate', '#freeOther']) {
      const flags = ['--print-bytecode', `--print-bytecode-filter=${name}`]
      const { stdout } = (await runChild(program, { node, flags })).clean()
      bytes.set(name, Number(/^Bytecode length: (\d+)$/m.exec(stdout)?.[1]))
    }
    const [malloc, free, ...others] = [...bytes.values()] as [number, number, ...number[]]
    const found = `${JSON.stringify([...bytes])}: malloc and free are to be at most ${INLINED_BYTES}, together ${INLINED_TOGETHER - LOOP_BYTES}, all others longer than ${INLINED_BYTES}; see docs/heap-v8.md for what to shorten or write out`
    assert.ok(malloc <= INLINED_BYTES && free <= INLINED_BYTES, found)
    assert.ok(malloc + free <= INLINED_TOGETHER - LOOP_BYTES, found)
    assert.ok(
      others.every((length) => length > INLINED_BYTES),
      found
    )
  })

/** The regions of a source that are marked as one text written out in several places, without their indentation. */
function writtenOut(source: string, mark: string, lines: number): string[] {
  const all = source.split('\n').map((line) => line.trim())
  return all.flatMap((line, at) =>
    line === `// Written out: ${mark}.` ? all.slice(at + 1, at + 1 + lines).join(' ') : []
  )
}

test('what is written out in several places is the same in all of them', () => {
  const read = (path: string) =>
    readFileSync(fileURLToPath(new URL(`../../../../src/${path}`, import.meta.url)), 'utf8')
  const source = ['heap/heap', 'concurrent/heap'].map((name) => read(`allocator/${name}.ts`)).join('\n')
  for (const [mark, lines, copies] of [
    ['take a slot', 2, 6],
    ['find a slot', 3, 4],
  ] as const) {
    const found = writtenOut(source, mark, lines)
    assert.is(found.length, copies, mark)
    assert.equal([...new Set(found)], [found[0]], mark)
  }
})

test.run()
