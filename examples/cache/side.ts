/**
 * One side of the comparison, in a process of its own: fills a cache, looks values up, and reports what that took as JSON.
 *
 *     node side.js heap|buffers VALUES LOOKUPS LIMIT
 *
 * A lookup that misses puts the value in, as a program does that has another place to fetch it from. Every value that is found is
 * verified.
 * @module
 */
import { PerformanceObserver } from 'node:perf_hooks'
import { BufferCache } from './buffer-cache.ts'
import { LruCache } from './lru-cache.ts'

export interface Figures {
  readonly size: number
  /** What the cache says of its own memory. */
  readonly byteLength: number
  readonly hits: number
  readonly lookups: number
  readonly wrong: number
  readonly cpuMs: number
  readonly rssBytes: number
  readonly peakRssBytes: number
  readonly pausesMs: number
  readonly longestPauseMs: number
}

const [kind, ...numbers] = process.argv.slice(2)
const [values, lookups, limit] = numbers.map(Number) as [number, number, number]
const SHORTEST = 40
const LONGEST = 200

/** A number from 0 below 2^32 that depends on the key alone. */
function mixed(key: number): number {
  const half = Math.imul(key ^ (key >>> 16), 0x45d9f3b)
  return (half ^ (half >>> 15)) >>> 0
}

const nameOf = (key: number): string => `item:${key}`

const scratch = Buffer.alloc(LONGEST, 's')

/** The value of a key: 120 bytes in the mean, the key first. Valid until the next call. */
function contentOf(key: number): Buffer {
  scratch.writeUInt32LE(key)
  return scratch.subarray(0, SHORTEST + (mixed(key) % (LONGEST - SHORTEST + 1)))
}

const isRight = (key: number, value: Buffer): boolean =>
  value.readUInt32LE() === key && value.length === SHORTEST + (mixed(key) % (LONGEST - SHORTEST + 1))

function work(cache: LruCache | BufferCache): { hits: number; wrong: number } {
  for (let key = 0; key < values; key++) cache.set(nameOf(key), contentOf(key))
  let hits = 0
  let wrong = 0
  for (let turn = 0; turn < lookups; turn++) {
    // Low keys are asked for more often than high ones.
    const chance = mixed(turn + values) / 2 ** 32
    const key = Math.floor(values * chance * chance)
    const found = cache.get(nameOf(key))
    if (found === undefined) cache.set(nameOf(key), contentOf(key))
    else {
      hits++
      if (!isRight(key, found)) wrong++
    }
  }
  return { hits, wrong }
}

const pauses: number[] = []
const observer = new PerformanceObserver((list) => pauses.push(...list.getEntries().map(({ duration }) => duration)))
observer.observe({ entryTypes: ['gc'] })
const cache = kind === 'heap' ? new LruCache(limit) : new BufferCache(limit)
const rssBefore = process.memoryUsage.rss()
const cpuBefore = process.cpuUsage()
const { hits, wrong } = work(cache)
const { user, system } = process.cpuUsage(cpuBefore)
const rssAfter = process.memoryUsage.rss()
// The observer is told of collections in turns of the event loop.
await new Promise((resolve) => setTimeout(resolve, 10))
const figures: Figures = {
  size: cache.size,
  byteLength: cache.byteLength,
  hits,
  lookups,
  wrong,
  cpuMs: (user + system) / 1000,
  rssBytes: rssAfter - rssBefore,
  peakRssBytes: process.resourceUsage().maxRSS * 1024 - rssBefore,
  pausesMs: pauses.reduce((sum, pause) => sum + pause, 0),
  longestPauseMs: Math.max(0, ...pauses),
}
console.log(JSON.stringify(figures))
