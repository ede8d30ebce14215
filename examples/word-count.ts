/**
 * Example: the words of a large text, counted through a mapping and through read calls, against `wc -w`. `--help`.
 *
 * Each way runs in a process of its own, several times in turn, so that what else the machine does hits both alike; the medians
 * are given. System calls are counted by `strace` where there is one, less those of a process that counts nothing.
 * @module
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bytes, table } from '../demo/print.ts'
import { MiB } from '../src/index.ts'
import { writeText } from './text.ts'
import { parsed, quantile, verdict, whole } from './verdict.ts'
import type { Counted, Method } from './word-count-child.ts'

const HELP = `Usage: npm run example -- word-count [options]

Counts the words of a text through a mapping and through read calls of 64 KiB. Checks
that both find as many as \`wc -w\`, and compares time, system calls and page faults.

  --file PATH     the text (default: made-up words)
  --mebibytes N   how much of those (default 64)
  --rounds N      rounds, of which the medians are given (default 5)
  --help          this text

Exit status: 0 when all three counts are equal, 1 when not.`

const WAYS = ['mapping', 'reads'] as const
const child = fileURLToPath(new URL('./word-count-child.js', import.meta.url))

/** What this system's `wc` takes for printable. */
const printable = wc('-', Buffer.from([0xe9])) === 1 ? 'any' : 'ascii'

/** Counts once, in a process of its own. */
function count(method: Method, path: string): Counted {
  return JSON.parse(execFileSync(process.execPath, [child, method, path, printable], { encoding: 'utf8' }))
}

/** System calls of a count; undefined when there is no strace, or it may not trace. */
function systemCalls(method: Method, path: string, folder: string): number | undefined {
  const summary = join(folder, `strace-${method}`)
  // Only of the main thread: the others are V8's, and idle or not as chance will have it.
  const args = ['-c', '-o', summary, process.execPath, child, method, path, printable]
  if (spawnSync('strace', args, { stdio: 'ignore' }).status !== 0) return undefined
  const calls = /^\s*100\.00\s+\S+\s+(?:\d+\s+)?(\d+)(?:\s+\d+)?\s+total$/m.exec(readFileSync(summary, 'utf8'))?.[1]
  return calls === undefined ? undefined : Number(calls)
}

/** The words by `wc`, of a file or of what it is given. */
function wc(path: string, input?: Buffer): number {
  const env = { ...process.env, LC_ALL: 'C' }
  return Number.parseInt(execFileSync('wc', ['-w', path], { encoding: 'utf8', env, input }), 10)
}

function run(path: string, rounds: number, folder: string): void {
  const results = new Map<Method, Counted[]>(WAYS.map((way) => [way, []]))
  for (let round = 0; round < rounds; round++) for (const way of WAYS) results.get(way)?.push(count(way, path))
  const idle = systemCalls('nothing', path, folder)
  const expected = wc(path)
  const rows = WAYS.map((way) => {
    const all = results.get(way) as Counted[]
    const calls = systemCalls(way, path, folder)
    const median = (of: (counted: Counted) => number): string => quantile(all.map(of)).toFixed(0)
    return [
      way === 'mapping' ? 'through a mapping' : 'through read calls of 64 KiB',
      String(all[0]?.words),
      `${median(({ milliseconds }) => milliseconds)} ms`,
      calls === undefined || idle === undefined ? 'no strace' : String(calls - idle),
      median(({ minorFaults }) => minorFaults),
      median(({ majorFaults }) => majorFaults),
    ]
  })
  console.log(`\n${path}, ${bytes(statSync(path).size)}\n`)
  console.log(
    table(
      ['', 'words', 'time', 'system calls', 'minor faults', 'major faults'],
      [...rows, ['wc -w', String(expected), '', '', '', '']]
    )
  )
  console.log(`
Through read calls every byte is copied once, into a buffer that stays the same. Through
the mapping nothing is copied and next to nothing is asked of the kernel, but it must put
the pages into the address space, some at a time (a minor fault each). Counting takes most
of the time either way.
`)
  verdict(
    WAYS.map((way) => ({
      name: `${way}: as many words as wc -w, in every round`,
      ok: results.get(way)?.every(({ words }) => words === expected) === true,
    }))
  )
}

const options = parsed(HELP, () => {
  const { values } = parseArgs({
    options: {
      file: { type: 'string' },
      mebibytes: { type: 'string', default: '64' },
      rounds: { type: 'string', default: '5' },
      help: { type: 'boolean', default: false },
    },
  })
  return { ...values, mebibytes: whole('mebibytes', values.mebibytes, 1), rounds: whole('rounds', values.rounds, 1) }
})
if (options !== undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'sorites-word-count-'))
  try {
    const path = options.file ?? join(folder, 'text')
    if (options.file === undefined) writeText(path, options.mebibytes * MiB)
    run(path, options.rounds, folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
