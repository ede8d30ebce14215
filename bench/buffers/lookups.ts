/**
 * Binary search in a sorted file of 128 MiB, 2^24 numbers, which is in the page cache: by `mapFile`, by `readSync` at each step, and in a
 * Buffer that `readFileSync` filled. The last is the fastest to search, and has to read the whole file first and to keep a copy of it.
 * @module
 */
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { MiB, mapFile } from '../../src/index.ts'
import { inBatches, type Job, Numbers, type Outcome, type Scale, type Side } from './job.ts'

const ENTRIES = 2 ** 24
const SEARCHES = 1_000_000
/** Entry `i` of the file. */
const entryAt = (index: number): number => 3 * index + 1

const entriesOf = ({ factor }: Scale): number => Math.floor(ENTRIES * factor)
const pathIn = ({ folder }: Scale): string => join(folder, 'numbers')

function writeNumbers(scale: Scale): void {
  const entries = entriesOf(scale)
  const fd = openSync(pathIn(scale), 'w')
  for (let start = 0; start < entries; start += MiB) {
    const part = Float64Array.from({ length: Math.min(MiB, entries - start) }, (_, index) => entryAt(start + index))
    writeSync(fd, part)
  }
  closeSync(fd)
}

/** The number of the first entry that is not below `key`. */
function search(entries: number, at: (index: number) => number, key: number): number {
  let [low, high] = [0, entries]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (at(middle) < key) low = middle + 1
    else high = middle
  }
  return low
}

async function run(
  open: (path: string) => (index: number) => number,
  scale: Scale,
  searches: number
): Promise<Outcome> {
  const [path, entries] = [pathIn(scale), entriesOf(scale)]
  const numbers = new Numbers()
  const start = performance.now()
  const at = open(path)
  let checksum = search(entries, at, entryAt(entries >>> 1))
  const readyMs = performance.now() - start
  const cpuStart = process.cpuUsage()
  const count = Math.floor(searches * scale.factor)
  await inBatches(count, (index) => {
    const key = numbers.below(entries)
    const found = search(entries, at, entryAt(key))
    // The sum is that of the first searches: the side with `readSync` does no more.
    if (index < count / (searches / FEWER)) checksum += found
  })
  return { operations: count, checksum, readyMs, cpuStart }
}

/** Searches by `readSync`, each of which takes 24 calls. */
const FEWER = SEARCHES / 20

function mapped(path: string): (index: number) => number {
  const file = mapFile(path, { mode: 'read' })
  const numbers = file.view(Float64Array, 0, file.byteLength / 8)
  return (index) => numbers[index]!
}

function byReads(path: string): (index: number) => number {
  const fd = openSync(path, 'r')
  const entry = new Float64Array(1)
  return (index) => {
    readSync(fd, entry, 0, 8, index * 8)
    return entry[0]!
  }
}

function inBuffer(path: string): (index: number) => number {
  const { buffer, byteOffset, byteLength } = readFileSync(path)
  const numbers = new Float64Array(buffer, byteOffset, byteLength / 8)
  return (index) => numbers[index]!
}

const side = (
  name: string,
  kind: Side['kind'],
  open: (path: string) => (index: number) => number,
  searches: number
): Side => ({
  name,
  kind,
  front: true,
  run: (scale) => run(open, scale, searches),
})

export const lookups: Job = {
  name: 'lookups',
  title: 'Binary search in a sorted file of 128 MiB',
  operation: 'a search',
  prepare: writeNumbers,
  sides: [
    side('mapFile', 'sorites', mapped, SEARCHES),
    side('readSync into a Buffer', 'Buffer', byReads, FEWER),
    side('readFileSync, all of it in a Buffer', 'other', inBuffer, SEARCHES),
  ],
}
