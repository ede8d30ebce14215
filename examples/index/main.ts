/**
 * Recipe: binary search in a mapped file (index-file.ts), against `fs.readSync`. `--help`.
 *
 * Both look up the same keys, half of which are there, in turn, round by round. The file is in the page cache, where `readSync` copies
 * each record from by a system call. The first searches bring pages in; `resident` tells how much of the file a search ever touches.
 * @module
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bytes, table } from '../../demo/print.ts'
import { MiB } from '../../src/index.ts'
import { settings } from '../settings.ts'
import { quantile, verdict } from '../verdict.ts'
import { type Index, MappedIndex, ReadIndex, writeIndex } from './index-file.ts'

const HELP = `Usage: npm run example -- index [options]

Binary search for random keys in a file of sorted records: in a mapping, and by
fs.readSync.

  --size N        MiB of the file (default 1024)
  --searches N    searches a round, by each way (default 100000)
  --rounds N      rounds, of which the medians are given (default 5)
  --folder PATH   where the file is made (default: the system's for temporary files)
  --help          this text

Exit status: 0 when every search found what is there, by both ways, 1 when not.`

interface Options {
  readonly size: number
  readonly searches: number
  readonly rounds: number
}

/** Searches for random keys and says how many answers were right. */
function search(index: Index, count: number, seed: number): number {
  let right = 0
  let state = seed
  for (let left = count; left > 0; left--) {
    // Xorshift: every one of 2^32 - 1 states comes once.
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    const key = Math.floor(((state >>> 0) / 2 ** 32) * 2 * index.length)
    const expected = key % 2 === 0 ? Math.sqrt(key) : undefined
    if (index.find(key) === expected) right++
  }
  return right
}

function run(path: string, { size, searches, rounds }: Options): void {
  writeIndex(path, (size * MiB) / 16 - 1)
  const opening = performance.now()
  using mapped = new MappedIndex(path)
  const openMs = performance.now() - opening
  using reads = new ReadIndex(path, statSync(path).size)
  // Both have it open, so it can go now: nothing stays when this process is ended.
  rmSync(path)
  const ways = [
    { name: 'in a mapping', index: mapped, times: [] as number[] },
    { name: 'by fs.readSync', index: reads, times: [] as number[] },
  ]
  let right = 0
  // The first round is for the compiler and the page tables.
  for (let round = 0; round <= rounds; round++)
    for (const { index, times } of ways) {
      const start = performance.now()
      right += search(index, searches, round + 20261128)
      if (round > 0) times.push(((performance.now() - start) * 1000) / searches)
    }
  const [first, second] = ways.map(({ times }) => quantile(times)) as [number, number]
  console.log(`\n${bytes(size * MiB)}, ${mapped.length} records; medians of ${rounds} rounds of ${searches} searches\n`)
  const rows = ways.map(({ name, times }) => [name, `${quantile(times).toFixed(2)} us`])
  console.log(table(['', 'a search'], rows))
  console.log(`
The mapping is ${(second / first).toFixed(0)} times as fast: some ${Math.ceil(Math.log2(mapped.length))} loads against as many system calls. It was opened in
${openMs.toFixed(1)} ms; nothing of the file is read before a search touches it, and no copy is made.
`)
  const expected = 2 * (rounds + 1) * searches
  verdict([{ name: `${expected} searches found what is there, and nothing else`, ok: right === expected }])
}

const options = settings(HELP, {
  size: { default: 1024, least: 1, most: 2048 },
  searches: { default: 100_000, least: 1, most: 1_000_000_000 },
  rounds: { default: 5, least: 1, most: 1000 },
  folder: { default: tmpdir() },
})
if (options !== undefined) {
  const folder = mkdtempSync(join(options.folder, 'sorites-index-'))
  try {
    run(join(folder, 'index'), options)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
