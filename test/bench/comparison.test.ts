/**
 * What follows from the rows of a comparison: net times and peaks, ratios within rounds, means over traces, the worst; the tables and the figure.
 * @module
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Comparison, type ComparisonData } from '../../bench/replay/comparison.ts'
import type { Row } from '../../bench/replay/rounds.ts'
import { comparisonText } from '../../bench/replay/tables.ts'
import { drawTimeMemory } from '../../bench/report/time-memory.ts'
import { MiB } from '../../src/units.ts'

const test = suite('bench comparison')

const row = (trace: string, round: number, subject: string, ns: number, mebibytes: number): Row => ({
  trace,
  round,
  subject,
  ns,
  coldNs: 0,
  peakBytes: mebibytes * MiB,
  passes: 5,
  quiet: 5,
})

/** Two traces, the second too small for its peak to count; three rounds, in one of which everything took ten times as long. */
function sample(): ComparisonData {
  const rows = ['long', 'small'].flatMap((trace, index) =>
    [1, 10, 1].flatMap((slow, round) => [
      row(trace, round, 'js floor', 5 * slow, 2),
      row(trace, round, 'heap', (5 + 20 * (index + 1)) * slow, 12),
      row(trace, round, 'c floor', 1 * slow, 0),
      row(trace, round, 'glibc', (1 + 40) * slow, 8),
      row(trace, round, 'quick', (1 + 10) * slow, 20),
    ])
  )
  return {
    machine: 'machine',
    nodes: ['v20.0.0'],
    date: '2026-01-01',
    command: 'npm run bench:traces',
    rounds: 3,
    libraries: {},
    traces: [
      { name: 'long', events: 1_000_000, peakLiveBytes: 8 * MiB },
      { name: 'small', events: 1_000_000, peakLiveBytes: MiB },
    ],
    subjects: [
      { name: 'heap', floor: 'js floor', kind: 'heap' },
      { name: 'glibc', floor: 'c floor', kind: 'native' },
      { name: 'quick', floor: 'c floor', kind: 'native' },
    ],
    rows,
  }
}

const near = (found: number | undefined, wanted: number) =>
  assert.ok(found !== undefined && Math.abs(found - wanted) < 1e-9, `${found}, not ${wanted}`)

test('net figures are those of a row less those of its own floor, and the median of the rounds', () => {
  const comparison = new Comparison(sample())
  const [heap, glibc] = comparison.data.subjects as [never, never]
  const [long] = comparison.data.traces as [never]
  near(comparison.value('net', heap, long), 20)
  near(comparison.value('gross', heap, long), 25)
  near(comparison.value('peak', heap, long), 10 * MiB)
  near(comparison.ratio('net', heap, glibc, long), 0.5)
  near(comparison.ratio('peak', heap, glibc, long), 10 / 8)
})

test('over all traces it is the geometric mean; peaks of small traces do not count', () => {
  const comparison = new Comparison(sample())
  const [heap, glibc] = comparison.data.subjects as [never, never]
  const net = comparison.overall('net', heap, glibc)
  near(net?.mean, Math.sqrt(0.5 * 1))
  near(net?.worst, 1)
  assert.is(net?.worstTrace, 'small')
  near(comparison.overall('peak', heap, glibc)?.mean, 10 / 8)
  near(comparison.peakOverBest(heap)?.worst, 10 / 8)
})

test('a floor above what stands on it does not make a time negative', () => {
  const data = sample()
  const rows = data.rows.map((each) =>
    each.subject === 'js floor' ? { ...each, ns: 1000, peakBytes: 99 * MiB } : each
  )
  const comparison = new Comparison({ ...data, rows })
  const [heap] = comparison.data.subjects as [never]
  const [long] = comparison.data.traces as [never]
  near(comparison.value('net', heap, long), 0.5)
  near(comparison.value('peak', heap, long), 65536)
})

test('a row that is missing is named', () => {
  const data = sample()
  const comparison = new Comparison({ ...data, rows: data.rows.slice(1) })
  const [heap] = comparison.data.subjects as [never]
  const [long] = comparison.data.traces as [never]
  assert.throws(() => comparison.value('net', heap, long), /no row for js floor, long, round 0/)
})

test('the tables have every trace and every allocator', () => {
  const text = comparisonText(new Comparison(sample()))
  assert.match(text, /\| long +\| 1,000,000 +\| +8\.0 \| +20\.0 \| +40\.0 \| +10\.0 \| +10\.0 \| +8\.0 \| +20\.0 \|/)
  assert.match(text, /\| heap +\| +0\.71 \| +0\.82 \| +1\.25 \| +1\.00 \(small\) \| +1\.25 \(long\) \|/)
  assert.match(text, /2 traces, 1 of them for peak RSS/)
})

test('the figure names every point once, and nothing in it overlaps', () => {
  const points = ['a', 'b', 'c', 'd'].map((name, i) => ({
    name: `allocator ${name}`,
    time: 0.5 + i / 50,
    memory: 1,
    ours: i === 0,
  }))
  const captions = { title: 'A < B', subtitle: '', time: 'time', memory: 'memory' }
  const svg = drawTimeMemory(points, captions)
  assert.is(svg, drawTimeMemory(points, captions))
  assert.match(svg, />A &lt; B</)
  for (const { name } of points) assert.is(svg.split(`>${name}<`).length, 2, name)
  const rows = [...svg.matchAll(/<text x="\S+" y="(\S+)" class="name/g)].map(([, y]) => y)
  assert.is(rows.length, points.length)
  assert.ok(new Set(rows).size >= 2, 'four names beside each other would overlap')
})

test.run()
