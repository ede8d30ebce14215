/** The control words by themselves: entries, slots, states, the mutex. No mapping is needed for it. */
import { spawn } from 'node:child_process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BackingKind } from '../../../src/arena/backing.ts'
import { layoutOf } from '../../../src/arena/layout.ts'
import { currentOwner, tokenOf } from '../../../src/arena/owner.ts'
import { Control, MappingState, MOST_THREADS, SlotState } from '../../../src/arena/sharing/control.ts'
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
  fd: 17,
  identity: [0xfedcba98, 7] as const,
}

/** Where the mutex and the first slot's time of the start are in an entry, in bytes. */
const MUTEX = 64
const FIRST_START = 88

/** The bytes of a control's entry. */
function entryOf(os: FakeOs, control: Control): [ArrayBuffer, number] {
  const at = control.place.entry * 4096
  return [os.commons.part(Math.floor(at / PART_BYTES)), at % PART_BYTES]
}

function mutexOf(os: FakeOs, control: Control): BigUint64Array {
  const [part, at] = entryOf(os, control)
  return new BigUint64Array(part, at + MUTEX, 1)
}

function gone(...controls: Control[]): void {
  for (const control of controls) control.state = MappingState.gone
}

test('what is known of the mapping is found by the place', () => {
  const os = new FakeOs()
  const control = Control.create(os, facts)
  const other = Control.at(new FakeOs({ asThread: true }), control.place) as Control
  assert.equal(other.facts, facts)
  assert.equal([other.state, other.moved, other.count(SlotState.free)], [MappingState.open, false, MOST_THREADS])
  other.state = MappingState.closed
  other.moved = true
  assert.equal([control.state, control.moved], [MappingState.closed, true])
  const second = Control.create(os, { ...facts, fd: -1, kind: BackingKind.anonymous })
  assert.is.not(second.place.entry, control.place.entry)
  assert.equal(Control.at(os, second.place)?.facts.fd, -1)
  gone(control, second)
})

test('places that are none, or another use of the entry', () => {
  const os = new FakeOs()
  const control = Control.create(os, facts)
  const { entry, uses } = control.place
  for (const place of [
    { entry: 0, uses: 0 },
    { entry: 31, uses: 0 },
    { entry: 16_384, uses: 0 },
    { entry: 2 ** 32 - 1, uses: 0 },
    { entry: 16_383, uses: 0 },
    { entry, uses: uses + 1 },
    { entry, uses: uses - 1 },
  ])
    assert.is(Control.at(os, place), undefined, JSON.stringify(place))
  gone(control)
  assert.is(Control.at(os, control.place), undefined)
})

test('an entry is used again for another mapping; who has the old one sees that it is gone', () => {
  const os = new FakeOs()
  const control = Control.create(os, facts)
  control.take(os)
  control.moved = true
  gone(control)
  const next = Control.create(os, { ...facts, fd: 3 })
  assert.equal(next.place, { entry: control.place.entry, uses: control.place.uses + 1 })
  assert.equal([next.facts.fd, next.moved, next.count(SlotState.free)], [3, false, MOST_THREADS])
  assert.equal([control.state, next.state], [MappingState.gone, MappingState.open])
  assert.is(Control.at(os, control.place), undefined)
  gone(next)
})

test('slots are taken, left and freed; no word outside is touched', () => {
  const os = new FakeOs()
  const [before, control, after] = [facts, facts, facts].map((each) => Control.create(os, each)) as [
    Control,
    Control,
    Control,
  ]
  const slots = Array.from({ length: MOST_THREADS }, () => control.take(os))
  assert.equal([new Set(slots).size, control.count(SlotState.held)], [MOST_THREADS, MOST_THREADS])
  throwsCode(() => control.take(os), 'ERR_OUT_OF_MEMORY', `${MOST_THREADS} threads`)
  for (const each of [before, control, after]) assert.equal(Control.at(os, each.place)?.facts, facts)
  assert.equal([before.count(SlotState.free), after.count(SlotState.free)], [MOST_THREADS, MOST_THREADS])
  control.set(slots[5] as number, SlotState.left)
  control.set(slots[9] as number, SlotState.free)
  assert.equal(
    [control.count(SlotState.held), control.count(SlotState.left), control.count(SlotState.free)],
    [MOST_THREADS - 2, 1, 1]
  )
  assert.is(control.take(os), slots[9])
  gone(before, control, after)
})

test('slots of threads that have ended are free, those of the living are not', () => {
  const os = new FakeOs()
  const control = Control.create(os, facts)
  control.set(control.take(os), SlotState.left)
  control.take(os)
  control.reap(os)
  assert.is(control.count(SlotState.free), MOST_THREADS - 2)
  // The same number, started at another time: the thread that had the slot is gone.
  const [part, at] = entryOf(os, control)
  new Float64Array(part, at + FIRST_START, 1)[0] = 1
  control.reap(os)
  assert.is(control.count(SlotState.left), 1)
  control.reap(os, true)
  assert.equal([control.count(SlotState.held), control.count(SlotState.left)], [1, 0])
  os.threads.dead.add(process.pid)
  control.reap(os, true)
  assert.is(control.count(SlotState.free), MOST_THREADS)
  gone(control)
})

test('when every slot is taken, those of the dead are taken over, however their number is used now', () => {
  const os = new FakeOs()
  const control = Control.create(os, facts)
  const slots = Array.from({ length: MOST_THREADS }, () => control.take(os))
  throwsCode(() => control.take(os), 'ERR_OUT_OF_MEMORY')
  const [part, at] = entryOf(os, control)
  new Float64Array(part, at + FIRST_START, 1)[0] = 1
  assert.is(control.take(os), slots[0])
  // A number that no thread has.
  const other = slots[7] as number
  new Int32Array(part, at + 80 + 16 * other + 4, 1)[0] = 4_000_000
  assert.is(control.take(os), other)
  throwsCode(() => control.take(os), 'ERR_OUT_OF_MEMORY')
  gone(control)
})

test('the mutex is free afterwards, whatever happened', () => {
  const os = new FakeOs()
  const control = Control.create(os, facts)
  const mutex = mutexOf(os, control)
  assert.is(
    control.locked(() => mutex[0]),
    tokenOf(currentOwner(os))
  )
  assert.throws(() =>
    control.locked(() => {
      throw new Error('no')
    })
  )
  assert.is(mutex[0], 0n)
  gone(control)
})

test('the mutex of a thread that was terminated in it is taken over, also one that had our number', () => {
  const os = new FakeOs()
  const control = Control.create(os, facts)
  const mutex = mutexOf(os, control)
  const self = currentOwner(os)
  const dead = [
    { ...self, threadId: 4_000_000 },
    { ...self, startTime: self.startTime + 1 },
    self,
    { ...self, processId: 4_000_000 },
  ].map(tokenOf)
  for (const token of [...dead, 2n ** 64n - 1n, 1n]) {
    mutex[0] = token
    assert.is(
      control.locked(() => 5),
      5,
      `${token}`
    )
    assert.is(mutex[0], 0n)
  }
  gone(control)
})

test('the mutex of a thread that is alive and does not let go: ERR_ARENA_BUSY in the end, and its name', () => {
  const os = new FakeOs()
  const control = Control.create(os, facts)
  const mutex = mutexOf(os, control)
  const other = spawn('sleep', ['600'])
  const pid = other.pid as number
  const holder = { ...currentOwner(os), processId: pid, threadId: pid, startTime: os.threads.startTime(pid, pid) }
  mutex[0] = tokenOf(holder)
  throwsCode(() => control.locked(() => 5), 'ERR_ARENA_BUSY', `process ${pid}`)
  assert.is(mutex[0], tokenOf(holder))
  other.kill()
  mutex[0] = 0n
  assert.is(
    control.locked(() => 5),
    5
  )
  gone(control)
})

test('entries are found when the first ones are taken, in other parts too', () => {
  const os = new FakeOs()
  const controls = Array.from({ length: 200 }, () => Control.create(os, facts))
  assert.is(new Set(controls.map(({ place }) => place.entry)).size, 200)
  assert.equal(
    controls.map(({ place }) => Control.at(os, place)?.facts),
    controls.map(() => facts)
  )
  gone(...controls)
})

for (const node of nodes)
  test(`Node ${node.major}: the mutex keeps threads apart, and outlives those that are terminated in it`, async () => {
    const child = await runChild(
      `
      import { Control } from ${JSON.stringify(compiled('src/arena/sharing/control'))}
      const os = new FakeOs(), layout = { byteLength: MiB, metadataStart: MiB, metadataBytes: MiB, directoryBytes: MiB, mappingBytes: 2 * MiB }
      const control = Control.create(os, { base: 2 ** 40, layout, kind: 0, fd: -1, identity: [1, 2] })
      const counts = new SharedArrayBuffer(16), words = new Int32Array(counts)
      const text = \`
        const { Control } = await import(${JSON.stringify(compiled('src/arena/sharing/control'))})
        const os = new FakeOs(), control = Control.at(os, data[0]), words = new Int32Array(data[1])
        post('on')
        for (let i = 0; i < data[2]; i++) control.locked(() => { const value = words[0]; for (let k = 0; k < 20; k++) words[1] = k; words[0] = value + 1 })
        post('done')\`
      const threads = [1, 2].map(() => new Thread(text, [control.place, counts, 3000]))
      for (const thread of threads) { await thread.next(), await thread.next(), await thread.kill() }
      const sum = words[0]
      let takenOver = 0
      for (let round = 0; round < 10; round++) {
        const thread = new Thread(text, [control.place, counts, Infinity])
        await thread.next()
        while (Atomics.load(words, 0) === sum) await turns(1)
        const killing = thread.kill()
        control.locked(() => takenOver++)
        await killing
        control.locked(() => takenOver++)
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
    const control = Control.create(os, { ...facts, layout })
    assert.equal(Control.at(os, control.place)?.facts.layout, layout)
    gone(control)
  }
})

test.run()
