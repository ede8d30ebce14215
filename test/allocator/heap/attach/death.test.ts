/**
 * A heap's writer is killed at random points, after so many steps of its own, as a process and as a thread. The next writer finds the heap whole, every block that
 * the writer had noted with its bytes, and at most two more: those that a realloc was about.
 *
 *     arena   | heap, 32 MiB                     | notes: 400 offsets | steps |
 * @module
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { nodes, runChild } from '../../../helpers/child.ts'

const test = suite('heap death')
/** Writers that are killed; `SOAK=1` for more. */
const KILLS = process.env.SOAK === undefined ? 12 : 500
/** Steps after which a writer may be killed, from so many on. */
const FIRST_STEPS = 500

/** Allocates and frees for ever. A block's first number says which note it has, its second where it is. */
const writer = `
const arena = Arena.attach(data.handle ?? { fd: 3 })
const heap = Heap.attach(arena, { role: 'writer', decayMs: 1 })
const notes = arena.view(Float64Array, 32 * MiB, 400)
const numbers = arena.view(Float64Array, 0, 4 * MiB)
const steps = arena.view(Int32Array, 33 * MiB, 1)
let seed = data.seed
const random = (bound) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
  return Math.floor((seed / 2 ** 32) * bound)
}
const sizeOf = () => 16 + (random(10) < 7 ? random(1000) : random(10) < 9 ? random(20000) : random(300000))
const note = (place, block) => {
  numbers[block / 8] = place
  numbers[block / 8 + 1] = block
  notes[place] = block
}
await running()
for (;;) {
  const place = random(400), block = notes[place]
  if (random(3000) === 0) heap.purge()
  if (block === 0) note(place, heap.malloc(sizeOf()))
  else {
    notes[place] = 0
    if (random(4) === 0) note(place, heap.realloc(block, sizeOf()))
    else heap.free(block)
  }
  Atomics.add(steps, 0, 1)
}`

/** Kills one writer after the other, and looks at what each leaves. */
const watcher = (start: string) => `
const arena = Arena.reserve(40 * MiB, { shared: true })
new Heap(arena, { byteLength: 32 * MiB }).close()
const notes = arena.view(Float64Array, 32 * MiB, 400)
const numbers = arena.view(Float64Array, 0, 4 * MiB)
const steps = arena.view(Int32Array, 33 * MiB, 1)
const found = []
let seen = 0
for (let round = 0; round < ${KILLS}; round++) {
  const data = { seed: 7919 * round + 1 }
  steps[0] = 0
  const other = ${start}
  await other.next()
  // No two writers do the same, and where in its step one is killed depends on the machine.
  const least = ${FIRST_STEPS} + (round * 7919) % 5000
  while (Atomics.load(steps, 0) < least) await turns(1)
  const busy = (() => { try { Heap.attach(arena, { role: 'writer' }) } catch (error) { return error.code } })()
  await other.kill()
  const heap = Heap.attach(arena)
  heap.check()
  const live = new Set([...heap.blocks()].map(({ offset }) => offset))
  const noted = notes.filter((block) => block !== 0)
  const wrong = noted.filter((block) => !live.has(block) || numbers[block / 8 + 1] !== block || notes[numbers[block / 8]] !== block)
  const extra = [...live].filter((block) => !noted.includes(block))
  for (const block of extra) heap.free(block)
  for (let i = 0; i < 100; i++) heap.free(heap.malloc(i * 100))
  heap.check()
  found.push([busy, heap.role, heap.recovered, wrong.length, extra.length <= 2])
  seen += noted.length
  heap.close()
}
report({ found, seen })
arena.close()`

const starts: Record<string, string> = {
  process: `new Peer(${JSON.stringify(`const running = () => new Promise((resolve) => process.send('running', resolve))\n${writer}`)}, { fds: [arena.fd], data })`,
  thread: `new Thread(${JSON.stringify(`const running = async () => post('running')\n${writer}`)}, { ...data, handle: arena.handle() })`,
}

for (const node of nodes)
  for (const [kind, start] of Object.entries(starts))
    test(`Node ${node.major}: a ${kind} is killed ${KILLS} times`, async () => {
      const { found, seen } = (await runChild(watcher(start), { node })).clean().report
      assert.equal(
        found,
        Array.from({ length: KILLS }, () => ['ERR_ARENA_BUSY', 'writer', true, 0, true])
      )
      // In 500 steps some 250 of the 400 notes are written.
      assert.ok(seen > 50 * KILLS, `${seen} blocks were noted`)
    })

test.run()
