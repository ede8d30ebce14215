/** The table words by themselves: entries, rows, states, the mutex. No mapping is needed for it. */
import { spawn } from 'node:child_process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { layoutOf } from '../../../src/arena/format/layout.ts'
import { currentThread, packThreadId } from '../../../src/arena/format/thread-id.ts'
import { BackingKind } from '../../../src/arena/mapping/backing.ts'
import { MappingState, MOST_THREADS } from '../../../src/arena/threads/table-memory.ts'
import { RowState, ThreadTable } from '../../../src/arena/threads/thread-table.ts'
import { PART_BYTES } from '../../../src/ffi/os-commons.ts'
import { type Address, GiB, MiB } from '../../../src/units.ts'
import { nodes, runChild } from '../../helpers/child.ts'
import { compiled } from '../../helpers/compiled.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'

const facts = {
  base: (64 * GiB) as Address,
  layout: layoutOf(2 * GiB, 4096),
  kind: BackingKind.memoryFile,
  file: { fd: 17, mark: 2 ** 52 - 1 },
  identity: [0xfedcba98, 7] as const,
}

/** Where the mutex and the first row's time of the start are in an entry, in bytes. */
const MUTEX = 64
const FIRST_START = 88

/** The bytes of a table's entry. */
function memoryOf(os: FakeOs, table: ThreadTable): [ArrayBuffer, number] {
  const at = table.place.number * 4096
  return [os.commons.part(Math.floor(at / PART_BYTES)), at % PART_BYTES]
}

function mutexOf(os: FakeOs, table: ThreadTable): BigUint64Array {
  const [part, at] = memoryOf(os, table)
  return new BigUint64Array(part, at + MUTEX, 1)
}

function gone(...tables: ThreadTable[]): void {
  for (const table of tables) table.state = MappingState.gone
}

test('what is known of the mapping is found by the place', () => {
  const os = new FakeOs()
  const table = ThreadTable.create(os, facts)
  const other = ThreadTable.at(new FakeOs({ asThread: true }), table.place) as ThreadTable
  assert.equal(other.facts, facts)
  assert.equal([other.state, other.moved, other.count(RowState.free)], [MappingState.open, false, MOST_THREADS])
  other.state = MappingState.closed
  other.moved = true
  assert.equal([table.state, table.moved], [MappingState.closed, true])
  const second = ThreadTable.create(os, { ...facts, file: { fd: -1, mark: 0 }, kind: BackingKind.anonymous })
  assert.is.not(second.place.number, table.place.number)
  assert.equal(ThreadTable.at(os, second.place)?.facts.file.fd, -1)
  gone(table, second)
})

test('places that are none, or another use of the entry', () => {
  const os = new FakeOs()
  const table = ThreadTable.create(os, facts)
  const { number, uses } = table.place
  for (const place of [
    { number: 0, uses: 0 },
    { number: 31, uses: 0 },
    { number: 16_384, uses: 0 },
    { number: 2 ** 32 - 1, uses: 0 },
    { number: 16_383, uses: 0 },
    { number, uses: uses + 1 },
    { number, uses: uses - 1 },
  ])
    assert.is(ThreadTable.at(os, place), undefined, JSON.stringify(place))
  gone(table)
  assert.is(ThreadTable.at(os, table.place), undefined)
})

test('an entry is used again for another mapping; a holder of the old one sees that it is gone', () => {
  const os = new FakeOs()
  const table = ThreadTable.create(os, facts)
  table.take(os)
  table.moved = true
  gone(table)
  const next = ThreadTable.create(os, { ...facts, file: { fd: 3, mark: 5 } })
  assert.equal(next.place, { number: table.place.number, uses: table.place.uses + 1 })
  assert.equal([next.facts.file.fd, next.moved, next.count(RowState.free)], [3, false, MOST_THREADS])
  assert.equal([table.state, next.state], [MappingState.gone, MappingState.open])
  assert.is(ThreadTable.at(os, table.place), undefined)
  gone(next)
})

test('rows are taken, left and freed; no word outside is touched', () => {
  const os = new FakeOs()
  const [before, table, after] = [facts, facts, facts].map((each) => ThreadTable.create(os, each)) as [
    ThreadTable,
    ThreadTable,
    ThreadTable,
  ]
  const rows = Array.from({ length: MOST_THREADS }, () => table.take(os))
  assert.equal([new Set(rows).size, table.count(RowState.held)], [MOST_THREADS, MOST_THREADS])
  throwsCode(() => table.take(os), 'ERR_OUT_OF_MEMORY', `${MOST_THREADS} threads`)
  for (const each of [before, table, after]) assert.equal(ThreadTable.at(os, each.place)?.facts, facts)
  assert.equal([before.count(RowState.free), after.count(RowState.free)], [MOST_THREADS, MOST_THREADS])
  table.set(rows[5] as number, RowState.left)
  table.set(rows[9] as number, RowState.free)
  assert.equal(
    [table.count(RowState.held), table.count(RowState.left), table.count(RowState.free)],
    [MOST_THREADS - 2, 1, 1]
  )
  assert.is(table.take(os), rows[9])
  gone(before, table, after)
})

test('rows of threads that have ended are free, those of the living are not', () => {
  const os = new FakeOs()
  const table = ThreadTable.create(os, facts)
  table.set(table.take(os), RowState.left)
  table.take(os)
  table.freeEndedRows(os)
  assert.is(table.count(RowState.free), MOST_THREADS - 2)
  // The same number, started at another time: the thread that had the row is gone.
  const [part, at] = memoryOf(os, table)
  new Float64Array(part, at + FIRST_START, 1)[0] = 1
  table.freeEndedRows(os)
  assert.is(table.count(RowState.left), 1)
  table.freeEndedRows(os, true)
  assert.equal([table.count(RowState.held), table.count(RowState.left)], [1, 0])
  os.threads.dead.add(process.pid)
  table.freeEndedRows(os, true)
  assert.is(table.count(RowState.free), MOST_THREADS)
  gone(table)
})

test('when every row is taken, those of the dead are taken over, however their number is used now', () => {
  const os = new FakeOs()
  const table = ThreadTable.create(os, facts)
  const rows = Array.from({ length: MOST_THREADS }, () => table.take(os))
  throwsCode(() => table.take(os), 'ERR_OUT_OF_MEMORY')
  const [part, at] = memoryOf(os, table)
  new Float64Array(part, at + FIRST_START, 1)[0] = 1
  assert.is(table.take(os), rows[0])
  // A number that no thread has.
  const other = rows[7] as number
  new Int32Array(part, at + 80 + 16 * other + 4, 1)[0] = 4_000_000
  assert.is(table.take(os), other)
  throwsCode(() => table.take(os), 'ERR_OUT_OF_MEMORY')
  gone(table)
})

test('the mutex is free afterwards, whatever happened', () => {
  const os = new FakeOs()
  const table = ThreadTable.create(os, facts)
  const mutex = mutexOf(os, table)
  assert.is(
    table.locked(() => mutex[0]),
    packThreadId(currentThread(os))
  )
  assert.throws(() =>
    table.locked(() => {
      throw new Error('no')
    })
  )
  assert.is(mutex[0], 0n)
  gone(table)
})

test('the mutex of a thread that was terminated in it is taken over, also one that had our number', () => {
  const os = new FakeOs()
  const table = ThreadTable.create(os, facts)
  const mutex = mutexOf(os, table)
  const self = currentThread(os)
  const dead = [
    { ...self, threadId: 4_000_000 },
    { ...self, startTime: self.startTime + 1 },
    self,
    { ...self, processId: 4_000_000 },
  ].map(packThreadId)
  for (const token of [...dead, 2n ** 64n - 1n, 1n]) {
    mutex[0] = token
    assert.is(
      table.locked(() => 5),
      5,
      `${token}`
    )
    assert.is(mutex[0], 0n)
  }
  gone(table)
})

test('the mutex of a thread that is alive and does not let go: ERR_ARENA_BUSY in the end, and its name', () => {
  const os = new FakeOs()
  const table = ThreadTable.create(os, facts)
  const mutex = mutexOf(os, table)
  const other = spawn('sleep', ['600'])
  const pid = other.pid as number
  const holder = { ...currentThread(os), processId: pid, threadId: pid, startTime: os.threads.startTime(pid, pid) }
  mutex[0] = packThreadId(holder)
  throwsCode(() => table.locked(() => 5), 'ERR_ARENA_BUSY', `process ${pid}`)
  assert.is(mutex[0], packThreadId(holder))
  other.kill()
  mutex[0] = 0n
  assert.is(
    table.locked(() => 5),
    5
  )
  gone(table)
})

test('entries are found when the first ones are taken, in other parts too', () => {
  const os = new FakeOs()
  const tables = Array.from({ length: 200 }, () => ThreadTable.create(os, facts))
  assert.is(new Set(tables.map(({ place }) => place.number)).size, 200)
  assert.equal(
    tables.map(({ place }) => ThreadTable.at(os, place)?.facts),
    tables.map(() => facts)
  )
  gone(...tables)
})

for (const node of nodes)
  test(`Node ${node.major}: the mutex keeps threads apart, and outlives those that are terminated in it`, async () => {
    const child = await runChild(
      `
      import { ThreadTable } from ${JSON.stringify(compiled('src/arena/threads/thread-table'))}
      const os = new FakeOs(), layout = { byteLength: MiB, metadataStart: MiB, metadataBytes: MiB, directoryBytes: MiB, mappingBytes: 2 * MiB }
      const table = ThreadTable.create(os, { base: 2 ** 40, layout, kind: 0, file: { fd: -1, mark: 0 }, identity: [1, 2] })
      const counts = new SharedArrayBuffer(16), words = new Int32Array(counts)
      const text = \`
        const { ThreadTable } = await import(${JSON.stringify(compiled('src/arena/threads/thread-table'))})
        const os = new FakeOs(), table = ThreadTable.at(os, data[0]), words = new Int32Array(data[1])
        post('on')
        for (let i = 0; i < data[2]; i++) table.locked(() => { const value = words[0]; for (let k = 0; k < 20; k++) words[1] = k; words[0] = value + 1 })
        post('done')\`
      const threads = [1, 2].map(() => new Thread(text, [table.place, counts, 3000]))
      for (const thread of threads) { await thread.next(), await thread.next(), await thread.kill() }
      const sum = words[0]
      let takenOver = 0
      for (let round = 0; round < 10; round++) {
        const thread = new Thread(text, [table.place, counts, Infinity])
        await thread.next()
        while (Atomics.load(words, 0) === sum) await turns(1)
        const killing = thread.kill()
        table.locked(() => takenOver++)
        await killing
        table.locked(() => takenOver++)
      }
      report({ sum, takenOver })`,
      { node }
    )
    assert.equal(child.clean().report, { sum: 6000, takenOver: 20 })
  })

for (const node of nodes)
  test(`Node ${node.major}: threads that begin at the same time have the same memory in common`, async () => {
    const child = await runChild(
      `
      const start = new SharedArrayBuffer(8)
      const text = \`
        const os = new FakeOs(), words = new Int32Array(data), byte = os.commons.secret[0]
        Atomics.add(words, 1, 1)
        while (Atomics.load(words, 0) === 0);
        const part = new Int32Array(os.commons.part(3))
        for (let i = 0; i < 1000; i++) Atomics.add(part, 5, 1)
        post([byte, part.length])\`
      const threads = Array.from({ length: 6 }, () => new Thread(text, start))
      while (Atomics.load(new Int32Array(start), 1) < 6) await turns(1)
      Atomics.store(new Int32Array(start), 0, 1)
      const answers = []
      for (const thread of threads) answers.push(await thread.next())
      const os = new FakeOs()
      report({ sum: new Int32Array(os.commons.part(3))[5], same: new Set(answers.map(String)).size, own: answers[0][0] === os.commons.secret[0] })
      for (const thread of threads) await thread.kill()`,
      { node }
    )
    assert.equal(child.clean().report, { sum: 6000, same: 1, own: true })
  })

test('a mapping is a megabyte or a tebibyte', () => {
  const os = new FakeOs()
  for (const byteLength of [MiB, 1024 * GiB]) {
    const layout = layoutOf(byteLength, 4096)
    const table = ThreadTable.create(os, { ...facts, layout })
    assert.equal(ThreadTable.at(os, table.place)?.facts.layout, layout)
    gone(table)
  }
})

test.run()
