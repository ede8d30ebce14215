/**
 * What is gained on real jobs against `Buffer` and `new Uint8Array`: CPU time, resident memory, and pauses of the garbage collector.
 *
 * Each side of a job runs in a process of its own, the sides take turns, and every side of a job must come to the same sum. `--write` keeps
 * the rows in bench/figures/buffers.json, draws bench/figures/buffers.svg, and refreshes both pages.
 *
 *     npm run bench -- buffers [--quick | --write]
 *     node buffers.bench.js --one=JOB,SIDE,FACTOR,FOLDER    one side, as JSON
 * @module
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buffersFigure } from './buffers/figure.ts'
import type { Scale } from './buffers/job.ts'
import { JOBS } from './buffers/jobs.ts'
import { type Cost, measure } from './buffers/measure.ts'
import { frontLines, frontTable, jobTable, type Results, type Row, verify } from './buffers/results.ts'
import { machineText, originText, today, writeFrontSection, writeSection } from './report/page.ts'
import { Progress } from './report/progress.ts'

const COMMAND = 'npm run bench -- buffers --write'
const argv = process.argv.slice(2)
const quick = argv.includes('--quick')
const ROUNDS = quick ? 1 : 5

function inChild(job: number, side: number, { factor, folder }: Scale): Cost {
  const file = fileURLToPath(import.meta.url)
  const args = ['--max-old-space-size=4096', file, `--one=${job},${side},${factor},${folder}`]
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Cost
}

function allRows(scale: Scale): Row[] {
  const sides = JOBS.reduce((sum, job) => sum + job.sides.length, 0)
  const progress = new Progress(ROUNDS * sides)
  const rows: Row[] = []
  for (const job of JOBS) job.prepare?.(scale)
  for (let round = 0; round < ROUNDS; round++)
    for (const [index, job] of JOBS.entries())
      for (let turn = 0; turn < job.sides.length; turn++) {
        const at = (turn + round) % job.sides.length
        const side = job.sides[at]!.name
        progress.next(`round ${round + 1}, ${job.name}: ${side}`)
        rows.push({ job: job.name, side, round, ...inChild(index, at, scale) })
      }
  progress.stop()
  return rows
}

/** Puts the results where they are shown. */
function write(results: Results, tables: string): void {
  const folder = fileURLToPath(new URL('../../bench/figures/', import.meta.url))
  const lines = frontLines(JOBS, results)
  const origin = originText(COMMAND)
  writeFileSync(join(folder, 'buffers.json'), `${JSON.stringify(results, undefined, 1)}\n`)
  writeFileSync(join(folder, 'buffers.svg'), buffersFigure(JOBS, results))
  const image = '![CPU time, memory and pauses of four jobs, with sorites and with Node’s buffers](figures/buffers.svg)'
  writeFrontSection('buffers', `${image}\n\n${frontTable(lines)}\n\n${origin}`)
  writeSection('buffers', `${image}\n\n${origin}\n\n${tables}`)
}

function compare(): void {
  const folder = mkdtempSync(join(tmpdir(), 'sorites-bench-'))
  try {
    const rows = allRows({ factor: quick ? 0.02 : 1, folder })
    for (const job of JOBS) verify(job, rows)
    const results: Results = {
      machine: machineText(),
      node: process.version,
      date: today(),
      command: COMMAND,
      rounds: ROUNDS,
      rows,
    }
    const tables = JOBS.map((job) => jobTable(job, results)).join('\n\n')
    console.log(`Medians of ${ROUNDS} interleaved rounds, and the range:\n\n${tables}\n`)
    if (argv.includes('--write')) write(results, tables)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const one = argv.find((argument) => argument.startsWith('--one='))
if (one === undefined) compare()
else {
  const [job, side, factor, ...folder] = one.slice('--one='.length).split(',')
  const scale = { factor: Number(factor), folder: folder.join(',') }
  console.log(JSON.stringify(await measure(JOBS[Number(job)]!.sides[Number(side)]!, scale)))
  process.exit(0)
}
