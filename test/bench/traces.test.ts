/**
 * `npm run bench:traces` as a user calls it, on the smallest trace, and the build that it needs for `checks`.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ComparisonData } from '../../bench/replay/comparison.ts'
import { commandText } from '../../bench/replay/options.ts'
import { importUnchecked, makeUnchecked } from '../../bench/unchecked.ts'
import { nodes } from '../helpers/child.ts'
import { roomyFolder } from '../helpers/scratch.ts'

const test = suite('bench traces')
const program = fileURLToPath(new URL('../../bench/traces.bench.js', import.meta.url))
const folder = mkdtempSync(join(roomyFolder(), 'sorites-test-'))
test.after(() => rmSync(folder, { recursive: true }))

function run(args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  return spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', env })
}

test('it replays a trace that is named under every Node, and writes every row', () => {
  const json = join(folder, 'rows.json')
  const under = nodes.flatMap(({ path }) => ['--node', path])
  const { status, stdout, stderr } = run(['gs', '--quick', '--rounds', '2', '--json', json, ...under])
  assert.is(status, 0, stderr)
  assert.match(stdout, /\| gs +\| 22,388 \|/)
  const data = JSON.parse(readFileSync(json, 'utf8')) as ComparisonData
  assert.is(data.traces[0]?.events, 22_388)
  assert.is(data.nodes.length, nodes.length)
  const floors = new Set(data.subjects.map(({ floor }) => floor))
  assert.is(data.rows.length, 2 * (data.subjects.length + floors.size))
  // The kernel counts VmRSS in batches: a floor may come out a little below zero.
  for (const { ns, peakBytes, passes, subject } of data.rows)
    assert.ok(
      ns > 0 && peakBytes > -(2 ** 20) && passes >= 5,
      `${subject}: ${ns} ns, ${peakBytes} bytes, ${passes} passes`
    )
  // What every allocator needs for this trace, and a replay that wrote nothing would not.
  for (const { subject, peakBytes } of data.rows)
    if (!floors.has(subject)) assert.ok(peakBytes >= 16 * 2 ** 20, `${subject}: a peak of ${peakBytes} bytes`)
})

test('without a compiler it says so, and measures the heap alone', () => {
  const json = join(folder, 'heap.json')
  const { status, stderr } = run(['gs', '--quick', '--json', json], { ...process.env, PATH: folder })
  assert.is(status, 0, stderr)
  assert.match(stderr, /allocators of C: skipped, there is no working `cc` here/)
  const { subjects } = JSON.parse(readFileSync(json, 'utf8')) as ComparisonData
  assert.equal(
    subjects.map(({ kind }) => kind),
    ['heap']
  )
})

test('a bad argument gets a message, the help, and status 2', () => {
  for (const [args, message] of [
    [['--rounds', '0'], /--rounds expected a whole number, got "0"/],
    [['--only', 'umem'], /--only expected names of heap, glibc, .*, got "umem"/],
    [['no-such-trace'], /no trace "no-such-trace"/],
    [['--node', '/no/such/node'], /--node expected a path, got "\/no\/such\/node"/],
    [['--quick', '--write'], /--write expected figures that mean something/],
    [['--frobnicate'], /Unknown option '--frobnicate'/],
    [[program], /the file does not begin with "MTRC"/],
  ] as const) {
    const { status, stderr } = run(args)
    assert.is(status, 2, stderr)
    assert.match(stderr, message)
    assert.match(stderr, /Usage: npm run bench:traces/)
  }
  assert.is(run(['--help']).status, 0)
})

test('the command is shown without the paths of this machine', () => {
  assert.is(
    commandText(['--node', '/opt/a/bin/node', '--rounds', '5']),
    'npm run bench:traces -- --node …/node --rounds 5'
  )
  assert.is(commandText([]), 'npm run bench:traces')
})

test('the build without checks takes what the library refuses, and only that', async () => {
  makeUnchecked()
  const { Arena, Heap, MiB } = await importUnchecked()
  const arena = Arena.reserve(MiB)
  const heap = new Heap(arena)
  const [first, span] = [heap.malloc(64), heap.malloc(4000)]
  heap.check()
  heap.free(first)
  heap.free(first)
  heap.free(span)
  assert.ok(heap.malloc(64) > 0)
  assert.throws(() => heap.free(arena.byteLength + 8))
  arena.close()
})

test.run()
