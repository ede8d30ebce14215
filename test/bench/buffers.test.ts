/**
 * The bench against Buffer and new Uint8Array: every side does the same work, the tables and the figure have every one of them, and what is
 * shown in the pages is what the rows say.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { buffersFigure } from '../../bench/buffers/figure.ts'
import type { Job } from '../../bench/buffers/job.ts'
import { JOBS } from '../../bench/buffers/jobs.ts'
import { measure } from '../../bench/buffers/measure.ts'
import { frontLines, frontTable, jobTable, type Results, type Row, verify } from '../../bench/buffers/results.ts'
import { roomyFolder } from '../helpers/scratch.ts'

const test = suite('bench buffers')
const root = fileURLToPath(new URL('../../../', import.meta.url))
const folder = mkdtempSync(join(roomyFolder(), 'sorites-test-'))
test.after(() => rmSync(folder, { recursive: true }))

async function rowsOf(job: Job, factor: number): Promise<Row[]> {
  const scale = { factor, folder }
  job.prepare?.(scale)
  const rows: Row[] = []
  for (const side of job.sides) rows.push({ job: job.name, side: side.name, round: 0, ...(await measure(side, scale)) })
  return rows
}

const all: Row[] = []
for (const job of JOBS)
  test(`${job.name}: every side comes to the same sum`, async () => {
    const rows = await rowsOf(job, 0.002)
    verify(job, rows)
    for (const { operations, checksum, peakBytes, ownBytes, cpuSeconds } of rows) {
      assert.ok(operations > 0 && checksum > 0, `${operations} operations, sum ${checksum}`)
      assert.ok(peakBytes >= ownBytes && ownBytes > 0 && cpuSeconds >= 0)
    }
    all.push(...rows)
    const [first, ...others] = rows
    const wrong = { ...(first as Row), checksum: (first as Row).checksum + 1 }
    assert.throws(() => verify(job, [wrong, ...others]), /the sides differ/)
    assert.throws(() => verify(job, others), /is missing/)
  })

test('tables and figure have every side that they should', () => {
  const results: Results = { machine: 'M', node: 'v1', date: 'D', command: 'C', rounds: 1, rows: all }
  for (const job of JOBS)
    for (const { name } of job.sides) assert.ok(jobTable(job, results).includes(`| ${name}`), name)
  const lines = frontLines(JOBS, results)
  assert.is(lines.length, 3 * JOBS.length)
  for (const { job, what, values } of lines)
    assert.ok(Object.keys(values).length === 3 && 'sorites' in values && 'Buffer' in values, `${job}, ${what}`)
  const figure = buffersFigure(JOBS, results)
  assert.is(figure, buffersFigure(JOBS, results))
  assert.is([...figure.matchAll(/<rect /g)].length, 9 * JOBS.length)
})

test('the README and the figure show what is in the rows', () => {
  const results = JSON.parse(readFileSync(join(root, 'bench/figures/buffers.json'), 'utf8')) as Results
  for (const job of JOBS) verify(job, results.rows)
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  assert.ok(readme.includes(frontTable(frontLines(JOBS, results))))
  assert.ok(readme.includes(results.date))
  assert.is(readFileSync(join(root, 'bench/figures/buffers.svg'), 'utf8'), buffersFigure(JOBS, results))
  const page = readFileSync(join(root, 'bench/README.md'), 'utf8')
  for (const job of JOBS) assert.ok(page.includes(jobTable(job, results)), job.name)
})

test.run()
