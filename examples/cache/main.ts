/**
 * Recipe: an LRU cache in a heap with a limit (lru-cache.ts), against a Map of Buffers (buffer-cache.ts). `--help`.
 *
 * Both do the same work, each in a fresh process (side.ts): they are filled, and then values are looked up, some more often than others;
 * a lookup that misses puts the value in. Both get the same limit. What the heap commits stays within it; what Buffers take beside
 * their bytes is in no limit.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { bytes, table } from '../../demo/print.ts'
import { MiB } from '../../src/index.ts'
import { settings } from '../settings.ts'
import { verdict } from '../verdict.ts'
import type { Figures } from './side.ts'

const HELP = `Usage: npm run example -- cache [options]

An LRU cache with a limit, its values in a heap, against a Map of Buffers: processor
time, memory and the collector's pauses for the same work, each in a process of its own.

  --values N      distinct values, of 120 bytes in the mean (default 1000000)
  --lookups N     lookups after all were put in once (default 3000000)
  --limit N       MiB that the cache may take (default 96)
  --help          this text

Exit status: 0 when every value was right and the heap kept to its limit, 1 when not.`

const program = fileURLToPath(new URL('./side.js', import.meta.url))

function measure(kind: 'heap' | 'buffers', values: number, lookups: number, limit: number): Figures {
  const args = [program, kind, String(values), String(lookups), String(limit)]
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }))
}

function row(name: string, figures: Figures): string[] {
  return [
    name,
    String(figures.size),
    `${((100 * figures.hits) / figures.lookups).toFixed(1)} %`,
    `${(figures.cpuMs / 1000).toFixed(2)} s`,
    bytes(figures.rssBytes),
    bytes(figures.peakRssBytes),
    `${figures.pausesMs.toFixed(0)} ms`,
    `${figures.longestPauseMs.toFixed(0)} ms`,
  ]
}

function run({ values, lookups, limit }: { values: number; lookups: number; limit: number }): void {
  const heap = measure('heap', values, lookups, limit * MiB)
  const buffers = measure('buffers', values, lookups, limit * MiB)
  const head = ['', 'kept', 'hits', 'CPU', 'RSS grew by', 'at the peak', 'GC pauses', 'longest']
  console.log(`\n${values} values, ${lookups} lookups, a limit of ${limit} MiB\n`)
  console.log(table(head, [row('values in a heap', heap), row('a Map of Buffers', buffers)]))
  console.log(`
The limit of the heap is a limit of memory: ${bytes(heap.byteLength)} are committed, tables
included, so fewer values fit than bytes of values would. Of the rest of RSS most is the
Map with its keys, which both have. Buffers cost an object each, which the collector
visits, and memory that no limit counts.
`)
  verdict([
    { name: 'every value that was found was the right one', ok: heap.wrong === 0 && buffers.wrong === 0 },
    { name: `the heap kept to its limit: ${bytes(heap.byteLength)}`, ok: heap.byteLength <= limit * MiB },
    { name: 'both found values, and kept some', ok: [heap, buffers].every(({ hits, size }) => hits > 0 && size > 0) },
  ])
}

const options = settings(HELP, {
  values: { default: 1_000_000, least: 1, most: 20_000_000 },
  lookups: { default: 3_000_000, least: 1, most: 1_000_000_000 },
  limit: { default: 96, least: 1, most: 1024 },
})
if (options !== undefined) run(options)
