/** The demo as its user runs it: output, exit status, and that it can fail. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { writeTrace } from '../../src/trace/format.ts'
import { roomyFolder } from '../helpers/scratch.ts'
import { sampleTrace } from '../trace/sample.ts'

const main = fileURLToPath(new URL('../../demo/main.js', import.meta.url))
const folder = mkdtempSync(join(roomyFolder(), 'sorites-demo-'))
const small = join(folder, 'small.mtrc.gz')

function demo(...args: string[]): { status: number | null; out: string; err: string } {
  const child = spawnSync(process.execPath, ['--expose-gc', main, ...args], { encoding: 'utf8' })
  return { status: child.status, out: child.stdout, err: child.stderr }
}

test.before(() => writeTrace(small, sampleTrace(4000, 40_000)))

test.after(() => rmSync(folder, { recursive: true }))

const plain = (out: string) => {
  assert.not.match(out, new RegExp(String.fromCharCode(27)), 'no colours where there is no terminal')
  assert.ok(
    out.split('\n').every((line) => line.length <= 100),
    'no line above 100 columns'
  )
}

test('a summary first: three figures, one chart, the verdict, exit status 0', () => {
  const { status, out } = demo('--trace', small)
  assert.is(status, 0, out)
  plain(out)
  assert.match(out, /^The same job with sorites and with Buffers\n/)
  assert.match(out, /^ time +\d.*\n memory at its peak +\d.*\n memory back at the end +\d+ % /m)
  assert.match(out, /A Buffers {3}B sorites {3}C in use/)
  assert.match(out, /\nOK: all 17 checks hold .*--verbose.*\n$/)
  assert.not.match(out, /mincore|committed|VmPTE/, 'no jargon')
  assert.ok(out.split('\n').length <= 32, 'it fits on one screen')
})

test('--verbose has every phase, counter and check', () => {
  const { status, out } = demo('--trace', small, '--verbose')
  assert.is(status, 0, out)
  plain(out)
  for (const part of ['64.0 GiB', 'everything freed', 'requested', 'write 1 byte', 'purged: pages are gone'])
    assert.ok(out.includes(part), part)
  assert.match(out, /\nOK: all 17 checks hold\n$/)
})

test('--no-chart leaves the chart out, --json prints the measurements', () => {
  assert.not.match(demo('--trace', small, '--no-chart').out, /A Buffers/)
  const { status, out } = demo('--trace', small, '--json')
  const result = JSON.parse(out)
  assert.is(status, 0)
  assert.is(result.passed, true)
  assert.is(result.trace.events, 4000)
  assert.is(result.replay.samples.at(-1).phase, 'closed')
  assert.is(result.checks.length, 17)
  for (const side of ['heap', 'buffers']) {
    const { curve, peakBytes, leftBytes, milliseconds } = result.comparison[side]
    assert.is(curve.length, 65)
    assert.is(curve.at(-1)[0], 4000)
    assert.ok(milliseconds > 0 && peakBytes >= 0 && leftBytes >= 0)
  }
  const live = result.comparison.live.map(([, bytes]: [number, number]) => bytes)
  assert.is(live.at(-1), result.trace.endLiveBytes)
})

test('an expectation that cannot be met fails: named in the verdict, exit status 1', () => {
  const { status, out } = demo('--trace', small, '--no-chart', '--tolerance=-1000')
  assert.is(status, 1)
  assert.match(out, /\nFAILED: 3 of 17 checks: RSS grew by what we can name; .*\n$/)
  assert.is(JSON.parse(demo('--trace', small, '--json', '--tolerance=-1000').out).passed, false)
})

test('a trace that cannot be read is a failure that says why', () => {
  for (const [path, reason] of [
    [join(folder, 'none.mtrc'), /could not run: ENOENT/],
    [main, /could not run: the file does not begin with "MTRC"/],
  ] as const) {
    const { status, err } = demo('--trace', path)
    assert.is(status, 1)
    assert.match(err, reason)
  }
})

test('--help and wrong arguments', () => {
  assert.is(demo('--help').status, 0)
  assert.match(demo('--help').out, /^Usage: npm run demo/)
  const { status, err } = demo('--colour')
  assert.is(status, 2)
  assert.match(err, /--colour[\s\S]*Usage/)
  assert.is(demo('--tolerance', 'much').status, 2)
})

test.run()
