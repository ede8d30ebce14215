/**
 * Example: records of 64 bytes at random places, read from a populated mapping and by `fs.readSync`. `--help`.
 *
 *     mapping      eight doubles are summed where they are
 *     readSync     64 bytes are copied into a buffer by a system call, and the eight doubles in it summed
 *
 * Both visit the same places in the same order, in turn, round by round; the sums must be equal. What bounds the mapping is the
 * processor's caches: over 1 GiB nearly every record is a miss, and so is its page's address.
 * @module
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bytes, table } from '../demo/print.ts'
import { MiB, mapFile } from '../src/index.ts'
import { parsed, quantile, verdict, whole } from './verdict.ts'

const HELP = `Usage: npm run example -- random-reads [options]

Times reads of 64 bytes at random places of a file in the page cache: from a populated
mapping, and by fs.readSync.

  --mebibytes N   length of the file, a power of two; may be given more than once
                  (default 1024 and 16)
  --reads N       reads a round (default 1000000)
  --rounds N      rounds, of which the medians are given (default 7)
  --folder PATH   where the file is made (default: the system's for temporary files)
  --help          this text

Exit status: 0 when both read the same and the mapping is at least 4 times as fast over
1 GiB and more, 10 times over less; 1 when not.`

const RECORD = 64
const DOUBLES = RECORD / 8

/** Anything that reads so many records at places that a seed determines, and sums what is in them. */
type Reader = (count: number, seed: number) => number

/** The place of the next record. Xorshift: every one of 2^32 - 1 states comes once. */
function next(state: number): number {
  state ^= state << 13
  state ^= state >>> 17
  return state ^ (state << 5)
}

/** Sums records where they are. */
function fromMapping(doubles: { readonly [index: number]: number }, records: number): Reader {
  return (count, seed) => {
    let sum = 0
    for (let state = next(seed), left = count; left > 0; left--, state = next(state)) {
      const first = (state & (records - 1)) * DOUBLES
      for (let at = 0; at < DOUBLES; at++) sum += doubles[first + at] as number
    }
    return sum
  }
}

/** Sums records after they were copied. */
function fromReads(fd: number, records: number): Reader {
  const doubles = new Float64Array(DOUBLES)
  const buffer = new Uint8Array(doubles.buffer)
  return (count, seed) => {
    let sum = 0
    for (let state = next(seed), left = count; left > 0; left--, state = next(state)) {
      readSync(fd, buffer, 0, RECORD, (state & (records - 1)) * RECORD)
      for (let at = 0; at < DOUBLES; at++) sum += doubles[at] as number
    }
    return sum
  }
}

/** A file of doubles that are all different. */
function writeDoubles(path: string, byteLength: number): void {
  const fd = openSync(path, 'w')
  // In pieces that the page cache can keep in large pages, as reading ahead does.
  const part = new Float64Array(Math.min(4 * MiB, byteLength) / 8)
  for (let done = 0; done < byteLength; done += part.byteLength) {
    for (let at = 0; at < part.length; at++) part[at] = done / 8 + at
    writeSync(fd, new Uint8Array(part.buffer))
  }
  closeSync(fd)
}

/** Nanoseconds for a read. */
interface Result {
  readonly byteLength: number
  readonly mapping: number
  readonly reads: number
  readonly equal: boolean
}

function measure(path: string, byteLength: number, count: number, rounds: number): Result {
  writeDoubles(path, byteLength)
  const file = mapFile(path, { mode: 'read', populate: true })
  const fd = openSync(path, 'r')
  try {
    const records = byteLength / RECORD
    const readers = {
      mapping: fromMapping(file.view(Float64Array, 0, byteLength / 8), records),
      reads: fromReads(fd, records),
    }
    const times: Record<keyof typeof readers, number[]> = { mapping: [], reads: [] }
    let equal = true
    // The first round is for the compiler.
    for (let round = -1; round < rounds; round++) {
      const sums = (['mapping', 'reads'] as const).map((name) => {
        const start = performance.now()
        const sum = readers[name](count, round + 20261122)
        if (round >= 0) times[name].push(((performance.now() - start) * 1e6) / count)
        return sum
      })
      equal &&= sums[0] === sums[1]
    }
    return { byteLength, mapping: quantile(times.mapping), reads: quantile(times.reads), equal }
  } finally {
    closeSync(fd)
    file.close()
    rmSync(path)
  }
}

function run(path: string, lengths: readonly number[], count: number, rounds: number): void {
  const results = lengths.map((length) => measure(path, length, count, rounds))
  const rows = results.map(({ byteLength, mapping, reads }) => [
    bytes(byteLength),
    `${mapping.toFixed(0)} ns`,
    `${reads.toFixed(0)} ns`,
    (reads / mapping).toFixed(1),
  ])
  console.log(`\nReads of ${RECORD} bytes at random places, medians of ${rounds} rounds of ${count}\n`)
  console.log(`${table(['file', 'from a mapping', 'by fs.readSync', 'times as fast'], rows)}\n`)
  verdict(
    results.flatMap(({ byteLength, mapping, reads, equal }) => {
      const least = byteLength < 1024 * MiB ? 10 : 4
      return [
        { name: `${bytes(byteLength)}: both read the same`, ok: equal },
        { name: `${bytes(byteLength)}: the mapping is at least ${least} times as fast`, ok: reads >= least * mapping },
      ]
    })
  )
}

const options = parsed(HELP, () => {
  const { values } = parseArgs({
    options: {
      mebibytes: { type: 'string', multiple: true, default: ['1024', '16'] },
      reads: { type: 'string', default: '1000000' },
      rounds: { type: 'string', default: '7' },
      folder: { type: 'string', default: tmpdir() },
      help: { type: 'boolean', default: false },
    },
  })
  const lengths = values.mebibytes.map((text) => whole('mebibytes', text, 1) * MiB)
  if (lengths.some((length) => Math.log2(length) % 1 !== 0)) throw new Error('--mebibytes expected powers of two')
  return { ...values, lengths, count: whole('reads', values.reads, 1), turns: whole('rounds', values.rounds, 1) }
})
if (options !== undefined) {
  const folder = mkdtempSync(join(options.folder, 'sorites-random-reads-'))
  try {
    run(join(folder, 'file'), options.lengths, options.count, options.turns)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
