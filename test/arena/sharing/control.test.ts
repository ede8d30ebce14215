/** The control words by themselves: slots, states, the mutex. No mapping is needed for it. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BackingKind } from '../../../src/arena/backing.ts'
import { layoutOf } from '../../../src/arena/layout.ts'
import { Control, MappingState, MOST_THREADS, SlotState } from '../../../src/arena/sharing/control.ts'
import { type Address, GiB, MiB } from '../../../src/units.ts'
import { nodes, runChild } from '../../helpers/child.ts'
import { compiled } from '../../helpers/compiled.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'

const facts = {
  base: (64 * GiB) as Address,
  layout: layoutOf(2 * GiB, 4096),
  kind: BackingKind.memoryFile,
  fd: 17,
  identity: [0xfedcba98, 7] as const,
}

/** Word of the mutex. */
const MUTEX = 5

test('what is known of the mapping goes with the buffer', () => {
  const control = Control.create(facts)
  const other = Control.over(control.buffer)
  assert.equal(other.facts, facts)
  assert.equal([other.state, other.moved, other.count(SlotState.free)], [MappingState.open, false, MOST_THREADS])
  other.state = MappingState.closed
  other.moved = true
  assert.equal([control.state, control.moved], [MappingState.closed, true])
  assert.equal(Control.over(Control.create({ ...facts, fd: -1, kind: BackingKind.anonymous }).buffer).facts.fd, -1)
})

test('buffers that are none are refused', () => {
  const words = new Int32Array(Control.create(facts).buffer)
  for (const word of [0, 1, 6]) {
    const copy = new SharedArrayBuffer(4096)
    new Int32Array(copy).set(words)
    new Int32Array(copy)[word] += 1
    throwsCode(() => Control.over(copy), 'ERR_OUT_OF_RANGE', '"handle.control"')
  }
  for (const length of [0, 8, 4095, 8192])
    throwsCode(() => Control.over(new SharedArrayBuffer(length)), 'ERR_OUT_OF_RANGE', '"handle.control"')
})

test('slots are taken, left and freed; no word outside is touched', () => {
  const os = new FakeOs()
  const control = Control.create(facts)
  const slots = Array.from({ length: MOST_THREADS }, () => control.take(os))
  assert.equal([new Set(slots).size, control.count(SlotState.held)], [MOST_THREADS, MOST_THREADS])
  throwsCode(() => control.take(os), 'ERR_OUT_OF_MEMORY', `${MOST_THREADS} threads`)
  assert.equal(Control.over(control.buffer).facts, facts)
  control.set(slots[5] as number, SlotState.left)
  control.set(slots[9] as number, SlotState.free)
  assert.equal(
    [control.count(SlotState.held), control.count(SlotState.left), control.count(SlotState.free)],
    [MOST_THREADS - 2, 1, 1]
  )
  assert.is(control.take(os), slots[9])
})

test('slots of threads that have ended are free, those of the living are not', () => {
  const os = new FakeOs()
  const control = Control.create(facts)
  control.set(control.take(os), SlotState.left)
  control.take(os)
  control.reap(os)
  assert.is(control.count(SlotState.free), MOST_THREADS - 2)
  // The same number, started at another time: the thread that had the slot is gone.
  const starts = new Float64Array(control.buffer)
  starts[11] += 1
  control.reap(os)
  assert.is(control.count(SlotState.left), 1)
  control.reap(os, true)
  assert.equal([control.count(SlotState.held), control.count(SlotState.left)], [1, 0])
  os.threads.dead.add(process.pid)
  control.reap(os, true)
  assert.is(control.count(SlotState.free), MOST_THREADS)
})

test('the mutex is free afterwards, whatever happened', () => {
  const os = new FakeOs()
  const control = Control.create(facts)
  const words = new Int32Array(control.buffer)
  assert.is(
    control.locked(os, () => words[MUTEX]),
    process.pid
  )
  assert.throws(() =>
    control.locked(os, () => {
      throw new Error('no')
    })
  )
  assert.is(words[MUTEX], 0)
})

test('the mutex of a thread that was terminated in it is taken over', () => {
  const os = new FakeOs()
  const control = Control.create(facts)
  new Int32Array(control.buffer)[MUTEX] = 4_000_000
  assert.is(
    control.locked(os, () => 5),
    5
  )
})

for (const node of nodes)
  test(`Node ${node.major}: the mutex keeps threads apart, and outlives those that are terminated in it`, async () => {
    const child = await runChild(
      `
      import { Control } from ${JSON.stringify(compiled('src/arena/sharing/control'))}
      const os = new FakeOs(), layout = { byteLength: MiB, metadataStart: MiB, metadataBytes: MiB, directoryBytes: MiB, mappingBytes: 2 * MiB }
      const control = Control.create({ base: 2 ** 40, layout, kind: 0, fd: -1, identity: [1, 2] })
      const counts = new SharedArrayBuffer(16), words = new Int32Array(counts)
      const text = \`
        const { Control } = await import(${JSON.stringify(compiled('src/arena/sharing/control'))})
        const os = new FakeOs(), control = Control.over(data[0]), words = new Int32Array(data[1])
        post('on')
        for (let i = 0; i < data[2]; i++) control.locked(os, () => { const value = words[0]; for (let k = 0; k < 20; k++) words[1] = k; words[0] = value + 1 })
        post('done')\`
      const threads = [1, 2].map(() => new Thread(text, [control.buffer, counts, 3000]))
      for (const thread of threads) { await thread.next(), await thread.next(), await thread.kill() }
      const sum = words[0]
      let takenOver = 0
      for (let round = 0; round < 10; round++) {
        const thread = new Thread(text, [control.buffer, counts, Infinity])
        await thread.next()
        while (Atomics.load(words, 0) === sum) await turns(1)
        const killing = thread.kill()
        control.locked(os, () => takenOver++)
        await killing
        control.locked(os, () => takenOver++)
      }
      report({ sum, takenOver })`,
      { node }
    )
    assert.equal(child.clean().report, { sum: 6000, takenOver: 20 })
  })

test('a mapping is a megabyte or a tebibyte', () => {
  const layout = layoutOf(MiB, 4096)
  assert.equal(Control.over(Control.create({ ...facts, layout }).buffer).facts.layout, layout)
})

test.run()
