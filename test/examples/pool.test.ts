/** The pool of examples/pool: the recipe as it is run, killed itself, and what its journal makes of a dead writer and of damage. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { resultOf } from '../../examples/pool/job.ts'
import { Journal } from '../../examples/pool/journal.ts'
import { Pool } from '../../examples/pool/pool.ts'
import { Arena, Heap, MiB } from '../../src/index.ts'
import { type NodeBinary, nodes, runChild } from '../helpers/child.ts'
import { compiled } from '../helpers/compiled.ts'
import { freshPath, scratch } from '../helpers/scratch.ts'
import { example, passes, refuses } from './recipes.ts'

const here = nodes[0] as NodeBinary

for (const node of nodes)
  test(`Node ${node.major}: pool has every result after workers were killed`, () => {
    const out = passes(node, 3, 'pool', '--jobs', '300', '--workers', '2', '--kills', '4')
    assert.match(out, /300 jobs by 2 processes/)
    assert.match(out, /ok {3}300 results are there/)
    assert.match(out, /Of the workers 4 were killed/)
  })

test('pool: help, and wrong arguments', () => {
  refuses('pool', [
    [['--jobs', '-1'], /--jobs expected a whole number from 1 to 1000000, got "-1"/],
    [['--workers', '65'], /--workers expected a whole number from 1 to 64, got "65"/],
    [['--kills', 'all'], /--kills expected/],
  ])
  const { status, err } = example(here, 'pool', '--path', '/nonexistent/arena')
  assert.is(status, 1)
  assert.match(err, /^pool: [^\n]*ENOENT[^\n]*\n$/)
})

test('pool: a run that is killed itself is gone on with', async () => {
  const path = freshPath('pool')
  const args = ['pool', '--jobs', '1000', '--workers', '2', '--kills', '1', '--path', path]
  const main = fileURLToPath(new URL('../../examples/main.js', import.meta.url))
  const first = spawn(here.path, ['--no-warnings', main, ...args], { stdio: 'ignore' })
  const ended = once(first, 'exit')
  // Until a result is stored: the root of one of the heaps is set.
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 5))
  const arena = Arena.open(path)
  const stored = (): boolean => {
    try {
      const reader = Heap.attach(arena, { role: 'reader' })
      const found = reader.root('newest') !== 0
      reader.close()
      return found
    } catch {
      return false
    }
  }
  while (!stored() && first.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5))
  first.kill('SIGKILL')
  await ended
  const out = passes(here, 3, ...args)
  assert.not.match(out, /; 0 had a result from an earlier run/)
  const [, done, before] = /(\d+) jobs by[\s\S]*; (\d+) had a result/.exec(out) ?? []
  assert.is(Number(done) + Number(before), 1000)
  assert.ok(existsSync(path))
  // With other numbers the arena has another length.
  const other = example(here, 'pool', '--jobs', '1000', '--workers', '3', '--path', path)
  assert.is(other.status, 1)
  assert.match(other.err, /^pool: [^\n]*byteLength[^\n]*\n$/)
  arena.unlink()
  arena.close()
  assert.ok(!readdirSync(scratch).some((name) => name.startsWith('pool')))
})

test('journal: a writer that dies between the block and the root has stored nothing, and its block is freed', async () => {
  const path = freshPath('journal')
  const arena = Arena.open(path, { create: true, byteLength: 4 * MiB })
  const { signal, stderr } = await runChild(`
    const { Journal } = await import(${JSON.stringify(compiled('examples/pool/journal'))})
    const journal = new Journal(Arena.open(${JSON.stringify(path)}), 1, 2)
    journal.append(1, Buffer.from('one'))
    journal.append(2, Buffer.alloc(0))
    Heap.prototype.setRoot = () => process.kill(process.pid, 'SIGKILL')
    journal.append(3, Buffer.from('three'))
  `)
  assert.is(signal, 'SIGKILL', stderr)
  const journal = new Journal(arena, 1, 2)
  assert.equal([journal.recovered, journal.unfinished, [...journal.ids]], [true, 1, [2, 1]])
  assert.is(journal.get(1)?.toString(), 'one')
  assert.is(journal.get(2)?.length, 0)
  assert.is(journal.get(3), undefined)
  journal.append(3, Buffer.from('three'))
  assert.throws(() => journal.append(3, Buffer.from('again')), /3 has a record already/)
  journal.check()
  assert.throws(() => new Journal(arena, 1, 2), /part 1 has a writer already/)
  journal.close()
  const next = new Journal(arena, 1, 2)
  assert.equal([next.recovered, next.unfinished, [...next.ids]], [false, 0, [3, 2, 1]])
  arena.unlink()
  arena.close()
})

test('journal: a chain that leads in a circle, nowhere, or too far is an error', () => {
  for (const damage of [
    (record: Buffer, offset: number) => record.writeDoubleLE(offset),
    (record: Buffer, offset: number) => record.writeDoubleLE(offset + 8),
    (record: Buffer) => record.writeUInt32LE(10_000, 12),
  ]) {
    const arena = Arena.open(freshPath('journal'), { create: true, byteLength: MiB })
    const journal = new Journal(arena, 0, 1)
    journal.append(7, Buffer.from('seven'))
    journal.close()
    const heap = Heap.attach(arena)
    damage(arena.bytes(heap.root('newest'), 21), heap.root('newest'))
    heap.close()
    assert.throws(() => new Journal(arena, 0, 1), /the record at \d+ is damaged|lies 8 bytes behind the start/)
    // The role was given back.
    assert.is(Heap.attach(arena).role, 'writer')
    arena.unlink()
    arena.close()
  }
})

test('pool: jobs that fail, that end their workers, and workers that cannot start are reported', async () => {
  const path = freshPath('pool')
  const arena = Arena.open(path, { create: true, byteLength: MiB })
  const pool = new Pool(path, 1)
  await pool.run(1)
  // No number that a record can have.
  let reason = ''
  await pool.run(-1).catch((error: Error) => (reason = error.message))
  assert.match(reason, /^job -1: /)
  await pool.run(2)
  const last = pool.run(3)
  await pool.close()
  await last.catch((error: Error) => assert.match(error.message, /was closed/))
  const journal = new Journal(arena, 0, 1)
  assert.not.ok(journal.recovered)
  assert.equal(journal.get(2), resultOf(2))
  assert.not.ok(journal.has(-1))
  journal.close()
  arena.unlink()
  arena.close()
})

test('pool: workers that cannot start are given up, and every job is told', async () => {
  const pool = new Pool('/nonexistent/arena', 1)
  const reasons: string[] = []
  await Promise.all([1, 2].map((id) => pool.run(id).catch((error: Error) => reasons.push(error.message))))
  assert.equal(reasons, ['worker 0 has failed to start 10 times', 'worker 0 has failed to start 10 times'])
  await pool.close()
})

test.run()
