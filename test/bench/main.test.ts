/** The command line of the benches: which there are, what is said before they run, and what is refused. */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { announcement, BENCHES, HELP, minutesText, parseOptions } from '../../bench/benches.ts'
import { brokenOrigin, originText } from '../../bench/report/page.ts'

const folder = fileURLToPath(new URL('../../bench', import.meta.url))

function bench(...args: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [`${folder}/main.js`, ...args], { encoding: 'utf8' })
  return { status, out: stdout, err: stderr }
}

test('every bench of the folder is in the list, with its question and its time', () => {
  const files = readdirSync(folder).filter((file) => file.endsWith('.bench.js'))
  assert.equal(BENCHES.map(({ name }) => `${name}.bench.js`).sort(), files.sort())
  for (const { name, asks, minutes } of BENCHES) {
    assert.match(HELP, new RegExp(`^ {2}${name} +${minutes} min {3}\\S`, 'm'))
    assert.ok(asks.length > 10 && minutes > 0)
  }
})

test('--help prints the list, and starts nothing', () => {
  const { status, out, err } = bench('--help', 'gc')
  assert.equal([status, err], [0, ''])
  assert.is(out, `${HELP}\n`)
  assert.match(out, /^Usage: npm run bench -- /)
  assert.ok(out.split('\n').every((line) => line.length <= 92))
})

test('what is unknown is one line, and status 2', () => {
  for (const args of [['nonsense'], ['--nonsense', 'gc'], ['gc', '-1'], ['--quick', '--write']]) {
    const { status, out, err } = bench(...args)
    assert.equal([status, out], [2, ''])
    assert.match(err, /^[^\n]+ \(--help tells what there is\)\n$/)
  }
  assert.match(bench('nonsense').err, /got "nonsense"/)
})

test('names choose; the time is said before, in minutes', () => {
  const all = parseOptions([])
  assert.is(all.benches, BENCHES)
  assert.match(announcement(all), /^This takes about \d+ minutes .*raw-alloc \(6\)/)
  const two = parseOptions(['gc', 'many'])
  assert.equal(
    two.benches.map(({ name }) => name),
    ['many', 'gc']
  )
  assert.match(announcement(two), /^This takes about 6 minutes .*many \(3\), gc \(3\)/)
  assert.match(announcement(parseOptions(['--quick', 'gc'])), /^Quick runs of gc: the figures mean nothing/)
  assert.is(minutesText([{ name: 'long', asks: '', minutes: 41 }]), 'about 45 minutes')
})

test('in README.md a long line of machine, date and command is two short ones', () => {
  const long = originText(
    'npm run bench:traces -- --rounds 5 --node …/node --node …/node --write',
    'Node v20.20.2, v24.22.3'
  )
  const text = `| a |\n\n${long.replace(/^\*.*; \d/, (head) => `*${'2 × a processor, Linux, '.repeat(4)}${head.slice(1)}`)}`
  const lines = brokenOrigin(text).split('\n')
  assert.is(lines.length, 4)
  assert.is(lines.join(' '), text.replaceAll('\n', ' '))
  assert.match(lines[3] as string, /^`npm run .*`\*$/)
  const short = '*a machine, Node v24; 2026-11-29; `npm run bench`*'
  assert.is(brokenOrigin(short), short)
})

test.run()
